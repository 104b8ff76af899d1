"""What a word is like, for the tagger: its class, and the features that it has by itself.

Rules:
* A class is the case of a word, its lists and how common it is: `TF2` is a capitalised first name
  that is a fairly common word as well.
* What is in no list is looked up without accents, then by the parts of a hyphenated word.
* Features are strings: training writes them down, the model looks them up. There is one copy of
  how they are made.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Protocol

FIRST, LAST, PLACE, PLACE_PART, FOREIGN = 1, 2, 4, 8, 16
"""Bits of a word's entry: lists it is in. `FOREIGN`: an ordinary word of another language."""
ANY_NAME = FIRST | LAST | PLACE | PLACE_PART
COMMON_SHIFT = 5
"""Above the lists: 0 rare or unknown in English, up to 3 (one of the thousand commonest)."""

PARTICLES = frozenset(
    "van von der den de del della di da dos das du la le el al bin ibn ben abu ter ten zu y st".split()  # noqa: SIM905 - reads better
)
"""Small words inside of names."""

FUNCTION = frozenset(
    [
        "the",
        "a",
        "an",
        "this",
        "that",
        "these",
        "those",
        "at",
        "of",
        "to",
        "on",
        "in",
        "by",
        "for",
        "from",
        "with",
        "as",
        "into",
        "over",
        "out",
        "up",
        "about",
        "than",
        "and",
        "or",
        "but",
        "if",
        "so",
        "my",
        "your",
        "his",
        "her",
        "our",
        "their",
        "its",
        "me",
        "him",
        "them",
        "us",
        "we",
        "you",
        "they",
        "he",
        "she",
        "it",
        "who",
        "which",
        "what",
        "when",
        "where",
        "how",
        "there",
        "here",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "would",
        "could",
        "should",
        "can",
        "not",
        "no",
        "all",
        "any",
        "some",
        "each",
        "other",
        "more",
        "most",
        "many",
        "such",
    ]
)
"""Words that in lower case are no name by themselves, whatever lists hold them."""

_LETTERS = {FIRST: "F", LAST: "L", PLACE: "P", PLACE_PART: "Q", FOREIGN: "G"}


class Entries(Protocol):
    """What the lists say of words: a dictionary, or the lines of a file."""

    def get(self, word: str, /) -> int | None:
        """The entry of a word; None when no list holds it."""
        ...


def key_of(word: str) -> str:
    """How a word is listed: lower case, plain apostrophes, composed letters."""
    return unicodedata.normalize("NFC", word.lower().replace("\u2019", "'").rstrip("."))


def plain(word: str) -> str:
    """A word without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def entry_of(key: str, table: Entries) -> int | None:
    """What the lists say of a word; None when it is in none of them."""
    found = table.get(key)
    if found is not None:
        return found
    found = table.get(plain(key))
    if found is not None or not ("-" in key or "'" in key):
        return found
    parts = [table.get(part) for part in key.replace("'", "-").split("-") if part]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    lists = 0
    for part in known:
        lists |= part & ((1 << COMMON_SHIFT) - 1)
    common = min((part or 0) >> COMMON_SHIFT for part in parts)
    return lists | common << COMMON_SHIFT


def case_of(word: str) -> str:
    """a: lower, T: Title, U: UPPER, S: one capital, M: any other."""
    if word.islower() or not word[0].isalpha():
        return "a"
    if len(word.rstrip(".")) == 1:
        return "S"
    if word.isupper():
        return "U"
    parts = word.replace("'", "-").replace("\u2019", "-").split("-")
    if word[0].isupper() and all(part.istitle() or part.islower() for part in parts):
        return "T"
    if word[:2] in ("Mc", "De", "La", "Le", "Di", "Da") or word[:3] in ("Mac", "Van"):
        return "T"
    return "M" if word[0].isupper() else "m"


@cache
def _lists(entry: int) -> str:
    return "".join(letter for bit, letter in _LETTERS.items() if entry & bit) + str(
        entry >> COMMON_SHIFT
    )


def class_of(word: str, entry: int | None) -> str:
    """The class of a word."""
    return case_of(word) + ("?" if entry is None else _lists(entry))


def is_latin(word: str) -> bool:
    """Whether a word is in Latin letters: others are left alone."""
    return word.isascii() or all(
        c < "\u0370" or "\u1e00" <= c < "\u1f00" or not c.isalpha() for c in word
    )


def own_features(key: str, kind: str) -> list[str]:
    """Features of a word as the one to be labelled."""
    letters = plain(key)
    return [
        f"0={key}",
        f"0c{kind}",
        f"0k{kind[1:]}",
        f"0s{letters[-2:]}",
        f"0s{letters[-3:]}",
        f"0s{letters[-4:]}",
        f"0p{letters[:2]}",
        f"0p{letters[:3]}",
        f"0p{letters[:4]}",
        f"0l{min(len(key), 12)}",
        f"0v{kind[0]}{shape_of(key)}",
        f"0S{kind[0]}{letters[-3:]}",
    ]


def shape_of(word: str) -> str:
    """Signs inside of a word: `-`, `'`, `.`, letters beyond ASCII."""
    return "".join(
        sorted({c if c in "-'." else "~" for c in word if not ("a" <= c.lower() <= "z")})
    )


def context_features(at: int, key: str, kind: str) -> list[str]:
    """Features of a word that stands `at` words after the one to be labelled."""
    features = [f"{at}={key}", f"{at}c{kind}"]
    if at in (-1, 1):
        features += [f"{at}s{plain(key)[-3:]}", f"{at}k{kind[1:]}"]
    return features
