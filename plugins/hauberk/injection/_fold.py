"""Characters that look or read alike, made the same.

Rules:
* `clean` keeps letters and case and removes what nobody sees: zero-width, bidirectional, variation,
  tag and control characters, soft hyphens; compatibility forms (full width, mathematical) become
  plain. A lone surrogate becomes U+FFFD.
* `fold` drops case, accents and typographic quotes too. It is what rules are matched against.
* `skeleton` reads letters of other scripts as the Latin letters that they look like.
* Plain ASCII text costs next to nothing.
"""

# ruff: noqa: RUF001 - this file is about characters that look alike

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files

from hauberk.injection._view import View

_IRREGULAR = "\U0010ffff"
"""Stands for a character that becomes none or several. A noncharacter: no text needs it."""

_IRREGULARS = re.compile(_IRREGULAR + "+")

_TABLE_LIMIT = 50_000
"""Characters remembered per table, so that a text of all Unicode does not fill the memory."""

_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"  # fillers and joiners
    "\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"  # variation selectors
    "\U0010fffe\U0010ffff]"  # noncharacters
)
"""Invisible characters that Unicode does not class as format characters."""

_SIGNS = str.maketrans("“”„‟«»‘’‚‛‹›´‐‑‒–—―−⁄∕", "\"\"\"\"\"\"'''''''-------//")


class _Table(dict[int, int]):
    """A translation table that fills itself: one character for one, else `_IRREGULAR`."""

    def __init__(self, change: Callable[[str], str]) -> None:
        super().__init__()
        self.change = change

    def __missing__(self, code: int) -> int:
        if len(self) > _TABLE_LIMIT:
            self.clear()
        new = self.change(chr(code))
        value = self[code] = ord(new) if len(new) == 1 else ord(_IRREGULAR)
        return value


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Cc") or _UNSEEN.match(char) is not None


def _cleaned(char: str) -> str:
    if char in "\t\n\r":
        return char
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    if char in "\x85\u2028\u2029":
        return "\n"
    return "" if _is_invisible(char) else unicodedata.normalize("NFKC", char)


def _folded(char: str) -> str:
    parts = unicodedata.normalize("NFKD", char.translate(_SIGNS).casefold())
    kept = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
    return unicodedata.normalize("NFC", kept)


_CLEAN = _Table(_cleaned)
_FOLD = _Table(_folded)

_OWN_LOOKALIKES = str.maketrans(
    # Cyrillic, Greek, Armenian, and Latin extensions and small capitals, as `fold` leaves them.
    "авеезікмнорстуѵхԝһԁҽӏԍѕјԛαβγεηικνορτυχωμօոսհցԁզıɑɡɩʟɴʀʏɪᴀʙᴄᴅᴇꜰɢʜᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡᴢłøđ",
    "abee3ikmhopctyvxwhdelgsjqabyenikvoptuxwmonuhgdqiagilnryiabcdefghjkmopstuvwzlod",
)


def clean(view: View) -> View:
    """The view without what nobody sees, in plain forms of the same letters."""
    text = view.text
    if text.isascii() and len(text.translate(_CONTROLS)) == len(text):
        return view
    return _translated(view, _CLEAN)


def fold(view: View) -> View:
    """The view without case, accents and typographic signs."""
    text = view.text
    return view.with_text(text.lower()) if text.isascii() else _translated(view, _FOLD)


def skeleton(folded: View) -> View | None:
    """A folded view as it looks to a reader of Latin letters; None when that is the same."""
    if folded.text.isascii():
        return None
    looks = replace(_translated(folded, _lookalikes()), name="lookalikes")
    return None if looks.text == folded.text else looks


@lru_cache(maxsize=1)
def _lookalikes() -> _Table:
    """Unicode's own table of confusable characters, and ours, which goes first."""
    text = files("hauberk.injection").joinpath("lookalikes.txt").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    table = {chr(int(code, 16)): letters for code, letters in rows}
    table |= {chr(code): chr(letter) for code, letter in _OWN_LOOKALIKES.items()}
    return _Table(lambda char: table.get(char, char))


def fold_pattern(pattern: str) -> str:
    """A pattern whose non-ASCII letters are folded as texts are."""
    return "".join(char if char.isascii() else _folded(char) for char in pattern)


def _translated(view: View, table: _Table) -> View:
    text = view.text.translate(table)
    if _IRREGULAR not in text:
        return view.with_text(text)
    return view.with_text(text).spliced(_expansions(view.text, text, table), name=view.name)


def _expansions(source: str, text: str, table: _Table) -> Iterator[tuple[int, int, str]]:
    for found in _IRREGULARS.finditer(text):
        start, end = found.span()
        if not any(table.change(char) for char in set(source[start:end])):
            yield start, end, ""
            continue
        for at in range(start, end):
            yield at, at + 1, table.change(source[at])
