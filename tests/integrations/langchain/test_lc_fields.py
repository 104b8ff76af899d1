"""Fields of tools' results, in LangChain: nobody sees the others, callbacks and artifacts included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.types import Command

from hauberk import Guard
from hauberk.testing import Reply, ToolCall
from hauberk.testing.records import ROW, SECRET, Model, forms, guard_of_fields
from hauberk_langchain import HauberkCallbackHandler, HauberkMiddleware, protect
from hauberk_langchain.testing import ScriptedChatModel

VALUES: dict[str, Any] = {
    **forms(),
    "blocks": [{"type": "text", "text": json.dumps(ROW)}],
    "message": ToolMessage(json.dumps(ROW), artifact=ROW, tool_call_id="1"),
    "command": Command(update={"messages": [ToolMessage(json.dumps(ROW), tool_call_id="1")]}),
}


def guard(**pii: Any) -> Guard:
    return guard_of_fields("find", "lookup", **pii)


def find_tool(value: Any, *, artifact: bool = False) -> BaseTool:
    if artifact:

        @tool(response_format="content_and_artifact")
        def find() -> Any:
            """Find it."""
            return value, value

    else:

        @tool
        def find() -> Any:
            """Find it."""
            return value

    return find


class Watcher(BaseCallbackHandler):
    def __init__(self) -> None:
        self.outputs: list[Any] = []

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        self.outputs.append(output)


def called(made: BaseTool, *, wait: bool, watcher: Watcher | None = None) -> Any:
    call = {"type": "tool_call", "id": "1", "name": made.name, "args": {}}
    config: Any = {"callbacks": [watcher] if watcher else []}
    return asyncio.run(made.ainvoke(call, config)) if wait else made.invoke(call, config)


@pytest.mark.parametrize("wait", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", VALUES)
def test_a_message_shows_the_chosen_fields_only(kind: str, wait: bool) -> None:  # noqa: FBT001
    given = repr(VALUES[kind])
    made = protect(find_tool(VALUES[kind]), guard())
    found = called(made, wait=wait)
    assert "7" in repr(found)
    assert SECRET not in repr(found)
    assert repr(VALUES[kind]) == given


@pytest.mark.parametrize("kind", ["mapping", "dataclass", "frame", "json"])
def test_neither_content_nor_artifact_nor_a_callback_holds_the_others(kind: str) -> None:
    watcher = Watcher()
    found = called(
        protect(find_tool(VALUES[kind], artifact=True), guard()), wait=False, watcher=watcher
    )
    assert found.artifact is not None
    assert SECRET not in f"{found!r} {watcher.outputs!r}"


@pytest.mark.parametrize("kind", ["mapping", "list", "dataclass", "model", "json", "frame"])
def test_a_plain_call_gives_a_plain_value(kind: str) -> None:
    found = protect(find_tool(VALUES[kind]), guard()).invoke({})
    assert SECRET not in repr(found)
    assert "7" in repr(found)


def test_a_plain_text_is_withheld_with_the_reason() -> None:
    watcher = Watcher()
    found = called(protect(find_tool(f"Dear {SECRET}"), guard()), wait=False, watcher=watcher)
    assert found.status == "error"
    assert "only some fields" in found.content
    assert SECRET not in f"{found!r} {watcher.outputs!r}"


def test_items_of_an_iterator_are_minimised_one_by_one() -> None:
    def rows() -> Iterator[Any]:
        yield ROW
        yield {"id": 8, "name": SECRET}

    assert list(protect(find_tool(rows()), guard()).invoke({})) == [{"id": 7}, {"id": 8}]


def test_other_tools_inside_a_guarded_one_are_left_alone() -> None:
    @tool
    def lookup() -> Any:
        """Look it up."""
        return ROW

    @tool
    def find() -> Any:
        """Find it."""
        return json.loads(
            lookup.invoke({"type": "tool_call", "id": "2", "name": "lookup", "args": {}}).content
        )

    assert SECRET in called(find, wait=False).content
    assert json.loads(called(protect(find, guard()), wait=False).content) == {"id": 7}


@pytest.mark.parametrize("entry", ["handler", "middleware", "protect"])
@pytest.mark.parametrize(("purpose", "shown"), [("support", {"id": 7}), ("billing", ROW)])
def test_an_agent_sees_what_its_purpose_needs(entry: str, purpose: str, shown: object) -> None:
    model = ScriptedChatModel([Reply(calls=(ToolCall(name="find"),)), Reply(text="done")])
    guarding = guard(purposes={"support": {"find": ["id"]}, "billing": {"find": ["$"]}})
    middleware = [HauberkMiddleware(guarding)] if entry == "middleware" else []
    agent: Any = create_agent(model, [find_tool(Model(id=7, name="n"))], middleware=middleware)
    if entry == "protect":
        agent = protect(agent, guarding)
    config: Any = {"callbacks": [HauberkCallbackHandler(guarding)] if entry == "handler" else []}
    with guarding.session(purpose=purpose):
        state = agent.invoke({"messages": [("user", "find it")]}, config)
    content: Any = next(m.content for m in state["messages"] if isinstance(m, ToolMessage))
    if purpose == "support":
        assert json.loads(content) == shown
    else:
        assert "name" in content
