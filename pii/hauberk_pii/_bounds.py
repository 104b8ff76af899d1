"""Presidio's patterns, which refuse a text where Presidio would skip them.

Rules:
* A pattern is bounded as `_timed` says.
* Patterns are copied before they are bound: those of other Presidio users in the process stay as
  they are.
"""

# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

from copy import copy
from time import monotonic
from typing import Any, cast

from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.pattern_recognizer import REGEX_TIMEOUT_SECONDS
from presidio_analyzer.predefined_recognizers import IbanRecognizer

from hauberk_pii._limits import MAX_PATTERN_SECONDS, too_slow
from hauberk_pii._timed import TimedPattern


def bound(recognizer: EntityRecognizer, *, seconds: float = MAX_PATTERN_SECONDS) -> None:
    """Make the patterns of a recognizer raise `TooCostlyError` where they take too long."""
    if isinstance(recognizer, PatternRecognizer):
        untyped: Any = recognizer  # Presidio leaves these attributes without types
        flags, name = untyped.global_regex_flags, str(untyped.name)
        untyped.patterns = [_bounded(p, flags, name, seconds) for p in untyped.patterns]


def _bounded(pattern: Pattern, flags: int | None, name: str, seconds: float) -> Pattern:
    own = copy(pattern)
    bounded: Any = TimedPattern(str(pattern.regex), flags or 0, name, seconds)
    # Where both are set, Presidio compiles nothing itself; it asks for `finditer` only.
    own.compiled_regex = bounded
    own.compiled_with_flags = flags  # type: ignore[assignment]  # Presidio's types say None
    return own


class BoundedIbanRecognizer(IbanRecognizer):
    """Presidio's IBAN recognizer, which compiles its pattern itself and skips it when it is slow."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="IbanRecognizer")

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """IBANs in a text. Flags are not taken: Presidio takes none here either."""
        started = monotonic()
        found = super().analyze(text, entities, cast("NlpArtifacts", nlp_artifacts))
        if monotonic() - started >= min(REGEX_TIMEOUT_SECONDS, MAX_PATTERN_SECONDS):
            raise too_slow("IbanRecognizer")
        return found
