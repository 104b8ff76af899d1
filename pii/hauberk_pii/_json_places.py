"""JSON in a text: where its strings and numbers are, so that it is JSON still when values are hidden.

Rules:
* Every object or array that is complete counts, wherever it stands in the text; names of members are
  strings too.
* A span goes over no quotation mark and divides no escape; a number is hidden whole.
* A value with escapes is remembered as what it means, where its escapes are written as JSON writers
  write them; otherwise as it is written. Either way the document comes back as it was.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from hauberk_pii._forms import TOKEN, Form, in_json
from hauberk_pii._spans import Span

MAX_BROKEN = 16
"""Beginnings of documents in one text that turn out to be none, before it is taken for prose: each
costs a look at what follows."""

_BEGINS = re.compile(r"\{\s*[\"}]|\[\s*[\[{\"\-0-9tfn\]]")
_LONGEST = 6
"""Characters of the longest escape, `\\u003c`."""
_READER = json.JSONDecoder()


class Place(NamedTuple):
    """A number, or the inside of a string."""

    start: int
    end: int
    is_number: bool


class Documents(NamedTuple):
    """The JSON documents in a text."""

    spans: list[tuple[int, int]]
    """Where each starts and ends."""
    places: list[Place]
    """Their numbers and strings, in the order of the text."""


NO_DOCUMENTS = Documents([], [])


def documents_of(text: str) -> Documents:
    """The JSON documents in a text.

    Example:
        >>> documents_of('see {"n": 12}').places
        [Place(start=6, end=7, is_number=False), Place(start=10, end=12, is_number=True)]
    """
    spans = list(_documents(text))
    return Documents(spans, [place for span in spans for place in _tokens(text, *span)])


def fitted(text: str, spans: Iterable[Span], documents: Documents) -> list[Span]:
    """Spans, cut and grown so that documents stay documents; those outside of documents as they are.

    Args:
        text: The text.
        spans: What to hide; they must not overlap.
        documents: From `documents_of`.
    """
    if not documents.spans:
        return list(spans)
    found: dict[tuple[int, int], Span] = {}
    for span in spans:
        for piece in _pieces(text, span, documents):
            key = (piece.start, piece.end)
            known = found.get(key)
            if known is None or piece.score > known.score:
                found[key] = piece
    return sorted(found.values())


def written_as(text: str, span: Span, documents: Documents) -> tuple[Form, str]:
    """The form in which something stands for a span's value, and the value."""
    raw = text[span.start : span.end]
    place = _place_at(documents.places, span.start)
    if place is None or span.end > place.end:
        inside = _place_at(documents.places, span.start + 1)
        whole = inside is not None and TOKEN.fullmatch(raw) is not None
        return (Form.TOKEN if whole else Form.PLAIN), raw
    if place.is_number:
        return Form.TOKEN, raw
    if "\\" in raw:
        meant = str(json.loads(f'"{raw}"'))
        for form in (Form.ASCII, Form.JSON):
            if in_json(meant, plain=form is Form.JSON) == raw:
                return form, meant
    return Form.PLAIN, raw


def aligned(text: str, span: Span, documents: Documents) -> Span:
    """A span that divides no escape of the string that it begins in: it grows over both."""
    place = _place_at(documents.places, span.start)
    if place is None or place.is_number:
        return span
    first = _escape_around(text, span.start, place)
    last = _escape_around(text, span.end, place) if span.end <= place.end else None
    return replace(span, start=first[0] if first else span.start, end=last[1] if last else span.end)


def _documents(text: str) -> Iterator[tuple[int, int]]:
    at = broken = 0
    while broken < MAX_BROKEN and (match := _BEGINS.search(text, at)) is not None:
        try:
            at = _READER.raw_decode(text, match.start())[1]
        except (ValueError, RecursionError):
            broken, at = broken + 1, match.start() + 1
        else:
            yield match.start(), at


def _tokens(text: str, start: int, end: int) -> Iterator[Place]:
    for match in TOKEN.finditer(text, start, end):
        if match[0][0] == '"':
            yield Place(match.start() + 1, match.end() - 1, is_number=False)
        else:
            yield Place(match.start(), match.end(), is_number=True)


def _place_at(places: list[Place], at: int) -> Place | None:
    index = bisect_right(places, at, key=_end_of)
    return places[index] if index < len(places) and places[index].start <= at else None


def _end_of(place: Place) -> int:
    return place.end


def _pieces(text: str, span: Span, documents: Documents) -> Iterator[Span]:
    """The parts of a span in strings and numbers, and before and behind the documents."""
    at = span.start
    index = bisect_right(documents.spans, at, key=itemgetter(1))
    while index < len(documents.spans) and documents.spans[index][0] < span.end:
        start, end = documents.spans[index]
        index += 1
        yield from _outside(text, replace(span, start=at, end=max(at, start)))
        at, since = min(span.end, end), max(at, start)
        yield from _inside(text, replace(span, start=since, end=at), documents.places)
    yield from _outside(text, replace(span, start=at)) if at > span.start else (span,)


def _outside(text: str, span: Span) -> Iterator[Span]:
    if any(char.isalnum() for char in text[span.start : span.end]):
        yield span


def _inside(text: str, span: Span, places: list[Place]) -> Iterator[Span]:
    index = bisect_right(places, span.start, key=_end_of)
    while index < len(places) and places[index].start < span.end:
        place = places[index]
        if place.is_number:
            yield replace(span, start=place.start, end=place.end)
        else:
            start, end = max(span.start, place.start), min(span.end, place.end)
            yield from _between_escapes(text, replace(span, start=start, end=end), place)
        index += 1


def _between_escapes(text: str, span: Span, place: Place) -> Iterator[Span]:
    """The span, without the rest of an escape that it begins in, with all of the one that it ends in."""
    first, last = (_escape_around(text, at, place) for at in (span.start, span.end))
    start, end = span.start, last[1] if last else span.end
    if first:
        # A letter belongs to the word, a line's end does not.
        start = first[0] if text[first[0] + 1] == "u" else first[1]
    if start < end:
        yield replace(span, start=start, end=end)


def _escape_around(text: str, at: int, place: Place) -> tuple[int, int] | None:
    """The escape that goes over an offset, if there is one."""
    for start in range(at - 1, max(place.start, at - _LONGEST) - 1, -1):
        if text[start] == "\\":
            first = start
            while first > place.start and text[first - 1] == "\\":
                first -= 1
            end = start + (_LONGEST if text[start + 1] == "u" else 2)
            if (start - first) % 2 == 0 and end > at:
                return start, end
    return None
