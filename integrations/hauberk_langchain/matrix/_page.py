"""The matrix as a page: tables in Markdown, the same for the same cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from hauberk_langchain.matrix._matrix import DOORS, REASONS, Cell, Matrix, reason_of

_HEAD = """\
# LangChain: the matrix

Written by `python -m hauberk_langchain.matrix --write docs/langchain-matrix.md`; do not edit. The same
command without `--write` runs it on the versions of LangChain that you have installed.

Each cell is one attack, through one door, on one surface, in one mode: the application is built, run
and judged by what reached the provider, what the tools got, what the reader saw, what was recorded and
what was left open. A table shows how many of its cells hold. {total} cells, {held} hold, {excused} have
a reason ({share:.2f} %), {broken} do not hold.

Attacks that need a run of their own (budgets; on agents also orders of the user, orders in the
history and swallowed refusals) take turns over the modes. `several`: all the doors that lead there, at
once.
"""

_LEGEND = """\
`✓`: every cell holds. `✓*`: all but those with a reason, below. `✗`: not. `-`: the door does not lead
there, or the surface has no such mode.
"""


def page(matrix: Matrix) -> str:
    """The matrix as Markdown."""
    cells = matrix.cells
    excused, broken = len(matrix.excused), len(matrix.broken)
    head = _HEAD.format(
        total=len(cells),
        held=len(cells) - excused - broken,
        excused=excused,
        share=100 * excused / max(len(cells), 1),
        broken=broken,
    )
    attacks, doors = _names(c.attack for c in cells), [d for d in DOORS if _has(cells, d)]
    surfaces, modes = _names(c.surface for c in cells), _names(c.mode for c in cells)
    return "\n".join(
        [
            head,
            "## Attacks and doors\n",
            _table("attack", attacks, doors, _counted(cells, lambda c: (c.attack, c.door))),
            "## Surfaces and doors\n",
            _LEGEND,
            _table("surface", surfaces, doors, _marked(cells, lambda c: (c.surface, c.door))),
            "## Modes and surfaces\n",
            _table("mode", modes, surfaces, _marked(cells, lambda c: (c.mode, c.surface))),
            "## Attacks and surfaces\n",
            _table("attack", attacks, surfaces, _marked(cells, lambda c: (c.attack, c.surface))),
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


def _counted(cells: Iterable[Cell], key: Key) -> Shown:
    every, held = Counter(map(key, cells)), Counter(key(c) for c in cells if c.holds)

    def shown(row: str, column: str) -> str:
        total, good = every[row, column], held[row, column]
        return "-" if not total else str(total) if good == total else f"{good} of {total}"

    return shown


def _marked(cells: Iterable[Cell], key: Key) -> Shown:
    every = Counter(map(key, cells))
    excused = Counter(key(c) for c in cells if not c.holds and reason_of(c) is not None)
    broken = Counter(key(c) for c in cells if not c.holds and reason_of(c) is None)

    def shown(row: str, column: str) -> str:
        at = row, column
        return "-" if not every[at] else "✗" if broken[at] else "✓*" if excused[at] else "✓"

    return shown


def _reasons(matrix: Matrix) -> str:
    lines: list[str] = []
    for reason in REASONS:
        count = sum(reason_of(cell) is reason for cell in matrix.excused)
        if count:
            where = ", ".join(sorted(reason.modes)) or "every mode"
            what = ", ".join(sorted(reason.attacks))
            lines.append(f"* **{reason.surface}**, {where}: {what}. {reason.why}. ({count} cells)")
    return "\n".join(lines) + "\n" if lines else "None.\n"
