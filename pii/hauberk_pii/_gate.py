r"""One linear pass that says which recognizers can match a text at all.

Presidio tries each of its patterns on each text; most texts hold nothing. Here all patterns are
loosened into one RE2 set, which is searched once.

Rules:
* The loosened pattern matches wherever the pattern matches (a superset): look-arounds, anchors and
  word boundaries are dropped, back references become the group that they repeat.
* RE2's `\d`, `\w` and `\s` are ASCII, Presidio's are Unicode: they are widened.
* A recognizer whose patterns are unknown, or cannot be loosened, is always run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import re2  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, Pattern

_MAX_MEM = 64 << 20
"""Bytes that RE2 may use for its automaton: the IPv6 patterns do not fit into the default 8 MiB."""

# The Unicode tables of RE2 may be older than those of Presidio's engine: newer digits all lie in
# the planes above, so these are taken as they are.
_DIGIT = r"\p{Nd}\x{10D00}-\x{1E9FF}"
_WORD = r"0-9A-Za-z_\x{80}-\x{10FFFF}"
_SPACE = r"\s\x0b\x1c-\x1f\x{85}\p{Z}"
_INSIDE = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_ZERO_WIDTH = frozenset("bBAZzmMG")
_ANYTHING = r"(?s:.)"
_ODD_CASE = re.compile("[\u0130\u0131\u017f\u212a]")
"""Letters that engines fold differently: dotted and dotless i, long s, the Kelvin sign."""


_Item = TypeVar("_Item")


class Gate(Generic[_Item]):
    """Which of some things can match a text.

    Args:
        items: Things with the RE2 patterns one of which matches wherever they do; None: not known.
    """

    def __init__(self, items: Iterable[tuple[_Item, list[str] | None]]) -> None:
        options = re2.Options()
        options.max_mem = _MAX_MEM
        options.log_errors = False
        options.never_capture = True
        self._set = re2.Set.SearchSet(options)
        self._all: list[_Item] = []
        self._always: list[_Item] = []
        self._owner: list[_Item] = []
        for item, patterns in items:
            self._add(item, patterns)
        self._set.Compile()

    def select(self, text: str) -> list[_Item]:
        """The things that may match; the others certainly do not."""
        if not text.isascii() and _ODD_CASE.search(text):
            return self._all
        # Lone surrogates have no UTF-8 form, and no pattern asks for one.
        found = self._set.Match(text.encode("utf-8", "replace")) if self._owner else None
        if not found:
            return self._always
        # By identity: to hash a thing that holds a compiled pattern takes longer than the search.
        chosen = {id(one): one for one in map(self._owner.__getitem__, found)}
        return [*self._always, *chosen.values()]

    def _add(self, item: _Item, patterns: list[str] | None) -> None:
        self._all.append(item)
        if patterns is None:
            self._always.append(item)
            return
        for pattern in patterns:
            self._set.Add(pattern)
            self._owner.append(item)


def gates_of(recognizer: EntityRecognizer) -> list[str] | None:
    """RE2 patterns one of which matches wherever the recognizer finds something; None: not known."""
    own = getattr(recognizer, "gates", None)
    if own is not None:
        return list(own)
    patterns = cast("list[Pattern]", getattr(recognizer, "patterns", None) or [])
    flags = int(getattr(recognizer, "global_regex_flags", 0) or 0)
    loose = [loosened(str(pattern.regex), fold=bool(flags & re.IGNORECASE)) for pattern in patterns]
    known = [pattern for pattern in loose if pattern is not None]
    return known if known and len(known) == len(loose) else None


def loosened(pattern: str, *, fold: bool) -> str | None:
    r"""A pattern for RE2 that matches wherever `pattern` does; None when there is none.

    Example:
        >>> loosened(r"(?<!x)[0-9]{2}([:-])a\1b", fold=False)
        '(?s)[0-9]{2}([:-])a([:-])b'
    """
    try:
        loose = ("(?is)" if fold else "(?s)") + _Loosener(pattern).run()
        options = re2.Options()
        options.log_errors = False
        re2.compile(loose, options)
    except (ValueError, re2.error):
        return None
    return loose


class _Loosener:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._out: list[str] = []
        self._open: list[tuple[int, int]] = []
        self._groups: dict[int, str] = {}
        self._count = 0

    def run(self) -> str:
        while self._at < len(self._pattern):
            char = self._pattern[self._at]
            if char == "\\":
                self._escape()
            elif char == "[":
                self._class()
            elif char == "(":
                self._enter()
            elif char == ")":
                self._leave()
            elif char in "^$":
                self._at += 1
            elif char == "+" and self._out and self._out[-1] in ("*", "+", "?", "}"):
                self._at += 1  # a possessive quantifier: what it matches, a greedy one matches too
            else:
                self._put(char, 1)
        return "".join(self._out)

    def _put(self, text: str, width: int) -> None:
        self._out.append(text)
        self._at += width

    def _escape(self) -> None:
        char = self._pattern[self._at + 1 : self._at + 2]
        if char in _ZERO_WIDTH:
            self._at += 2
        elif char.isdigit() and char != "0":
            self._put(self._groups[int(char)], 2)
        elif char in _INSIDE:
            self._put(f"[{_INSIDE[char]}]", 2)
        elif char in ("D", "W", "S"):
            self._put(_ANYTHING, 2)
        else:
            self._put("\\" + char, 2)

    def _class(self) -> None:
        end = class_end(self._pattern, self._at)
        body = self._pattern[self._at + 1 : end]
        width = end + 1 - self._at
        if re.search(r"\\[DWS]", body) or (body.startswith("^") and re.search(r"\\[dws]", body)):
            self._put(_ANYTHING, width)
        else:
            wide = re.sub(r"\\([dws])", lambda m: _INSIDE[m[1]], body)
            self._put(f"[{wide}]", width)

    def _enter(self) -> None:
        rest = self._pattern[self._at :]
        if rest.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            self._at = group_end(self._pattern, self._at) + 1
            return
        if not rest.startswith("(?") or rest.startswith("(?P<"):
            self._count += 1
            number = self._count
        else:
            number = 0
        self._open.append((len(self._out), number))
        self._put("(?:" if rest.startswith("(?>") else "(", 3 if rest.startswith("(?>") else 1)

    def _leave(self) -> None:
        start, number = self._open.pop()
        self._put(")", 1)
        if number:
            self._groups[number] = "".join(self._out[start:])


def class_end(pattern: str, start: int) -> int:
    """Index of the bracket that ends the character class which starts at `start`."""
    at = start + 1
    if pattern[at : at + 1] == "^":
        at += 1
    at += 1  # a bracket in the first place is a plain character
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    if at >= len(pattern):
        raise ValueError("a character class does not end")
    return at


def group_end(pattern: str, start: int) -> int:
    """Index of the parenthesis that ends the group which starts at `start`."""
    depth, at = 0, start
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            at = class_end(pattern, at)
        elif char == "\\":
            at += 1
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at
        at += 1
    raise ValueError("a group does not end")
