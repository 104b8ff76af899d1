"""Fitting: samples become runs of candidates with features and labels, and these become weights.

Rules:
* Features are made by the tagger's own code.
* The lists forget a share of their names, by the word and not by chance: the tagger must learn what
  names look like and where they stand, and not only to look them up.
* The same samples give the same weights.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from hauberk_pii.tagger._features import Reading, Word, Words, joint_features, read
from hauberk_pii.tagger._words import context_features, own_features
from hauberk_pii.train._corpora import Sample

FOLDS = 4
"""One name in so many is forgotten in each pass over the samples."""


class Reader:
    """Reads samples with some of the lists forgotten. `fold` -1: with none."""

    def __init__(self, table: Mapping[str, int], fold: int = -1) -> None:
        kept = {
            word: entry
            for word, entry in table.items()
            if fold < 0 or not entry & 15 or zlib.crc32(word.encode()) % FOLDS != fold
        }
        self._known = Words(kept)

    def runs(self, sample: Sample) -> Iterator[tuple[list[list[str]], list[str]]]:
        """Features and labels of each run of candidates."""
        reading = read(sample.text, self._known)
        labels = labels_of(reading, sample)
        for start, end, mode in reading.runs:
            features = [features_at(reading.words, at, mode) for at in range(start, end)]
            features[0].append("first")
            features[-1].append("last")
            yield features, labels[start:end]


def labels_of(reading: Reading, sample: Sample) -> list[str]:
    """A label for each token."""
    labels = ["O"] * len(reading.tokens)
    spans = iter(sample.spans)
    span = next(spans, None)
    begun = False
    for index, (text, start, _) in enumerate(reading.tokens):
        while span and start >= span[1]:
            span, begun = next(spans, None), False
        if span and start + len(text) > span[0]:
            labels[index] = ("I-" if begun else "B-") + span[2]
            begun = True
    return labels


@lru_cache(maxsize=200_000)
def _own(word: Word) -> list[str]:
    return own_features(word.key, word.kind)


@lru_cache(maxsize=400_000)
def _context(at: int, word: Word) -> list[str]:
    return context_features(at, word.key, word.kind)


def features_at(words: list[Word], at: int, mode: str) -> list[str]:
    """All features of token `at`; `words` has two edges on either side."""
    here = at + 2
    features = list(_own(words[here]))
    for offset in (-2, -1, 1, 2):
        features += _context(offset, words[here + offset])
    return features + joint_features(words, here, mode)


_SETTINGS = {"feature.minfreq": 3, "c1": 0.1, "c2": 0.02, "max_iterations": 80}
"""Of CRFsuite: how often a feature must be seen, the penalties that make weights zero and that keep
them small (chosen on held-out corpora), most steps."""


def fitted(
    samples: Iterable[tuple[Sample, int]], table: Mapping[str, int]
) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Weights of features by label, and of one label after the other.

    A CRF (Lafferty, McCallum, Pereira 2001), fitted by L-BFGS (CRFsuite).

    Args:
        samples: Texts, each with the fold of the lists that is forgotten in it; -1: none.
        table: The lists.
    """
    pycrfsuite: Any = import_module("pycrfsuite")  # in the extra `train`

    readers = {fold: Reader(table, fold) for fold in range(-1, FOLDS)}
    trainer: Any = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    for sample, fold in samples:
        for features, labels in readers[fold].runs(sample):
            trainer.append(features, labels)
    trainer.set_params(_SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        trainer.train(path)
        tagger: Any = pycrfsuite.Tagger()
        tagger.open(path)
        info = tagger.info()
        return dict(info.state_features), dict(info.transitions)
