"""Words whose letters were moved or parted, put right again.

Rules:
* `unscrambled`: a word with its first and last letter in place and the others in any order
  (typoglycemia) is the known word of those letters.
* `rejoined`: pieces that stand apart, or are joined by signs as in a program, are one known word.
* `words_backwards`: each word read from its end, the order of words kept.
* Only words that orders to a model are made of are put right; a text is opened only when one of
  them is scrambled, parted or backward, which the plain word is never taken for.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import pairwise

from hauberk.injection._view import View
from hauberk.injection._vocabulary import KNOWN, TELLING

_MIN_KEY = 6
"""Letters of a word that is looked for. Shorter ones are too often something else."""

_MIN_JOINED = 5
_MAX_PIECES = 5
_MAX_GAP = 6
"""Most characters between two pieces of a word: `" + "` has five."""

_WORD = re.compile(r"[a-z]{4,}")
_PIECE = re.compile(r"[a-z]+")
_ANY_WORD = re.compile(r"[^\W\d_]{2,}")

_Key = tuple[str, str, str]


def _key(word: str) -> _Key:
    return word[0], word[-1], "".join(sorted(word[1:-1]))


_TWINS = frozenset(("could", "except", "form", "from", "quiet", "reverse", "there"))
"""Words whose letters, moved, are another common word: cloud, expect, reserve, three."""

_SCRAMBLED: dict[_Key, str] = {
    _key(word): word for word in sorted(KNOWN - _TWINS) if len(set(word[1:-1])) > 1
}
_JOINED = frozenset(word for word in KNOWN if len(word) >= _MIN_JOINED)
_STARTS = frozenset(word[:at] for word in _JOINED for at in range(1, len(word) + 1))

_LONG = frozenset(
    word for word in KNOWN - _TWINS if len(word) >= _MIN_KEY and len(set(word[1:-1])) > 1
)
_LONG_KEYS = frozenset(map(_key, _LONG))
_SHAPES = frozenset((word[0], word[-1], len(word)) for word in _LONG)
"""Cheaper to ask about than a key."""

_BEGINNINGS = frozenset(word[:at] for word in _LONG for at in range(2, len(word) + 1))

_PALINDROMES = frozenset(("evil", "file", "loop", "refer", "said", "spam", "step", "time"))
"""Words that are words from their end too: live, elif, pool, refer, dias, maps, pets, emit."""

_BACKWARD = frozenset(word[::-1] for word in TELLING - _PALINDROMES)
_ROTATED = frozenset(codecs.encode(word, "rot13") for word in TELLING)


def signs(text: str) -> Iterator[str]:
    """What a folded text has the signs of: `scrambled`, `split`, `reversed`, `rot13`."""
    pieces = _PIECE.findall(text)
    words = frozenset(pieces)
    if not words.isdisjoint(_ROTATED):
        yield "rot13"
    if not words.isdisjoint(_BACKWARD):
        yield "reversed"
    if any(_is_scrambled(word) for word in words - KNOWN):
        yield "scrambled"
    for one, two in pairwise(pieces):
        if one in _BEGINNINGS and one + two[:4] in _BEGINNINGS and not {one, two} <= KNOWN:
            yield "split"
            return


def _is_scrambled(word: str) -> bool:
    return (word[0], word[-1], len(word)) in _SHAPES and _key(word) in _LONG_KEYS


def unscrambled(folded: View) -> View | None:
    """A folded view with scrambled words put right; None when there are none."""
    pieces = list(_righted(folded.text))
    return folded.spliced(pieces, name="scrambled") if pieces else None


def rejoined(folded: View) -> View | None:
    """A folded view with parted words put together; None when there are none."""
    pieces = list(_together(folded.text))
    return folded.spliced(pieces, name="split") if pieces else None


def words_backwards(folded: View) -> View:
    """A folded view, each word from its end."""
    pieces = ((*found.span(), found.group()[::-1]) for found in _ANY_WORD.finditer(folded.text))
    return folded.spliced(pieces, name="reversed", concealed=True)


def _righted(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _WORD.finditer(text):
        word = found.group()
        if word not in KNOWN and (right := _SCRAMBLED.get(_key(word))):
            yield *found.span(), right


def _together(text: str) -> Iterator[tuple[int, int, str]]:
    pieces = list(_PIECE.finditer(text))
    at = 0
    while at < len(pieces):
        count = _joined_from(pieces, at)
        if count:
            start, end = pieces[at].start(), pieces[at + count - 1].end()
            yield start, end, "".join(piece.group() for piece in pieces[at : at + count])
        at += count or 1


def _joined_from(pieces: list[re.Match[str]], at: int) -> int:
    """How many pieces from `at` on are one word; 0: none."""
    word, best = pieces[at].group(), 0
    if word not in _STARTS:
        return 0
    known = word in KNOWN
    for count, piece in enumerate(pieces[at + 1 : at + _MAX_PIECES], start=2):
        before = pieces[at + count - 2]
        if piece.start() - before.end() > _MAX_GAP or word + piece.group() not in _STARTS:
            break
        gap = piece.string[before.end() : piece.start()]
        if any(char.isalnum() for char in gap):
            break
        word += piece.group()
        known = known and piece.group() in KNOWN
        if word in _JOINED and not known and len(piece.group()) > 1:
            best = count
    return best
