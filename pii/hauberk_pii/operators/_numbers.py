"""Surrogates of numbers with a form: other numbers of the same form, with check digits that are right.

Rules:
* The form and the check are those of the recognizer of the type: what it would not report is not
  made, so dates in numbers stay dates, and letters stay where letters have to be.
* Digits become digits and letters letters of the same case; signs and spaces stay.
* Where no number passes after `MAX_TURNS` of changes, none is made: the value gets a pseudonym.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

MAX_TURNS = 12
"""Numbers that are begun anew before none is made."""

Pick = Callable[[int], int]
"""A number from 0 up to, and without, another one."""

Check = Callable[[str], bool]

_DIGITS, _LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def number_like(kind: str, text: str, pick: Pick) -> str | None:
    """Another number of the same type; None where the type has no form, or none was found.

    Args:
        kind: Entity type.
        text: A real value.
        pick: Where chance comes from.

    Example:
        >>> number_like("PERSON", "Ada", lambda below: 0) is None
        True
    """
    accepts = next((check for check in _checks().get(kind, ()) if check(text)), None)
    if accepts is None:
        return None
    for _ in range(MAX_TURNS):
        made = next(_right(_changed(text, accepts.form, pick), accepts), None)
        if made is not None and made != text:
            return made
    return None


class _Form:
    """What a value of one recognizer looks like, and whether it is one."""

    def __init__(self, shape: str, fold: int, accepts: Check) -> None:
        self._shape = re.compile(shape, fold)
        self._accepts = accepts

    def form(self, value: str) -> bool:
        """Whether a value has the form, its check aside."""
        return self._shape.fullmatch(value) is not None

    def __call__(self, value: str) -> bool:
        return self.form(value) and self._accepts(value)


@cache
def _checks() -> dict[str, list[_Form]]:
    """Forms by type, from our recognizers."""
    from hauberk_pii.recognizers import INSTEAD, NATIONAL, NEW, AnnouncedRecognizer  # noqa: PLC0415

    found: dict[str, list[_Form]] = {}
    for kind in (*NATIONAL, *NEW, *(kind for kinds in INSTEAD.values() for kind in kinds)):
        if issubclass(kind, AnnouncedRecognizer):
            fold = re.IGNORECASE if kind.FOLD else re.NOFLAG
            # The form that needs no announcement is the narrower one.
            for shape in filter(None, (kind.ALONE, kind.SHAPE)):
                form = _Form(shape, fold, kind().accepts)
                found.setdefault(kind.ENTITY, []).append(form)
    return found


def _changed(text: str, has_form: Check, pick: Pick) -> str:
    """A text with other digits and letters wherever its form lets them stand."""
    for at, char in enumerate(text):
        others = _others(char)
        if others:
            new = text[:at] + others[pick(len(others))] + text[at + 1 :]
            text = new if has_form(new) else text
    return text


def _right(text: str, accepts: Check) -> Iterator[str]:
    """The same with one sign changed, or the last two, so that the check is right."""
    if accepts(text):
        yield text
    places = [at for at, char in enumerate(text) if _others(char)][::-1]
    for at in places:
        for other in _others(text[at]):
            new = text[:at] + other + text[at + 1 :]
            if accepts(new):
                yield new
    for first, second in zip(places[1:2], places, strict=False):
        for one, two in product(_others(text[first]), _others(text[second])):
            new = text[:first] + one + text[first + 1 : second] + two + text[second + 1 :]
            if accepts(new):
                yield new


def _others(char: str) -> str:
    """What can stand in place of a sign."""
    if char in _DIGITS:
        return _DIGITS
    if char.upper() in _LETTERS:
        return _LETTERS if char.isupper() else _LETTERS.lower()
    return ""
