"""Minimisation: of a result only the chosen fields come out, whatever its kind."""

from __future__ import annotations

import json
import re
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # it has no types
import pyarrow as pa  # type: ignore[import-untyped]  # it has none either
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from hauberk import Event, Guard, Segment, Session, Stage
from hauberk.fields import Selection
from hauberk.structure import TooDeepError
from hauberk_pii.minimise import Minimiser, NoFieldsError, minimised

RECORD = {"id": 7, "name": "Ada", "orders": [{"id": 1, "card": "4111"}, {"id": 2, "card": "5500"}]}


@dataclass(frozen=True)
class Order:
    id: int
    card: str


@dataclass
class Customer:
    id: int
    name: str
    orders: list[Order]


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: int
    name: str


Row = namedtuple("Row", ["id", "name"])  # noqa: PYI024 # pyright: ignore[reportUntypedNamedTuple] - the untyped kind is common


def seen(value: object, *fields: str) -> object:
    return minimised(value, Selection.of(fields))


@pytest.mark.parametrize(
    ("value", "fields", "expected"),
    [
        (RECORD, ["id"], {"id": 7}),
        (RECORD, ["orders.id"], {"orders": [{"id": 1}, {"id": 2}]}),
        (RECORD, ["orders[1].card"], {"orders": [{"card": "5500"}]}),
        (RECORD, ["..id"], {"id": 7, "orders": [{"id": 1}, {"id": 2}]}),
        (RECORD, ["missing"], {}),
        ([RECORD, RECORD], ["id"], [{"id": 7}, {"id": 7}]),
        (({"id": 1, "x": 2},), ["id"], ({"id": 1},)),
        (MappingProxyType(RECORD), ["name"], {"name": "Ada"}),
        (OrderedDict(a=1, b=2), ["b"], {"b": 2}),
        (
            Customer(7, "Ada", [Order(1, "4111")]),
            ["id", "orders.id"],
            {"id": 7, "orders": [{"id": 1}]},
        ),
        ({Order(1, "4111")}, ["id"], [{"id": 1}]),
        (Model(id=7, name="Ada"), ["id"], {"id": 7}),
        (Model.model_validate({"id": 7, "name": "Ada", "iban": "x"}), ["iban"], {"iban": "x"}),
        (Row(7, "Ada"), ["id"], {"id": 7}),
        ({"ada@example.com": {"id": 1, "x": 2}}, ["*.id"], {"ada@example.com": {"id": 1}}),
        (None, ["id"], None),
        ("", ["id"], ""),
        ([], ["id"], []),
        ([5, "plain"], ["id"], []),
    ],
)
def test_only_the_chosen_fields_come_out(value: Any, fields: list[str], expected: object) -> None:
    before = repr(value)
    found = seen(value, *fields)
    assert found == expected
    assert type(found) is type(expected)
    assert repr(value) == before


def test_json_in_a_string_stays_json() -> None:
    assert json.loads(str(seen(json.dumps(RECORD), "orders.id"))) == {
        "orders": [{"id": 1}, {"id": 2}]
    }


def test_json_inside_of_json_is_opened() -> None:
    inner = json.dumps(RECORD)
    found = json.loads(str(seen(json.dumps({"body": inner, "x": 1}), "body.id")))
    assert json.loads(found["body"]) == {"id": 7}


def test_lines_of_json_are_opened() -> None:
    assert seen('{"id": 1, "n": 2}\n{"id": 3, "n": 4}\n', "id") == '{"id": 1}\n{"id": 3}'


def test_yaml_keeps_its_scalars_as_they_were_written() -> None:
    text = "id: 0123\nsince: 2024-01-01\nname: Ada\norders:\n  - {id: 1, card: 4111}\n"
    found = str(seen(text, "id", "since", "orders.id"))
    assert "0123" in found
    assert "2024-01-01" in found
    assert yaml.safe_load(found)["orders"] == [{"id": 1}]
    assert "Ada" not in found
    assert "4111" not in found


