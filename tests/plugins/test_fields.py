"""Paths to fields: what is written, what it reaches, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import BlockedError, Decision, Event, Guard, Policy, PolicyError, Segment, Stage
from hauberk.fields import Selection, Wild, parse_path
from hauberk.flows import Refused, run_tool


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        ("id", ("id",)),
        ("$.id", ("id",)),
        ("customer.name", ("customer", "name")),
        ("orders[*].id", ("orders", Wild.ANY, "id")),
        ("orders[0]", ("orders", 0)),
        ("$[2].id", (2, "id")),
        ("customer.*", ("customer", Wild.ANY)),
        ("..iban", (Wild.DEEP, "iban")),
        ("$..iban", (Wild.DEEP, "iban")),
        ("a..b", ("a", Wild.DEEP, "b")),
        ("['e-mail.address']", ("e-mail.address",)),
        ('$["it\'s"].x', ("it's", "x")),
        ("full name", ("full name",)),
        ("$", ()),
    ],
)
def test_a_path_is_read(written: str, steps: tuple[object, ...]) -> None:
    assert parse_path(written) == steps


@pytest.mark.parametrize(
    "written", ["", " ", "..", "a.", "a..", "$$", "a[1:2]", "a[-1]", "a[?(@.b)]", "a['x'", "a...b"]
)
def test_what_is_not_supported_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(written)


def test_a_policy_with_a_bad_path_says_where() -> None:
    with pytest.raises(PolicyError, match="no path") as caught:
        Guard.from_policy({"version": 1, "pii": {"fields": {"find": ["orders[-1]"]}}})
    assert "find" in str(caught.value)


def test_names_reach_through_lists_and_positions_do_not() -> None:
    assert Selection.of(["id"]).item(3).field("id").whole
    assert Selection.of(["orders[1].id"]).field("orders").item(0).nothing
    assert Selection.of(["orders[1].id"]).field("orders").item(1).field("id").whole


def test_of_several_lists_all_must_reach_a_field() -> None:
    both = Selection.of(["customer"], ["customer.name", "id"])
    assert both.field("customer").field("name").whole
    assert both.field("customer").field("iban").nothing
    assert both.field("id").nothing


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=4), st.sampled_from(["a", "b", "c"]))
def test_deep_reaches_a_name_below_any_way(way: list[str], name: str) -> None:
    chosen = Selection.of([f"..{name}"])
    for step in way:
        chosen = chosen.field(step)
    assert chosen.field(name).whole


# --- the flow ------------------------------------------------------------------------------------


class Halves:
    """A plugin that lets the first half of a text be seen."""

    name = "halves"
    stages = frozenset({Stage.TOOL_RESULT})

    def __init__(self) -> None:
        self.seen: list[str] = []

    def minimiser(self, event: Event) -> object:
        def select(value: object) -> object:
            if not isinstance(value, str):
                raise BlockedError(Decision.deny("no text"))
            return value[: len(value) // 2]

        return select if event.tool == "read" else None

    def inspect(self, event: Event) -> Decision:
        self.seen += [segment.text for segment in event.segments]
        return Decision.allow()


class Texts:
    def read(self, value: object) -> tuple[Segment, ...]:
        return (Segment.from_tool("read", str(value)),)

    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        return segments[0].text


def _guarded(tool: str, value: object) -> tuple[object, list[str]]:
    plugin = Halves()
    guard = Guard(Policy.unsafe_allow_all(), plugins=[plugin])
    event = Event(stage=Stage.TOOL_CALL, tool=tool, arguments={})
    return run_tool(guard, event, lambda _: value, Texts()), plugin.seen


def test_nothing_else_sees_what_was_left_out() -> None:
    assert _guarded("read", "abcd") == ("ab", ["ab"])


def test_a_tool_without_a_minimiser_is_shown_whole() -> None:
    assert _guarded("other", "abcd") == ("abcd", ["abcd"])


def test_a_value_of_which_nothing_may_be_seen_is_withheld() -> None:
    value, seen = _guarded("read", 5)
    assert isinstance(value, Refused)
    assert "no text" in value.text
    assert seen == []
