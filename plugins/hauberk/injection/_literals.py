r"""What a pattern cannot match without: sets of words, of each of which one is in the text.

`\b(?:ignore|forget) (?:all )?rules\b` has {`ignore`, `forget`} and {`rules`}. Looking for words is
cheap; a pattern is run only on texts that hold one of each set.

Rules:
* Never too much: of each set one word is in every text that the pattern matches. What is not
  understood has no sets, and its pattern is run on every text.
* Words of three bytes or more, and at most `MOST` in a set. Where a word must begin or end, `EDGE` stands
  before or behind it: no letter or digit of ASCII is there in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

MOST = 400
"""Most words in a set. Larger ones would be found in every text."""

EDGE = b"\0"
"""Stands where a word begins or ends."""

SHORTEST = 3
"""Bytes of the shortest word in a set."""

_EXACT = 64
"""Most texts that a part of a pattern is spelt out as, while it is put together with its neighbours."""

_SETS = 2
"""Sets that are looked for. More make it no rarer that a pattern is run."""

_RARER = 0.4
"""How much rarer a word is with each byte more. A guess: it only decides what is looked for first."""

_COMMON = (
    b" the and that this with your you from have has will would not are was were for can could should"
    b" what which who when where how why all any also its they their them there then than these those"
    b" here more most other others some such only just first last time one two new now out over about"
    b" into after before been being because but his her our use used using user users make made may"
    b" might must need like want get give see say said tell write read code data date file files text"
    b" information content https:// http:// test example name message system set list provide provided"
    b" following follow include report state rating create help please note type call do don "
)
"""Words that most texts hold; parts of them too."""

_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_PLAIN_CLASS = re.compile(r"\[(?![\^\]])((?:\\[^\w\s]|[^\\\[\]-])+)\]")
_REPEAT = re.compile(r"(?:[*+?]|\{(\d+)(?:,\d*)?\})\??")
_GROUP = re.compile(r"\((?:\?(?::|P?<\w+>))?")
_PROPERTY = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)|\\x(?:\{\w+\}|\w\w)")
_EDGES = {"\\b": EDGE, "\\B": b"", "\\A": b"", "\\z": b"", "^": b"", "$": b""}
_PARTING = r"[\s[:punct:]]"
"""The class of what parts words in rules."""

Words = frozenset[bytes]
_EMPTY: Words = frozenset((b"",))


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of a part of a pattern."""

    exact: Words | None = None
    """All that it matches, where these are few."""
    sets: tuple[Words, ...] = ()
    """Of each set, one is in whatever it matches."""
    parts: bool = False
    """It begins and ends with what parts words."""
    ends: bool = False
    """It ends with what parts words."""
    keeps: bool = False
    """It ends with what parts words, or is nothing."""

    def needed(self) -> tuple[Words, ...]:
        return self.sets if self.exact is None else (self.exact,)


_ANYTHING = _Part()


class _NotUnderstoodError(Exception):
    pass


def required(pattern: str) -> tuple[Words, ...]:
    r"""Sets of words; a text without a word of each is not matched. Rarest first, at most two.

    Args:
        pattern: RE2 syntax.

    Example:
        >>> [sorted(words) for words in required(r"\b(?:ignore|forget)\s+(?:all )?rules\b")]
        [[b'\x00forget', b'\x00ignore'], [b'rules\x00']]
    """
    reader = _Reader(pattern)
    if "\0" in pattern:
        return ()
    try:
        part = reader.alternatives()
    except _NotUnderstoodError:
        return ()
    if reader.at < len(pattern):
        return ()
    found = {_shortest(frozenset(map(_tidy, words))) for words in part.needed()}
    usable = [
        words for words in found if len(words) <= MOST and min(map(_length, words)) >= SHORTEST
    ]
    return tuple(sorted(usable, key=lambda words: (_value(words), sorted(words)))[:_SETS])


def _tidy(word: bytes) -> bytes:
    """A word with edges only where they say something: beside a letter or digit, at its ends."""
    inner = word.replace(EDGE, b"")
    first = EDGE if word.startswith(EDGE) and inner[:1].isalnum() else b""
    return first + inner + (EDGE if word.endswith(EDGE) and inner[-1:].isalnum() else b"")


def _length(word: bytes) -> int:
    return len(word.strip(EDGE))


def _shortest(words: Words) -> Words:
    """The words without those that hold another one."""
    kept: list[bytes] = []
    for word in sorted(words, key=len):
        if not any(one in word for one in kept):
            kept.append(word)
    return frozenset(kept)