@pytest.mark.parametrize(
    "value",
    ["Ada", "Ada Byron, id 7", 5, 1.5, True, b'{"id": 7}', object(), (x for x in [RECORD])],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_fields_is_refused(value: object) -> None:
    with pytest.raises(NoFieldsError) as caught:
        seen(value, "id")
    assert "Ada" not in str(caught.value)


def test_yaml_with_aliases_is_not_opened() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(NoFieldsError):
        seen(bomb, "h")


def test_no_field_at_all_is_a_refusal() -> None:
    with pytest.raises(NoFieldsError):
        seen(RECORD)


def test_everything_may_be_seen_of_a_dollar() -> None:
    assert seen("plain", "$") == "plain"
    assert seen(RECORD, "$") is RECORD


def test_depth_is_bounded() -> None:
    deep: object = {"id": 1}
    for _ in range(200):
        deep = [deep]
    with pytest.raises(TooDeepError):
        seen(deep, "id")


# --- tables --------------------------------------------------------------------------------------


def frame() -> pd.DataFrame:
    made = pd.DataFrame(
        {"id": [1, 2], "name": ["Ada", "Bob"], "order": [{"id": 8, "card": "4"}, {"id": 9}]},
        index=pd.Index(["ada@example.com", "bob@example.com"], name="mail"),
    )
    made.attrs = {"source": "Ada's file"}
    return made


def test_a_frame_keeps_its_chosen_columns_and_no_labels() -> None:
    given = frame()
    found = seen(given, "id", "order.id")
    assert isinstance(found, pd.DataFrame)
    assert found.to_dict("records") == [
        {"id": 1, "order": {"id": 8}},
        {"id": 2, "order": {"id": 9}},
    ]
    assert list(found.index) == [0, 1]
    assert found.attrs == {}
    assert given.equals(frame())


def test_an_index_stays_when_its_name_is_chosen() -> None:
    found: Any = seen(frame(), "[*].id", "mail")
    assert list(found.index) == ["ada@example.com", "bob@example.com"]
    assert list(found.columns) == ["id"]


def test_a_row_of_a_frame_is_read_by_its_labels() -> None:
    found: Any = seen(frame().iloc[0], "id")
    assert found.to_dict() == {"id": 1}
    assert found.name is None


@pytest.mark.parametrize("batch", [False, True])
def test_an_arrow_table_keeps_its_chosen_columns_and_no_notes(batch: bool) -> None:  # noqa: FBT001
    table = pa.Table.from_pandas(frame())
    given = table.to_batches()[0] if batch else table
    found: Any = seen(given, "id", "order.id")
    assert type(found) is type(given)
    assert found.to_pylist() == [{"id": 1, "order": {"id": 8}}, {"id": 2, "order": {"id": 9}}]
    assert not found.schema.metadata


# --- properties ----------------------------------------------------------------------------------

NAMES = st.sampled_from(["id", "name", "orders", "card"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(
    st.sampled_from(["id", "orders.id", "..card", "orders[0]", "name", "orders.*.id"]),
    min_size=1,
    max_size=3,
)


def places(value: object, at: tuple[str, ...] = ()) -> set[tuple[tuple[str, ...], str]]:
    """Every leaf with the names on the way to it."""
    if isinstance(value, Mapping):
        return {p for key, inner in value.items() for p in places(inner, (*at, str(key)))}
    if isinstance(value, list):
        return {p for inner in value for p in places(inner, at)}
    return {(at, repr(value))}


@given(st.dictionaries(NAMES, JSON), PATHS)
def test_nothing_comes_out_that_was_not_in_there(
    value: dict[str, object], paths: list[str]
) -> None:
    found = seen(value, *paths)
    assert places(found) <= places(value)
    ends = {re.findall("[a-z]+", path)[-1] for path in paths}
    assert all(ends & set(at) for at, _ in places(found))


@given(st.dictionaries(NAMES, JSON), PATHS)
def test_a_json_string_shows_what_its_value_would(
    value: dict[str, object], paths: list[str]
) -> None:
    assert json.loads(str(seen(json.dumps(value), *paths))) == seen(value, *paths)


# --- policies ------------------------------------------------------------------------------------


def test_a_tool_that_a_purpose_names_is_limited_by_purposes() -> None:
    rules = Minimiser({}, {"billing": {"find": ["iban"]}, "support": {"find": ["name"]}})
    assert rules.chosen("find", "billing").field("iban").whole
    assert rules.chosen("find", "billing").field("name").nothing
    assert rules.chosen("find", None).nothing
    assert rules.chosen("find", "marketing").nothing
    assert rules.chosen("web_search", None).whole


def test_fields_and_purpose_must_both_let_a_field_be_seen() -> None:
    rules = Minimiser({"find": ["id", "name"]}, {"billing": {"find": ["id", "iban"]}})
    chosen = rules.chosen("find", "billing")
    assert chosen.field("id").whole
    assert chosen.field("name").nothing
    assert chosen.field("iban").nothing


def test_an_exact_name_goes_before_globs() -> None:
    rules = Minimiser({"find_*": ["id"], "find_card": ["card"]}, {})
    assert rules.chosen("find_card", None).field("id").nothing
    assert rules.chosen("find_name", None).field("id").whole


def test_the_trail_says_that_fields_were_left_out() -> None:
    guard = Guard.from_policy({"version": 1, "pii": {"fields": {"find": ["id"]}}})
    for tool, expected in (("find", ["pii.fields"]), ("other", [])):
        event = Event(
            stage=Stage.TOOL_RESULT,
            tool=tool,
            session=Session(),
            segments=(Segment.from_tool(tool, '{"id": 7}'),),
        )
        assert [f.rule for f in guard.check(event).findings] == expected
