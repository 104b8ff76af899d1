"""Encodings that a model reads and a reader does not, opened.

Rules:
* A decoder gives one view, or None when there is nothing of its kind to open.
* What does not decode to readable text is left alone: pictures, keys and hashes are no messages.
* Linear time: patterns of this module have no two ways to match one text.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

from hauberk.injection._view import View
from hauberk.injection._vocabulary import TELLING, WORDS

MIN_BASE64 = 16
"""Shortest run that is tried, in characters: twelve bytes, two short words."""

_MIN_PRINTABLE = 0.9
"""Share of printable characters from which decoded bytes count as text."""

_BASE64 = re.compile(
    # Nowhere but at the beginning of a run: a long text of short words is then passed over quickly.
    rf"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{MIN_BASE64},}}+(?:\r?\n[A-Za-z0-9+/]{{60,}}+)*+(?:\r?\n[A-Za-z0-9+/]+(?==))?={{0,2}}"
)

_HEX = re.compile(r"(?:(?:\\x|0x|%)?[0-9A-Fa-f]{2}[ ,:;-]?){8,}")
_HEX_NOISE = re.compile(r"\\x|0x|[ ,:;%-]")

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+|(?:=[0-9A-F]{2})+|=\r?\n")

_ESCAPE = re.compile(
    r"(?<!\\)\\++(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([nrtvf\"'/]))"
)

_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[ .,_*|/\t@:$\"'-]{1,5}[^\W_]){5,}(?![^\W_])")
_SEPARATOR = re.compile(r"[^a-z0-9]+")

_LEET = str.maketrans("01345789@$!|+(", "oieastbgasiitc")
_LEET_WORD = re.compile(
    r"[a-z01345789@$!]*(?:[a-z][01345789@$!]|[01345789@$!][a-z])[a-z01345789@$!]*"
)
_MANY = 3
"""Words written with digits that are no chance, when there is one in so many."""

_LEET_L = re.compile(r"(?<=l)1|1(?=l)|(?<=[ae])1\b")

_TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0020-\U000e007e]{4,}")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,}")

# Sixteen selectors in one block and 240 in another: together a byte each.
_SELECTOR_BYTES = {chr(0xFE00 + n): n for n in range(16)} | {
    chr(0xE0100 + n): n + 16 for n in range(240)
}

_BREAKS = {"n": "\n", "r": "\n", "t": "\t", "v": "\n", "f": "\n"}


def unescaped(view: View) -> View | None:
    """Percent-encoding, quoted-printable and backslash escapes decoded in place."""
    text = view.text
    if "\\" in text:
        view = view.spliced(_escapes(text), name="escapes")
    if "%" in text or "=" in text:
        view = view.spliced(_percents(view.text), name="escapes")
    return None if view.text == text else view


def from_base64(view: View) -> View | None:
    """What the base64 runs of a view hold."""
    return opened(view, _BASE64, _read_base64, name="base64")


def from_hex(view: View) -> View | None:
    """What the hexadecimal runs of a view hold."""
    return opened(view, _HEX, _read_hex, name="hex")


def from_invisible(view: View) -> View | None:
    """What tag characters and variation selectors of an uncleaned view spell."""
    if view.text.isascii():
        return None
    return opened(view, _TAGS, _read_tags, name="tags") or opened(
        view, _SELECTORS, _read_selectors, name="selectors"
    )


def rot13(folded: View) -> View:
    """A folded view, each letter thirteen further."""
    return View(
        text=codecs.encode(folded.text, "rot13"),
        starts=folded.starts,
        ends=folded.ends,
        name="rot13",
        concealed=True,
    )


def unleeted(folded: View) -> Iterator[View]:
    """A folded view with digits and signs read as the letters that they stand for.

    A one is an i in the first reading, and in another an l where l is likelier.
    """
    for text in _in_letters(folded.text):
        yield folded.with_text(text, name="leet")


def is_leet(text: str) -> bool:
    """Whether words of a folded text are written with digits and signs.

    One that is then a known word says so, or many of any language.
    """
    mixed = set(_LEET_WORD.findall(text))
    if len(mixed) >= _MANY and len(mixed) * _MANY > text.count(" "):
        return True
    return any(not TELLING.isdisjoint(read.split()) for read in _in_letters(" ".join(mixed)))


def _in_letters(text: str) -> Iterator[str]:
    yield text.translate(_LEET)
    if "1" in text and (likely := _LEET_L.sub("l", text)) != text:
        yield likely.translate(_LEET)


def unspaced(folded: View) -> View | None:
    """The words of a folded view whose letters stand apart."""
    pieces = list(_spaced_pieces(folded.text))
    return folded.spliced(pieces, name="spaced") if pieces else None


def opened(
    view: View, runs: re.Pattern[str], read: Callable[[str], str], *, name: str
) -> View | None:
    """What `read` makes of the runs of a view, each on a line; None when nothing can be read."""
    pieces = [
        (found.start(), found.end(), words + "\n")
        for found in runs.finditer(view.text)
        if (words := read(found.group()))
    ]
    return view.spliced(pieces, name=name, keep=False, concealed=True) if pieces else None


def readable(raw: bytes) -> str:
    """The bytes as text, or nothing when they are none."""
    raw = raw.replace(b"\x00", b"")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        # A run may be cut off inside a character.
        if error.start < len(raw) - 3:
            return ""
        text = raw[: error.start].decode("utf-8")
    printable = sum(char.isprintable() or char in "\t\n\r" for char in text)
    return text if text and printable >= _MIN_PRINTABLE * len(text) else ""


def _read_base64(run: str) -> str:
    run = run.replace("\n", "").replace("\r", "").rstrip("=").translate({45: "+", 95: "/"})
    whole = run[: len(run) - (len(run) % 4 == 1)]
    try:
        return readable(base64.b64decode(whole + "=" * (-len(whole) % 4)))
    except binascii.Error:
        return ""


def _read_hex(run: str) -> str:
    digits = _HEX_NOISE.sub("", run)
    return readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _read_tags(run: str) -> str:
    return "".join(chr(ord(char) - 0xE0000) for char in run)


def _read_selectors(run: str) -> str:
    return readable(bytes(_SELECTOR_BYTES[char] for char in run))


def _escapes(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _ESCAPE.finditer(text):
        code = found.group(1) or found.group(2) or found.group(3) or found.group(4)
        if code is None:
            sign = found.group(5)
            yield *found.span(), _BREAKS.get(sign, sign)
        elif int(code, 16) <= sys.maxunicode:
            yield *found.span(), chr(int(code, 16))


def _percents(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _PERCENT.finditer(text):
        run = found.group()
        yield (
            *found.span(),
            unquote_to_bytes(run.replace("=", "%")).decode("utf-8", "replace")
            * (not run.isspace() and "\n" not in run),
        )


def _spaced_pieces(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _SPACED.finditer(text):
        yield *found.span(), _words_of(found.group())


def _words_of(run: str) -> str:
    """The words of single letters: the commonest sign parts letters, any other one words."""
    gaps = Counter(_SEPARATOR.findall(run))
    if len(gaps) > 1:
        ((usual, _),) = gaps.most_common(1)
        return _SEPARATOR.sub(lambda gap: _gap(gap.group(), usual), run)
    letters = _SEPARATOR.sub("", run)
    return " ".join(WORDS.findall(letters)) or letters


def _gap(gap: str, usual: str) -> str:
    """What stands between two letters: nothing, a blank, or signs that were parted too."""
    if gap == usual:
        return ""
    return gap[len(usual) : -len(usual)].replace(" ", "") or " "