class _Reader:
    """Reads a pattern from left to right, one method per kind of part."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def alternatives(self) -> _Part:
        """Parts between bars, up to a closing parenthesis or the end."""
        ways = [_joined(self._sequence())]
        while self._take("|"):
            ways.append(_joined(self._sequence()))
        return ways[0] if len(ways) == 1 else _either(ways)

    def _sequence(self) -> Iterator[_Part]:
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            part = self._one()
            while found := _REPEAT.match(self.pattern, self.at):
                self.at = found.end()
                part = _repeated(part, found)
            yield part

    def _one(self) -> _Part:
        char = self.pattern[self.at]
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        sign = next((sign for sign in _EDGES if self.pattern.startswith(sign, self.at)), "")
        if sign:
            self.at += len(sign)
            return _Part(frozenset((_EDGES[sign],)))
        return self._escape() if char == "\\" else self._char(char)

    def _char(self, char: str) -> _Part:
        self.at += 1
        return _ANYTHING if char == "." else _Part(frozenset((char.encode(),)))

    def _escape(self) -> _Part:
        if found := _PROPERTY.match(self.pattern, self.at):
            self.at = found.end()
            return _ANYTHING
        char = self.pattern[self.at + 1 : self.at + 2]
        if char == "Q" or char.isdigit():
            raise _NotUnderstoodError
        self.at += 2
        return _ANYTHING if char.isalpha() else _Part(frozenset((char.encode(),)))

    def _group(self) -> _Part:
        found = _GROUP.match(self.pattern, self.at)
        if found is None or self.pattern.startswith("?", found.end()):
            raise _NotUnderstoodError
        self.at = found.end()
        part = self.alternatives()
        if not self._take(")"):
            raise _NotUnderstoodError
        return part

    def _class(self) -> _Part:
        found = _CLASS.match(self.pattern, self.at)
        if found is None:
            raise _NotUnderstoodError
        self.at = found.end()
        if found.group() == _PARTING:
            return _Part(parts=True, ends=True, keeps=True)
        plain = _PLAIN_CLASS.fullmatch(found.group())
        if plain is None:
            return _ANYTHING
        return _Part(frozenset(char.encode() for char in plain.group(1).replace("\\", "")))

    def _take(self, char: str) -> bool:
        taken = self.pattern.startswith(char, self.at)
        self.at += taken
        return taken


def _repeated(part: _Part, sign: re.Match[str]) -> _Part:
    if sign.group().startswith("?"):
        return _Part(keeps=part.keeps) if part.exact is None else _Part(part.exact | _EMPTY)
    if sign.group().startswith("*") or int(sign.group(1) or 1) == 0:
        return _Part(keeps=part.keeps)
    return replace(part, exact=None, sets=part.needed())


def _joined(parts: Iterable[_Part]) -> _Part:
    """Parts one after the other."""
    every = list(parts)
    if len(every) == 1:
        return every[0]
    run, sets, whole = _EMPTY, list[Words](), True
    for part in every:
        if part.exact is not None and len(run) * len(part.exact) <= _EXACT:
            run = frozenset(a + b for a, b in product(run, part.exact))
            continue
        whole = False
        sets.append(frozenset(word + EDGE for word in run) if part.parts else run)
        sets += part.sets
        run = _after(run, part)
    if whole:
        return _Part(run)
    ends = every[-1].ends
    return _Part(None, (*sets, run), ends=ends, keeps=ends)


def _after(run: Words, part: _Part) -> Words:
    """What a run begins with that comes behind a part, itself behind a run."""
    if part.exact is not None:
        return part.exact
    at_edge = part.ends or (part.keeps and all(word.endswith(EDGE) for word in run))
    return frozenset((EDGE,)) if at_edge else _EMPTY


def _either(ways: list[_Part]) -> _Part:
    """One of several parts."""
    exact = [way.exact for way in ways if way.exact is not None]
    if len(exact) == len(ways) and sum(map(len, exact)) <= MOST:
        return _Part(frozenset[bytes]().union(*exact))
    best = [min(way.needed(), key=_value, default=_EMPTY) for way in ways]
    return _Part(None, (frozenset[bytes]().union(*best),))


def _value(words: Words) -> float:
    """About how many of the words a benign text holds."""
    return sum(_share(word) for word in words)


def _share(word: bytes) -> float:
    if _length(word) < SHORTEST:
        return MOST
    return 1 if word.replace(EDGE, b" ") in _COMMON else _RARER ** (len(word) - 2)
