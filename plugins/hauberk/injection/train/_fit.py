"""Fitting one channel: logistic regression over windows, the windows chosen by the model itself.

Rules:
* Each source weighs by the root of how many texts it gave, each label half, whatever their number.
* Of a text that is an attack, the windows that stand for it are the known ones, else the two that the
  model of the round before finds worst; of a benign text, the three that it finds worst.
* No chance: the first round's windows are spread evenly, and the solver starts at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from hauberk.injection.classifier._features import NONE, WORD_BITS, WORD_COLUMNS
from hauberk.injection.train._corpus import Corpus, Row

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# SciPy carries no types; everything that comes out of it is narrowed here.
_optimize: Any = import_module("scipy.optimize")
_sparse: Any = import_module("scipy.sparse")

ROUNDS = 2
MAX_STEPS = 40
"""Steps of the solver: more did not change what held-out sources get."""
OTHER_CHANNEL = 0.4
"""Weight of texts of the other channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one channel is fitted. The comparison of recipes is in the report."""

    window: int = 32
    """Words in a window."""
    least: int = 6
    """Shorter windows weigh as if they had this many words."""
    strength: float = 5e-5
    """Of the L2 penalty, per mean loss."""
    words: float = 1.0
    """What a pattern of words counts; 0 leaves them out."""
    concepts: float = 3.0
    """What a pattern of concepts counts."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learnt: a weight per bucket (the last is 0), and a bias."""

    table: Floats
    bias: float


@dataclass(frozen=True, slots=True)
class _Windows:
    rows: Ints
    starts: Ints
    ends: Ints
    known: npt.NDArray[np.bool_]
    """The attack is known to stand in it."""

    def take(self, which: npt.NDArray[Any]) -> _Windows:
        return _Windows(self.rows[which], self.starts[which], self.ends[which], self.known[which])


def fitted(corpus: Corpus, chosen: Ints, *, user: bool, recipe: Recipe) -> Weights:
    """Learn from the chosen rows.

    Args:
        corpus: All patterns.
        chosen: Numbers of the rows to learn from.
        user: The channel that it is for.
        recipe: How.
    """
    labels = np.array([row.label for row in corpus.rows])
    windows = _windows(corpus, chosen, recipe.window)
    found = Weights(np.zeros(NONE + 1), 0.0)
    ranks = np.argsort(np.argsort((windows.starts * 2654435761) % (1 << 32))).astype(np.float64)
    keep = (3, 4)
    for turn in range(ROUNDS):
        if turn:
            ranks = _margins_of(corpus, windows, found, recipe)
            keep = (2, 3)
        taken = windows.take(_worst(windows, ranks, labels, keep))
        found = _regression(corpus, taken, labels, user=user, recipe=recipe, start=found)
    return found


def margins(corpus: Corpus, chosen: Ints, weights: Weights, recipe: Recipe) -> Floats:
    """The margin of each of the chosen rows: that of its worst window."""
    best = np.full(len(corpus.rows), -np.inf)
    table = _by_pattern(weights, recipe)
    for row, first, last in corpus.bounds[np.isin(corpus.bounds[:, 0], chosen)]:
        sums = np.zeros(last - first + 1)
        np.cumsum(_word_weights(corpus, table, slice(first, last)), out=sums[1:])
        size = min(recipe.window, last - first)
        worst = (sums[size:] - sums[: len(sums) - size]).max()
        best[row] = max(best[row], worst / np.sqrt(max(size, recipe.least)) + weights.bias)
    return best[chosen]


def _windows(corpus: Corpus, chosen: Ints, size: int) -> _Windows:
    parts: list[tuple[int, int, int, bool]] = []
    for row, first, last in corpus.bounds[np.isin(corpus.bounds[:, 0], chosen)]:
        low, high = corpus.spans[row]
        for start in _starts(last - first, size):
            end = min(start + size, last - first)
            if low >= 0 and min(end, high) - max(start, low) < min(0.6 * size, 0.8 * (high - low)):
                continue
            parts.append((row, first + start, first + end, low >= 0))
    table = np.array(parts, np.int64)
    return _Windows(table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0)


