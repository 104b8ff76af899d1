"""Presidio's analysis of one text, without what it spends on each result.

`AnalyzerEngine.analyze` step by step: recognizers, context words, threshold, duplicates. Patterns,
scores, checks and context words are the recognizers' own.

Rules:
* What is found equals what the unmodified engine finds.
* A pattern is tried only where RE2 says that it can match (`_gate`, `_timed`).
* A pattern whose score is below the threshold without a context word is tried only where the text
  holds such a word.
* A recognizer that does more than patterns is asked as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._engine import BlankEngine, LazyArtifacts
from hauberk_pii._gate import Gate, Loose, gates_of, loose_of, words_gate
from hauberk_pii._limits import check_findings
from hauberk_pii._spans import Span
from hauberk_pii._timed import TimedPattern

Hit = tuple[int, int, float]
"""First character, first one after it, and score."""

_ENHANCER = LemmaContextAwareEnhancer()
_MAX = EntityRecognizer.MAX_SCORE


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """A text that is searched."""

    text: str
    data: bytes | None
    """The same in ASCII; None when it is not."""
    words: LazyArtifacts


@dataclass(frozen=True, slots=True, eq=False)
class _Try:
    """What the gate lets through: a part of a recognizer that may find something."""

    asked: _Asked
    pattern: _Scored | None = None
    """None: all of it, or a context word of it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """A pattern with the score that Presidio gives it."""

    pattern: TimedPattern
    score: float
    weak: bool
    """Whether it comes to nothing without a context word."""


class _Asked:
    """A recognizer that is asked as a whole."""

    def __init__(self, recognizer: EntityRecognizer, entities: Iterable[str]) -> None:
        self.context = tuple(recognizer.context or ())
        self._entities = [one for one in recognizer.supported_entities if one in set(entities)]
        self._recognizer = recognizer

    def gates(self) -> Iterator[tuple[_Try, list[Loose] | None]]:
        """What it can be asked, with where that can find something."""
        yield _Try(self), gates_of(self._recognizer)

    def hits(self, text: _Text, tried: Sequence[_Scored | None]) -> dict[str, list[Hit]]:  # noqa: ARG002 - for those with parts
        """What it finds, by type."""
        artifacts = cast("NlpArtifacts", text.words)  # looks like them to whoever asks for words
        found: dict[str, list[Hit]] = {}
        for one in self._recognizer.analyze(text.text, self._entities, artifacts) or ():
            if one.entity_type in self._entities:
                hits = found.setdefault(one.entity_type, [])
                hits.append((one.start, one.end, one.score))
        return found


class _AskedPatterns(_Asked):
    """A recognizer that is nothing but patterns, each of which is asked by itself."""

    def __init__(
        self, recognizer: PatternRecognizer, entities: Iterable[str], threshold: float
    ) -> None:
        super().__init__(recognizer, entities)
        self._flags = recognizer.global_regex_flags or 0
        self._entity = recognizer.supported_entities[0]
        self._validate = _overridden(recognizer, "validate_result")
        self._invalidate = _overridden(recognizer, "invalidate_result")
        untyped: Any = recognizer  # Presidio leaves the attribute without a type
        patterns: list[Pattern] = untyped.patterns
        self._sources = [
            (
                str(one.regex),
                _Scored(
                    cast("TimedPattern", one.compiled_regex),
                    one.score,
                    weak=self._validate is None and one.score < threshold,
                ),
            )
            for one in patterns
        ]

    def gates(self) -> Iterator[tuple[_Try, list[Loose] | None]]:
        """Each pattern, and the words that a weak one needs."""
        own = getattr(self._recognizer, "gates", None)
        for source, scored in self._sources:
            if own is not None:
                yield _Try(self, scored), gates_of(self._recognizer)
                continue
            loose = loose_of(source, fold=bool(self._flags & _FOLD))
            yield _Try(self, scored), None if loose is None else [loose]
        if self.context:
            yield _Try(self), [words_gate(self.context)]

    def hits(self, text: _Text, tried: Sequence[_Scored | None]) -> dict[str, list[Hit]]:
        """What some of its patterns find."""
        told = None in tried
        found = [
            hit
            for one in tried
            if one is not None and (told or not one.weak)
            for hit in self._hits(one, text)
        ]
        return {self._entity: kept(found)} if found else {}

    def _hits(self, scored: _Scored, text: _Text) -> Iterator[Hit]:
        for match in scored.pattern.found(text.text, text.data):
            score = self._checked(match[0], scored.score)
            if score > 0:
                yield match.start(), match.end(), score

    def _checked(self, value: str, score: float) -> float:
        if not value:
            return 0
        if self._validate is not None:
            valid = self._validate(value)
            if valid is not None:
                score = _MAX if valid else 0
        return 0 if self._invalidate is not None and self._invalidate(value) else score


