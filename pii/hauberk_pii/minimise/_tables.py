"""Tables, without the columns that may not be seen: pandas and Arrow.

Rules:
* A table is read like the list of its rows: `id` is the column `id`, `customer.name` a field inside
  the cells of `customer`.
* Labels of rows are data: an index stays when its own name is chosen, or when it only counts.
* Free notes that travel with a table (`attrs`, schema metadata) are left out.
* Neither library is imported here: whoever holds a table has done that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from hauberk.fields import Selection

Cell = Callable[[object, Selection], object]
"""What may be seen of a cell; None when nothing may."""


class Table(Protocol):
    """A table of any library."""

    def picked(self, chosen: Selection, cell: Cell) -> object:
        """A copy with the chosen columns; the table itself when all may be seen."""
        ...


def table_of(value: object) -> Table | None:
    """The value as a table, or None."""
    pandas: Any = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _Frame(value)
    if pandas is not None and isinstance(value, pandas.Series):
        return _Series(value)
    arrow: Any = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(value, (arrow.Table, arrow.RecordBatch)):
        return _Arrow(value, arrow)
    return None


class _Frame:
    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def picked(self, chosen: Selection, cell: Cell) -> object:
        rows = chosen.item(-1)
        if rows.whole:
            return self._frame
        wanted = [(at, _column(rows, name)) for at, name in enumerate(self._frame.columns)]
        kept = [(at, part) for at, part in wanted if not part.nothing]
        frame = self._frame.iloc[:, [at for at, _ in kept]].copy()
        for position, (_, part) in enumerate(kept):
            if not part.whole:
                cells = [cell(one, part) for one in frame.iloc[:, position]]
                frame.isetitem(position, _objects(cells, frame.index))
        frame.attrs = {}
        names = [name for name in self._frame.index.names if name is not None]
        told = bool(names) and all(rows.field(str(name)).whole for name in names)
        return frame if told or _counts(self._frame.index) else frame.reset_index(drop=True)


class _Series:
    """One row: its labels are the names of fields."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def picked(self, chosen: Selection, cell: Cell) -> object:
        wanted = [(at, _column(chosen, name)) for at, name in enumerate(self._series.index)]
        kept = [(at, part) for at, part in wanted if not part.nothing]
        found = self._series.iloc[[at for at, _ in kept]].copy()
        cells = [
            one if part.whole else cell(one, part)
            for one, (_, part) in zip(found, kept, strict=True)
        ]
        if any(not part.whole for _, part in kept):
            found = _objects(cells, found.index)
        found.name = None
        found.attrs = {}
        return found


class _Arrow:
    def __init__(self, table: Any, arrow: Any) -> None:
        self._table = table
        self._arrow = arrow

    def picked(self, chosen: Selection, cell: Cell) -> object:
        rows = chosen.item(-1)
        if rows.whole:
            return self._table
        names: list[str] = []
        columns: list[Any] = []
        for at, name in enumerate(self._table.schema.names):
            part = rows.field(name)
            if not part.nothing:
                column = self._table.column(at)
                names.append(name)
                columns.append(column if part.whole else self._cells(column, part, cell))
        # From names and columns alone: the schema's metadata stays behind.
        return type(self._table).from_arrays(columns, names=names)

    def _cells(self, column: Any, part: Selection, cell: Cell) -> Any:
        return self._arrow.array([cell(one, part) for one in column.to_pylist()])


def _column(rows: Selection, name: Any) -> Selection:
    """What may be seen of a column; one of several levels is a path."""
    for level in name if isinstance(name, tuple) else (name,):
        rows = rows.field(str(level))
    return rows


def _counts(index: Any) -> bool:
    """Whether the labels of rows are only their numbers."""
    return isinstance(index, sys.modules["pandas"].RangeIndex)


def _objects(cells: list[object], index: Any) -> Any:
    pandas: Any = sys.modules["pandas"]
    return pandas.Series(cells, index=index, dtype=object)
