"""Never worse than without: what an application holds is what it would hold without a guard."""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_core.tools.retriever import create_retriever_tool
from langgraph.cache.memory import InMemoryCache as NodeCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import InjectedStore
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy
from typing_extensions import TypedDict

from hauberk import Decision, Event, Guard, Policy, Stage
from hauberk.testing._brain import Reply, ToolCall
from hauberk_langchain import HauberkCallbackHandler, HauberkMiddleware, install, protect
from hauberk_langchain.testing import BrainChatModel

MAIL = "ada@example.com"
OTHER = "bob@example.com"
_SPOKEN_OF = re.compile(r"[\w.]+@[\w.]+\w|<MAIL_\d+>")
CONFIG: Any = {"configurable": {"thread_id": "t"}}


class Secretary:
    """Calls the tool with the first address of the user, then tells what came of it."""

    def __init__(self, tool: str, argument: str = "to") -> None:
        self.tool, self.argument = tool, argument

    def reply(self, turns: Sequence[Any], tools: Sequence[Any]) -> Reply:
        asked = max(n for n, turn in enumerate(turns) if turn.role == "user")
        found = _SPOKEN_OF.findall(turns[asked].text)
        told = [turn.text for turn in turns[asked:] if turn.role == "tool"]
        if told or not found or not tools:
            return Reply(text=f"About {' and '.join(found)}: {'; '.join(told)}")
        return Reply(
            text="", calls=(ToolCall(name=self.tool, arguments={self.argument: found[0]}),)
        )


