"""The tagger for Presidio: a recognizer, and an NLP engine.

Rules:
* `PERSON` and `LOCATION`, with Presidio's names, offsets and scores.
* What is less likely than `LEAST` is not reported: a threshold below it changes nothing.
* No model is downloaded.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._engine import BlankEngine
from hauberk_pii._results import result_of
from hauberk_pii.tagger._file import load
from hauberk_pii.tagger._model import Tagger
from hauberk_pii.tagger._source import ENTITIES, Found, found_in


class NameRecognizer(EntityRecognizer):
    """Names of people and places in any text in Latin letters. For any Presidio registry.

    Example:
        >>> from presidio_analyzer import RecognizerRegistry
        >>> registry = RecognizerRegistry()
        >>> registry.add_recognizer(NameRecognizer())

    Args:
        supported_language: Language under which it is registered. The tagger is the same for all.
        tagger: What finds the names; the one that comes with this package if not given.
    """

    def __init__(self, supported_language: str = "en", *, tagger: Tagger | None = None) -> None:
        self._tagger = tagger
        super().__init__(
            supported_entities=sorted(ENTITIES.values()),
            supported_language=supported_language,
            name="HauberkNameRecognizer",
        )

    def load(self) -> None:
        """Read the weights, if they were not read."""
        self._tagger = self._tagger or load()

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Names in a text."""
        tagger = self._tagger or load()
        return [
            result_of(self, entity, start, end, score)
            for start, end, entity, score in found_in(text, tagger)
            if entity in entities
        ]


class TaggerNlpEngine(BlankEngine):
    """An NLP engine that splits into words and knows names: in place of a spaCy model.

    Presidio's `SpacyRecognizer` reports its entities, with one score for all of them; context words
    work. `NameRecognizer` reports each with its own score.

    Example:
        >>> from presidio_analyzer import AnalyzerEngine
        >>> analyzer = AnalyzerEngine(nlp_engine=TaggerNlpEngine(), supported_languages=["en"])

    Args:
        language: ISO 639-1 code of the only language.

    Raises:
        ValueError: spaCy knows no such language.
    """

    engine_name = "hauberk_tagger"

    def __init__(self, language: str = "en") -> None:
        super().__init__(language)

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Tokens of a text, with lower-cased words as lemmas, and its names."""
        artifacts = super().process_text(text, language)
        doc: Any = artifacts.tokens
        found = list(_labelled(doc, text))
        artifacts.entities = [span for span, _ in found]
        artifacts.scores = [score for _, score in found]
        return artifacts

    def get_supported_entities(self) -> list[str]:
        """People and places."""
        return sorted(ENTITIES.values())


def _labelled(doc: Any, text: str) -> Iterator[tuple[Any, float]]:
    names: list[Found] = list(found_in(text, load()))
    for start, end, entity, score in names:
        span = doc.char_span(start, end, label=entity, alignment_mode="expand")
        if span is not None:
            yield span, score
