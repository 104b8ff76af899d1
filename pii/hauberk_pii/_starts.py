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
from typing import Any, TypeVar

import re2  # type: ignore[import-untyped]  # it ships no types

from hauberk_pii._gate import loosened, quiet_options

_DENSE = 100
"""Characters per place from which on the pattern is faster by itself: one answer of RE2 takes as long
as a pattern takes for about so many."""
_SAMPLE = 16
"""Places after which that is asked."""
_LONG = 256
"""Characters of a place from which on the pattern searches in it by itself."""

_Value = TypeVar("_Value")


class Starts:
    """Every match of a pattern begins inside of a place that this gives. Thread-safe."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def matches(
        self,
        data: bytes,
        match: Callable[[int], Any],
        rest: Callable[[int], Iterator[_Value]],
        take: Callable[[Any], tuple[_Value, int]],
    ) -> Iterator[_Value]:
        """What is made of all matches of the pattern.

        Args:
            data: The text, in ASCII.
            match: The match of the pattern that begins at a place, if one does.
            rest: What is made of all its matches from a place on.
            take: What is made of a match, and where the search goes on: at its end, as a rule.
        """
        at = 0
        for count, place in enumerate(self._compiled.finditer(data), start=1):
            left, right = place.span()
            at = max(at, left)
            if (count % _SAMPLE == 0 and left < count * _DENSE) or right - left > _LONG:
                yield from rest(at)
                return
            while at < right:
                found = match(at)
                if found is None:
                    at += 1
                else:
                    value, at = take(found)
                    yield value


def starts_of(source: str, *, fold: bool) -> Starts | None:
    """Where a pattern can begin; None when RE2 cannot tell."""
    loose = loosened(source, fold=fold, plain=True)
    if loose is None:
        return None
    compiled = re2.compile(loose, quiet_options())
    # Where it matches nothing at all, a match can begin anywhere.
    return None if compiled.search(b"") is not None else Starts(compiled)


def match_and_end(match: Any) -> tuple[Any, int]:
    """A match, and where the search goes on behind it."""
    return match, match.end()


class Sparse:
    """A pattern of Python's engine whose matches are rare. Thread-safe."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def __repr__(self) -> str:
        return f"Sparse({self.pattern!r})"

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All matches in a text."""
        return self._searched(text, match_and_end, partial(self.pattern.finditer, text))

    def each(
        self, text: str, take: Callable[[re.Match[str]], tuple[_Value, int]]
    ) -> Iterator[_Value]:
        """What is made of all matches in a text.

        Args:
            text: Any text.
            take: What is made of a match, and where the search goes on: behind its first character.
        """

        def rest(at: int) -> Iterator[_Value]:
            while match := self.pattern.search(text, at):
                value, at = take(match)
                yield value

        return self._searched(text, take, rest)

    def _searched(
        self,
        text: str,
        take: Callable[[re.Match[str]], tuple[_Value, int]],
        rest: Callable[[int], Iterator[_Value]],
    ) -> Iterator[_Value]:
        starts = self._starts if text.isascii() else None
        if starts is None:
            return rest(0)
        return starts.matches(text.encode(), partial(self.pattern.match, text), rest, take)

    @cached_property
    def _starts(self) -> Starts | None:
        fold = bool(self.pattern.flags & re.IGNORECASE)
        return starts_of(self.pattern.pattern, fold=fold)
