"""Thousands of words, one look: which patterns may match a text at all.

Each word is known by four of its bytes. The fours of a text are looked up in a table, all at once; only
where one of them is known, the word itself is compared. An automaton of the same words (`re2.Filter`)
is about as quick on texts whose like it has seen; on new ones it was measured to be six times slower,
as it meets new states.

Rules:
* Every pattern that matches a text is among its candidates.
* Time in proportion to the text, whatever is in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hauberk.injection._literals import Words
from hauberk.injection._vocabulary import KNOWN

_FOUR, _THREE = 4, 3
_BITS = 17
_SPREAD = np.uint32(0x9E3779B1)
"""Odd and without pattern: 2^32 divided by the golden ratio."""
_SHIFT = np.uint32(32 - _BITS)
_BLOCK = 1 << 16
"""Bytes that are looked at at once: so much memory is used, times twenty."""

_LOW_THREE = np.uint32(0xFFFFFF)

_Buckets = npt.NDArray[np.uint32]


class Spotter:
    """Which of many patterns may match a text. Immutable and thread-safe.

    Example:
        >>> needs = [(frozenset([b"ignore", b"forget"]), frozenset([b"rules"])), ()]
        >>> Spotter(needs).candidates(b"forget the rules"), Spotter(needs).candidates(b"no rules")
        ([0, 1], [1])
    """

    def __init__(self, needs: Sequence[tuple[Words, ...]]) -> None:
        """Build the table.

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
        self._short = np.zeros(1 << _BITS, np.uint32)
        self._short_users = [0]
        self._long = np.zeros(1 << _BITS, np.uint32)
        # By number of a bucket: place of the four bytes in the word, the word, its bits.
        self._words: list[list[tuple[int, bytes, int]]] = [[]]
        common = Counter(_fours(" ".join(sorted(KNOWN)).encode()))
        for word in sorted(users):
            if len(word) == _THREE:
                self._add_short(word, users[word])
            else:
                self._add(word, users[word], common)

    def candidates(self, raw: bytes) -> list[int]:
        """Indices of the patterns that may match a text (UTF-8), in order."""
        raw += b"\0" * (_FOUR - 1)
        found = self._free
        for start in range(0, len(raw) - _FOUR + 1, _BLOCK):
            found |= self._found(raw, start)
        both = (1 << self._count) - 1
        for at in range(self._sets):
            both &= found >> (at * self._count)
        bits = np.frombuffer(both.to_bytes(self._count // 8 + 1, "little"), np.uint8)
        indices: list[int] = np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist()
        return indices

    def _found(self, raw: bytes, start: int) -> int:
        """The bits of the words in a block of a text."""
        found = 0
        fours = _fours_of(raw, start)
        short = self._short[_buckets(fours & _LOW_THREE)]
        known: list[int] = short[short.nonzero()].tolist()
        for number in set(known):
            found |= self._short_users[number]
        numbers = self._long[_buckets(fours)]
        places: list[int] = numbers.nonzero()[0].tolist()
        for place in places:
            for at, word, users in self._words[int(numbers[place])]:
                if at <= start + place and raw.startswith(word, start + place - at):
                    found |= users
        return found

    def _add_short(self, word: bytes, users: int) -> None:
        bucket = int(_buckets(_fours_of(word + b"\0"))[0])
        if not self._short[bucket]:
            self._short[bucket] = len(self._short_users)
            self._short_users.append(0)
        # Two words in one bucket are taken for one: a pattern more is run.
        self._short_users[self._short[bucket]] |= users

    def _add(self, word: bytes, users: int, common: Mapping[bytes, int]) -> None:
        four = min(_fours(word), key=lambda four: common.get(four, 0))
        bucket = int(_buckets(_fours_of(four))[0])
        if not self._long[bucket]:
            self._long[bucket] = len(self._words)
            self._words.append([])
        self._words[int(self._long[bucket])].append((word.index(four), word, users))


def _fours_of(raw: bytes, start: int = 0) -> _Buckets:
    """Each four bytes of a block that follow each other, as a number."""
    count = min(len(raw) - _FOUR + 1 - start, _BLOCK)
    return np.ndarray((count,), "<u4", raw, offset=start, strides=(1,))


def _buckets(numbers: _Buckets) -> _Buckets:
    return (numbers * _SPREAD) >> _SHIFT


def _fours(raw: bytes) -> Iterator[bytes]:
    return (raw[at : at + _FOUR] for at in range(len(raw) - _FOUR + 1))
