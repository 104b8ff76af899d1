"""Profiles of tables: types by column, and never a value."""

from __future__ import annotations

import pandas as pd  # type: ignore[import-untyped]  # it has no types
import pyarrow as pa  # type: ignore[import-untyped]  # it has none either
import pytest

from hauberk_pii import profile

COLUMNS = {
    "id": [1, 2, 3],
    "patient": ["Ada Byron", "Emma Johansson", None],
    "<b>mail": ["ada@example.com", "-", "-"],
}
EXPECTED = {"id": {}, "patient": {"PERSON": 2}, "<b>mail": {"EMAIL_ADDRESS": 1}}


@pytest.mark.parametrize("kind", ["columns", "records", "pandas", "arrow"])
def test_any_table_is_counted_by_column(kind: str) -> None:
    frame = pd.DataFrame(COLUMNS)
    table = {
        "columns": COLUMNS,
        "records": frame.to_dict("records"),
        "pandas": frame,
        "arrow": pa.table(COLUMNS),
    }[kind]
    found = profile(table)
    assert found.rows == 3
    assert found.columns == EXPECTED


def test_neither_view_shows_a_value_or_markup_of_the_table() -> None:
    found = profile(COLUMNS)
    shown = f"{found} {found!r} {found._repr_html_()}"
    assert "PERSON" in shown
    assert "Ada" not in shown
    assert "example.com" not in shown
    assert "<b>" not in found._repr_html_()


def test_rows_are_bounded() -> None:
    assert profile(COLUMNS, limit=1).columns["patient"] == {"PERSON": 1}


@pytest.mark.parametrize("value", [5, "text", [1, 2]])
def test_what_is_no_table_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="profile"):
        profile(value)