class Bench:
    """An agent with everything that keeps something."""

    def __init__(self) -> None:
        self.saver, self.store, self.cache = InMemorySaver(), InMemoryStore(), InMemoryCache()
        self.ran: list[str] = []
        ran = self.ran

        @tool
        def note(to: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
            """Write something down about somebody."""
            ran.append(to)
            store.put(("notes",), to, {"about": to})
            return f"noted {to}, cc {OTHER}"

        self.tools: list[Any] = [note]
        self.model = BrainChatModel(brain=Secretary("note"), cache=self.cache)

    def agent(self, door: str, guard: Guard) -> tuple[Any, Any]:
        """The agent with the guard at a door, and the config of its runs."""
        middleware = [HauberkMiddleware(guard)] if door == "middleware" else []
        handler = HauberkCallbackHandler(guard)
        agent = create_agent(
            self.model,
            self.tools,
            middleware=middleware,
            checkpointer=self.saver,
            store=self.store,
            system_prompt=f"You work for {OTHER}",
        )
        if door == "protect":
            protect(agent, guard)
        if door == "install":
            install(guard)
        return agent, {**CONFIG, "callbacks": [handler] if door == "handler" else []}

    @property
    def kept(self) -> dict[str, Any]:
        """What is left behind, without ids, times and counts."""
        return {
            "checkpoints": [
                (found.metadata.get("step"), _plain(found.checkpoint["channel_values"]))
                for found in self.saver.list(CONFIG)
            ],
            "writes": sorted(
                repr(_plain(write[1:]))
                for found in self.saver.list(CONFIG)
                for write in found.pending_writes or ()
            ),
            "store": [(item.key, item.value) for item in self.store.search(("notes",))],
            "cache": sorted(
                repr((_unnamed(prompt), _plain([getattr(one, "message", one) for one in found])))
                for (prompt, _), found in self.cache._cache.items()
            ),
            "ran": self.ran,
        }


_IDS = re.compile(
    r'"id": "[^"]*"|[0-9a-f]{8}-[0-9a-f-]{27}|lc_run-\S*|\bcall_\w+|"usage_metadata": \{[^}]*\}'
)
_OWN = {"id", "usage_metadata"}
"""Random, and what the provider counted: pseudonyms are as many tokens as they are."""


def _unnamed(text: str) -> str:
    return _IDS.sub("ID", text)


def _plain(value: Any) -> Any:
    """A value without ids and counts, for comparison."""
    if isinstance(value, BaseMessage):
        return type(value).__name__, _plain(value.model_dump(exclude=_OWN))
    if isinstance(value, Mapping):
        return {_unnamed(str(k)): _plain(v) for k, v in value.items() if k != "lc_versions"}
    if isinstance(value, (list, tuple, deque)):
        return [_plain(item) for item in value]
    if hasattr(value, "arg"):  # a Send
        return "send", _plain(value.arg)
    return _unnamed(value) if isinstance(value, str) else repr(value)


def _history() -> list[BaseMessage]:
    nested = {"to": MAIL, "cc": [{"mail": OTHER}], "n": 1}
    blocks: list[Any] = [
        {"type": "text", "text": f"write {MAIL}"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]
    return [
        SystemMessage(f"owner {OTHER}", id="s"),
        HumanMessage(blocks, id="h", name="ada", additional_kwargs={"from": MAIL}),
        AIMessage(
            [{"type": "text", "text": f"ok {MAIL}"}],
            tool_calls=[{"name": "note", "args": nested, "id": "1"}],
            id="a",
            response_metadata={"seen": [MAIL]},
        ),
        ToolMessage(f"noted {MAIL}", tool_call_id="1", name="note", id="t", artifact={"raw": MAIL}),
        HumanMessage(f"and now {MAIL}?", id="u"),
    ]


DOORS = ("protect", "handler", "middleware", "install")


@pytest.mark.parametrize("way", DOORS)
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream", "astream_events"])
def test_an_application_keeps_what_it_keeps_without_a_guard(kit: Any, way: str, how: str) -> None:
    """Messages, state, checkpoints, pending writes, store and cache: the same as of a bare run."""
    bare, guarded = Bench(), Bench()
    guard = Guard(Policy.unsafe_allow_all(), plugins=[kit.Names()])
    agent, config = bare.agent("none", guard)
    expected = [kit.run(how, agent, {"messages": _history()}, config) for _ in range(2)]
    given = _history()
    before = copy.deepcopy(given)
    agent, config = guarded.agent(way, guard)
    done = [kit.run(how, agent, {"messages": messages}, config) for messages in (given, _history())]
    assert given == before
    assert [_plain(one.messages) for one in done] == [_plain(one.messages) for one in expected]
    assert guarded.kept == bare.kept
    assert MAIL in bare.model.seen_text  # without a guard the model sees it,
    assert "@" not in guarded.model.seen_text  # and with one it does not


@pytest.mark.parametrize("way", DOORS)
def test_the_values_of_one_thread_enter_no_checkpoint_of_another(kit: Any, way: str) -> None:
    bench, guard = Bench(), Guard(Policy.unsafe_allow_all(), plugins=[kit.Names()])
    agent, config = bench.agent(way, guard)
    agent.invoke({"messages": [HumanMessage(f"write {MAIL}")]}, config)
    other = {**config, "configurable": {"thread_id": "u"}}
    agent.invoke({"messages": [HumanMessage("write <MAIL_1> and <MAIL_2>")]}, other)
    held = [
        repr(_plain(found.checkpoint))
        for found in bench.saver.list({"configurable": {"thread_id": "u"}})
    ]
    assert held
    assert not any(MAIL in one for one in held)


def test_what_a_tool_alone_gets_in_clear_enters_no_checkpoint(kit: Any) -> None:
    """A state that holds pseudonyms goes on holding them, although the tool got the value."""

    class Reveals:
        name, stages = "reveals", frozenset({Stage.TOOL_CALL})

        def inspect(self, event: Event) -> Decision:
            return Decision.rewrite(arguments={**(event.arguments or {}), "to": MAIL})

    ran: list[str] = []

    @tool
    def send(to: str) -> str:
        """Send."""
        ran.append(to)
        return "sent"

    bench = kit.Bench([], [kit.calls(("send", {"to": "<MAIL_1>"})), "Done."])
    saver = InMemorySaver()
    agent: Any = create_agent(bench.model, [send], checkpointer=saver)
    protect(agent, Guard(Policy.unsafe_allow_all(), plugins=[Reveals()]))
    agent.invoke({"messages": [("user", "write <MAIL_1>")]}, CONFIG)
    assert ran == [MAIL]
    assert MAIL not in repr((dict(saver.storage), dict(saver.blobs), dict(saver.writes)))


class Shelf(BaseRetriever):
    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return self.documents


@pytest.mark.parametrize("way", DOORS)
def test_documents_stay_as_they_are_on_their_shelf(kit: Any, way: str) -> None:
    shelf = [Document(f"ATTACK by {MAIL}", metadata={"by": MAIL, "n": [1]}, id="d")]
    before = copy.deepcopy(shelf)
    guard = Guard(Policy.unsafe_allow_all(), plugins=[kit.Names(), kit.Screen()])
    bench = Bench()
    look = create_retriever_tool(Shelf(documents=shelf), "note", "Look.")
    bench.model.brain = Secretary("note", argument="query")
    bench.tools = [look]
    agent, config = bench.agent(way, guard)
    state = agent.invoke({"messages": [("user", f"read for {MAIL}")]}, config)
    assert shelf == before
    assert "[removed]" in str(state["messages"])


class Counting(TypedDict):
    messages: Annotated[list[Any], add_messages]


@pytest.mark.parametrize("way", ["protect", "handler", "install"])
def test_the_cache_of_a_node_keeps_what_it_kept(kit: Any, way: str) -> None:
    def kept(attach: Callable[[Any], Any], config: Any) -> Any:
        model, cache = BrainChatModel(brain=Secretary("none")), NodeCache[Any]()
        builder: Any = StateGraph(Counting)
        builder.add_node(
            "say",
            lambda state: {"messages": [model.invoke(state["messages"])]},
            cache_policy=CachePolicy(key_func=lambda _: "k"),
        )
        builder.add_edge(START, "say")
        graph = attach(builder.compile(cache=cache))
        given = {"messages": [HumanMessage(f"hi {MAIL}", id="h")]}
        done = [graph.invoke(given, config)["messages"] for _ in range(2)]
        assert len(model.seen) == 1
        held = [
            cache.serde.loads_typed(item[:2])
            for ns in cache._cache.values()
            for item in ns.values()
        ]
        return _plain(done), _plain(held)

    guard = Guard(Policy.unsafe_allow_all(), plugins=[kit.Names()])
    bare = kept(lambda graph: graph, {})
    if way == "install":
        install(guard)
    config = {"callbacks": [HauberkCallbackHandler(guard)]} if way == "handler" else {}
    assert kept(lambda graph: protect(graph, guard) if way == "protect" else graph, config) == bare
