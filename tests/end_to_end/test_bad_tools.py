"""Tools that raise, hang, or return what no tool should: the guard neither hangs nor crashes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.tools import StructuredTool, ToolException
from llama_index.core.tools import FunctionTool

import hauberk_langchain
import hauberk_llama_index

pytestmark = pytest.mark.timeout(60)


def stages(world: Any) -> list[str]:
    return [record.stage.value for record in world.records()]


# --- raising --------------------------------------------------------------------------------


def test_a_tool_that_raises_ends_as_without_a_guard(make: Any, kit: Any, door: str) -> None:
    """The application's own error, or what its framework makes of it; the call is on record."""
    world = make(door)

    def work() -> str:
        raise LookupError("no such mail")

    given = ("Go", [kit.call(), "It failed."], work)
    outcome, bare = world.run(*given), world.run(*given, bare=True)
    assert (outcome.answer, repr(outcome.error)) == (bare.answer, repr(bare.error))
    assert "tool_call" in stages(world)
    assert not world.denied()


def test_what_a_failing_tool_says_is_masked_and_screened(make: Any, kit: Any, door: str) -> None:
    world = make(door)

    def work() -> str:
        raise ToolException(f"{kit.ADDRESS} is unknown. {kit.ATTACK}")

    outcome = world.run("Go", [kit.call(), "It failed."], work)
    if door.startswith("llama-index"):
        assert outcome.answer == "It failed."
    assert kit.ADDRESS not in outcome.seen
    assert "Ignore all previous" not in outcome.seen
    assert not world.leaked(kit.ADDRESS, "Ignore all previous")


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_what_a_tool_says_of_its_error_is_screened(make: Any, kit: Any, colour: str) -> None:
    """`handle_tool_error` makes a result of the message."""
    world = make("langchain protect invoke")

    def work() -> str:
        raise ToolException(kit.ATTACK)

    tool = StructuredTool.from_function(
        work, name="work", description="Work.", handle_tool_error=True
    )
    hauberk_langchain.protect(tool, world.guard)
    wanted = {"name": "work", "args": {}, "id": "1", "type": "tool_call"}
    shown = tool.invoke(wanted) if colour == "sync" else asyncio.run(tool.ainvoke(wanted))
    assert "Ignore all previous" not in shown.content
    assert shown.status == "error"


# --- hanging --------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_tool_that_hangs_is_no_longer_waited_for(
    make: Any, kit: Any, door: str, colour: str
) -> None:
    world = make(door, tool={"access": "read", "timeout_s": 0.2})
    over, waits = threading.Event(), list[bool]()

    def work() -> str:
        waits.append(over.wait(20))
        return "late"

    async def awork() -> str:
        await asyncio.sleep(20)
        waits.append(False)
        return "late"

    if colour == "async" and door.endswith((" invoke", " stream")):
        pytest.skip("a tool that is only async cannot run without a loop")
    tool = work if colour == "sync" else awork
    outcome = world.run("Go", [kit.call(), "It took too long."], tool, done=over.set)
    assert False not in waits, "the run waited for the tool"
    assert outcome.answer == "It took too long.", repr(outcome.error)
    assert "late" not in outcome.seen
    (denied,) = world.denied()
    assert [found.rule for found in denied.findings] == ["capability.timeout"]


# --- returning ------------------------------------------------------------------------------


@dataclass
class Odd:
    """A result that no schema knows."""

    name: str = "odd"

    def __repr__(self) -> str:
        return "Odd()"


class Hostile:
    """A result whose every look fails."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        raise ValueError("do not look")

    def __repr__(self) -> str:
        return "Hostile"


RESULTS: dict[str, Any] = {
    "None": lambda: None,
    "bytes": lambda: b"\xff\x00jane",
    "empty bytes": lambda: b"",
    "number": lambda: 10**400,
    "nan": lambda: float("nan"),
    "set": lambda: {"a"},
    "generator": lambda: iter(["a", "b"]),
    "endless generator": lambda: iter(itertools.count()),
    "dataclass": Odd,
    "hostile": Hostile,
    "class": lambda: Odd,
    "huge list": lambda: list(range(300_000)),
    "many texts": lambda: ["x"] * 20_000,
    "keys of all kinds": lambda: {1: "a", None: "b", ("c",): "d"},
    "empty": lambda: "",
}


@pytest.mark.parametrize("kind", RESULTS)
def test_odd_results_end_as_without_a_guard(make: Any, kit: Any, door: str, kind: str) -> None:
    """Framework and model get the same answer, unless the guard refuses; never a crash of ours."""
    world = make(door)
    given = ("Go", [kit.call(), "Done."], RESULTS[kind])
    outcome, bare = world.run(*given), world.run(*given, bare=True)
    assert (outcome.answer, type(outcome.error)) == (bare.answer, type(bare.error))
    if not world.denied() and "generator" not in kind:
        assert outcome.results == bare.results
    assert "tool_result" in stages(world)


def _tool(framework: str, world: Any, work: Any) -> Any:
    if framework == "langchain":
        made: Any = StructuredTool.from_function(work, name="work", description="Work.")
        return hauberk_langchain.protect(made, world.guard).invoke({})
    tool = FunctionTool.from_defaults(work, name="work")
    return hauberk_llama_index.protect(tool, world.guard).call().raw_output


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
@pytest.mark.parametrize("kind", ["None", "bytes", "number", "set", "dataclass", "class"])
def test_code_that_calls_a_tool_gets_its_very_result(make: Any, framework: str, kind: str) -> None:
    world = make("langchain protect invoke")
    result = RESULTS[kind]()
    assert _tool(framework, world, lambda: result) is result


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_a_generator_is_not_read_ahead(make: Any, kit: Any, framework: str) -> None:
    """An endless one neither: each item is read when its reader asks."""
    world = make("langchain protect invoke")
    read = 0

    def items() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"item {read}"

    found = _tool(framework, world, items)
    assert read == 0
    assert list(itertools.islice(found, 3)) == ["item 1", "item 2", "item 3"]
    assert read == 3


def test_items_of_a_generator_are_screened(make: Any, kit: Any) -> None:
    world = make("langchain protect invoke")

    def items() -> Iterator[Any]:
        yield kit.ATTACK
        yield "fine"

    first, second = _tool("langchain", world, items)
    assert "Ignore all previous" not in first
    assert second == "fine"
