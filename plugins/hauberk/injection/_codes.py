"""Codes that write letters as numbers or signals, opened: base32, binary, decimal, Morse.

Rules:
* As in `_decode`: one view or None, what is no readable text is left alone, linear time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping

from hauberk.injection._decode import opened, readable
from hauberk.injection._view import View

GATES: Mapping[str, str] = {
    "base32": r"[a-z2-7]{24}|(?:[a-z2-7]{8}){2}=",
    "binary": r"(?:[01]{7,8}[ ,]?){6}",
    "decimal": r"\d{2,3}(?:[ ,;]{1,2}\d{2,3}){7}",
    "morse": r"[.-]{1,5}(?:[ /|]{1,3}[.-]{1,5}){9}",
}
"""By name of the code: a pattern of folded text that may hold it."""

_BASE32 = re.compile(r"[A-Z2-7]{16,}+={0,6}")
_BINARY = re.compile(r"(?<![0-9])[01]{7,8}(?:[ ,]?[01]{7,8}){5,}+(?![0-9])")
_DECIMAL = re.compile(r"(?<![\d.])\d{2,3}(?:[ ,;]{1,2}\d{2,3}){7,}+(?![\d.])")
_MORSE = re.compile(r"(?<![.\w-])[.-]{1,5}(?:[ /|]{1,3}[.-]{1,5}){9,}+(?![.\w-])")

_MAX_ASCII = 126

_SIGNS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...-"
    " .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
_SIGNALS: dict[str, str] = dict(
    zip(_SIGNS.split(), "abcdefghijklmnopqrstuvwxyz0123456789", strict=True)
)
_MORSE_WORD = re.compile(r" ?[/|] ?| {2,}")


def payloads(view: View, gates: frozenset[str]) -> list[View]:
    """What the codes of a view hold, one view for each code that its gate let through."""
    found = (
        opened(view, runs, read, name=name)
        for name, (runs, read) in _CODES.items()
        if name in gates
    )
    return [one for one in found if one is not None]


def _read_base32(run: str) -> str:
    whole = run.rstrip("=")
    whole = whole[: len(whole) - {1: 1, 3: 1, 6: 1}.get(len(whole) % 8, 0)]
    try:
        return readable(base64.b32decode(whole + "=" * (-len(whole) % 8)))
    except binascii.Error:
        return ""


def _read_binary(run: str) -> str:
    groups = re.split(r"[ ,]", run)
    if len(groups) == 1:
        groups = [run[at : at + 8] for at in range(0, len(run), 8)]
    return _spoken(bytes(int(group[:8], 2) for group in groups if group))


def _read_decimal(run: str) -> str:
    numbers = [int(number) for number in re.findall(r"\d+", run)]
    plain = all(number in (9, 10, 13) or 32 <= number <= _MAX_ASCII for number in numbers)  # noqa: PLR2004 - ASCII
    return _spoken(bytes(numbers)) if plain else ""


def _read_morse(run: str) -> str:
    words = (
        "".join(_SIGNALS.get(str(sign), "") for sign in word.split())
        for word in _MORSE_WORD.split(run)
    )
    return " ".join(words)


def _spoken(raw: bytes) -> str:
    """The bytes as text when most of it are letters: numbers may mean anything."""
    text = readable(raw)
    letters = sum(char.isalpha() or char == " " for char in text)
    return text if letters * 4 >= len(text) * 3 else ""


_CODES: dict[str, tuple[re.Pattern[str], Callable[[str], str]]] = {
    "base32": (_BASE32, _read_base32),
    "binary": (_BINARY, _read_binary),
    "decimal": (_DECIMAL, _read_decimal),
    "morse": (_MORSE, _read_morse),
}
