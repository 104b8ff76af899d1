"""What the classifier sees of a text: for each word, the numbers of the patterns that start there.

Rules:
* Patterns of words: the word, it and the next, it and the one after the next.
* Patterns of concepts: the concept, it and one of the next two concepts, it and the next two; only
  where they are close together.
* A pattern's number is its bucket in a table of weights. Different patterns may share a bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.injection.classifier._concepts import Lexicon
from hauberk.injection.classifier._words import Hashes, Places, words_of

WORD_BITS = 18
CONCEPT_BITS = 15
"""Buckets of each kind, as a power of two. More were not better (35 concepts make few patterns)."""

NONE = (1 << WORD_BITS) + (1 << CONCEPT_BITS)
"""Number of no pattern. Its weight is 0."""

WORD_COLUMNS, CONCEPT_COLUMNS = 3, 4

_CLOSE = (4, 6, 7)
"""Most words from the first concept to the last: of two, of two around a third, of three."""

_K1, _K2, _K3 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93))

Buckets = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Features:
    """Patterns of a text, by word."""

    buckets: Buckets
    """Shape (columns, words)."""
    starts: Places
    """Where each word starts, in characters."""
    ends: Places
    """Where each word ends."""


def features_of(text: str, lexicon: Lexicon) -> Features:
    """The patterns of a folded text."""
    words = words_of(text)
    count = len(words.hashes)
    buckets = np.full((WORD_COLUMNS + CONCEPT_COLUMNS, count), NONE, np.int32)
    _fill_words(buckets[:WORD_COLUMNS], words.hashes)
    _fill_concepts(buckets[WORD_COLUMNS:], lexicon, words.hashes)
    return Features(buckets, words.starts, words.ends)


def _fill_words(out: Buckets, hashes: Hashes) -> None:
    first = hashes * _K2
    out[0] = _bucket(first, 1, WORD_BITS)
    for column, step in ((1, 1), (2, 2)):
        if len(hashes) > step:
            pair = first[:-step] + hashes[step:] * _K3
            out[column, :-step] = _bucket(pair, column + 1, WORD_BITS)


def _fill_concepts(out: Buckets, lexicon: Lexicon, hashes: Hashes) -> None:
    concepts = lexicon.of(hashes)
    places = np.flatnonzero(concepts)
    if not len(places):
        return
    found = concepts[places].astype(np.uint64)
    first = found * _K2
    out[0, places] = _concept_bucket(first, 1)
    patterns = ((1, found[1:] * _K3), (2, found[2:] * _K3))
    for column, (step, rest) in enumerate(patterns, start=1):
        _put(out[column], places, step, first[: len(rest)] + rest, (column + 1, _CLOSE[column - 1]))
    if len(found) > 2:  # noqa: PLR2004 - three concepts
        rest = (found[1:-1] * _K1 + found[2:]) * _K3
        _put(out[3], places, 2, first[:-2] + rest, (4, _CLOSE[2]))


def _put(
    out: Buckets, places: Places, step: int, hashes: Hashes, kind_and_reach: tuple[int, int]
) -> None:
    kind, reach = kind_and_reach
    if len(places) <= step:
        return
    close = places[step:] - places[:-step] <= reach
    out[places[:-step][close]] = _concept_bucket(hashes[close], kind)


def _concept_bucket(hashes: Hashes, kind: int) -> Buckets:
    return _bucket(hashes, kind + 8, CONCEPT_BITS) + np.int32(1 << WORD_BITS)


def _bucket(hashes: Hashes, kind: int, bits: int) -> Buckets:
    hashes = hashes + np.uint64(kind)
    hashes ^= hashes >> np.uint64(31)
    return ((hashes * _K1) >> np.uint64(64 - bits)).astype(np.int32)
