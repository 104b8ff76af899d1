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

from hauberk.injection.classifier._concepts import Concepts, Lexicon
from hauberk.injection.classifier._words import Hashes, Places, words_of

WORD_BITS = 18
CONCEPT_BITS = 15
"""Buckets of each kind, as a power of two. More were not better (35 concepts make few patterns)."""

NONE = (1 << WORD_BITS) + (1 << CONCEPT_BITS)
"""Number of no pattern. Its weight is 0."""

WORD_COLUMNS, CONCEPT_COLUMNS = 3, 4

_CLOSE = ((1, 4), (2, 6), (2, 7))
"""Of two concepts, two around a third, and three: how many concepts on the last one is, and how many
words on at most."""

_K1, _K2, _K3 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93))

_WORD_KINDS = np.arange(1, 1 + WORD_COLUMNS, dtype=np.uint64)[:, None]
_CONCEPT_KINDS = np.arange(9, 9 + CONCEPT_COLUMNS, dtype=np.uint64)[:, None]
"""Patterns of different kinds have different numbers."""

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
    buckets = np.full((WORD_COLUMNS + CONCEPT_COLUMNS, len(words.hashes)), NONE, np.int32)
    if len(words.hashes):
        _fill_words(buckets[:WORD_COLUMNS], words.hashes)
        _fill_concepts(buckets[WORD_COLUMNS:], lexicon.of(words.hashes))
    return Features(buckets, words.starts, words.ends)


def _fill_words(out: Buckets, hashes: Hashes) -> None:
    patterns = np.empty(out.shape, np.uint64)
    patterns[:] = hashes * _K2
    rest = hashes * _K3
    for column, step in ((1, 1), (2, 2)):
        patterns[column, :-step] += rest[step:]
    found = _buckets(patterns + _WORD_KINDS, WORD_BITS)
    out[0] = found[0]
    for column, step in ((1, 1), (2, 2)):
        out[column, :-step] = found[column, :-step]


def _fill_concepts(out: Buckets, concepts: Concepts) -> None:
    places = concepts.nonzero()[0]
    if not len(places):
        return
    found = concepts[places].astype(np.uint64)
    patterns = np.empty((CONCEPT_COLUMNS, len(found)), np.uint64)
    patterns[:] = found * _K2
    rest = found * _K3
    patterns[1, :-1] += rest[1:]
    patterns[2, :-2] += rest[2:]
    patterns[3, :-2] += (found[1:-1] * _K1 + found[2:]) * _K3
    buckets = _buckets(patterns + _CONCEPT_KINDS, CONCEPT_BITS) + np.int32(1 << WORD_BITS)
    out[0, places] = buckets[0]
    for column, (step, reach) in enumerate(_CLOSE, start=1):
        close = (places[step:] - places[:-step] <= reach).nonzero()[0]
        out[column, places[close]] = buckets[column, close]


def _buckets(hashes: Hashes, bits: int) -> Buckets:
    hashes ^= hashes >> np.uint64(31)
    hashes *= _K1
    return (hashes >> np.uint64(64 - bits)).astype(np.int32)
