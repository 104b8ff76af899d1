"""Finding: Presidio's recognizers, asked only where they can find something.

Rules:
* What is found equals what the unmodified `AnalyzerEngine` finds with the same recognizers, resolved
  by our rules for overlaps.
* A score below the threshold is dropped before overlaps are resolved.
* One finder per set of types and language and process, built once, shared by all threads.
* Names come from the tagger, or from a model that the policy names, beside those that structure
  tells; a name that both find is the longer of the two.
* A text that costs too much is refused; nothing is left out of the analysis.
* Presidio is imported when the first finder is built.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from hauberk import PolicyError
from hauberk.policy import Difference, NamesModel
from hauberk_pii._encoded import views
from hauberk_pii._entities import DEFAULT_ENTITIES
from hauberk_pii._limits import check_findings
from hauberk_pii._parts import Part, Reader, parts_of
from hauberk_pii._spans import Span, resolved, with_names
from hauberk_pii._visible import Visible, as_it_is, visible

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

Strict = bool | Iterable[Difference]
"""Whether differences from Presidio are switched off: all, none, or some."""

Languages = str | tuple[str, ...]
"""ISO 639-1 code; several, or `auto`: the one of them that a text seems to be in."""

_Key = tuple[Languages, tuple[str, ...], float, str | NamesModel, frozenset[Difference]]
_lock = threading.RLock()
_finders: dict[_Key, Finder] = {}


class Finder:
    """Finds personal data in a text. Thread-safe.

    Example:
        >>> finder = finder_for(entities=("EMAIL_ADDRESS",))
        >>> finder.find("write to ada@example.com")
        (Span(start=9, end=24, type='EMAIL_ADDRESS', score=1.0),)
    """

    def __init__(
        self,
        entities: Iterable[str],
        *,
        language: str,
        threshold: float,
        names: str | NamesModel = "tagger",
        strict: Strict = False,
    ) -> None:
        """Load Presidio and build the search.

        Args:
            entities: Types to find.
            language: ISO 639-1 code.
            threshold: Least score, 0 to 1.
            names: Who finds names of people and places, as in `PiiPolicy.names`.
            strict: Differences from Presidio that are switched off; True: all of them.

        Raises:
            PolicyError: A type or the language is not known, or a model is not there.
        """
        from hauberk_pii._engine import engine_for  # noqa: PLC0415 - spaCy: half a second
        from hauberk_pii._registry import recognizers_by_entity  # noqa: PLC0415
        from hauberk_pii._search import Search  # noqa: PLC0415
        from hauberk_pii._sources import source_of  # noqa: PLC0415

        self.entities = tuple(dict.fromkeys(entities))
        self.language = language
        self.threshold = threshold
        off = switched_off(strict)
        self._reads = Difference.ENCODED not in off
        self._see = as_it_is if Difference.HIDDEN in off else visible
        known = dict(recognizers_by_entity(language, off=off))
        self._names = source_of(names, language)
        for entity in self._names.entities if self._names else ():
            known.setdefault(entity, [])
        if names == "off":
            known["PERSON"] = []
        self.recognizers: list[EntityRecognizer] = list(
            dict.fromkeys(r for entity in self.entities for r in _chosen(entity, known))
        )
        self._search = Search(
            self.recognizers,
            self.entities,
            threshold=threshold,
            words=engine_for(language),
            language=language,
        )

    def __repr__(self) -> str:
        return f"Finder(language={self.language!r}, entities={len(self.entities)})"

    def find(self, text: str) -> tuple[Span, ...]:
        """Spans that do not overlap, in the order of the text, with offsets into it as it is.

        Raises:
            TooCostlyError: The text costs more to analyse than is allowed.
        """
        found = self.candidates(text)
        return resolved(found, text) if found else ()

    def parts(self, reader: Reader) -> Iterator[Part]:
        """The stretches of a long text with what is in each: to hide it while the text is read.

        Does not promise what `scan_stream` does not.

        Raises:
            TooCostlyError: A part costs more to analyse than is allowed.
        """
        return parts_of(reader, self.candidates)

    def scan_stream(self, reader: Reader) -> Iterator[Span]:
        """Spans of a long text that is read in parts: memory does not grow with it.

        They are those of `find`, as far as they follow from what is near. Does not promise that for a
        context word more than 4,000 characters before its value, names in a line of more than 4,000,
        values in as long a run of signs without a line end, and Presidio's rule that a part of a word
        with a colon is a keyword in the whole text.

        Args:
            reader: The text: an open file, `io.StringIO`.

        Raises:
            TooCostlyError: A part costs more to analyse than is allowed.

        Example:
            >>> from io import StringIO
            >>> list(finder_for(entities=("EMAIL_ADDRESS",)).scan_stream(StringIO("to ada@example.com")))
            [Span(start=3, end=18, type='EMAIL_ADDRESS', score=1.0)]
        """
        for part in self.parts(reader):
            for span in part.spans:
                start, end = part.start + span.start, part.start + span.end
                yield Span(start, end, span.type, span.score)

    def candidates(self, text: str) -> list[Span]:
        """Everything that is found, before overlaps are resolved."""
        seen = self._see(text)
        if not seen.text:
            return []
        found = self._in(seen)
        decoded = list(self._decoded(seen)) if self._reads else []
        return with_names(found, decoded) if decoded else found

    def _decoded(self, seen: Visible) -> Iterator[Span]:
        """What is found once encodings are undone, and only then."""
        for view in views(seen.text):
            for span in self._in(self._see(view.text)):
                if view.news(span.start, span.end):
                    start, end = seen.back(*view.back(span.start, span.end))
                    yield replace(span, start=start, end=end)

    def _in(self, seen: Visible) -> list[Span]:
        found = self._by_recognizers(seen)
        return with_names(found, list(self._by_names(seen))) if self._names else found

    def _by_names(self, seen: Visible) -> Iterator[Span]:
        count = 0
        for start, end, entity, score in self._names.names(seen.text) if self._names else ():
            if entity in self.entities and score >= self.threshold:
                count += 1
                check_findings(count)
                yield Span(*seen.back(start, end), entity, score)

    def _by_recognizers(self, seen: Visible) -> list[Span]:
        """What Presidio's analyzer finds."""
        found = self._search.spans(seen.text)
        if not seen.starts:
            return found
        return [Span(*seen.back(s.start, s.end), s.type, s.score) for s in found]