_FOLD = 2
"""`re.IGNORECASE`, which is `regex.IGNORECASE` too."""


class Search:
    """Finds what some recognizers find in a text. Thread-safe.

    Args:
        recognizers: Presidio's, with patterns that are bound (`_bounds`).
        entities: Types to find.
        threshold: Least score.
        words: Splits into words, where context counts.
        language: ISO 639-1 code of all of them.
    """

    def __init__(
        self,
        recognizers: Iterable[EntityRecognizer],
        entities: Iterable[str],
        *,
        threshold: float,
        words: BlankEngine,
        language: str,
    ) -> None:
        self._threshold = threshold
        self._words = words
        self._language = language
        wanted = tuple(entities)
        asked = [_asked(recognizer, wanted, threshold) for recognizer in recognizers]
        self._gate = Gate(gate for one in asked for gate in one.gates())

    def spans(self, text: str) -> list[Span]:
        """Everything that is found, in no order, overlaps included.

        Raises:
            TooCostlyError: The text costs more to analyse than is allowed.
        """
        chosen: dict[_Asked, list[_Scored | None]] = {}
        for one in self._gate.select(text):
            chosen.setdefault(one.asked, []).append(one.pattern)
        if not chosen:
            return []
        searched = _Text(
            text,
            text.encode() if text.isascii() else None,
            LazyArtifacts(text, self._words, self._language),
        )
        found: dict[str, list[Hit]] = {}
        count = 0
        for asked, tried in chosen.items():
            for entity, hits in asked.hits(searched, tried).items():
                count += len(hits)
                check_findings(count)
                better = (_with_context(hit, asked.context, searched.words) for hit in hits)
                found.setdefault(entity, []).extend(
                    hit for hit in better if hit[2] >= self._threshold
                )
        return [
            Span(start, end, entity, score)
            for entity, hits in found.items()
            for start, end, score in kept(hits)
        ]


def kept(hits: Sequence[Hit]) -> list[Hit]:
    """Hits of one type without those inside of one that scores as well: Presidio's `remove_duplicates`.

    Example:
        >>> kept([(0, 9, 0.5), (2, 5, 0.5), (2, 5, 0.9)])
        [(0, 9, 0.5), (2, 5, 0.9)]
    """
    if len(hits) < 2:  # noqa: PLR2004 - nothing to compare
        return list(hits)
    done: list[Hit] = []
    near: list[Hit] = []
    for hit in sorted(set(hits), key=_longest_first):
        start, end, score = hit
        near = [other for other in near if other[1] >= start]
        if not any(other[1] >= end and other[2] >= score for other in near):
            done.append(hit)
            near.append(hit)
    return done


def _longest_first(hit: Hit) -> tuple[int, int, float]:
    return hit[0], -hit[1], -hit[2]


def _asked(recognizer: EntityRecognizer, entities: Iterable[str], threshold: float) -> _Asked:
    if isinstance(recognizer, PatternRecognizer) and _overridden(recognizer, "analyze") is None:
        return _AskedPatterns(recognizer, entities, threshold)
    return _Asked(recognizer, entities)


def _overridden(recognizer: PatternRecognizer, method: str) -> Callable[[str], Any] | None:
    """What a recognizer does in place of Presidio's default; None when it does not."""
    if getattr(type(recognizer), method) is getattr(PatternRecognizer, method):
        return None
    return cast("Callable[[str], Any]", getattr(recognizer, method))


def _with_context(hit: Hit, context: tuple[str, ...], words: LazyArtifacts) -> Hit:
    """A hit with the score that it has where a context word stands before it."""
    start, end, score = hit
    near = _ENHANCER.context_prefix_count + 1
    if not context or score >= _MAX or not words.hold(context, start, near):
        return hit
    better = max(
        score + _ENHANCER.context_similarity_factor, _ENHANCER.min_score_with_context_similarity
    )
    return start, end, min(better, _MAX)
