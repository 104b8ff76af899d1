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

MAX_READ = 32
"""Texts that are read for one look-up at each end of a word's list."""
MAX_JOINED = 4096
"""Places of two words that are compared when each is in more texts than that."""
MAX_NEEDLE_WORDS = 64
"""Words of a value that choose the texts to read; all of it is compared."""
MAX_TEXT_CHARS = 200_000
"""Characters of one text that are indexed. What comes later is known as unknown."""
_TEXT_COST = 400
"""Bytes that a text costs beside its characters: entries for it, its source and its words."""

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
    loose: str
    """Its words alone, when it is nothing but words; else empty."""

    @classmethod
    def of(cls, value: str) -> Needle:
        """Prepare a value."""
        text = normal(value)
        words = tuple(dict.fromkeys(WORD.findall(text)[:MAX_NEEDLE_WORDS]))
        loose = _words_only(text) if len(words) > 1 and _PLAIN_WORDS.fullmatch(text) else ""
        return cls(text, words, thing(text), loose)


@dataclass(frozen=True, slots=True)
class Hit(Generic[S]):
    """Where a value was found."""

    source: S
    how: str
    """`the same`, `a part`, `the same thing`, `the same words`, `a host` or `joined`."""


class TextIndex(Generic[S]):
    """Texts of one party with one set of labels. Not thread-safe: its owner locks."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._clear()

    def _clear(self) -> None:
        self.chars = 0
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
        if self.chars > self._max_chars:
            self._forget()

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
        words = " ".join(_NOT_WORDS.split(name)).strip()
        if number is None or " " not in words:
            return None
        text, source = self._texts[number]
        return Hit(source, "joined") if _holds(_words_only(text), words) else None

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
            if needle.loose and _holds(_words_only(text), needle.loose):
                return Hit(source, "the same words")
        return None

    def _enter(self, text: str, source: S) -> None:
        number = self._next
        self._next += 1
        self._texts[number] = (text, source)
        self._whole.setdefault(text, number)
        self.chars += len(text) + _TEXT_COST
        for reading in chain((text,), map(normal, encoded_parts(text))):
            self._enter_words(reading, number)
            for found in things(reading):
                for key in found.known_as:
                    self._things.setdefault(key, number)
        alone = thing(text)
        for key in alone.known_as if alone is not None else ():
            self._things.setdefault(f"={key}", number)

    def _enter_words(self, text: str, number: int) -> None:
        lists = self._words
        for word in set(WORD.findall(text)):
            known = lists.get(word)
            if known is None:
                lists[word] = array("L", (number,))
            elif known[-1] != number:
                known.append(number)

    def _forget(self) -> None:
        """Keep the newest three quarters, and enter them anew: a constant cost for each text."""
        kept: list[tuple[str, S]] = []
        left = self._max_chars * 3 // 4
        for text, source in reversed(self._texts.values()):
            left -= len(text) + _TEXT_COST
            if left < 0:
                break
            kept.append((text, source))
        self._clear()
        for text, source in reversed(kept):
            self._enter(text, source)


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


def _words_only(text: str) -> str:
    return _NOT_WORDS.sub(" ", text).strip()


def _holds(text: str, part: str) -> bool:
    """Whether `part` stands in `text` at borders of words."""
    start = text.find(part)
    while start >= 0:
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
