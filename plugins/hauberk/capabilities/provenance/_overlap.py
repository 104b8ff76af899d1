"""Texts of others inside the words of a user: found, so that they do not count as the user's.

Applications put retrieved documents into the user's message, and an agent hands its own words to
another agent as if a user had said them. What stands in a user's message and was written by another
before is that other's.

Rules:
* A run of words that a known foreign text has too, from the start of one of its sentences or lines,
  is cut out of the user's words, as far as it goes.
* Short runs stay: people repeat names and numbers that they have read.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from hauberk.capabilities.provenance._text import WORD

MAX_STARTS = 50_000
"""Sentences and lines that are remembered; those remembered first are forgotten first."""
START_WORDS = 3
"""Words of a start."""
LEAST_OF_TOOL = 8
"""Words of a run that people do not repeat by chance."""
LEAST_OF_DOCUMENT = 4
"""The same for documents, which applications put into messages and people rarely retype."""

_STARTS = re.compile(r"(?:^|[.!?:;|\u2022]\s|\s[-*]\s)\W{0,8}(?=\w)")
"""Where sentences and items begin in the normal form, which has no lines."""


class Overlap:
    """Starts of foreign texts. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._starts: OrderedDict[int, tuple[str, int, int]] = OrderedDict()

    def add(self, text: str, least: int) -> None:
        """Remember a foreign text (in normal form); runs of `least` words count."""
        for match in _STARTS.finditer(text):
            words = _first_words(text, match.end())
            if words is not None:
                self._starts.setdefault(hash(words), (text, match.end(), least))
        while len(self._starts) > MAX_STARTS:
            self._starts.popitem(last=False)

    def own(self, text: str) -> list[str]:
        """What is left of a text (in normal form) without the runs of others."""
        if not self._starts:
            return [text]
        places = list(WORD.finditer(text))
        words = [place.group() for place in places]
        kept: list[str] = []
        begin = index = 0
        while index <= len(words) - START_WORDS:
            run = self._run(text, places[index].start(), tuple(words[index : index + START_WORDS]))
            if run:
                kept.append(text[begin : places[index].start()])
                begin = places[index].start() + run
                while index < len(places) and places[index].start() < begin:
                    index += 1
            else:
                index += 1
        kept.append(text[begin:])
        return [part.strip() for part in kept if part.strip()]

    def _run(self, text: str, at: int, words: tuple[str, ...]) -> int:
        """Length of the foreign run at `at`; 0 when there is none."""
        known = self._starts.get(hash(words))
        if known is None:
            return 0
        foreign, start, least = known
        length = _common(text, at, foreign, start)
        return length if len(WORD.findall(text, at, at + length)) >= least else 0


def _first_words(text: str, at: int) -> tuple[str, ...] | None:
    words: list[str] = []
    for match in WORD.finditer(text, at):
        words.append(match.group())
        if len(words) == START_WORDS:
            return tuple(words)
    return None


def _common(one: str, at: int, other: str, start: int) -> int:
    """Length of the common beginning of `one[at:]` and `other[start:]`: linear in that length."""
    length, step = 0, FIRST_STEP
    while step:
        end = length + step
        piece = one[at + length : at + end]
        if len(piece) == step and piece == other[start + length : start + end]:
            length, step = end, step * 2
        else:
            step //= 2
    return length


FIRST_STEP = 16
"""Characters that are compared first; then twice as many, then half as many."""
