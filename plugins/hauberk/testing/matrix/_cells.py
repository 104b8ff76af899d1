"""Cells of a matrix, why some cannot hold, and the page that shows them.

Rules:
* A cell is one attack, through one door, on one surface, in one mode. It holds, or it does not.
* A cell that does not hold and has no reason is a bug.
* The same cells give the same page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One attack, through one door, on one surface, in one mode."""

    attack: str
    surface: str
    mode: str
    door: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some cells cannot hold."""

    why: str
    surface: str
    attacks: frozenset[str]
    modes: frozenset[str] = frozenset()
    """Empty: all."""
    doors: frozenset[str] = frozenset()
    """Empty: all."""

    def explains(self, cell: Cell) -> bool:
        """Whether this is about that cell."""
        return (
            cell.surface == self.surface
            and cell.attack in self.attacks
            and (not self.modes or cell.mode in self.modes)
            and (not self.doors or cell.door in self.doors)
        )


@dataclass(frozen=True, slots=True)
class Matrix:
    """What a run of a matrix found."""

    cells: tuple[Cell, ...]
    reasons: tuple[Reason, ...] = ()
    """Why cells that do not hold cannot."""

    @property
    def broken(self) -> tuple[Cell, ...]:
        """Cells that do not hold and have no reason: bugs."""
        return tuple(c for c in self.cells if not c.holds and self.reason_of(c) is None)

    @property
    def excused(self) -> tuple[Cell, ...]:
        """Cells that do not hold, for a reason."""
        return tuple(c for c in self.cells if not c.holds and self.reason_of(c) is not None)

    def reason_of(self, cell: Cell) -> Reason | None:
        """Why a cell cannot hold, where that is known."""
        return next((reason for reason in self.reasons if reason.explains(cell)), None)


_LEGEND = """\
`✓`: every cell holds. `✓*`: all but those with a reason, below. `✗`: not. `-`: the door does not lead
there, or the surface has no such mode.
"""


def page(matrix: Matrix, *, head: str, doors: Sequence[str]) -> str:
    """A matrix as Markdown.

    Args:
        matrix: What was found.
        head: The text above the tables, with the fields `total`, `held`, `excused`, `share` (of the
            excused, in percent) and `broken`.
        doors: The doors, in the order in which they are shown.
    """
    cells = matrix.cells
    excused, broken = len(matrix.excused), len(matrix.broken)
    above = head.format(
        total=len(cells),
        held=len(cells) - excused - broken,
        excused=excused,
        share=100 * excused / max(len(cells), 1),
        broken=broken,
    )
    attacks, doors = _names(c.attack for c in cells), [d for d in doors if _has(cells, d)]
    surfaces, modes = _names(c.surface for c in cells), _names(c.mode for c in cells)
    return "\n".join(
        [
            above,
            "## Attacks and doors\n",
            _table("attack", attacks, doors, _counted(matrix, lambda c: (c.attack, c.door))),
            "## Surfaces and doors\n",
            _LEGEND,
            _table("surface", surfaces, doors, _marked(matrix, lambda c: (c.surface, c.door))),
            "## Modes and surfaces\n",
            _table("mode", modes, surfaces, _marked(matrix, lambda c: (c.mode, c.surface))),
            "## Attacks and surfaces\n",
            _table("attack", attacks, surfaces, _marked(matrix, lambda c: (c.attack, c.surface))),
            "## Cells with a reason\n",
            _reasons(matrix),
        ]
    )


Key = Callable[[Cell], tuple[str, str]]
Shown = Callable[[str, str], str]


def _names(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))


def _has(cells: Iterable[Cell], door: str) -> bool:
    return any(cell.door == door for cell in cells)


def _table(corner: str, rows: list[str], columns: list[str], shown: Shown) -> str:
    lines = [[corner, *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(shown(row, column) for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _counted(matrix: Matrix, key: Key) -> Shown:
    every, held = Counter(map(key, matrix.cells)), Counter(key(c) for c in matrix.cells if c.holds)

    def shown(row: str, column: str) -> str:
        total, good = every[row, column], held[row, column]
        return "-" if not total else str(total) if good == total else f"{good} of {total}"

    return shown


def _marked(matrix: Matrix, key: Key) -> Shown:
    every = Counter(map(key, matrix.cells))
    excused, broken = Counter(map(key, matrix.excused)), Counter(map(key, matrix.broken))

    def shown(row: str, column: str) -> str:
        at = row, column
        return "-" if not every[at] else "✗" if broken[at] else "✓*" if excused[at] else "✓"

    return shown


def _reasons(matrix: Matrix) -> str:
    lines: list[str] = []
    for reason in matrix.reasons:
        count = sum(matrix.reason_of(cell) is reason for cell in matrix.excused)
        if count:
            where = ", ".join(sorted(reason.modes)) or "every mode"
            what = ", ".join(sorted(reason.attacks))
            lines.append(f"* **{reason.surface}**, {where}: {what}. {reason.why}. ({count} cells)")
    return "\n".join(lines) + "\n" if lines else "None.\n"
