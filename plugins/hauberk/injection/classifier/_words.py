"""A text as numbers: one per word, made for all words at once.

Rules:
* A word is a run of letters, marks and digits. In scripts that part no words (Chinese, Japanese,
  Korean, Thai and their neighbours) each character is one.
* A word's number hangs on its first and last character and on which others are between them, not on
  their order: `ingore` is `ignore`. All digits are one digit.
* Linear time, numpy only, never an exception: any string has numbers.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

MAX_WORD = 24
"""Longest word, in characters. Longer runs (keys, base64) are one and the same word."""

_CODES = 0x10000
"""Characters of the basic plane are told apart; all others count as one letter."""

_ALONE = ((0x0E00, 0x0F00), (0x2E80, 0xA4D0), (0xAC00, 0xD7B0), (0xF900, 0xFB00))
"""Blocks of scripts that part no words, or glue endings to them."""

_LETTER, _SINGLE = 1, 2

# Odd 64-bit constants without pattern (Steele et al. 2014, SplitMix64; and xxHash's primes).
_A, _B, _C, _D = (
    np.uint64(n)
    for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
)
_E = np.uint64(0xFF51AFD7ED558CCD)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text, in order."""

    hashes: Hashes
    """A number for each word."""
    starts: Places
    """Where each starts, in characters."""
    ends: Places
    """Where each ends."""


def words_of(text: str) -> Words:
    """The words of a folded text.

    Example:
        >>> one, two = words_of("ignore ingore").hashes
        >>> bool(one == two)
        True
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    codes = np.minimum(codes, np.uint32(_CODES - 1))
    kinds, numbers = _tables()
    kind = kinds[codes]
    edge = np.empty(len(kind) + 1, np.bool_)
    edge[:1] = edge[-1:] = True
    np.not_equal(kind[1:], kind[:-1], out=edge[1:-1])
    starts = np.flatnonzero((kind > 0) & (edge[:-1] | (kind == _SINGLE)))
    ends = np.flatnonzero((kind > 0) & (edge[1:] | (kind == _SINGLE))) + 1
    return Words(_hashed(numbers[codes], starts, ends), starts, ends)


def mixed(numbers: Hashes) -> Hashes:
    """Numbers whose bits all hang on all bits of the given ones (SplitMix64's finish)."""
    numbers = (numbers + _C) * _A
    numbers ^= numbers >> np.uint64(29)
    numbers *= _E
    numbers ^= numbers >> np.uint64(32)
    return numbers


def _hashed(numbers: Hashes, starts: Places, ends: Places) -> Hashes:
    sums = np.zeros(len(numbers) + 1, np.uint64)
    np.cumsum(numbers, out=sums[1:])
    if not len(starts):
        return sums[:0]
    hashes = (sums[ends] - sums[starts]) * _B + numbers[starts] * _C + numbers[ends - 1] * _D
    hashes[ends - starts > MAX_WORD] = _E
    return mixed(hashes)


@lru_cache(maxsize=1)
def _tables() -> tuple[npt.NDArray[np.uint8], Hashes]:
    """For each character: its kind, and its number."""
    kinds = np.fromiter((_kind(code) for code in range(_CODES)), np.uint8, _CODES)
    kinds[_CODES - 1] = _LETTER
    for low, high in _ALONE:
        kinds[low:high] *= _SINGLE
    numbers = mixed(np.arange(_CODES, dtype=np.uint64))
    numbers[ord("0") : ord("9") + 1] = numbers[ord("0")]
    return kinds, numbers


def _kind(code: int) -> int:
    category = unicodedata.category(chr(code))
    return _LETTER if category[0] in "LN" or category in ("Mn", "Mc") else 0
