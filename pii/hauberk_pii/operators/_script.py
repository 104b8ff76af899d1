"""What is written in place of values in one session, and how it is read again.

Rules:
* Everything that can be read back (pseudonyms and surrogates) is found in a text by one object, so
  masking, restoring and streams follow the same rules for both.
* A text that already holds what could be read back is masked there too: restoring what was masked
  gives the same text, for all texts.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

from hauberk_pii._pseudonyms import Grammar, Mention

_WORD = re.compile(r"[^\W_]+")


class Script:
    """Pseudonyms by their grammar, surrogates by a list that grows. Thread-safe."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._surrogate_of: dict[str, str] = {}
        self._by_head: dict[str, tuple[str, ...]] = {}
        self._longest = 0
        self._pieces: frozenset[str] = frozenset()

    @property
    def version(self) -> int:
        """Grows with every surrogate."""
        return len(self._names)

    def since(self, version: int) -> list[str]:
        """The surrogates that are newer than a version."""
        return list(self._names)[version:] if version < len(self._names) else []

    def surrogate(self, name: str) -> str | None:
        """The surrogate that stands for the value of a pseudonym, if there is one."""
        return self._surrogate_of.get(name)

    def add(self, surrogate: str, name: str) -> bool:
        """Let a surrogate stand for the value of a pseudonym. False when it stands for another."""
        with self._lock:
            known = self._names.setdefault(surrogate, name)
            if known != name:
                return False
            self._surrogate_of.setdefault(name, surrogate)
            head = _head(surrogate)
            several = {*self._by_head.get(head, ()), surrogate}
            # New containers each time: readers hold no lock.
            longest_first = tuple(sorted(several, key=lambda s: (-len(s), s)))
            self._by_head = {**self._by_head, head: longest_first}
            self._pieces |= {surrogate[:n] for n in range(1, len(surrogate))}
            self._longest = max(self._longest, len(surrogate))
            return True

    def mentions(self, text: str, start: int = 0) -> Iterator[Mention]:
        """Where a text has something that was written in place of a value, from `start` on."""
        found = self._grammar.mentions(text, start)
        return _merged(found, self._surrogates(text, start)) if self._names else found

    def likenesses(self, text: str) -> Iterator[Mention]:
        """Where a text has anything that could be read so once other parts change."""
        found = self._grammar.likenesses(text)
        return _merged(found, self._surrogates(text, 0)) if self._names else found

    def open_from(self, text: str, start: int = 0) -> int:
        """Where something may have begun that the text does not finish; its length if nothing has."""
        end = self._grammar.open_from(text, start)
        pieces = self._pieces
        # One more: a whole surrogate must not be shown before the character after it is known.
        for at in range(max(start, len(text) - self._longest), end):
            if text[at:] in pieces or text[at:] in self._names:
                return at
        return end

    def _surrogates(self, text: str, start: int) -> Iterator[Mention]:
        for match in _WORD.finditer(text, start):
            for surrogate in self._by_head.get(match[0], ()):
                at = match.start() - surrogate.index(match[0])
                end = at + len(surrogate)
                if at >= start and text.startswith(surrogate, at) and _apart(text, at, end):
                    yield Mention(at, end, self._names[surrogate])
                    break


def _head(surrogate: str) -> str:
    found = _WORD.search(surrogate)
    return found[0] if found else ""


def _apart(text: str, start: int, end: int) -> bool:
    """Whether no letter or digit continues it on either side."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (
        after.isalnum() and text[end - 1].isalnum()
    )


def _merged(first: Iterator[Mention], second: Iterator[Mention]) -> Iterator[Mention]:
    """Both, in the order of the text, without overlaps: what begins first wins, then what is longer."""
    at = 0
    for mention in sorted([*first, *second], key=lambda m: (m.start, -m.end)):
        if mention.start >= at:
            yield mention
            at = mention.end
