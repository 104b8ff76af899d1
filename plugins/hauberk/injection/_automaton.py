"""Many patterns at once: RE2 behind a typed door.

Rules:
* Matching takes time in proportion to the text, whatever the patterns and the text are.
* A pattern that RE2 cannot take raises `PatternError` with its number and the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib import import_module
from typing import Any

from hauberk.injection._literals import required

MEMORY = 32 * 1024 * 1024
"""Bytes that one automaton may use for the states that texts bring up. With too little it starts
afresh again and again; real use stays far below."""

# RE2's bindings carry no types; everything that comes out of them is narrowed here.
_re2: Any = import_module("re2")


class PatternError(ValueError):
    """RE2 cannot take a pattern. `index`: which; `reason`: why."""

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(f"pattern {index}: {reason}")


class Gates:
    """A few simple patterns, all tried in one pass. Immutable and thread-safe.

    Exact, and best where patterns have few states: with many gaps the automaton keeps meeting new
    states, and each costs microseconds the first time.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile; the patterns are the program's own."""
        self._set = _re2.Set.SearchSet(_options())
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def matching(self, raw: bytes) -> Collection[int]:
        """Indices of the patterns that are somewhere in a text (UTF-8)."""
        found: Collection[int] | None = self._set.Match(raw)
        return found or ()


class Patterns:
    r"""Many patterns: one look finds the few that may match, and only those are run.

    The look is for the literal words that each pattern cannot do without (`Spotter`): one set of all
    patterns with their gaps would meet new states in every text, and was measured to be many times
    slower. Immutable and thread-safe.

    Example:
        >>> patterns = Patterns([r"\bignore\b", r"\brules? of\b"])
        >>> list(patterns.matching(b"ignore all rules")), patterns.span(0, b"ignore all rules")
        ([0], (0, 6))
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile.

        Raises:
            PatternError: RE2 cannot take one of the patterns.
        """
        # It loads NumPy, which takes its time where nothing is screened.
        from hauberk.injection._spot import Spotter  # noqa: PLC0415

        sources = tuple(patterns)
        self._single = [_compiled(index, source) for index, source in enumerate(sources)]
        self._spotter = Spotter([required(source) for source in sources])

    def candidates(self, raw: bytes) -> Collection[int]:
        """Indices of the patterns that may be in a text (UTF-8); no other one is."""
        return self._spotter.candidates(raw)

    def matching(self, raw: bytes) -> Collection[int]:
        """Indices of the patterns that are somewhere in a text."""
        return [index for index in self.candidates(raw) if self._single[index].search(raw)]

    def span(self, index: int, raw: bytes) -> tuple[int, int] | None:
        """Where pattern number `index` matches first: (start, end) in characters, or None."""
        found = self._single[index].search(raw)
        if found is None:
            return None
        start, end = found.span()
        before = _length(raw[:start])
        return before, before + _length(raw[start:end])


def _length(raw: bytes) -> int:
    return len(raw) if raw.isascii() else len(raw.decode("utf-8", "replace"))


def _compiled(index: int, source: str) -> Any:
    try:
        return _re2.compile(source, _options())
    except _re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(index, text) from None


def _options() -> Any:
    options = _re2.Options()
    options.max_mem = MEMORY
    options.never_capture = True
    options.log_errors = False
    return options
