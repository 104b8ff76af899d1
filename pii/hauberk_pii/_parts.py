"""Long texts, read and searched in parts: time grows with the text, memory does not.

Rules:
* Parts lie beside each other and give the whole text; no finding is divided between two.
* Each part is searched with `BEFORE` characters before it and `AFTER` behind it, from the start of a
  line where there is one: what is found is what one pass over the whole text finds, wherever that
  follows from what is so near.
* A finding that goes on for longer gets a longer part, up to `MAX_PART`; one that is longer still is
  divided, and found in both parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hauberk_pii._spans import Span, resolved

BLOCK = 65_536
"""Characters that are read at once."""
BEFORE = 4_096
"""Characters before a part that are searched with it: lines and words that say what its values are."""
AFTER = 2_048
"""Characters behind a part that are searched with it: the longest value but a key or a token."""
MAX_PART = 1 << 20
"""Characters of the longest part."""


class Reader(Protocol):
    """A text to be read: an open file, `io.StringIO`."""

    def read(self, size: int, /) -> str:
        """The next characters, at most `size`; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text with what was found in it."""

    start: int
    """Offset into the whole text, in characters."""
    text: str = field(repr=False)
    spans: tuple[Span, ...]
    """Findings with offsets into `text`, in order, apart."""


def parts_of(reader: Reader, search: Callable[[str], Sequence[Span]]) -> Iterator[Part]:
    """The parts of a text, in order.

    Args:
        reader: The text.
        search: All findings in a text, overlaps included.
    """
    window, base, done = "", 0, 0  # a stretch, where it starts, and how much of it is done
    ahead = reader.read(BLOCK)
    while ahead:
        window += ahead
        ahead = reader.read(BLOCK)
        found = search(window)
        cut = _cut(window, found, done) if ahead else len(window)
        if cut <= done:
            continue  # a finding goes on: read more of it
        yield Part(base + done, window[done:cut], _between(window, found, done, cut))
        keep = _line_start(window, cut - BEFORE)
        window, base, done = window[keep:], base + keep, cut - keep


def _cut(window: str, found: Sequence[Span], done: int) -> int:
    """Where a part ends: behind a line, or a word, and in no finding. `done` when that is nowhere."""
    last = len(window) - AFTER
    if last - done >= MAX_PART:
        return last
    cut = last
    for sign in ("\n", " "):
        at = window.rfind(sign, max(done, last - BEFORE), last)
        if at >= 0:
            cut = at + 1
            break
    # From the end: a cut that moves before one finding may get into another.
    for span in sorted(found, key=lambda one: -one.end):
        if span.start < cut < span.end:
            cut = span.start
    return max(cut, done)


def _between(window: str, found: Sequence[Span], start: int, end: int) -> tuple[Span, ...]:
    """What was found between two places, with offsets from the first."""
    inside = [
        Span(max(one.start, start), min(one.end, end), one.type, one.score)
        for one in found
        if one.start < end and start < one.end
    ]
    return tuple(
        Span(one.start - start, one.end - start, one.type, one.score)
        for one in resolved(inside, window)
    )


def _line_start(window: str, at: int) -> int:
    """The start of the line that a place is in, if it is near; else the place."""
    if at <= 0:
        return 0
    before = window.rfind("\n", max(0, at - BEFORE), at)
    return before + 1 if before >= 0 else at
