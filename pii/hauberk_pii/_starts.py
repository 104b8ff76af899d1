"""Where a pattern can begin in a text: RE2 says it in one linear pass.

Rules:
* What is found equals what the pattern's own `finditer` finds: RE2 says where a match can begin, the
  pattern says whether one does.
* Only texts in ASCII are searched like this: there a character is a byte, and engines agree on classes.
* Where places are dense or long, the pattern searches by itself from there on: that is faster then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import re2  # type: ignore[import-untyped]  # it ships no types

from hauberk_pii._gate import loosened, quiet_options

_DENSE = 100
"""Characters per place from which on the pattern is faster by itself: one answer of RE2 takes as long
as a pattern takes for about so many."""
_SAMPLE = 16
"""Places after which that is asked."""
_LONG = 256
"""Characters of a place from which on the pattern searches in it by itself."""


class Starts:
    """Every match of a pattern begins inside of a place that this gives. Thread-safe."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def matches(
        self,
        data: bytes,
        match: Callable[[int], Any],
        rest: Callable[[int, Callable[[Any], int]], Iterator[Any]],
        resume: Callable[[Any], int],
    ) -> Iterator[Any]:
        """All matches of the pattern.

        Args:
            data: The text, in ASCII.
            match: The match of the pattern that begins at a place, if one does.
            rest: All its matches from a place on, to be resumed in the same way.
            resume: Where the search goes on behind a match: its end, as a rule.
        """
        at = 0
        for count, place in enumerate(self._compiled.finditer(data), start=1):
            left, right = place.span()
            at = max(at, left)
            if (count % _SAMPLE == 0 and left < count * _DENSE) or right - left > _LONG:
                yield from rest(at, resume)
                return
            while at < right:
                found = match(at)
                if found is None:
                    at += 1
                else:
                    yield found
                    at = resume(found)


def starts_of(source: str, *, fold: bool) -> Starts | None:
    """Where a pattern can begin; None when RE2 cannot tell."""
    loose = loosened(source, fold=fold, plain=True)
    if loose is None:
        return None
    compiled = re2.compile(loose, quiet_options())
    # Where it matches nothing at all, a match can begin anywhere.
    return None if compiled.search(b"") is not None else Starts(compiled)


class Sparse:
    """A pattern of Python's engine whose matches are rare. Thread-safe."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def __repr__(self) -> str:
        return f"Sparse({self.pattern!r})"

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All matches in a text."""
        return self.matches(text, re.Match.end)

    def matches(self, text: str, resume: Callable[[re.Match[str]], int]) -> Iterator[re.Match[str]]:
        """All matches, where the search goes on from elsewhere than from the end of each.

        Args:
            text: Any text.
            resume: Where the search goes on behind a match: behind its first character.
        """
        starts = self._starts if text.isascii() else None
        if starts is None:
            return self._from(text, 0, resume)
        return starts.matches(
            text.encode(), partial(self.pattern.match, text), partial(self._from, text), resume
        )

    def _from(
        self, text: str, at: int, resume: Callable[[re.Match[str]], int]
    ) -> Iterator[re.Match[str]]:
        if resume is re.Match.end:
            yield from self.pattern.finditer(text, at)
            return
        while match := self.pattern.search(text, at):
            yield match
            at = resume(match)

    @cached_property
    def _starts(self) -> Starts | None:
        fold = bool(self.pattern.flags & re.IGNORECASE)
        return starts_of(self.pattern.pattern, fold=fold)
