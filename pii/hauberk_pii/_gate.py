r"""One linear pass that says which patterns can match a text at all.

Presidio tries each of its patterns on each text; most texts hold nothing. Here all patterns are
loosened into one RE2 set, which is searched once.

Rules:
* The loosened pattern matches wherever the pattern matches, and starts there too (a superset):
  look-arounds and anchors are dropped, back references become the group that they repeat.
* RE2's `\b`, `\d`, `\w` and `\s` are ASCII, Presidio's are Unicode: for a text that is ASCII they mean
  the same; for others word boundaries are dropped and the rest is widened.
* What is unknown, or cannot be loosened, is always tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

import re2  # type: ignore[import-untyped]  # it ships no types
import regex  # type: ignore[import-untyped]  # it ships no types

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
_NOTHING = r"[^\x00-\x{10ffff}]"
_SEPARATORS = r"\x1c-\x1f"
"""Spaces for Python's engine, and none for Presidio's."""
_ODD_CASE = re.compile("[\u0130\u0131\u017f\u212a]")
"""Letters that engines fold differently: dotted and dotless i, long s, the Kelvin sign."""


class Loose(NamedTuple):
    """RE2 patterns that match wherever another pattern does."""

    wide: str
    """In any text."""
    plain: str
    """In a text that is ASCII: closer to the pattern."""


_Item = TypeVar("_Item")


class Gate(Generic[_Item]):
    """Which of some things can match a text. Thread-safe.

    Args:
        items: Things with the patterns one of which matches wherever they do; None: not known.
    """

    def __init__(self, items: Iterable[tuple[_Item, Iterable[Loose] | None]]) -> None:
        self._items = [(item, None if found is None else list(found)) for item, found in items]
        self._all = [item for item, _ in self._items]
        self._always = [item for item, patterns in self._items if patterns is None]

    def select(self, text: str) -> list[_Item]:
        """The things that may match; the others certainly do not."""
        if text.isascii():
            return self._selected(self._plain, text.encode())
        if _ODD_CASE.search(text):
            return self._all
        # Lone surrogates have no UTF-8 form, and no pattern asks for one.
        return self._selected(self._wide, text.encode("utf-8", "replace"))

    def _selected(self, owned: _Set[_Item], data: bytes) -> list[_Item]:
        found = owned.patterns.Match(data) if owned.owners else None
        if not found:
            return self._always
        # By identity: to hash a thing that holds a compiled pattern takes longer than the search.
        chosen = {id(one): one for one in map(owned.owners.__getitem__, found)}
        return [*self._always, *chosen.values()]

    @cached_property
    def _plain(self) -> _Set[_Item]:
        return _Set([(item, [one.plain for one in loose or ()]) for item, loose in self._items])

    @cached_property
    def _wide(self) -> _Set[_Item]:
        return _Set([(item, [one.wide for one in loose or ()]) for item, loose in self._items])


class _Set(Generic[_Item]):
    """Patterns in one automaton, and whose each of them is."""

    def __init__(self, items: Iterable[tuple[_Item, list[str]]]) -> None:
        options = quiet_options()
        options.max_mem = _MAX_MEM
        self.patterns = re2.Set.SearchSet(options)
        self.owners: list[_Item] = []
        for item, patterns in items:
            for pattern in patterns:
                self.patterns.Add(pattern)
                self.owners.append(item)
        self.patterns.Compile()


def quiet_options() -> re2.Options:
    """Options of RE2 for patterns that only say where: no groups, no lines on stderr."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return options


def gates_of(recognizer: EntityRecognizer) -> list[Loose] | None:
    """Patterns one of which matches wherever the recognizer finds something; None: not known."""
    own = getattr(recognizer, "gates", None)
    if own is not None:
        return [Loose(gate, gate) for gate in own]
    patterns = cast("list[Pattern]", getattr(recognizer, "patterns", None) or [])
    flags = int(getattr(recognizer, "global_regex_flags", 0) or 0)
    loose = [loose_of(str(one.regex), fold=bool(flags & re.IGNORECASE)) for one in patterns]
    known = [pattern for pattern in loose if pattern is not None]
    return known if known and len(known) == len(loose) else None


def loose_of(pattern: str, *, fold: bool) -> Loose | None:
    """Both forms of a pattern for RE2; None when there is none."""
    wide, plain = loosened(pattern, fold=fold), loosened(pattern, fold=fold, plain=True)
    return None if wide is None or plain is None else Loose(wide, plain)


def words_gate(words: Iterable[str]) -> Loose:
    """Patterns that match wherever one of some words stands in any case, parts of words included."""
    gate = "(?i)" + "|".join(re2.escape(word) for word in words)
    return Loose(gate, gate)


def loosened(pattern: str, *, fold: bool, plain: bool = False) -> str | None:
    r"""A pattern for RE2 that matches wherever `pattern` does; None when there is none.

    Args:
        pattern: For Python's engine, or Presidio's.
        fold: Whether the case of letters does not matter.
        plain: Only texts in ASCII are searched.

    Example:
        >>> loosened(r"(?<!x)[0-9]{2}([:-])a\1b", fold=False)
        '(?s)[0-9]{2}([:-])a([:-])b'
    """
    loosener = (_PlainLoosener if plain else _Loosener)(pattern)
    try:
        loose = ("(?is)" if fold else "(?s)") + loosener.run()
        re2.compile(loose, quiet_options())
    except (ValueError, re2.error, regex.error):
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


class _PlainLoosener(_Loosener):
    """The same for texts in ASCII: word boundaries stay, and classes hold ASCII."""

    def _escape(self) -> None:
        char = self._pattern[self._at + 1 : self._at + 2]
        if char in ("b", "B"):
            self._put("\\" + char, 2)
        elif char in ("d", "w", "s", "D", "W", "S"):
            self._put(_spelt("\\" + char), 2)
        else:
            super()._escape()

    def _class(self) -> None:
        end = class_end(self._pattern, self._at)
        body = self._pattern[self._at + 1 : end]
        self._put(_spelt(body), end + 1 - self._at)


@cache
def _spelt(body: str) -> str:
    """The characters of a class that are ASCII, one by one."""
    one = regex.compile(f"[{body}]")
    held = "".join(rf"\x{code:02x}" for code in range(0x80) if one.match(chr(code)))
    if re.search(r"\\[dwsDWS]", body):
        held += _SEPARATORS
    return f"[{held}]" if held else _NOTHING


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
