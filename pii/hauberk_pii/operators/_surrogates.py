"""Surrogates: invented values that look like the real ones, so that a model writes as it would.

Rules:
* The same value has the same surrogate for a whole session, in every worker that shares its secret.
  Two values never share one.
* A surrogate has the shape of what it stands for: names of the same language with as many words and
  the same case, digits for digits, letters for letters, and check digits that are right.
* Where a range is set aside for examples it is used (RFC 2606 for mail and web, RFC 5737 and RFC 3849
  for addresses), so that a slip reaches nobody.
* Never another real value of the session.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

from hauberk_pii.operators._numbers import number_like

MAX_TRIES = 400
"""Candidates that are tried before a value gets a plain pseudonym instead."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_KEPT = {
    "PHONE_NUMBER": re.compile(r"\+\d{1,2}|\(?0+"),  # country code, trunk prefix
    "CREDIT_CARD": re.compile(r"\d"),  # the network
    "API_KEY": re.compile(r"[A-Za-z]{2,6}(?:[-_][a-z]{2,5})?[-_]"),  # whose key it is
}
"""What a surrogate keeps of the beginning: it says what kind of value it is, not whose."""


class Surrogates:
    """Makes surrogates for one session. Pure, but for the words of names that it used already.

    Args:
        secret: At least 16 bytes; the same for every worker of the session.
        language: ISO 639-1 code; names of a language that has none here are English.

    Example:
        >>> made = Surrogates(bytes(16), "en").candidates("IBAN_CODE", "DE89 3704 0044 0532 0130 00")
        >>> next(made)[:2]
        'DE'
    """

    def __init__(self, secret: bytes, language: str = "en") -> None:
        self._secret = secret
        self._given, self._family, self._places = _names(language)
        self._words: dict[str, str] = {}

    def candidates(self, kind: str, text: str) -> Iterator[str]:
        """Invented values for a real one, the first choice first. Different from it, always."""
        for turn in range(MAX_TRIES):
            made = self._made(kind, text, _Dice(self._secret, f"{kind}\0{text}\0{turn}"))
            if made != text and made:
                yield made

    def learn(self, text: str, surrogate: str) -> Iterator[tuple[str, str]]:
        """The words of a name with those of its surrogate: a part is called by its part.

        Gives the pairs, for whoever restores them.
        """
        real, invented = _WORD.findall(text), _WORD.findall(surrogate)
        if len(real) == len(invented) and len(real) > 1:
            for old, new in zip(real, invented, strict=True):
                self._words.setdefault(old.casefold(), new.casefold())
                yield old, new

    def _made(self, kind: str, text: str, dice: _Dice) -> str:
        if kind == "PERSON":
            return self._person(text, dice)
        if kind == "EMAIL_ADDRESS":
            name = f"{dice.choice(self._given)}.{dice.choice(self._family)}".lower()
            return f"{re.sub('[^a-z.]', '', name)}{dice.number(90) + 10}@example.com"
        if kind in _TOWNS:
            return _cased(text, dice.choice(self._places))
        if kind == "STREET_ADDRESS":
            return self._address(text, dice)
        own = _BY_TYPE.get(kind)
        if own is not None:
            return own(text, dice, kind)
        return number_like(kind, text, dice.number) or _shaped(text, dice, kind)

    def _address(self, text: str, dice: _Dice) -> str:
        """The same kind of street with another name and number: `12 Baker Street`, `Lindenweg 4`."""

        def word(match: re.Match[str]) -> str:
            if match[0].islower() or match[0].casefold().rstrip(".") in _STREETS:
                return match[0]
            end = _STREET_END.search(match[0])
            new = dice.choice(self._places).split()[0]
            return _cased(match[0], new + (end[0] if end else ""))

        return _WORD.sub(word, re.sub("[0-9]", lambda m: _like(m[0], dice), text))

    def _person(self, text: str, dice: _Dice) -> str:
        words = list(_WORD.finditer(text))

        def word(match: re.Match[str]) -> str:
            known = self._words.get(match[0].casefold())
            first = not words or match.start() == words[0].start()
            new = known or dice.choice(self._given if first else self._family)
            return _cased(match[0], new)

        return _WORD.sub(word, text)


class _Dice:
    """Numbers that look random and are the same each time (HMAC-SHA256 in counter mode)."""

    def __init__(self, secret: bytes, about: str) -> None:
        self._secret = secret
        self._about = about.encode("utf-8", "surrogatepass")
        self._turn = 0

    def number(self, below: int) -> int:
        self._turn += 1
        raw = hmac.digest(self._secret, self._turn.to_bytes(4, "big") + self._about, "sha256")
        return int.from_bytes(raw[:16], "big") % below

    def choice(self, of: tuple[str, ...]) -> str:
        return of[self.number(len(of))]


