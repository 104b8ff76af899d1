"""Parts of a known name: which of them give a person away alone, and where.

Rules:
* A part that is no ordinary word counts in any case: after "Ada Byron" also "byron" and "ADA".
* A part that is an ordinary word as well ("Brown", "Mark"), or has two letters only, counts as it is
  written and inside of a sentence: "ask Brown", but neither "a brown dog" nor "Brown is a colour".
* One of the commonest words, a month, a day and a particle ("Will", "May", "van") never count alone.
* Ordinary are the words that the tagger's lists call so, in English and the languages that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from hauberk_pii._words import COMMON, PARTICLES

_LEAST = 2
_SHORT = 3
"""Letters from which a part is told from an abbreviation."""
_CALENDAR = frozenset(
    [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
)
_GOES_ON = frozenset(",;&/")
"""Signs before a word that do not begin a sentence."""


class Part(Enum):
    """Where a part of a name counts."""

    ANYWHERE = "in any case"
    INSIDE = "as it is written, inside of a sentence"


def parts_of(name: str) -> Iterator[tuple[str, Part]]:
    """The parts of a person's name that count alone."""
    for word in name.split():
        part = word.strip(".,'\u2019\"-()")
        how = _counts(part)
        if how is not None:
            yield part, how


def _counts(part: str) -> Part | None:
    folded = part.casefold()
    if len(part) < _LEAST or folded in PARTICLES or folded in _CALENDAR or not part[0].isalpha():
        return None
    common = _commonness(folded)
    if common is None and folded not in COMMON and len(part) >= _SHORT:
        return Part.ANYWHERE
    if (common or 0) >= _COMMONEST or not part[0].isupper():
        return None
    return Part.INSIDE


_COMMONEST = 3


def _commonness(word: str) -> int | None:
    """How common an ordinary word is, 0 to 3; None when it is none."""
    from hauberk_pii.tagger._file import load  # noqa: PLC0415 - read with the first name

    return load().commonness(word)


def inside_a_sentence(text: str, at: int) -> bool:
    """Whether the word at an offset stands after another in the same sentence."""
    before = text[max(0, at - 3) : at].rstrip(" \t")
    return bool(before) and (before[-1].isalnum() or before[-1] in _GOES_ON)
