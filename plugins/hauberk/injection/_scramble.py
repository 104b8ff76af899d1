"""Words whose letters were moved or parted, put right again.

Rules:
* `unscrambled`: a word with its first and last letter in place and the others in any order
  (typoglycemia) is the known word of those letters.
* `rejoined`: pieces that stand apart, or are joined by signs as in a program, are one known word.
* `words_backwards`: each word read from its end, the order of words kept.
* Only words that orders to a model are made of are put right; a text is opened only when one of
  them is scrambled, parted or backward, and the patterns that say so never match the plain word.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from hauberk.injection._view import View
from hauberk.injection._vocabulary import KNOWN

_MIN_KEY = 6
"""Letters of a word that is looked for. Shorter ones are too often something else."""

_MIN_JOINED = 5
_MAX_PIECES = 5
_MAX_GAP = 6
"""Most characters between two pieces of a word: `" + "` has five."""

_GAP = r"[^a-z0-9]{1,6}"
_MAYBE_GAP = r"[^a-z0-9]?"
_WORD = re.compile(r"[a-z]{4,}")
_PIECE = re.compile(r"[a-z]+")
_ANY_WORD = re.compile(r"[^\W\d_]{2,}")

_Key = tuple[str, str, str]


def _key(word: str) -> _Key:
    return word[0], word[-1], "".join(sorted(word[1:-1]))


_TWINS = frozenset(("could", "except", "form", "from", "quiet", "reverse", "there"))
"""Words whose letters, moved, are another common word: cloud, expect, reserve, three."""

_SCRAMBLED: dict[_Key, str] = {
    _key(word): word for word in KNOWN - _TWINS if len(set(word[1:-1])) > 1
}
_JOINED = frozenset(word for word in KNOWN if len(word) >= _MIN_JOINED)
_LONG = sorted(
    word for word in KNOWN - _TWINS if len(word) >= _MIN_KEY and len(set(word[1:-1])) > 1
)
_TELLING = sorted({word for word in KNOWN if len(word) > 3} | {"the", "and", "you", "all"})  # noqa: PLR2004 - letters
_LONGEST = max(map(len, KNOWN))


def scrambled_gate() -> str:
    """A pattern that matches a known word with its inner letters in another order, never the word itself."""
    return "|".join(_misplaced(word) for word in _LONG)


def split_gate() -> str:
    """A pattern that matches the beginning of a known word that is in pieces."""
    return "|".join(_parted(word) for word in _LONG)


def backward_gate() -> str:
    """A pattern that matches a known word from its end."""
    return rf"\b(?:{'|'.join(word[::-1] for word in _TELLING)})\b"


def rot13_gate() -> str:
    """A pattern that matches a known word, each letter thirteen further."""
    return rf"\b(?:{'|'.join(codecs.encode(word, 'rot13') for word in _TELLING)})\b"


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


def _misplaced(word: str) -> str:
    inner = word[1:-1]
    letters = "".join(sorted(set(inner)))
    ways: list[str] = []
    for at, right in enumerate(inner):
        wrong = letters.replace(right, "")
        if wrong:
            ways.append(f"{inner[:at]}[{wrong}][{letters}]{{{len(inner) - at - 1}}}")
    return rf"\b{word[0]}(?:{'|'.join(ways)}){word[-1]}\b"


def _parted(word: str) -> str:
    ways = (word[:at] + _GAP + _MAYBE_GAP.join(word[at : at + 4]) for at in range(2, len(word) - 1))
    return rf"\b(?:{'|'.join(ways)})"


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
    known = word in KNOWN
    for count, piece in enumerate(pieces[at + 1 : at + _MAX_PIECES], start=2):
        before = pieces[at + count - 2]
        if piece.start() - before.end() > _MAX_GAP or len(word) > _LONGEST:
            break
        gap = piece.string[before.end() : piece.start()]
        if any(char.isalnum() for char in gap):
            break
        word += piece.group()
        known = known and piece.group() in KNOWN
        if word in _JOINED and not known and len(piece.group()) > 1:
            best = count
    return best
