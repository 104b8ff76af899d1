"""An index of texts: which of them holds a value, without reading them all again.

Rules:
* A value is found whole: at borders of words, with its punctuation. A path with `..` put before it
  is another value. Words alone (a name) are also found with other punctuation between them.
* A thing (a link, an address, a number) is found by what it means, never inside another one. Of an
  address, its host and its name written apart are found too.
* The cost of a look-up does not grow with the number of texts: words lead to a bounded number of
  texts, and only those are read.
* Bounded: what was added first is forgotten first. Forgetting can only make a value unknown.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from hauberk.capabilities.provenance._text import (
    WORD,
    Thing,
    encoded_parts,
    normal,
    thing,
    things,
)

S = TypeVar("S")

MAX_READ = 16
"""Texts that are read for one look-up at each end of a word's list."""
MAX_JOINED = 1024
"""Places of two words that are compared when each is in more texts than that."""
MAX_NEEDLE_WORDS = 64
"""Words of a value that choose the texts to read; all of it is compared."""
MAX_LOOSE_WORDS = 32
"""Words of a value that may be found with other punctuation between them: a name, an address."""
MAX_TEXT_CHARS = 200_000
"""Characters of one text that are indexed. What comes later is known as unknown."""
MAX_TRIES = 64
"""Places in one text where a value is tried: else `! ! !` could be made to take for ever."""
_TEXT_BYTES = 500
"""What a text costs beside its characters: its entries and its source. (CPython 3.11, 64 bit.)"""
_WORD_BYTES = 280
"""What a word that was never seen costs: its entry, its string and its list."""
_THING_BYTES = 200
"""The same for a thing."""
_PLACE_BYTES = 5
"""What a word that was seen costs: a number in a list that grows by an eighth."""

_PLAIN_WORDS = re.compile(r"[\w\s,'\u2019_-]+(?:\.\s[\w\s,'\u2019_-]+)*\.?")
"""Words that may be found with other punctuation between them: no path, no address, no code."""
_NOT_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Needle:
    """A value as it is looked for."""

    text: str
    """In normal form."""
    words: tuple[str, ...]
    thing: Thing | None
    loose: tuple[str, ...]
    """Its words in order, when it is nothing but several words; else none."""

    @classmethod
    def of(cls, value: str) -> Needle:
        """Prepare a value."""
        text = normal(value)
        said = WORD.findall(text)
        words = tuple(dict.fromkeys(said[:MAX_NEEDLE_WORDS]))
        plain = 1 < len(said) <= MAX_LOOSE_WORDS and _PLAIN_WORDS.fullmatch(text) is not None
        return cls(text, words, thing(text), tuple(said) if plain else ())


@dataclass(frozen=True, slots=True)
class Hit(Generic[S]):
    """Where a value was found."""

    source: S
    how: str
    """`the same`, `a part`, `the same thing`, `the same words`, `a host` or `joined`."""


