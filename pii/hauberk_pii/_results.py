"""Results of recognizers that are not Presidio's patterns."""

from __future__ import annotations

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult


def result_of(
    recognizer: EntityRecognizer, entity: str, start: int, end: int, score: float
) -> RecognizerResult:
    """One result, with the marks by which Presidio knows whose it is."""
    name = str(getattr(recognizer, "name", ""))
    return RecognizerResult(
        entity_type=entity,
        start=start,
        end=end,
        score=score,
        # Presidio notes the context word here, and fails where there is none.
        analysis_explanation=AnalysisExplanation(recognizer=name, original_score=score),
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
        },
    )
