r"""A JSON document in pieces, as characters that know how they were written and where they stand.

Rules:
* The characters are those that the strings mean: `\u003c` is one character, `<`.
* Joined, the written forms are the document, unchanged.
* An escape that is cut by the end of a piece waits for the next one.
* A document that is no JSON is passed on, character by character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Where(Enum):
    """Where a character of a JSON document stands."""

    OUTSIDE = 0
    """Outside of every string."""
    NAME = 1
    """In the name of an object's member."""
    STRING = 2
    """In a string that is a value."""


class Unit(NamedTuple):
    """One character of a JSON document."""

    char: str
    """What it means."""
    raw: str
    """How it is written."""
    where: Where


_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LONG = re.compile(r"u([0-9A-Fa-f]{4})")
_LONG_WIDTH = 6
"""Characters of `\\u003c`."""


class JsonUnits:
    """Reads a JSON document in pieces. Not thread-safe."""

    def __init__(self) -> None:
        self._rest = ""
        self._stack: list[str] = []
        self._names = False
        self._where = Where.OUTSIDE

    def feed(self, text: str) -> list[Unit]:
        """The characters of the next piece."""
        return list(self._read(text, last=False))

    def finish(self) -> list[Unit]:
        """The characters of an escape that was never finished."""
        return list(self._read("", last=True))

    def _read(self, more: str, *, last: bool) -> Iterator[Unit]:
        text, at = self._rest + more, 0
        self._rest = ""
        while at < len(text):
            if text[at] == "\\" and self._where is not Where.OUTSIDE:
                width = _width(text, at)
                if at + width > len(text) and not last:
                    self._rest = text[at:]
                    return
                raw = text[at : at + width]
                yield Unit(_meaning(raw), raw, self._where)
                at += width
            else:
                yield Unit(text[at], text[at], self._place(text[at]))
                at += 1

    def _place(self, char: str) -> Where:
        """Where a plain character stands; follows the structure."""
        if self._where is not Where.OUTSIDE:
            if char == '"':
                self._where = Where.OUTSIDE
            return self._where
        if char == '"':
            self._where = Where.NAME if self._names else Where.STRING
            return Where.OUTSIDE
        if char in "{[":
            self._stack.append(char)
        elif char in "}]" and self._stack:
            self._stack.pop()
        if char in "{,":
            self._names = bool(self._stack) and self._stack[-1] == "{"
        elif char in "[:]}":
            self._names = False
        return Where.OUTSIDE


def _width(text: str, at: int) -> int:
    """Characters of the escape that starts at `at`, if it is complete."""
    return _LONG_WIDTH if text[at + 1 : at + 2] == "u" else 2


def _meaning(raw: str) -> str:
    long = _LONG.match(raw, 1)
    if long is not None:
        return chr(int(long[1], 16))
    # An unknown or broken escape means nothing that could belong to a pseudonym.
    return _SHORT.get(raw[1:], raw[1:] if raw[1:] in ('"', "\\", "/") else "\ufffd")
