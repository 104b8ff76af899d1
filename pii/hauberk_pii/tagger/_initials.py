"""Initials inside of names: `faina d. yefremova` is one name, of which a tagger may see a half.

Rules:
* What stands on both sides of an initial is one name, if one side was found as one.
* The other side is a word in the same case that is no ordinary one of any language that is known.
  `a`, `e`, `i`, `o`, `u` and `y` are words by themselves: they are initials with a dot only.
* Pure: lists of words are asked through a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_W = r"[^\W\d_]{2,30}(?:['\u2019\-](?!s(?!\w))[^\W\d_]{1,30}){0,2}"
_INITIAL = r"[ \t]{1,2}(?:[^\W\d_]\.|[^\W\d_aeiouyAEIOUY])[ \t]{1,2}"
_BETWEEN = re.compile(_INITIAL)
_BEHIND = re.compile(rf"{_INITIAL}(?P<word>{_W})(?![\w@])")
_BEFORE = re.compile(rf"(?<![\w@.])(?P<word>{_W}){_INITIAL}$")
_REACH = 70
"""Characters before a name that can hold another one and an initial."""

IsWord = Callable[[str], bool]
"""Whether a word in lower case is an ordinary one."""


def joined(text: str, start: int, end: int) -> bool:
    """Whether there is nothing but an initial between two names.

    Example:
        >>> joined("ada m. byron", 3, 7)
        True
    """
    return _BETWEEN.fullmatch(text, start, end) is not None


def grown(text: str, start: int, end: int, is_word: IsWord) -> tuple[int, int]:
    """A name of one word, with the word beyond an initial.

    Example:
        >>> text = "ask faina d. yefremova now"
        >>> start, end = grown(text, 13, 22, lambda word: word in ("ask", "now"))
        >>> text[start:end]
        'faina d. yefremova'
    """
    name = text[start:end]
    if " " in name:
        return start, end
    behind = _BEHIND.match(text, end)
    if behind is not None and _is_like(behind["word"], name, is_word):
        return start, behind.end("word")
    before = _BEFORE.search(text, max(0, start - _REACH), start)
    if before is not None and _is_like(before["word"], name, is_word):
        return before.start("word"), end
    return start, end


def _is_like(word: str, name: str, is_word: IsWord) -> bool:
    """Whether a word may be the other half of a name."""
    same = word[0].isupper() == name[0].isupper() and word.isupper() == name.isupper()
    return same and not is_word(word.casefold())
