"""A pattern that is tried only where it can begin, and that refuses a text where it takes too long.

Rules:
* What is found equals what the pattern's own `finditer` finds: RE2 says where a match can begin, the
  pattern says whether one does.
* Where places are dense, the pattern searches by itself: that is faster then.
* A pattern that takes too long stops the analysis. Presidio leaves such a pattern out and goes on,
  as if it had found nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from time import monotonic
from typing import Any

import re2  # type: ignore[import-untyped]  # it ships no types
import regex  # type: ignore[import-untyped]  # it ships no types

from hauberk_pii._gate import loosened, quiet_options
from hauberk_pii._limits import too_slow

_DENSE = 100
"""Characters per place from which on the pattern is faster by itself: one answer of RE2 takes as long
as a pattern takes for about so many."""
_SAMPLE = 16
"""Places after which that is asked."""
_LONG = 256
"""Characters of a place from which on the pattern searches in it by itself."""


class TimedPattern:
    """Stands for a compiled pattern of Presidio's engine.

    Args:
        source: The pattern.
        flags: As `regex` takes them.
        name: Whose it is, for the error.
        seconds: How long it may take on one text.
    """

    def __init__(self, source: str, flags: int, name: str, seconds: float) -> None:
        self._compiled: Any = regex.compile(source, flags=flags)
        self._source = source
        self._name = name
        self._seconds = seconds

    def finditer(self, text: str, **_: Any) -> Iterator[Any]:
        """All matches; raises where Presidio would leave the rest out.

        Raises:
            TooCostlyError: It takes too long.
        """
        return self._from(text, 0)

    def found(self, text: str, data: bytes | None) -> Iterator[Any]:
        """All matches.

        Args:
            text: Where they are looked for.
            data: The same in ASCII; None when it is not.

        Raises:
            TooCostlyError: It takes too long.
        """
        if data is None or self._starts is None:
            return self._from(text, 0)
        return self._at_places(text, data, self._starts)

    def _from(self, text: str, at: int) -> Iterator[Any]:
        try:
            yield from self._compiled.finditer(text, at, timeout=self._seconds)
        except TimeoutError:
            raise too_slow(self._name) from None

    def _at_places(self, text: str, data: bytes, starts: Any) -> Iterator[Any]:
        until = monotonic() + self._seconds
        at = 0
        for count, place in enumerate(starts.finditer(data), start=1):
            left, right = place.span()
            dense = count % _SAMPLE == 0 and left < count * _DENSE
            if dense or right - left > _LONG:
                yield from self._from(text, max(at, left))
                return
            at = max(at, left)
            while at < right:
                match = self._match(text, at, until)
                if match is None:
                    at += 1
                else:
                    yield match
                    at = match.end()

    def _match(self, text: str, at: int, until: float) -> Any:
        left = until - monotonic()
        try:
            if left > 0:
                return self._compiled.match(text, at, timeout=left)
        except TimeoutError:
            pass
        raise too_slow(self._name)

    @cached_property
    def _starts(self) -> Any:
        """Every match begins inside of a match of this, in a text that is ASCII; None: not known."""
        fold = bool(self._compiled.flags & regex.IGNORECASE)
        loose = loosened(self._source, fold=fold, plain=True)
        if loose is None:
            return None
        starts = re2.compile(loose, quiet_options())
        # Where it matches nothing at all, a match can begin anywhere.
        return None if starts.search(b"") is not None else starts
