"""Context words: whether one that a recognizer knows stands before a match.

Presidio splits the whole text into words, and takes the last six that say something, up to and with
the one that the match starts in. Here the text is read backwards from the match, chunk by chunk, and
only as far as there can be a context word.

Rules:
* The answer is Presidio's, for as far as is looked behind a match (`MAX_BEHIND`).
* A chunk is what stands between spaces; it is split into words once in a text.
* A chunk of more than `MAX_CHUNK` characters is no context: splitting is quadratic in its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice

MAX_BEHIND = 20_000
"""Characters before a match that are looked at in the end, however few words they hold."""

MAX_CHUNK = 400
"""Longest stretch without a space that is split into words."""

_WINDOW = 200
"""Characters before a match that are looked at first."""

Word = tuple[str, int, bool]
"""A word in lower case, where it ends, and whether it says something."""


class Surroundings:
    """What stands before the matches in one text.

    Args:
        text: The text.
        split: Splits a chunk into words.
        stray: Words that say something in this text wherever they stand; asked for when needed.
        count: Words that say something and are looked at, the one of the match included.
    """

    def __init__(
        self,
        text: str,
        *,
        split: Callable[[str], Sequence[Word]],
        stray: Callable[[], frozenset[str]],
        count: int,
    ) -> None:
        self._text = text
        self._split = split
        self._stray = stray
        self._count = count
        self._low = text.lower()
        self._words: dict[str, Sequence[Word]] = {}
        self._first: dict[tuple[str, ...], int | None] = {}

    def hold(self, context: tuple[str, ...], offset: int) -> bool:
        """Whether a word before (or at) an offset contains one of the context words."""
        first = self._first_of(context)
        if first is None:
            return False
        sure = self._sure(context, offset)
        if sure is not None:
            return sure
        wanted = _lowered(context)
        before = islice(filter(self._tells, self._before(offset, first)), self._count)
        # Where the match starts in a word that says nothing, the next one that does counts too.
        after = islice(filter(self._tells, self._after(offset)), 1)
        return any(part in word[0] for word in chain(before, after) for part in wanted)

    def _sure(self, context: tuple[str, ...], offset: int) -> bool | None:
        """The answer where plain words alone give it, so that no other chunk has to be split.

        Between the last context word and a match that starts a chunk stand only plain words, and
        either so few that it is looked at, or so many that it is not.
        """
        low = self._low
        if len(low) != len(self._text) or (offset and not low[offset - 1].isspace()):
            return None
        end = offset + _WINDOW
        last = max(low.rfind(word, 0, end) for word in _lowered(context))
        if last >= offset:
            return None
        before = self._text[max(0, last, offset - _WINDOW) : offset]
        between = before.split()
        if not all(chunk.isascii() and chunk.isalpha() for chunk in between):
            return None
        telling = sum(self._says(chunk) for chunk in between[1:])
        if telling >= self._count:
            # What follows counts where the match itself says nothing: a plain word ends it.
            follows = self._text[offset:end].split()[1:-1]
            plain = (chunk for chunk in follows if chunk.isascii() and chunk.isalpha())
            return False if any(map(self._says, plain)) else None
        near = last >= max(0, offset - _WINDOW) and (not last or low[last - 1].isspace())
        # More spaces than one between two words count as a word that says something.
        near = near and before.split(" ") == [*between, ""]
        # The match may say something, and so does the context word.
        return True if near and telling <= self._count - 2 and self._says(between[0]) else None

    def _says(self, chunk: str) -> bool:
        """Whether a plain chunk is one word that says something."""
        words = self._words_of(chunk, len(chunk))
        return len(words) == 1 and self._tells(words[0])

    def _tells(self, word: Word) -> bool:
        # A word with a colon counts by its parts.
        return (word[2] and ":" not in word[0]) or word[0] in self._stray()

    def _first_of(self, context: tuple[str, ...]) -> int | None:
        """The first place where a context word can start; None: nowhere."""
        if len(self._low) != len(self._text):
            return 0  # a letter whose small form is two letters
        if context not in self._first:
            found = (self._low.find(word) for word in _lowered(context))
            self._first[context] = min((at for at in found if at >= 0), default=None)
        return self._first[context]

    def _before(self, offset: int, first: int) -> Iterator[Word]:
        """Words from the one that an offset is in backwards, while a context word can be among them."""
        for start, chunk in self._chunks(offset):
            yield from reversed(self._words_of(chunk, offset - start))
            if start <= first:
                return

    def _after(self, offset: int) -> Iterator[Word]:
        """Words from the one that an offset is in forwards."""
        start, chunk = next(self._chunks(offset), (0, ""))
        if not chunk:
            return
        words = self._words_of(chunk, len(chunk))
        yield from words[len(self._words_of(chunk, offset - start)) - 1 :]
        for match in _CHUNK.finditer(self._text, start + len(chunk), offset + MAX_BEHIND):
            chunk = match[0]
            if len(chunk) >= MAX_CHUNK:
                return
            if chunk[0] == " ":
                chunk = chunk[1:]  # a space belongs to the word before it
            yield from self._words_of(chunk, len(chunk)) if chunk else ()

    def _words_of(self, chunk: str, until: int) -> Sequence[Word]:
        """The words of a chunk up to the one that ends after an offset into it."""
        words = self._words.get(chunk)
        if words is None:
            words = self._words[chunk] = self._split(chunk)
        if until >= len(chunk):
            return words
        at = next((i for i, word in enumerate(words) if word[1] > until), len(words))
        return words[: at + 1]

    def _chunks(self, offset: int) -> Iterator[tuple[int, str]]:
        """Chunks with where they start, from the one that holds an offset backwards."""
        text = self._text
        end = _word_end(text, offset)
        width = _WINDOW
        while True:
            start = _chunk_start(text, max(0, offset - width))
            done = start
            for match in reversed(list(_CHUNK.finditer(text, start, end))):
                left, right = match.span()
                if right - left >= MAX_CHUNK:
                    if right <= offset or left > offset:
                        return  # no context
                    left, right = max(left, offset - MAX_CHUNK), min(right, offset + MAX_CHUNK)
                    yield left, text[left:right]
                    return
                if left and text[left] == " " and text[left - 1] != " ":
                    left += 1  # a space belongs to the word before it
                if left < right:
                    yield left, text[left:right]
            if not done or width >= MAX_BEHIND:
                return
            end, width = done, width * 4


def _chunk_start(text: str, at: int) -> int:
    """The nearest place at or before `at` where a word starts after spaces, not too far away."""
    limit = max(0, at - MAX_CHUNK)
    while at > limit and not (text[at - 1].isspace() and not text[at].isspace()):
        at -= 1
    return at


def _word_end(text: str, offset: int) -> int:
    """Where the word ends that an offset is in, or that follows the spaces that it is in."""
    match = _REST.match(text, offset)
    assert match is not None  # noqa: S101 - for the type checker: the pattern matches anything
    return match.end()


_CHUNK = re.compile(r"\S+|\s+")
_REST = re.compile(rf"\s*\S{{0,{MAX_CHUNK}}}")


@lru_cache(maxsize=256)
def _lowered(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.lower() for word in words))
