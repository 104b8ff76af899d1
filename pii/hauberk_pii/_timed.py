"""A pattern that is tried only where it can begin, and that refuses a text where it takes too long.

Rules:
* What is found equals what the pattern's own `finditer` finds.
* A pattern that takes too long stops the analysis. Presidio leaves such a pattern out and goes on,
  as if it had found nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from time import monotonic
from typing import Any

import regex  # type: ignore[import-untyped]  # it ships no types

from hauberk_pii._limits import too_slow
from hauberk_pii._starts import Starts, match_and_end, starts_of


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
        until = monotonic() + self._seconds
        return self._starts.matches(
            data,
            lambda at: self._match(text, at, until),
            lambda at: self._from(text, at),
            match_and_end,
        )

    def _from(self, text: str, at: int) -> Iterator[Any]:
        try:
            yield from self._compiled.finditer(text, at, timeout=self._seconds)
        except TimeoutError:
            raise too_slow(self._name) from None

    def _match(self, text: str, at: int, until: float) -> Any:
        left = until - monotonic()
        try:
            if left > 0:
                return self._compiled.match(text, at, timeout=left)
        except TimeoutError:
            pass
        raise too_slow(self._name)

    @cached_property
    def _starts(self) -> Starts | None:
        return starts_of(self._source, fold=bool(self._compiled.flags & regex.IGNORECASE))