class TextIndex(Generic[S]):
    """Texts of one party with one set of labels. Not thread-safe: its owner locks."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._clear()

    def _clear(self) -> None:
        self.bytes = 0
        self._texts: dict[int, tuple[str, S]] = {}
        self._next = 0
        self._whole: dict[str, int] = {}
        self._words: dict[str, array[int]] = {}
        self._things: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str, source: S) -> None:
        """Add a text (in normal form) that came from `source`."""
        if not text:
            return
        self._enter(text[:MAX_TEXT_CHARS], source)
        if self.bytes > self._max_bytes:
            self._forget()

    def has_whole(self, text: str) -> bool:
        """Whether a text (in normal form) is all of a known one."""
        return text in self._whole

    def find(self, needle: Needle, *, whole: bool = False) -> Hit[S] | None:
        """The first text that holds a value; None when none does.

        Args:
            needle: The value.
            whole: It must be all of the text.
        """
        number = self._whole.get(needle.text)
        if number is not None:
            return Hit(self._texts[number][1], "the same")
        if needle.thing is not None:
            return self._thing(needle.thing, needle.text, whole=whole)
        if whole or not needle.words:
            return None
        return self._words_of(needle)

    def _thing(self, sought: Thing, text: str, *, whole: bool) -> Hit[S] | None:
        for key in sought.sought_as:
            number = self._things.get(f"={key}" if whole else key)
            if number is not None:
                how = "a host" if key.startswith("host:") else "the same thing"
                return Hit(self._texts[number][1], how)
        if sought.kind == "email" and not whole:
            return self._joined(text)
        return None

    def _joined(self, address: str) -> Hit[S] | None:
        """An address whose name and host stand apart in one text: `ann smith at corp.com`."""
        name, _, host = address.partition("@")
        number = self._things.get(f"host:{host}")
        words = tuple(word for word in _NOT_WORDS.split(name) if word)
        if number is None or len(words) < 2:  # noqa: PLR2004 - one word alone may be anything
            return None
        text, source = self._texts[number]
        return Hit(source, "joined") if _says(text, words) else None

    def _words_of(self, needle: Needle) -> Hit[S] | None:
        lists: list[array[int]] = []
        for word in needle.words:
            found = self._words.get(word)
            if found is None:
                return None
            lists.append(found)
        lists.sort(key=len)
        for number in candidates(lists):
            text, source = self._texts[number]
            if _holds(text, needle.text):
                return Hit(source, "a part")
            if needle.loose and _says(text, needle.loose):
                return Hit(source, "the same words")
        return None

    def _enter(self, text: str, source: S) -> None:
        number = self._next
        self._next += 1
        self._texts[number] = (text, source)
        self._whole.setdefault(text, number)
        self.bytes += _size(text)
        for reading in chain((text,), map(normal, encoded_parts(text))):
            self._enter_words(reading, number)
            for found in things(reading):
                self._enter_things(found.known_as, number)
        alone = thing(text)
        if alone is not None:
            self._enter_things((f"={key}" for key in alone.known_as), number)

    def _enter_words(self, text: str, number: int) -> None:
        lists = self._words
        for word in set(WORD.findall(text)):
            known = lists.get(word)
            if known is None:
                lists[word] = array("I", (number,))
                self.bytes += _WORD_BYTES + len(word)
            elif known[-1] != number:
                known.append(number)
                self.bytes += _PLACE_BYTES

    def _enter_things(self, keys: Iterable[str], number: int) -> None:
        for key in keys:
            if key not in self._things:
                self._things[key] = number
                self.bytes += _THING_BYTES + len(key)

    def _forget(self) -> None:
        """Keep the newest half, and enter it anew: a constant cost for each text."""
        kept: list[tuple[str, S]] = []
        left = len(self._texts) // 2
        for text, source in reversed(self._texts.values()):
            if len(kept) >= left:
                break
            kept.append((text, source))
        self._clear()
        for text, source in reversed(kept):
            self._enter(text, source)


def _size(text: str) -> int:
    return _TEXT_BYTES + len(text) * (1 if text.isascii() else 4)


def candidates(lists: list[array[int]]) -> Iterator[int]:
    """Texts that may hold all words, rarest word first: a bounded number of them."""
    rarest = lists[0]
    if len(rarest) <= 2 * MAX_READ:
        yield from rarest
        return
    near: Iterable[int] = chain(rarest[:MAX_READ], rarest[-MAX_READ:])
    yield from near
    if len(lists) > 1:
        both = set(rarest[-MAX_JOINED:]).intersection(lists[1][-MAX_JOINED:])
        for other in lists[2:]:
            both.intersection_update(other[-MAX_JOINED:])
        yield from sorted(both)[:MAX_READ]


def _says(text: str, words: tuple[str, ...]) -> bool:
    """Whether these words follow each other in `text`, whatever stands between two of them."""
    first = words[0]
    start = text.find(first)
    for _ in range(MAX_TRIES):
        if start < 0:
            return False
        if _border(text, start - 1, first[0]) and _says_at(text, start + len(first), words):
            return True
        start = text.find(first, start + 1)
    return False


def _says_at(text: str, at: int, words: tuple[str, ...]) -> bool:
    for word in words[1:]:
        gap = _NOT_WORDS.match(text, at)
        if gap is None or not text.startswith(word, gap.end()):
            return False
        at = gap.end() + len(word)
    return _border(text, at, words[-1][-1])


def _holds(text: str, part: str) -> bool:
    """Whether `part` stands in `text` at borders of words."""
    start = text.find(part)
    for _ in range(MAX_TRIES):
        if start < 0:
            return False
        if _border(text, start - 1, part[0]) and _border(text, start + len(part), part[-1]):
            return True
        start = text.find(part, start + 1)
    return False


def _border(text: str, at: int, edge: str) -> bool:
    """Whether the sign at `at`, beside the edge of a part, is no continuation of it."""
    if not 0 <= at < len(text):
        return True
    beside = text[at]
    if edge.isalnum() or edge == "_":
        return not (beside.isalnum() or beside == "_")
    return beside.isspace() or beside in "\"'`()[]{}<>,;:"
