"""What a session knows already is masked wherever it stands again.

Once "Ada Byron" is known, "ADA BYRON's", "Ada" and "Byron" are masked too; once a number was found
because the word before it said what it was, the bare number is found without that word.

Rules:
* A person's full name counts in any case; a part of it as `_name_parts` says.
* Every other value counts exactly as it was written, between characters that do not continue it.
* One pass over the words of a text, however many values are known. Nothing is ever forgotten.
* A text that was looked at before is looked at again only for what became known since.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence

from hauberk_pii._name_parts import Part, inside_a_sentence, parts_of
from hauberk_pii._pseudonyms import LITERAL
from hauberk_pii._spans import Span
from hauberk_pii.vault import Value

_WORD = re.compile(r"[^\W_]+")
_MIN_VALUE = 5
"""Fewest characters of a value that is looked for elsewhere: shorter ones are part of anything."""
_MIN_NAME = 2
"""Fewest characters of a name that is looked for elsewhere."""
_SCORE = 0.8
"""Below what a recognizer says of the same place, above a guess."""


class Known:
    """The values that a session knows. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str]] = set()
        self._heads: list[str] = []
        self._by_head: dict[str, list[_Wanted]] = {}

    @property
    def version(self) -> int:
        """Grows with everything that becomes known."""
        return len(self._heads)

    def learn(self, values: Iterable[Value]) -> None:
        """Remember values, to be found elsewhere."""
        for value in values:
            key = (value.type, value.text)
            if key in self._seen or value.type == LITERAL:
                continue
            with self._lock:
                self._seen.add(key)
                for wanted in _wanted(value):
                    known = self._by_head.get(wanted.head, [])
                    # A new list, longest first: readers hold no lock.
                    self._by_head[wanted.head] = sorted([*known, wanted], key=_Wanted.order)
                    self._heads.append(wanted.head)

    def announce(self, texts: Iterable[str]) -> None:
        """Texts that mean something else from now on: whatever holds one is looked at again."""
        for text in texts:
            first = _WORD.search(text)
            if first is not None:
                with self._lock:
                    self._heads.append(first[0].casefold())

    def news(self, words: frozenset[int], since: int) -> bool:
        """Whether anything that became known since a version can be in a text of these words."""
        return any(hash(head) in words for head in self._heads[since:])

    def find(self, text: str) -> Iterator[Span]:
        """Where a text holds what is known. Spans may overlap."""
        if not self._by_head:
            return
        for head, start in self._heads_in(text):
            for wanted in self._by_head[head]:
                end = wanted.end_in(text, start)
                if end:
                    yield Span(start - wanted.before, end, wanted.type, _SCORE)

    def _heads_in(self, text: str) -> Iterator[tuple[str, int]]:
        """First words of what is known, and where they are."""
        if text.isascii():
            low = text.lower()
            for head in self._by_head.keys() & set(_WORD.findall(low)):
                yield from ((head, at) for at in _places(low, head))
            return
        for match in _WORD.finditer(text):
            head = match[0].casefold()
            if head in self._by_head:
                yield head, match.start()


def _places(text: str, word: str) -> Iterator[int]:
    """Where a word stands by itself."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
            yield at
        at = text.find(word, end)


def words_of(text: str) -> frozenset[int]:
    """Hashes of the words of a text, for `Known.news`."""
    return frozenset(hash(word.casefold()) for word in _WORD.findall(text))


class _Wanted:
    """One form in which a value is looked for."""

    __slots__ = ("before", "folded", "head", "inside", "text", "type")

    def __init__(self, kind: str, text: str, head: str, before: int) -> None:
        self.type = kind
        self.text = text
        self.head = head
        """Its first word, case-folded."""
        self.before = before
        """Characters of the value before its first word."""
        self.folded: tuple[str, ...] = ()
        """Its words, case-folded, if it counts in any case. No pattern: to compile one takes longer
        than all else that becomes of a name."""
        self.inside = False
        """Whether it counts inside of a sentence only."""

    def order(self) -> int:
        """Longest first."""
        return -len(self.text)

    def end_in(self, text: str, at: int) -> int:
        """Where the value ends whose first word is at a place; 0 when it is not there."""
        start = at - self.before
        if start < 0:
            return 0
        if self.inside and not inside_a_sentence(text, start):
            return 0
        if self.folded:
            return _end_of(self.folded, self.text.split(), text, start)
        end = start + len(self.text)
        return end if text.startswith(self.text, start) and _apart(text, start, end) else 0


def _wanted(value: Value) -> Iterator[_Wanted]:
    first = _WORD.search(value.text)
    if first is None or len(value.text) < (_MIN_NAME if value.type == "PERSON" else _MIN_VALUE):
        return
    head = first[0].casefold()
    if value.type != "PERSON":
        yield _Wanted(value.type, value.text, head, first.start())
        return
    words = value.text.split()
    if len(words) > 1:
        full = _Wanted("PERSON", value.text, head, first.start())
        full.folded = _folded(words)
        yield full
    for part, how in parts_of(value.text):
        found = _WORD.match(part)
        if found is None:
            continue
        wanted = _Wanted("PERSON", part, found[0].casefold(), 0)
        if how is Part.ANYWHERE:
            wanted.folded = _folded([part])
        wanted.inside = how is Part.INSIDE
        yield wanted


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)


def _end_of(folded: Sequence[str], words: Sequence[str], text: str, at: int) -> int:
    """Where words end that stand at a place in any case, one to three blanks apart; 0: they do not."""
    for index, word in enumerate(words):
        if index:
            gap = at
            while at - gap < _MOST_BLANKS and text[at : at + 1] in _BLANKS:
                at += 1
            if at == gap:
                return 0
        end = at + len(word)
        if text[at:end].casefold() != folded[index]:
            return 0
        at = end
    return 0 if text[at : at + 1].isalnum() else at


_BLANKS = frozenset(" \t\r\n")
_MOST_BLANKS = 3


def _apart(text: str, start: int, end: int) -> bool:
    """Whether no letter or digit continues the span on either side."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() and text[start].isalnum()) and not (
        after.isalnum() and text[end - 1].isalnum()
    )
