"""Thousands of words, one look: which patterns may match a text at all.

Each word is known by four of its bytes. The fours of a text are looked up in a table, all at once; only
where one of them is known, the word itself is compared. An automaton of the same words (`re2.Filter`)
is about as quick on texts whose like it has seen; on new ones it was measured to be five times slower,
as it meets new states.

Rules:
* Every pattern that matches a text is among its candidates.
* Time in proportion to the text, whatever is in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hauberk.injection._literals import EDGE, Words
from hauberk.injection._vocabulary import KNOWN

_FOUR = 4
_BITS = 17
_SPREAD = np.uint32(0x9E3779B1)
"""Odd and without pattern: 2^32 divided by the golden ratio."""
_SHIFT = np.uint32(32 - _BITS)
_BLOCK = 1 << 16
"""Bytes that are looked at at once: so much memory is used, times twenty."""

_LOW_THREE = np.uint32(0xFFFFFF)

_Buckets = npt.NDArray[np.uint32]


class _Known(NamedTuple):
    """A word in a table."""

    at: int
    """Where in it the bytes stand that it is known by."""
    word: bytes
    begins: bool
    """Nothing that belongs to a word stands before it."""
    ends: bool
    """Nothing that belongs to a word stands behind it."""
    users: int


class _Table:
    """Words by the bucket of some of their bytes."""

    def __init__(self) -> None:
        self._numbers = np.zeros(1 << _BITS, np.uint32)
        self._words: list[list[_Known]] = [[]]

    def add(self, bucket: int, known: _Known) -> None:
        if not self._numbers[bucket]:
            self._numbers[bucket] = len(self._words)
            self._words.append([])
        self._words[int(self._numbers[bucket])].append(known)

    def found(self, raw: bytes, start: int, buckets: _Buckets) -> int:
        """The bits of the words in a block of a text that starts at `start`."""
        found = 0
        numbers = self._numbers[buckets]
        places = numbers.nonzero()[0]
        hits: list[int] = numbers[places].tolist()
        firsts: list[int] = (places + start).tolist()
        for place, number in zip(firsts, hits, strict=True):
            for at, word, begins, ends, users in self._words[number]:
                # Spelt out here: this is run for each of the many places.
                first = place - at
                if first < 0 or not raw.startswith(word, first):
                    continue
                if begins and first and raw[first - 1 : first].isalnum():
                    continue
                if ends and raw[first + len(word) : first + len(word) + 1].isalnum():
                    continue
                found |= users
        return found


class Spotter:
    """Which of many patterns may match a text. Immutable and thread-safe.

    Example:
        >>> needs = [(frozenset([b"ignore", b"forget"]), frozenset([b"rules"])), ()]
        >>> Spotter(needs).candidates(b"forget the rules"), Spotter(needs).candidates(b"no rules")
        ([0, 1], [1])
    """

    def __init__(self, needs: Sequence[tuple[Words, ...]]) -> None:
        """Build the tables.

        Args:
            needs: By pattern, sets of words as `hauberk.injection._literals.required` gives them.
        """
        self._count = len(needs)
        self._sets = max(map(len, needs), default=0)
        users = defaultdict[bytes, int](int)
        free = 0
        for number, sets in enumerate(needs):
            for at in range(self._sets):
                bit = 1 << (at * self._count + number)
                for word in sets[at] if at < len(sets) else ():
                    users[word] |= bit
                free |= bit * (at >= len(sets))
        # A bit for each pattern, set by set: whether a word of this set of this pattern is there.
        self._free = free
        self._short, self._long = _Table(), _Table()
        common = Counter(_fours(" ".join(sorted(KNOWN)).encode()))
        for word in sorted(users):
            self._add(word, users[word], common)

    def candidates(self, raw: bytes) -> list[int]:
        """Indices of the patterns that may match a text (UTF-8), in order."""
        raw += b"\0" * (_FOUR - 1)
        found = self._free
        for start in range(0, len(raw) - _FOUR + 1, _BLOCK):
            fours = _fours_of(raw, start)
            found |= self._short.found(raw, start, _buckets(fours & _LOW_THREE))
            found |= self._long.found(raw, start, _buckets(fours))
        both = (1 << self._count) - 1
        for at in range(self._sets):
            both &= found >> (at * self._count)
        bits = np.frombuffer(both.to_bytes(self._count // 8 + 1, "little"), np.uint8)
        indices: list[int] = np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist()
        return indices

    def _add(self, marked: bytes, users: int, common: Mapping[bytes, int]) -> None:
        word = marked.strip(EDGE)
        begins, ends = marked.startswith(EDGE), marked.endswith(EDGE)
        if len(word) < _FOUR:
            key, table, at = word + b"\0", self._short, 0
        else:
            key = min(_fours(word), key=lambda four: common.get(four, 0))
            table, at = self._long, word.index(key)
        table.add(int(_buckets(_fours_of(key))[0]), _Known(at, word, begins, ends, users))


def _fours_of(raw: bytes, start: int = 0) -> _Buckets:
    """Each four bytes of a block that follow each other, as a number."""
    count = min(len(raw) - _FOUR + 1 - start, _BLOCK)
    return np.ndarray((count,), "<u4", raw, offset=start, strides=(1,))


def _buckets(numbers: _Buckets) -> _Buckets:
    return (numbers * _SPREAD) >> _SHIFT


def _fours(raw: bytes) -> Iterator[bytes]:
    return (raw[at : at + _FOUR] for at in range(len(raw) - _FOUR + 1))
