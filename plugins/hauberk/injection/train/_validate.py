"""What a recipe does on sources that it has not seen.

Rules:
* Leave sources out: the rows of a fold are scored by a model that has seen none of its sources, nor
  an attack that stands in one of their texts.
* At most `JUDGED` rows of a source count, so that large ones do not decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.injection.train._corpus import FOLDS, WITHHELD, Corpus, Row
from hauberk.injection.train._fit import Floats, Ints, Recipe, Weights, fitted, margins

JUDGED = 300
SMALL = 30
"""Sources with fewer attacks are left out of averages."""

OTHER_ROWS = 150
"""Rows of each source of the other channel that are learnt from."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Margins of rows of one channel."""

    numbers: Ints
    margins: Floats
    labels: npt.NDArray[np.int64]
    sources: npt.NDArray[np.str_]

    def margin_at(self, share: float) -> float:
        """The margin that `share` of the benign rows reach."""
        return float(np.quantile(self.margins[self.labels == 0], 1 - share))

    def recall(self, margin: float) -> dict[str, float]:
        """The share of each source's attacks above a margin."""
        attacks = self.labels == 1
        return {
            str(source): round(float((self.margins[attacks & (self.sources == source)] > margin).mean()), 4)
            for source in np.unique(self.sources[attacks])
        }  # fmt: skip

    def false_alarms(self, margin: float) -> dict[str, float]:
        """The share of each source's benign rows above a margin."""
        benign = self.labels == 0
        return {
            str(source): round(float((self.margins[benign & (self.sources == source)] > margin).mean()), 4)
            for source in np.unique(self.sources[benign])
        }  # fmt: skip

    def macro(self, margin: float) -> float:
        """Mean recall over sources that have more than a few attacks; over all if none has."""
        attacks = self.sources[self.labels == 1]
        found = self.recall(margin)
        large = [r for s, r in found.items() if (attacks == s).sum() >= SMALL]
        return round(float(np.mean(large or list(found.values()) or [0.0])), 4)

    def auc(self) -> float:
        """Area under the ROC curve."""
        order = np.argsort(self.margins, kind="stable")
        ranks = np.empty(len(order))
        ranks[order] = np.arange(1, len(order) + 1)
        attacks = int((self.labels == 1).sum())
        rest = len(order) - attacks
        area = ranks[self.labels == 1].sum() - attacks * (attacks + 1) / 2
        return round(float(area / (attacks * rest)), 4)


def left_out(corpus: Corpus, folds: Mapping[str, int], *, user: bool, recipe: Recipe) -> Judged:
    """Every source of a channel, judged by models that have not seen it."""
    numbers: list[Ints] = []
    found: list[Floats] = []
    for fold in range(FOLDS):
        out = {source for source, its in folds.items() if its == fold}
        weights = fitted(corpus, learnt(corpus, user=user, out=out), user=user, recipe=recipe)
        held = judged_rows(corpus, user=user, sources=out)
        numbers.append(held)
        found.append(margins(corpus, held, weights, recipe))
    return _judged(corpus, np.concatenate(numbers), np.concatenate(found))


def judge(corpus: Corpus, weights: Weights, *, user: bool, recipe: Recipe) -> Judged:
    """All rows of a channel, judged by one model that has seen none of them."""
    held = judged_rows(corpus, user=user, sources={row.source for row in corpus.rows})
    return _judged(corpus, held, margins(corpus, held, weights, recipe))


def learnt(corpus: Corpus, *, user: bool, out: set[str]) -> Ints:
    """Numbers of the rows to learn from, when the sources `out` may not be seen."""
    counts: dict[tuple[str, int], int] = {}
    chosen: list[int] = []
    for number, row in enumerate(corpus.rows):
        if row.source in out or row.carrier in out or row.source in WITHHELD:
            continue
        # Of the other channel: what is benign from a user's mouth too, and attacks that data may hold.
        if row.user is not user:
            if row.label == (1 if user else 0):
                continue
            counts[row.source, row.label] = counts.get((row.source, row.label), 0) + 1
            if counts[row.source, row.label] > OTHER_ROWS:
                continue
        chosen.append(number)
    return np.array(chosen, np.int64)


def judged_rows(corpus: Corpus, *, user: bool, sources: set[str]) -> Ints:
    """Numbers of the rows that judge, of these sources."""
    counts: dict[tuple[str, int], int] = {}
    chosen: list[int] = []
    worded = set(corpus.bounds[:, 0].tolist())
    for number, row in enumerate(corpus.rows):
        if row.user is not user or row.source not in sources or row.written or number not in worded:
            continue
        counts[row.source, row.label] = counts.get((row.source, row.label), 0) + 1
        if counts[row.source, row.label] <= JUDGED:
            chosen.append(number)
    return np.array(chosen, np.int64)


def _judged(corpus: Corpus, numbers: Ints, found: Floats) -> Judged:
    rows: list[Row] = [corpus.rows[int(number)] for number in numbers]
    labels = np.array([row.label for row in rows], np.int64)
    return Judged(numbers, found, labels, np.array([row.source for row in rows]))
