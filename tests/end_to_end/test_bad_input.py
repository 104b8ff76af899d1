"""Bad texts and bad values, end to end: a refusal or a clear answer, and a trail that is whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.tools import StructuredTool

import hauberk_langchain
from hauberk import BlockedError

pytestmark = pytest.mark.timeout(60)

HUGE = "word " * 10_000_000
"""50 MB."""
DEEP = 10_000


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


def test_a_user_message_of_fifty_megabytes_is_refused(make: Any, door: str) -> None:
    world = make(door)
    outcome = world.run(HUGE, ["never said"])
    assert outcome.refused
    assert len(str(outcome.error)) < 1_000
    assert outcome.seen == ""
    assert [record.stage for record in world.denied()] == ["prompt"]


def test_a_tool_result_of_fifty_megabytes_is_withheld(make: Any, kit: Any, door: str) -> None:
    world = make(door)
    outcome = world.run("Go", [kit.call(), "It was withheld."], lambda: HUGE)
    assert outcome.answer == "It was withheld."
    assert all(len(result) < 1_000 for result in outcome.results)
    assert len(outcome.seen) < 100_000
    assert [record.stage for record in world.denied()] == ["tool_result"]


def test_an_answer_of_fifty_megabytes_is_refused(make: Any, door: str) -> None:
    world = make(door)
    outcome = world.run("Go", [HUGE], piece=5_000_000)
    assert outcome.refused
    assert [record.stage for record in world.denied()] == ["completion"]


def test_a_tool_result_that_is_deep_json_is_text_like_any_other(
    make: Any, kit: Any, door: str
) -> None:
    deep = "[" * DEEP + json.dumps(kit.ADDRESS) + "]" * DEEP
    world = make(door)
    outcome = world.run("Go", [kit.call(), "Done."], lambda: deep)
    assert outcome.answer == "Done.", repr(outcome.error)
    assert kit.ADDRESS not in outcome.seen
    assert world.records()


@pytest.mark.parametrize("depth", [50, 200, DEEP])
def test_a_tool_result_that_is_a_deep_value_ends_as_without_a_guard(
    make: Any, kit: Any, door: str, depth: int
) -> None:
    """The frameworks make a text of it, or fail: inside the tool, before the guard sees it."""
    world = make(door)
    given = ("Go", [kit.call(), "Done."], lambda: nested(depth))
    outcome, bare = world.run(*given), world.run(*given, bare=True)
    assert (outcome.answer, type(outcome.error)) == (bare.answer, type(bare.error))
    assert world.records()


def test_a_deep_value_that_a_tool_gives_to_code_is_withheld(make: Any, kit: Any) -> None:
    world = make("langchain protect invoke")
    tool = hauberk_langchain.protect(
        StructuredTool.from_function(lambda: nested(DEEP), name="work", description="Work."),
        world.guard,
    )
    with pytest.raises(BlockedError, match="adapter failed"):
        tool.invoke({})
    assert [record.stage for record in world.denied()] == ["tool_result"]


def test_arguments_that_are_nested_too_deeply_reach_no_tool(make: Any, kit: Any, door: str) -> None:
    ran: list[object] = []

    def work(data: Any = None) -> str:
        """Work."""
        ran.append(data)
        return "done"

    world = make(door)
    outcome = world.run("Go", [kit.call(data=nested(300)), "Done."], work, piece=5_000)
    assert not ran
    assert outcome.refused, repr(outcome.error)
    assert world.denied()


@pytest.mark.parametrize("odd", ["\ud800", "a\x00b", "\udfff\ud800 x", "\u202e\u0000\uffff"])
def test_lone_surrogates_and_nul_go_through_or_are_refused(
    make: Any, kit: Any, door: str, odd: str
) -> None:
    world = make(door)

    def work(text: str) -> str:
        """Work."""
        return f"{text} {odd} {kit.ADDRESS}"

    replies = [kit.call(text=f"x {odd} <EMAIL_ADDRESS_1>"), f"{odd} <EMAIL_ADDRESS_1> {odd}"]
    outcome = world.run(f"{odd} write to {kit.ADDRESS} {odd}", replies, work)
    assert outcome.answer == f"{odd} {kit.ADDRESS} {odd}", repr(outcome.error)
    assert kit.ADDRESS not in outcome.seen
    assert world.records()
    assert not world.leaked(kit.ADDRESS)
