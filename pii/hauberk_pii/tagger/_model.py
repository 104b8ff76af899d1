"""The tagger: weights, and the most likely labels.

Rules:
* A place has the sum of the weights of its features, for each label; a run of candidates has the
  labels whose sum is greatest, and a span the probability that the run gives it.
* Weights are whole numbers in lanes of one integer: adding two of these adds all labels at once.
* Loading and finding ask no network. Thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp
from operator import add, mul
from typing import NamedTuple

from hauberk_pii.tagger._features import (
    Kinds,
    Word,
    Words,
    key_features,
    kind_features,
    kinds_at,
    read,
)
from hauberk_pii.tagger._words import (
    ANY_NAME,
    COMMON_SHIFT,
    FOREIGN,
    Entries,
    context_features,
    entry_of,
    key_of,
    own_features,
)

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-X", "I-X")
SCALE = 256
"""Weights are whole multiples of 1/256."""
LANE = 24
"""Bits of one label in the sum of weights: the greatest sum there is takes 18."""
WIDTH = LANE * len(LABELS) // 8
"""Bytes of the weights of one feature."""
_SIGN = 1 << (LANE - 1)
_RAISED = sum(_SIGN << (LANE * i) for i in range(len(LABELS)))
"""Added to a sum, it makes each lane a number of its own that is not negative."""
_BYTES = LANE // 8
_MAX_WORDS = 20_000
"""Words remembered with their weights, before they are forgotten and looked up anew."""
_MAX_KINDS = 50_000
"""Places remembered by the classes of their words, the same way: there are some thousands."""


class Name(NamedTuple):
    """A name in a text."""

    start: int
    end: int
    label: str
    """PER or LOC or X."""
    score: float
    """Probability, 0 to 1."""


def packed(weights: Mapping[str, float]) -> int:
    """Weights by label as one integer."""
    return sum(round(weights.get(label, 0) * SCALE) << (LANE * i) for i, label in enumerate(LABELS))


def unpacked(total: int) -> list[float]:
    """Weights by label, in the order of `LABELS`."""
    return [(int.from_bytes(lane) - _SIGN) / SCALE for lane in _lanes(total)]


def _lanes(total: int) -> list[bytes]:
    """A number for each label, which compare as their weights do."""
    data = (total + _RAISED).to_bytes(WIDTH, "big")
    return [data[at : at + _BYTES] for at in range(WIDTH - _BYTES, -1, -_BYTES)]


class Weights:
    """Weights of features. Each is made a number when it is asked for: most never are.

    Args:
        features: In any order, each once.
        lanes: Their weights as `packed` gives them, one after the other in `WIDTH` bytes each.
    """

    def __init__(self, features: Sequence[str], lanes: bytes) -> None:
        self._index = dict(zip(features, range(len(features)), strict=True))
        self._lanes = lanes
        self._known: list[int | None] = [None] * len(features)

    def total(self, features: Iterable[str]) -> int:
        """Sum of the weights of some features; one that is not known weighs nothing."""
        index, known = self._index, self._known
        total = 0
        for feature in features:
            at = index.get(feature)
            if at is not None:
                weight = known[at]
                total += self._made(at) if weight is None else weight
        return total

    def _made(self, at: int) -> int:
        lane = self._lanes[at * WIDTH : (at + 1) * WIDTH]
        weight = self._known[at] = int.from_bytes(lane, "little", signed=True)
        return weight


class Table:
    """Entries of words, looked up where they stand in the file: reading it makes no dictionary.

    Args:
        lines: A line for each word, sorted: the word, a space, its entry in two hexadecimal digits;
            with a line end before the first and after the last.
        starts: Where the lines begin that begin with the same byte and the byte after it.
    """

    def __init__(self, lines: bytes, starts: Mapping[str, tuple[int, int]]) -> None:
        self._lines = lines
        self._starts = starts

    def get(self, word: str) -> int | None:
        """The entry of a word."""
        key = word.encode("utf-8", "replace")
        place = self._starts.get(key[:2].hex())
        if place is None:
            return None
        at = self._lines.find(b"\n" + key + b" ", *place)
        return int(self._lines[at + len(key) + 2 : at + len(key) + 4], 16) if at >= 0 else None


class Tagger:
    """Finds names of people and places. Thread-safe."""

    def __init__(self, table: Entries, weights: Weights, transitions: list[list[float]]) -> None:
        self._table = table
        self._weights = weights
        self._steps = Steps(transitions)
        self._words = Words(table)
        self._kinds: dict[Kinds, int] = {}
        self._first = weights.total(("first",))
        self._last = weights.total(("last",))

    def names(self, text: str) -> Iterator[Name]:
        """Names in a text, in order, apart."""
        if len(self._words) > _MAX_WORDS:
            self._words = Words(self._table)
        tokens, words, runs = read(text, self._words)
        for start, end, mode in runs:
            # Two edges go before the first word.
            if end - start == 1 and not words[start + 2].alone:
                continue
            totals = self._totals(words, start, end, mode)
            if end - start == 1 and _is_none(totals[0]):
                continue
            emissions = [unpacked(total) for total in totals]
            for first, last, label, score in decoded(emissions, self._steps):
                final, at, _ = tokens[start + last]
                yield Name(tokens[start + first][1], at + len(final), label, score)

    def commonness(self, word: str) -> int | None:
        """How common a lower-case word is as an ordinary one, 0 to 3; None when it is none."""
        entry = entry_of(key_of(word), self._table)
        if entry is None:
            return None
        common = entry >> COMMON_SHIFT
        return common if common or entry & FOREIGN or not entry & ANY_NAME else None

    def _sums(self, word: Word) -> tuple[int, int, int, int, int]:
        total, key, kind = self._weights.total, word.key, word.kind
        left2, left, right, right2 = (
            total(context_features(at, key, kind)) for at in (-2, -1, 1, 2)
        )
        own = total(own_features(key, kind)) if word.candidate or word.particle else 0
        word.sums = (left2, left, own, right, right2)
        return word.sums

    def _totals(self, words: list[Word], start: int, end: int, mode: str) -> list[int]:
        """Weights of the labels of each word of a run."""
        # Two edges go before the first word.
        sums = [word.sums or self._sums(word) for word in words[start : end + 4]]
        totals = [
            sums[i][0] + sums[i + 1][1] + sums[i + 2][2] + sums[i + 3][3] + sums[i + 4][4]
            + self._joint(words, start + i + 2, mode)
            for i in range(end - start)
        ]  # fmt: skip
        totals[0] += self._first
        totals[-1] += self._last
        return totals

    def _joint(self, words: list[Word], at: int, mode: str) -> int:
        """Weights of the labels of the place where a word stands."""
        kinds = kinds_at(words, at, mode)
        total = self._kinds.get(kinds)
        if total is None:
            if len(self._kinds) > _MAX_KINDS:
                self._kinds = {}
            total = self._kinds[kinds] = self._weights.total(kind_features(kinds))
        return total + self._weights.total(key_features(words, at))


def _is_none(total: int) -> bool:
    """Whether a word alone is labelled as no name."""
    lanes = _lanes(total)
    return lanes[0] >= max(lanes)


class Steps:
    """What it weighs that one label follows another.

    Args:
        transitions: For each label, the weight of each one after it.
    """

    def __init__(self, transitions: list[list[float]]) -> None:
        self.before = list(zip(*transitions, strict=True))
        """For each label, the weight of each one before it."""
        self.odds = [[exp(x) for x in row] for row in transitions]
        self.odds_before = list(zip(*self.odds, strict=True))


def decoded(emissions: list[list[float]], steps: Steps) -> Iterator[tuple[int, int, str, float]]:
    """Spans of the best labels of a run: first and last index, label, probability."""
    path = _best(emissions, steps)
    if not any(path):
        return
    marginals = _marginals(emissions, steps)
    start = -1
    for index in range(len(path) + 1):
        label = LABELS[path[index]] if index < len(path) else "O"
        if start >= 0 and not (label[0] == "I" and label[2:] == LABELS[path[start]][2:]):
            kind = LABELS[path[start]][2:]
            lanes = _LANES[kind]
            score = min(sum([marginals[at][i] for i in lanes]) for at in range(start, index))
            yield start, index - 1, kind, score
            start = -1
        if start < 0 and label != "O":
            start = index


_LANES = {
    name[2:]: [i for i, other in enumerate(LABELS) if other[2:] == name[2:]] for name in LABELS
}


def _best(emissions: list[list[float]], steps: Steps) -> list[int]:
    """The most likely labels of a run (Viterbi 1967)."""
    best = emissions[0]
    came: list[list[int]] = []
    for scores in emissions[1:]:
        row: list[float] = []
        back: list[int] = []
        for step, score in zip(steps.before, scores, strict=True):
            sums = list(map(add, best, step))
            top = max(sums)
            row.append(top + score)
            back.append(sums.index(top))
        best = row
        came.append(back)
    path = [best.index(max(best))]
    for back in reversed(came):
        path.append(back[path[-1]])
    path.reverse()
    return path


def _marginals(emissions: list[list[float]], steps: Steps) -> list[list[float]]:
    """Probability of each label at each place of a run."""
    tops = map(max, emissions)
    local = [[exp(x - top) for x in row] for row, top in zip(emissions, tops, strict=True)]
    forward = [local[0]]
    for row in local[1:]:
        last = forward[-1]
        sums = [sum(map(mul, last, odds)) for odds in steps.odds_before]
        forward.append(_shares(map(mul, row, sums)))
    backward = [[1.0] * len(LABELS)]
    for row in reversed(local[1:]):
        ahead = list(map(mul, row, backward[-1]))
        backward.append(_shares(sum(map(mul, odds, ahead)) for odds in steps.odds))
    backward.reverse()
    return [_shares(map(mul, a, b)) for a, b in zip(forward, backward, strict=True)]


def _shares(numbers: Iterable[float]) -> list[float]:
    """Numbers as parts of their sum."""
    found = list(numbers)
    total = sum(found)
    return [x / total for x in found]
