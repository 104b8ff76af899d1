"""Spans: where personal data is in a text, and what happens where two of them overlap.

Rules:
* The better score wins, then the longer span, then the earlier one.
* What the loser covers beyond the winner stays masked, as a span of its own: nothing that was found
  is shown because something else was found beside it.
* Neighbours are never merged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One stretch of a text. It holds no text."""

    start: int
    """First character."""
    end: int
    """First character after it."""
    type: str
    """Entity type, as Presidio names it: `EMAIL_ADDRESS`."""
    score: float
    """Certainty, 0 to 1."""

    def overlaps(self, other: Span) -> bool:
        """Whether both cover some character."""
        return self.start < other.end and other.start < self.end


def resolved(spans: Iterable[Span], text: str) -> tuple[Span, ...]:
    """Spans that do not overlap, in the order of the text.

    Example:
        >>> resolved([Span(0, 4, "URL", 0.5), Span(2, 8, "EMAIL_ADDRESS", 1.0)], "abcdefgh")
        (Span(start=0, end=2, type='URL', score=0.5), Span(start=2, end=8, type='EMAIL_ADDRESS', score=1.0))
    """
    ranked = sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.type))
    kept: list[Span] = []
    for span in ranked:
        for piece in list(_uncovered(span, kept)):
            whole = piece.start == span.start and piece.end == span.end
            if whole or any(char.isalnum() for char in text[piece.start : piece.end]):
                kept.insert(bisect_left(kept, piece), piece)
    return tuple(kept)


def with_names(spans: list[Span], names: list[Span]) -> list[Span]:
    """Spans together with names from elsewhere; names that overlap one of their type become one.

    Two finders may see one name differently: "Ada" and "Ada Byron" are one person, not two.

    Example:
        >>> with_names([Span(0, 9, "PERSON", 0.85)], [Span(0, 3, "PERSON", 0.9)])
        [Span(start=0, end=9, type='PERSON', score=0.9)]
    """
    if not names:
        return spans
    kinds = {name.type for name in names}
    apart = [span for span in spans if span.type not in kinds]
    united: dict[str, Span] = {}
    for span in sorted([*names, *(s for s in spans if s.type in kinds)], key=_by_start):
        last = united.get(span.type)
        if last is not None and last.overlaps(span):
            score = max(last.score, span.score)
            united[span.type] = Span(last.start, max(last.end, span.end), last.type, score)
            continue
        if last is not None:
            apart.append(last)
        united[span.type] = span
    return [*apart, *united.values()]


def _by_start(span: Span) -> int:
    return span.start


def _uncovered(span: Span, kept: list[Span]) -> Iterator[Span]:
    """The parts of a span that none of the kept ones (ordered, apart) covers."""
    at = span.start
    index = bisect_left(kept, span.start, key=lambda k: k.end)
    while index < len(kept) and kept[index].start < span.end:
        if kept[index].end > at:
            if kept[index].start > at:
                yield Span(at, kept[index].start, span.type, span.score)
            at = kept[index].end
        index += 1
    if at < span.end:
        yield span if at == span.start else Span(at, span.end, span.type, span.score)
