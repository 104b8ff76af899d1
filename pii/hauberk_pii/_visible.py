"""The text as a reader sees it, with a way back to the characters that it was made from.

Rules:
* Characters that show nothing (zero-width, direction marks, tags, soft hyphens) are left out, so
  that they cannot hide an address or a card number.
* Digits of every script become 0 to 9, and full-width letters and signs their plain forms: they
  read the same.
* A lone surrogate becomes the replacement character: engines need valid Unicode.
* Offsets lead back exactly: a span found here covers the hidden characters inside of it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from unicodedata import decimal

_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_DRESSED = re.compile("[\uff01-\uff5e]|[^\x00-\x7f\\D]")
_FULL_WIDTH = 0xFEE0
"""Distance of the full-width forms from ASCII."""


@dataclass(frozen=True, slots=True)
class Visible:
    """A text without what cannot be seen."""

    text: str
    starts: tuple[int, ...] = ()
    """Where each kept stretch starts in `text`; empty when nothing was left out."""
    shifts: tuple[int, ...] = ()
    """Characters left out before each kept stretch."""

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The same span in the original."""
        if not self.starts:
            return start, end
        return start + self._shift(start), end - 1 + self._shift(end - 1) + 1

    def _shift(self, at: int) -> int:
        return self.shifts[bisect_right(self.starts, at) - 1]


def visible(text: str) -> Visible:
    r"""What a reader sees of a text.

    Example:
        >>> visible("ada@ex\u200bample.com").text
        'ada@example.com'
    """
    if text.isascii():
        return Visible(text)
    text = _DRESSED.sub(_plain, _SURROGATE.sub("\ufffd", text))
    if _HIDDEN.search(text) is None:
        return Visible(text)
    pieces: list[str] = []
    starts: list[int] = []
    shifts: list[int] = []
    at = kept = 0
    for match in _HIDDEN.finditer(text):
        if match.start() > at:
            pieces.append(text[at : match.start()])
            starts.append(kept)
            shifts.append(at - kept)
            kept += match.start() - at
        at = match.end()
    if at < len(text):
        pieces.append(text[at:])
        starts.append(kept)
        shifts.append(at - kept)
    return Visible("".join(pieces), tuple(starts) or (0,), tuple(shifts) or (0,))


def as_it_is(text: str) -> Visible:
    """A text with nothing left out; lone surrogates only are replaced."""
    return Visible(text if text.isascii() else _SURROGATE.sub("\ufffd", text))


def _plain(match: re.Match[str]) -> str:
    char = match[0]
    return str(decimal(char)) if char.isdecimal() else chr(ord(char) - _FULL_WIDTH)