def finder_for(
    *,
    entities: Iterable[str] | None = None,
    language: Languages = "en",
    threshold: float = 0.4,
    names: str | NamesModel = "tagger",
    strict: Strict = False,
) -> Finder:
    """The finder for these types, made once per process.

    Args:
        entities: Types to find; the default set when not given.
        language: ISO 639-1 code; several, or `auto`: the one of them that a text seems to be in.
        threshold: Least score, 0 to 1.
        names: Who finds names of people and places, as in `PiiPolicy.names`.
        strict: Differences from Presidio that are switched off; True: all of them.

    Raises:
        PolicyError: A type or the language is not known, or a model is not there.
    """
    wanted = DEFAULT_ENTITIES if entities is None else tuple(dict.fromkeys(entities))
    key = (language, wanted, threshold, names, switched_off(strict))
    with _lock:
        if key not in _finders:
            _finders[key] = _made(key)
        return _finders[key]


def switched_off(strict: Strict) -> frozenset[Difference]:
    """The differences from Presidio that are switched off."""
    return frozenset(Difference if strict is True else strict or ())


def _made(key: _Key) -> Finder:
    language, entities, threshold, names, off = key
    if language != "auto" and isinstance(language, str):
        return Finder(entities, language=language, threshold=threshold, names=names, strict=off)
    from hauberk_pii._languages import ManyLanguages  # noqa: PLC0415 - it is a Finder

    return ManyLanguages(entities, languages=language, threshold=threshold, names=names, strict=off)


def _chosen(entity: str, known: dict[str, list[EntityRecognizer]]) -> list[EntityRecognizer]:
    if entity in known:
        return known[entity]
    near = get_close_matches(entity.upper(), known, n=1)
    raise PolicyError(
        f"unknown entity type {entity!r}",
        field="pii.entities",
        remedy=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}.",
    )
