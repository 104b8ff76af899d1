"""How good findings are: precision, recall and F1, counted in three ways.

Rules:
* `exact`: type and both ends agree. `overlap`: the type agrees, and at least half of the one is
  covered by others of its type: recall asks this of the labelled spans, precision of the found ones.
  `chars`: each character of a type counts by itself.
* A type that nobody labels and nobody finds has no row. Where nothing was found, precision is 0.
* Only offsets and types: no text is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Labelled = tuple[int, int, str]
"""First character, first after it, entity type."""
HALF = 0.5


@dataclass(slots=True)
class Count:
    """What was counted for one type, in one way. `hit` and `right` differ for `overlap` only."""

    gold: int = 0
    """Labelled."""
    found: int = 0
    hit: int = 0
    """Labelled ones that were found."""
    right: int = 0
    """Found ones that are labelled."""

    @property
    def precision(self) -> float:
        """Share of the found ones that are right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the labelled ones that were found."""
        return self.hit / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def add(self, gold: int, found: int, hit: int, right: int) -> None:
        """Count more."""
        self.gold += gold
        self.found += found
        self.hit += hit
        self.right += right


WAYS = ("exact", "overlap", "chars")


class Quality:
    """Counts over many texts.

    Example:
        >>> quality = Quality()
        >>> quality.add(gold=[(0, 9, "PERSON")], found=[(0, 3, "PERSON")])
        >>> quality.rows["PERSON"]["exact"].f1, quality.rows["PERSON"]["overlap"].precision
        (0.0, 1.0)
    """

    def __init__(self) -> None:
        self.rows: defaultdict[str, dict[str, Count]] = defaultdict(
            lambda: {way: Count() for way in WAYS}
        )
        """Counts by type and way."""

    def add(self, gold: Iterable[Labelled], found: Iterable[Labelled]) -> None:
        """Count one text."""
        by_type: defaultdict[str, tuple[list[Labelled], list[Labelled]]] = defaultdict(
            lambda: ([], [])
        )
        for side, spans in enumerate((gold, found)):
            for span in spans:
                by_type[span[2]][side].append(span)
        for kind, (wanted, got) in by_type.items():
            row = self.rows[kind]
            same = len({s[:2] for s in wanted} & {s[:2] for s in got})
            row["exact"].add(len(wanted), len(got), same, same)
            hit, right = _covered(wanted, got), _covered(got, wanted)
            row["overlap"].add(len(wanted), len(got), hit, right)
            ours, theirs = _characters(wanted), _characters(got)
            both = len(ours & theirs)
            row["chars"].add(len(ours), len(theirs), both, both)

    def total(self, way: str, kinds: Iterable[str] | None = None) -> Count:
        """All types together (micro average), or some of them."""
        total = Count()
        for kind in sorted(self.rows if kinds is None else set(kinds) & self.rows.keys()):
            row = self.rows[kind][way]
            total.add(row.gold, row.found, row.hit, row.right)
        return total


def _covered(spans: Sequence[Labelled], by: Sequence[Labelled]) -> int:
    """How many spans have at least half of their characters in others."""
    others = _characters(by)
    return sum(
        len(others & set(range(start, end))) >= HALF * max(1, end - start)
        for start, end, _ in (spans if others else ())
    )


def _characters(spans: Iterable[Labelled]) -> set[int]:
    return {at for start, end, _ in spans for at in range(start, end)}
