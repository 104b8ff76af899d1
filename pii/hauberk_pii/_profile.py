"""Which personal data is in a table: types by column, as numbers and as bars.

Rules:
* Each value is looked at with the name of its column as context.
* What is shown holds names of columns, types and numbers; no value.
* Any table will do: a pandas data frame, an Arrow table, a mapping of columns, a list of records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, cast

from hauberk_pii._fields import find_value
from hauberk_pii._finder import Finder, finder_for

_COLOURS = ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#9c755f")


@dataclass(frozen=True, slots=True)
class Profile:
    """How many values of each column hold personal data, by type. Notebooks show it as bars."""

    rows: int
    """Rows that were looked at."""
    columns: Mapping[str, Mapping[str, int]]
    """Values that hold a type, by column and type; a column without any has none."""

    def __str__(self) -> str:
        """One line for each column."""
        return "\n".join(
            f"{name}: " + (", ".join(f"{t} {n}" for t, n in found.items()) or "-")
            for name, found in self.columns.items()
        )

    def _repr_html_(self) -> str:
        types = sorted({kind for found in self.columns.values() for kind in found})
        colours = {kind: _COLOURS[n % len(_COLOURS)] for n, kind in enumerate(types)}
        lines = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="width:30em">'
            f"{''.join(self._bar(kind, n, colours[kind]) for kind, n in found.items())}</td></tr>"
            for name, found in self.columns.items()
        )
        return f"<table><caption>{self.rows} rows</caption>{lines}</table>"

    def _bar(self, kind: str, count: int, colour: str) -> str:
        width = 100 * count / max(self.rows, 1)
        return (
            f'<div style="white-space:nowrap"><span style="display:inline-block;height:0.8em;'
            f'width:{width:.1f}%;background:{colour}"></span> {escape(kind)} {count}</div>'
        )


def profile(table: object, *, finder: Finder | None = None, limit: int = 1000) -> Profile:
    """Which personal data is in a table.

    Args:
        table: A pandas data frame, an Arrow table, a mapping of column names to values, or a
            sequence of mappings.
        finder: What to find with; the default set of types when not given.
        limit: Rows that are looked at, from the first on.

    Raises:
        TypeError: It is no table.

    Example:
        >>> print(profile({"id": [1, 2], "mail": ["ada@example.com", "bob@example.com"]}))
        id: -
        mail: EMAIL_ADDRESS 2
    """
    search = finder or finder_for()
    columns = {name: list(values)[:limit] for name, values in _columns(table, limit).items()}
    counts = {name: _counted(search, name, values) for name, values in columns.items()}
    return Profile(max((len(values) for values in columns.values()), default=0), counts)


def _columns(table: object, limit: int) -> Mapping[str, Iterable[object]]:
    if isinstance(table, Mapping):
        named = cast("Mapping[object, Iterable[object]]", table)
        return {str(name): values for name, values in named.items()}
    for method in ("to_pydict", "to_dict"):  # Arrow; pandas
        if hasattr(table, method) and hasattr(table, "columns"):
            part: Any = cast("Any", table)[:limit]
            found = part.to_pydict() if method == "to_pydict" else part.to_dict("list")
            return {str(name): values for name, values in found.items()}
    if isinstance(table, Sequence) and not isinstance(table, str):
        records = [
            cast("Mapping[object, object]", r) for r in table[:limit] if isinstance(r, Mapping)
        ]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - a sequence of anything
        if len(records) == len(table[:limit]):
            names = dict.fromkeys(str(name) for record in records for name in record)
            return {name: [record.get(name) for record in records] for name in names}
    raise TypeError("a profile needs a data frame, a table, columns or records")


def _counted(finder: Finder, name: str, values: Iterable[object]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for value in values:
        if value is not None and not isinstance(value, bool):
            counts.update({span.type for span in find_value(finder, str(value), name)})
    return dict(counts.most_common())
