r"""Pseudonyms: how they are written, and how a model may spell them.

`<PERSON_1>` stands for one exact text. "Ada@x.com" and "ada@x.com" are two texts with two
pseudonyms: only so does each come back as it was.

Rules:
* Read tolerantly, in clear cases only: `<person_1>`, `<PERSON 1>`, `<PERSON\_1>`, `&lt;PERSON_1&gt;`,
  `\u003cPERSON_1\u003e`, and the bare word `PERSON_1`. Nothing else is touched.
* Whatever in a text reads like a pseudonym is masked as `<LITERAL_1>`, so that restoring what was
  masked gives the same text, for all texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hauberk_pii.vault import written

LITERAL = "LITERAL"
"""Type of the pseudonyms that stand for a text which only looks like one."""

_OPEN = ("<", "&lt;", "\\u003c")
_CLOSE = (">", "&gt;", "\\u003e")
_SEPARATOR = ("_", " ", "-", "\\_")
_SIGN = re.compile(r"[<&\\]|_[1-9]")
"""In every spelling - what opens one, or the end of a bare one - and in few other texts."""
_DIGITS = 9
"""Most digits of a number: a billion values in one session."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a text reads like a pseudonym."""

    start: int
    end: int
    name: str
    """The pseudonym as we write it. It may or may not have been issued."""


class Grammar:
    """How pseudonyms of some types are spelt.

    Args:
        types: Entity types; `LITERAL` is always one.

    Example:
        >>> [m.name for m in Grammar(["PERSON"]).mentions("ask **<person_1>** or PERSON_2's")]
        ['<PERSON_1>', '<PERSON_2>']
    """

    def __init__(self, types: Iterable[str]) -> None:
        # Longest first: a type may begin like another one.
        known = sorted({*types, LITERAL}, key=lambda t: (-len(t), t))
        self._canon = {kind.upper(): kind for kind in known}
        kinds = _either(known)
        bracketed = (
            rf"(?i:{_either(_OPEN)}[ ]?({kinds}){_either(_SEPARATOR)}([1-9][0-9]{{0,{_DIGITS - 1}}})"
            rf"[ ]?{_either(_CLOSE)})"
        )
        bare = rf"({kinds})_([1-9][0-9]{{0,{_DIGITS - 1}}})"
        self._mention = re.compile(rf"{bracketed}|(?<![0-9A-Za-z_]){bare}(?![0-9A-Za-z_])")
        # Without the bounds of a word: what is beside may be masked away.
        self._likeness = re.compile(rf"{bracketed}|{bare}")
        self._begun = re.compile(_beginnings(known))
        self.longest = max(map(len, known)) + _DIGITS + 2 * len(_OPEN[2]) + 4
        """Characters of the longest spelling."""

    def mentions(self, text: str, start: int = 0) -> Iterator[Mention]:
        """Where a text has pseudonyms, from `start` on."""
        return self._found(self._mention, text, start)

    def likenesses(self, text: str) -> Iterator[Mention]:
        """Where a text has anything that could be read as a pseudonym once other parts change."""
        return self._found(self._likeness, text, 0)

    def open_from(self, text: str, start: int = 0) -> int:
        """Where a pseudonym may have begun that the text does not finish; its length if none has.

        Args:
            text: What came so far.
            start: Where to look from: what lies before is settled.
        """
        match = self._begun.search(text, max(start, len(text) - self.longest))
        return match.start() if match is not None else len(text)

    def _found(self, pattern: re.Pattern[str], text: str, start: int) -> Iterator[Mention]:
        if _SIGN.search(text, start) is None:
            return
        for match in pattern.finditer(text, start):
            kind, number = match[1] or match[3], match[2] or match[4]
            name = written(self._canon[kind.upper()], int(number))
            yield Mention(match.start(), match.end(), name)


def _either(words: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in words) + ")"


def _begun(words: Iterable[str]) -> str:
    """A pattern for every beginning of one of some words, the empty one left out."""
    return _either(
        sorted({word[:n] for word in words for n in range(1, len(word) + 1)}, key=_order)
    )


def _order(word: str) -> tuple[int, str]:
    return -len(word), word


def _beginnings(types: list[str]) -> str:
    """A pattern for every beginning of a pseudonym that reaches the end of the text."""
    kinds, seps = _either(types), _either(_SEPARATOR)
    number = rf"[1-9][0-9]{{0,{_DIGITS - 1}}}"
    opened = rf"{_either(_OPEN)}[ ]?"
    steps = (
        _begun(_OPEN),
        opened,
        rf"{opened}{_begun(types)}",
        rf"{opened}{kinds}{_begun(_SEPARATOR)}",
        rf"{opened}{kinds}{seps}{number}[ ]?",
        rf"{opened}{kinds}{seps}{number}[ ]?{_begun([c[:-1] for c in _CLOSE if len(c) > 1])}",
    )
    bare = rf"(?<![0-9A-Za-z_])(?:{_begun(types)}|{kinds}_(?:{number})?)"
    return rf"(?:(?i:{'|'.join(steps)})|{bare})\Z"