def _starts(count: int, size: int) -> Sequence[int]:
    if count <= size:
        return (0,)
    return (*range(0, count - size, size // 2), count - size)


def _worst(
    windows: _Windows, ranks: Floats, labels: Ints, keep: tuple[int, int]
) -> npt.NDArray[np.int64]:
    order = np.lexsort((-ranks, windows.rows))
    rows = windows.rows[order]
    firsts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    place = np.arange(len(rows)) - np.repeat(firsts, np.diff(np.r_[firsts, len(rows)]))
    most = np.where(labels[rows] == 1, keep[0], keep[1])
    most[windows.known[order]] = len(rows)
    return order[place < most]


def _regression(  # noqa: PLR0913 - one fit's inputs
    corpus: Corpus, windows: _Windows, labels: Ints, *, user: bool, recipe: Recipe, start: Weights
) -> Weights:
    matrix = _matrix(corpus, windows, recipe)
    used = np.flatnonzero(matrix.getnnz(axis=0))
    matrix = matrix[:, used]
    turned = matrix.T.tocsr()
    signs = np.where(labels[windows.rows] == 1, 1.0, -1.0)
    shares = _shares(corpus, windows, labels, user=user)

    def loss(point: Floats) -> tuple[float, Floats]:
        along = signs * (matrix @ point[:-1] + point[-1])
        slope = -shares * signs / (1 + np.exp(along))
        value = float(shares @ np.logaddexp(0, -along)) + recipe.strength / 2 * float(
            point[:-1] @ point[:-1]
        )
        return value, np.r_[turned @ slope + recipe.strength * point[:-1], slope.sum()]

    begin = np.r_[start.table[used], start.bias]
    options = {"maxiter": MAX_STEPS}
    point: Floats = _optimize.minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x
    table = np.zeros(NONE + 1)
    table[used] = point[:-1]
    return Weights(table, float(point[-1]))


def _matrix(corpus: Corpus, windows: _Windows, recipe: Recipe) -> Any:
    counts = windows.ends - windows.starts
    ends = np.cumsum(counts)
    shifts = np.repeat(windows.starts - (ends - counts), counts)
    words = cast("Ints", np.arange(ends[-1]) + shifts)
    buckets = corpus.buckets[:, words]
    which = np.repeat(np.arange(len(counts)), counts)
    values = np.repeat((1 / np.sqrt(np.maximum(counts, recipe.least))), counts)
    size = np.where(np.arange(len(buckets)) < WORD_COLUMNS, recipe.words, recipe.concepts)
    data = (size[:, None] * values[None, :]).astype(np.float32)
    kept = (buckets < NONE) & (data > 0)
    rows = np.broadcast_to(which, buckets.shape)[kept]
    shape = (len(counts), NONE)
    return _sparse.csr_matrix((data[kept], (rows, buckets[kept])), shape=shape)


def _shares(corpus: Corpus, windows: _Windows, labels: Ints, *, user: bool) -> Floats:
    """What each window weighs."""
    rows: list[Row] = [corpus.rows[int(number)] for number in windows.rows]
    names = [f"{row.source} {row.label}" for row in rows]
    _, groups, counts = np.unique(names, return_inverse=True, return_counts=True)
    texts = np.zeros(len(counts))
    for group, _ in set(zip(groups.tolist(), windows.rows.tolist(), strict=True)):
        texts[group] += 1
    shares = (np.sqrt(texts) / counts)[groups]
    other = np.array([row.user is not user for row in rows])
    shares[other] *= OTHER_CHANNEL
    for label in (0, 1):
        ours = labels[windows.rows] == label
        shares[ours] /= 2 * shares[ours].sum()
    return shares


def _margins_of(corpus: Corpus, windows: _Windows, weights: Weights, recipe: Recipe) -> Floats:
    every = slice(0, corpus.buckets.shape[1])
    sums = np.r_[0.0, np.cumsum(_word_weights(corpus, _by_pattern(weights, recipe), every))]
    counts = np.maximum(windows.ends - windows.starts, recipe.least)
    margin: Floats = (sums[windows.ends] - sums[windows.starts]) / np.sqrt(counts)
    return margin


def _by_pattern(weights: Weights, recipe: Recipe) -> Floats:
    table = weights.table.copy()
    table[: 1 << WORD_BITS] *= recipe.words or 0
    table[1 << WORD_BITS :] *= recipe.concepts
    return table


def _word_weights(corpus: Corpus, table: Floats, where: slice) -> Floats:
    total: Floats = table[corpus.buckets[:, where]].sum(axis=0)
    return total