def _shaped(text: str, dice: _Dice, kind: str = "") -> str:
    """Digits for digits and letters for letters, after what is kept."""
    pattern = _KEPT.get(kind)
    kept = pattern.match(text) if pattern is not None else None
    start = kept.end() if kept else 0
    return text[:start] + "".join(_like(char, dice) for char in text[start:])


def _like(char: str, dice: _Dice) -> str:
    if char.isascii() and char.isdigit():
        return str(dice.number(9) + 1)
    if char.isascii() and char.isalpha():
        new = chr(ord("a") + dice.number(26))
        return new.upper() if char.isupper() else new
    return char


def _luhn(text: str) -> str:
    """The same text with its last digit right (ISO/IEC 7812-1, annex B)."""
    places = [index for index, char in enumerate(text) if char.isdigit()]
    if not places:
        return text
    total = 0
    for rank, index in enumerate(reversed(places[:-1])):
        digit = int(text[index]) * (2 if rank % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit  # noqa: PLR2004 - the sum of its digits
    return f"{text[: places[-1]]}{-total % 10}{text[places[-1] + 1 :]}"


def _with_check_digit(text: str, dice: _Dice, kind: str) -> str:
    return _luhn(_shaped(text, dice, kind))


def _url(text: str, dice: _Dice, _: str) -> str:
    scheme = text.partition("://")[0] if "://" in text else "https"
    return f"{scheme}://example.com/{dice.number(16**8):08x}"


def _iban(text: str, dice: _Dice, _: str) -> str:
    """The same country and shape, with right check digits (ISO 13616-1, MOD 97-10)."""
    head, body = text[:2].upper(), _shaped(text[4:], dice)
    plain = re.sub(r"[^0-9A-Za-z]", "", body).upper()
    as_number = "".join(str(int(char, 36)) for char in f"{plain}{head}00")
    return f"{text[:2]}{98 - int(as_number) % 97:02d}{body}"


def _address(text: str, dice: _Dice, _: str) -> str:
    if ":" in text:
        return "2001:db8::" + ":".join(f"{dice.number(0xFFFF) + 1:x}" for _ in range(3))
    # 198.18.0.0/15 (RFC 2544): the ranges of RFC 5737 are too few for a long session.
    return f"198.{18 + dice.number(2)}.{dice.number(256)}.{dice.number(254) + 1}"


def _cased(like: str, word: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.lower() if like.islower() else word[:1].upper() + word[1:]


def _coordinates(text: str, dice: _Dice, _: str) -> str:
    """Other degrees, all of which there are: below ninety."""

    def degrees(match: re.Match[str]) -> str:
        whole = str(dice.number(min(90, 10 ** len(match[1]))))
        return whole + "".join(_like(char, dice) for char in match[2])

    return re.sub(r"([0-9]{1,3})((?:\.[0-9]+)?)", degrees, text)


_STREETS = frozenset(
    [
        *(
            "street",
            "st",
            "avenue",
            "ave",
            "road",
            "rd",
            "boulevard",
            "blvd",
            "lane",
            "ln",
            "drive",
            "dr",
        ),
        *(
            "court",
            "ct",
            "place",
            "pl",
            "square",
            "sq",
            "terrace",
            "way",
            "parkway",
            "highway",
            "apt",
        ),
        *(
            "suite",
            "unit",
            "floor",
            "flat",
            "room",
            "box",
            "po",
            "rue",
            "place",
            "chemin",
            "quai",
            "cours",
        ),
        *("calle", "avenida", "paseo", "plaza", "via", "viale", "piazza", "corso", "rua", "praça"),
        *(
            "straße",
            "strasse",
            "str",
            "allee",
            "platz",
            "weg",
            "straat",
            "laan",
            "plein",
            "n",
            "s",
            "e",
            "w",
        ),
    ]
)
_STREET_END = re.compile(
    r"(?:stra(?:ß|ss)e|gasse|allee|weg|platz|damm|ufer|straat|laan|gracht|plein|gatan)$"
)
_TOWNS = frozenset({"LOCATION", "GPE", "CITY"})
_BY_TYPE = {
    "URL": _url,
    "URL_CREDENTIALS": _url,
    "IP_ADDRESS": _address,
    "IBAN_CODE": _iban,
    "CREDIT_CARD": _with_check_digit,
    "GEO_COORDINATES": _coordinates,
}

Lists = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@lru_cache
def _names(language: str) -> Lists:
    """Given names, family names and places of a language."""
    lines = files("hauberk_pii.operators").joinpath("names.txt").read_text("utf-8").splitlines()
    lists: dict[str, tuple[str, ...]] = {}
    for line in lines:
        key, colon, words = line.partition(":")
        if colon and not line.startswith("#"):
            lists[key.strip()] = tuple(word.strip() for word in words.split(","))
    found = language if f"{language} given" in lists else "en"
    return lists[f"{found} given"], lists[f"{found} family"], lists[f"{found} places"]
