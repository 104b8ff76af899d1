"""Texts as provenance compares them: normal form, words, and the things inside them (pure).

Rules:
* Case, compatibility forms, invisible signs and the length of white space make no difference.
* A thing (an address, a link, an account, a phone number, a number, a date) is compared whole and by
  what it means: `DE89 3704 ...` is `de893704...`, `98.70` is `98.7`, `May 20th` is `2024-05-20`.
  A piece of a thing is not that thing: `corp.com` is no part of `notcorp.com`.
* Every pattern is bounded or starts at the border of a word: the time is linear in the text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote

MAX_DECODED = 4096
"""Characters of a value that is opened when it looks encoded. Longer ones are taken as they are."""

_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]"
)
WORD = re.compile(r"\w+")

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
         "aug august", "sep sept september", "oct october", "nov november", "dec december"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))

# Endings of file names, which are no top-level domain: `report.pdf` is no link.
_FILES = "txt|pdf|docx?|xlsx?|pptx?|csv|tsv|json|ya?ml|xml|html?|png|jpe?g|gif|svg|log|ini|toml|eml"

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.)+[a-z][\w-]{1,23}(?![\w-])")
_URL = re.compile(
    r"(?:(?<![a-z0-9])[a-z][a-z0-9+.-]{1,15}://|(?<![\w@.-])www\.)[^\s<>\"'`|]{1,2048}"
    rf"|(?<![\w@.%/:=-])(?:[\w-]{{1,63}}\.){{1,8}}(?!(?:{_FILES})(?![\w-]))[^\W\d_]{{2,24}}(?![\w@-])"
    r"(?::\d{1,5})?(?:[/?#][^\s<>\"'`|]{0,2048})?"
)
_ACCOUNT = re.compile(
    r"(?<![a-z0-9])[a-z]{2}\d{2}(?:[a-z0-9]{8,30}|(?:[ -][a-z0-9]{4}){2,7}(?:[ -][a-z0-9]{1,4})?)(?![a-z0-9])"
)
_PHONE = re.compile(r"(?<![\w.+-])\+?\(?\d[\d ()./-]{5,24}\d(?!\w)")
_NUMBER = re.compile(
    r"(?<![\w.:/-])(?:\d{1,3}(?:[,'\u2019]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d{1,2}|\d+(?:[.,]\d+)?)"
    r"(?!\w|[:/-]\d)"
)
_DATE = re.compile(
    r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"
    r"|(?<!\d)(?P<a>\d{1,2})[/.](?P<b>\d{1,2})[/.](?P<y2>\d{4})(?!\d)"
    rf"|(?<!\w)(?P<mon>{_MONTH})\.? (?P<d3>\d{{1,2}})(?:st|nd|rd|th)?(?!\w)(?:,? (?P<y3>\d{{4}})(?!\d))?"
    rf"|(?<!\d)(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\.?(?: of)? (?P<mon4>{_MONTH})(?!\w)(?:,? (?P<y4>\d{{4}})(?!\d))?"
)
_TRAILING = ".,;:!?)]}>'\""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_DIGIT = re.compile(r"\d")


def normal(text: str) -> str:
    r"""The normal form in which texts are compared.

    Example:
        >>> normal("  \uff21da\u200b   Lovelace\n")
        'ada lovelace'
    """
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class Thing:
    """Something inside a text that is compared by what it means."""

    kind: str
    """`url`, `email`, `phone`, `account`, `number` or `date`."""
    known_as: tuple[str, ...]
    """What a source that holds it is found under."""
    sought_as: tuple[str, ...]
    """What a value that is it is looked for under; one is enough."""
    start: int
    end: int
    """Span in the normal form."""


def things(text: str) -> Iterator[Thing]:
    """Everything in a text (in normal form) that is compared by what it means.

    Numbers inside an address, a link, a date or an account are no numbers of their own.
    """
    rest = text
    for kind, pattern, possible, keys in _KINDS:
        if not possible(rest):
            continue
        taken: list[tuple[int, int]] = []
        for match in pattern.finditer(rest):
            found = keys(match)
            if found[0]:
                yield Thing(kind, *found, match.start(), match.end())
                taken.append(match.span())
        if taken and kind not in ("phone", "number"):
            rest = _blanked(rest, taken)


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += (text[at:start], "\0" * (end - start))
        at = end
    return "".join((*parts, text[at:]))


def thing(text: str) -> Thing | None:
    """The thing that a text (in normal form) is as a whole; None for words.

    Example:
        >>> thing("de89 3704 0044 0532 0130 00").sought_as
        ('account:de89370400440532013000',)
    """
    if not text or len(text) > MAX_DECODED:
        return None
    number: Thing | None = None
    for kind, pattern, possible, keys in _KINDS:
        if possible(text):
            match = pattern.fullmatch(text)
            if match is not None and (found := keys(match))[0]:
                whole = Thing(kind, *found, 0, len(text))
                if kind == "number":
                    number = whole  # many digits may be a phone number too
                else:
                    return whole if number is None else _both(number, whole)
    return number


def _both(one: Thing, other: Thing) -> Thing:
    known, sought = one.known_as + other.known_as, one.sought_as + other.sought_as
    return Thing(one.kind, known, sought, one.start, one.end)


def decoded(value: str) -> Iterator[str]:
    """What a value says when it is opened: quotes, base64, percent and JSON escapes, HTML entities."""
    if len(value) > MAX_DECODED:
        return
    if (plain := value.strip(" \t\r\n\"'`")) != value:
        yield plain
    if "%" in value and (plain := unquote(value)) != value:
        yield plain
    if "&" in value and (plain := unescape(value)) != value:
        yield plain
    if "\\" in value and (escaped := _unescaped(value)) is not None:
        yield escaped
    if _BASE64.fullmatch(value) and (hidden := _from_base64(value)) is not None:
        yield hidden


def encoded_parts(text: str) -> Iterator[str]:
    """What the encoded words of a source say."""
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    for match in _BASE64.finditer(text):
        if (hidden := _from_base64(match.group())) is not None:
            yield hidden


def _unescaped(value: str) -> str | None:
    try:
        plain = json.loads(f'"{value}"', strict=False)
    except ValueError:
        return None
    return plain if isinstance(plain, str) and plain != value else None


def _from_base64(value: str) -> str | None:
    body = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        plain = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return (
        plain
        if plain.isprintable() or not any(c < " " and c not in "\t\r\n" for c in plain)
        else None
    )


# --- keys: (known as, sought as) -----------------------------------------------------------------

_Keys = tuple[tuple[str, ...], tuple[str, ...]]
_NO_KEYS: _Keys = ((), ())


def _email_keys(match: re.Match[str]) -> _Keys:
    key = f"email:{match.group()}"
    return (key, f"host:{match.group().rpartition('@')[2]}"), (key,)


def _url_keys(match: re.Match[str]) -> _Keys:
    """A link without what makes no difference: scheme, closing punctuation, a final slash.

    A bare host is part of every link and address there; nothing else is part of a link.
    """
    link = re.sub(r"^https?://", "", match.group()).rstrip(_TRAILING).rstrip("/")
    if not link:
        return _NO_KEYS
    host = re.split("[/?#]", link, maxsplit=1)[0]
    bare = (f"host:{link}",) if host == link and "@" not in link else ()
    return (f"url:{link}", f"host:{host}"), (f"url:{link}", *bare)


def _account_keys(match: re.Match[str]) -> _Keys:
    groups = re.split("[ -]", match.group())
    # Words that follow a spaced account look like groups of it: every shorter reading counts too.
    lengths = range(len(groups), 2, -1) if len(groups) > 1 else (1,)
    joined = ("".join(groups[:n]) for n in lengths)
    keys = tuple(
        f"account:{key}" for key in joined if len(_DIGIT.findall(key)) >= MIN_ACCOUNT_DIGITS
    )
    return keys, keys[:1]


MIN_ACCOUNT_DIGITS = 6
"""Digits of an account: two of the check, four of the bank (ISO 13616 has no shorter one)."""
MIN_PHONE_DIGITS, MAX_PHONE_DIGITS = 7, 19
"""Digits of a phone number (E.164: at most 15) or of a payment card (ISO/IEC 7812: at most 19)."""
_COUNTRY_CODES = (1, 2, 3)
"""Digits that a country code may have."""


def _phone_keys(match: re.Match[str]) -> _Keys:
    written = match.group()
    digits = "".join(_DIGIT.findall(written))
    if not MIN_PHONE_DIGITS <= len(digits) <= MAX_PHONE_DIGITS:
        return _NO_KEYS
    if written.startswith(("+", "00")):
        full = digits.removeprefix("00")
        home = tuple(f"phone:{full[n:]}" for n in _COUNTRY_CODES)
        return (f"phone:+{full}", *(f"home:{key[6:]}" for key in home)), (f"phone:+{full}", *home)
    local = digits.removeprefix("0")
    return (f"phone:{local}",), (f"phone:{local}", f"home:{local}")


def _number_keys(match: re.Match[str]) -> _Keys:
    written = match.group()
    readings = {number_key(re.sub(r"[,'\u2019](?=\d{3}(?!\d))", "", written))}
    if "," in written:
        readings.add(number_key(re.sub(r"\.(?=\d{3})", "", written).replace(",", ".")))
    keys = tuple(sorted(readings - {""}))
    return keys, keys


def number_key(written: str) -> str:
    """The key of a number in plain decimal notation; empty when it is none."""
    whole, dot, rest = written.partition(".")
    if not whole.lstrip("-").isdecimal() or (dot and not rest.isdecimal()):
        return ""
    rest = rest.rstrip("0")
    sign = "-" if whole.startswith("-") else ""
    return f"number:{sign}{whole.lstrip('-').lstrip('0') or '0'}{'.' + rest if rest else ''}"


def _date_keys(match: re.Match[str]) -> _Keys:
    part = match.groupdict()
    if part["y"]:
        return _day(part["y"], int(part["m"]), int(part["d"]))
    if part["y2"]:
        first, second = int(part["a"]), int(part["b"])
        one, other = _day(part["y2"], first, second), _day(part["y2"], second, first)
        return one[0] + other[0], one[1] + other[1]
    if part["mon"]:
        return _day(part["y3"], _MONTHS[part["mon"]], int(part["d3"]))
    return _day(part["y4"], _MONTHS[part["mon4"]], int(part["d4"]))


def _day(year: str | None, month: int, day: int) -> _Keys:
    """A day without a year may be of any year, in a source as in a value."""
    if not (1 <= month <= len(_DAYS) and 1 <= day <= _DAYS[month - 1]):
        return _NO_KEYS
    rest = f"{month:02}-{day:02}"
    if year is None:
        return (f"date:?-{rest}", f"date:*-{rest}"), (f"date:*-{rest}",)
    return (f"date:{year}-{rest}", f"date:*-{rest}"), (f"date:{year}-{rest}", f"date:?-{rest}")


_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _with_digit(text: str) -> bool:
    return _DIGIT.search(text) is not None


_KINDS: tuple[
    tuple[str, re.Pattern[str], Callable[[str], bool], Callable[[re.Match[str]], _Keys]], ...
] = (
    ("email", _EMAIL, lambda text: "@" in text, _email_keys),
    ("url", _URL, lambda text: "." in text or "://" in text, _url_keys),
    ("date", _DATE, _with_digit, _date_keys),
    ("account", _ACCOUNT, _with_digit, _account_keys),
    ("number", _NUMBER, _with_digit, _number_keys),
    ("phone", _PHONE, _with_digit, _phone_keys),
)
"""Kinds of things, in the order in which a whole text is tried."""
