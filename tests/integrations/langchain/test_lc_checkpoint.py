"""A checkpointer that holds pseudonyms only gives every value back, and a run goes on as with a bare one."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import decimal
import sqlite3
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Interrupt, Send, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from hauberk import BlockedError, Guard, Policy
from hauberk.policy import load_policy
from hauberk_langchain import PseudonymisedSaver, protect
from hauberk_langchain._checkpoint import changed, texts_of

MAIL = "ada.byron@example.com"
CARD = "4929 1111 2222 3337"
CONFIG: Any = {"configurable": {"thread_id": "t"}}


def guard_for(**rooms: Any) -> Guard:
    """A guard that only masks."""
    off = dict.fromkeys(("injection", "audit", "budget"), False)
    tools = {"tools": {"send": {"access": "write"}}}
    return Guard(load_policy({"version": 1, **off, "capabilities": tools, **rooms}))


@pytest.fixture(scope="module")
def guard() -> Guard:
    return guard_for()


def _everything(saver: InMemorySaver) -> str:
    """All that a checkpointer holds, as it would be written."""
    return repr((dict(saver.storage), dict(saver.blobs), dict(saver.writes)))


# --- whole runs -----------------------------------------------------------------------------------


def _agent(kit: Any, saver: Any) -> Any:
    bench = kit.Bench([], [kit.calls(("send", {"to": MAIL})), f"I wrote to {MAIL}.", "Yes."])
    return bench, bench.agent("none", checkpointer=saver)


def test_an_agent_works_as_before_and_its_checkpointer_sees_no_value(kit: Any, mode: str) -> None:
    saver, guard = InMemorySaver(), guard_for()
    bench, agent = _agent(kit, saver)
    protect(agent, guard, checkpoint="pseudonymised")
    outcome = kit.run(mode, agent, kit.user(f"mail {MAIL}, card {CARD}"), CONFIG)
    outcome = kit.run(mode, agent, kit.user("did you?"), CONFIG)
    assert bench.ran == [("send", {"to": MAIL, "body": "hello"})] * 2
    texts = [str(message.content) for message in outcome.messages]
    assert texts[0] == f"mail {MAIL}, card {CARD}"
    assert f"I wrote to {MAIL}." in texts
    assert outcome.messages[1].tool_calls[0]["args"] == {"to": MAIL}
    held = _everything(saver)
    assert "byron" not in held
    assert "4929 1" not in held  # four digits alone occur in a checkpoint's random versions
    assert "<EMAIL_ADDRESS_1>" in held


def test_state_history_and_updates_speak_in_clear(kit: Any) -> None:
    saver, guard = InMemorySaver(), guard_for()
    _, agent = _agent(kit, saver)
    protect(agent, guard, checkpoint="pseudonymised")
    agent.invoke(kit.user(f"mail {MAIL}"), CONFIG)
    assert agent.get_state(CONFIG).values["messages"][0].content == f"mail {MAIL}"
    agent.update_state(CONFIG, {"messages": [("user", "and bob@example.com")]})
    history = list(agent.get_state_history(CONFIG))
    assert history[0].values["messages"][-1].content == "and bob@example.com"
    assert "bob@" not in _everything(saver)


def test_another_guard_sees_pseudonyms_and_nobody_elses_values(kit: Any) -> None:
    saver = InMemorySaver()
    _, agent = _agent(kit, saver)
    protect(agent, guard_for(), checkpoint="pseudonymised")
    agent.invoke(kit.user(f"mail {MAIL}"), CONFIG)
    stranger = PseudonymisedSaver(saver, other := guard_for())
    session = other.session_for("t")
    pii: Any = next(plugin for plugin in other.plugins if plugin.name == "pii")
    pii.conceal(session, ["eve@example.com"])  # <EMAIL_ADDRESS_1> of another vault
    _, agent = _agent(kit, stranger)
    texts = [m.content for m in agent.get_state(CONFIG).values["messages"]]
    assert texts[0] == "mail <EMAIL_ADDRESS_1>"


def test_a_vault_that_lasts_gives_the_values_back_in_another_process(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    vault = {"url": f"sqlite:{tmp_path}/vault.db", "keys": ["env:VAULT_KEY"]}
    saver = InMemorySaver()
    _, agent = _agent(kit, saver)
    protect(agent, guard_for(pii={"vault": vault}), checkpoint="pseudonymised")
    agent.invoke(kit.user(f"mail {MAIL}"), CONFIG)
    _, again = _agent(kit, PseudonymisedSaver(saver, guard_for(pii={"vault": vault})))
    assert again.get_state(CONFIG).values["messages"][0].content == f"mail {MAIL}"


def test_what_was_stored_in_clear_before_is_read_as_it_is(kit: Any) -> None:
    saver = InMemorySaver()
    _, agent = _agent(kit, saver)
    agent.invoke(kit.user(f"mail {MAIL}"), CONFIG)
    _, agent = _agent(kit, PseudonymisedSaver(saver, guard_for()))
    assert agent.get_state(CONFIG).values["messages"][0].content == f"mail {MAIL}"


def test_a_pause_and_its_answer_hold_no_value(guard: Guard) -> None:
    class State(TypedDict):
        messages: Annotated[list[AnyMessage], add_messages]

    def ask(state: State) -> Any:
        return {"messages": [("ai", f"{interrupt(f'mail {MAIL}?')} {MAIL}")]}

    saver = InMemorySaver()
    builder = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    graph: Any = builder.compile(checkpointer=PseudonymisedSaver(saver, guard))
    graph.invoke({"messages": [("user", "go")]}, CONFIG)
    assert graph.get_state(CONFIG).interrupts[0].value == f"mail {MAIL}?"
    done = graph.invoke(Command(resume=f"yes, says {MAIL}"), CONFIG)
    assert done["messages"][-1].content == f"yes, says {MAIL} {MAIL}"
    assert "byron" not in _everything(saver)


def test_a_file_of_checkpoints_holds_no_value(kit: Any, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    with sqlite3.connect(path, check_same_thread=False) as db:
        _, agent = _agent(kit, SqliteSaver(db))
        protect(agent, guard_for(), checkpoint="pseudonymised")
        agent.invoke(kit.user(f"mail {MAIL}"), CONFIG)
        assert agent.get_state(CONFIG).values["messages"][0].content == f"mail {MAIL}"
    db.close()
    for file in tmp_path.iterdir():
        assert b"ada.byron" not in file.read_bytes()


async def test_an_async_checkpointer_is_used_as_one(kit: Any, tmp_path: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
        _, agent = _agent(kit, saver)
        protect(agent, guard_for(), checkpoint="pseudonymised")
        await agent.ainvoke(kit.user(f"mail {MAIL}"), CONFIG)
        state = await agent.aget_state(CONFIG)
        assert state.values["messages"][0].content == f"mail {MAIL}"
        assert [s async for s in agent.aget_state_history(CONFIG)]
        await agent.checkpointer.adelete_thread("t")
        assert await agent.checkpointer.aget_tuple(CONFIG) is None
    assert b"ada.byron" not in (tmp_path / "c.db").read_bytes()


# --- values ---------------------------------------------------------------------------------------


class Point(NamedTuple):
    name: str


class Person(BaseModel):
    mail: str
    age: int = 1


@dataclasses.dataclass
class Note:
    words: str


VALUES: dict[str, Any] = {
    "text": MAIL,
    "nothing": None,
    "number": 7,
    "bytes": b"\x00\x01",
    "message": HumanMessage([{"type": "text", "text": MAIL}], id="1", name="ada"),
    "calls": AIMessage("", tool_calls=[{"name": "f", "args": {"x": [MAIL]}, "id": "c"}]),
    "artifact": ToolMessage(MAIL, tool_call_id="c", artifact={MAIL: [MAIL]}),
    "document": Document(MAIL, metadata={"by": MAIL, MAIL: 1}),
    "model": Person(mail=MAIL),
    "dataclass": Note(MAIL),
    "named tuple": Point(MAIL),
    "set": {MAIL},
    "deque": deque([MAIL]),
    "send": Send("node", {"to": MAIL}),
    "interrupt": (Interrupt(value={"to": MAIL}, id="x"),),
    "dates": [dt.datetime(1815, 12, 10, tzinfo=dt.UTC), dt.date(1815, 12, 10), dt.timedelta(1)],
    "ids": [uuid.UUID(int=7), decimal.Decimal("1.50")],
    "keys": {MAIL: {1: MAIL, (1, 2): "x"}},
    "looks like ours": {"__hauberk__": {}, "data": b"no"},
    "looks like a pseudonym": "<EMAIL_ADDRESS_1> and <LITERAL_1>",
}


@pytest.mark.parametrize("name", VALUES)
def test_every_value_comes_back_and_none_is_stored_in_clear(name: str, guard: Guard) -> None:
    saver = PseudonymisedSaver(InMemorySaver(), guard)
    session = guard.session_for(name)
    stored = saver._hidden(session, VALUES[name])
    assert MAIL not in repr(stored)
    plain = JsonPlusSerializer()
    expected = plain.loads_typed(plain.dumps_typed(VALUES[name]))
    assert saver._value(session, stored) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_what_changes_nothing_gives_the_same_bytes_value(value: Any) -> None:
    serde = JsonPlusSerializer()
    kind, data = serde.dumps_typed({"in": value})
    assert serde.loads_typed((kind, changed(data, lambda text: text))) == serde.loads_typed(
        (kind, data)
    )


@given(_JSON)
def test_every_text_is_seen(value: Any) -> None:
    def texts(one: Any) -> set[str]:
        if isinstance(one, dict):
            return {t for pair in one.items() for item in pair for t in texts(item)}
        if isinstance(one, list):
            return {t for item in one for t in texts(item)}
        return {one} if isinstance(one, str) else set()

    _, data = JsonPlusSerializer().dumps_typed([value])
    assert set(texts_of(data)) == {t.encode("utf-8", "replace").decode() for t in texts(value)}


class Odd:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Odd, ())


def test_a_pickle_is_not_stored(guard: Guard) -> None:
    saver = PseudonymisedSaver(InMemorySaver(serde=JsonPlusSerializer(pickle_fallback=True)), guard)
    with pytest.raises(TypeError, match="pickle"):
        saver._hidden(guard.session_for("t"), Odd())


def test_what_cannot_be_hidden_is_not_stored(kit: Any) -> None:
    saver, guard = InMemorySaver(), guard_for(pii={"max_values": 1})
    _, agent = _agent(kit, saver)
    protect(agent, guard, checkpoint="pseudonymised")
    with pytest.raises(BlockedError):
        agent.invoke(kit.user("a@example.com b@example.com c@example.com"), CONFIG)
    assert "@example.com" not in _everything(saver)


# --- how it is asked for --------------------------------------------------------------------------


def test_a_policy_that_hides_nothing_is_a_mistake(kit: Any) -> None:
    with pytest.raises(ValueError, match="nothing would be hidden"):
        PseudonymisedSaver(InMemorySaver(), Guard(Policy.unsafe_allow_all()))


def test_an_object_without_a_checkpointer_is_a_mistake(kit: Any, guard: Guard) -> None:
    bench, agent = _agent(kit, None)
    for obj in (agent, bench.model):
        with pytest.raises(ValueError, match="no checkpointer"):
            protect(obj, guard, checkpoint="pseudonymised")


def test_asked_twice_is_once(kit: Any) -> None:
    saver, guard = InMemorySaver(), guard_for()
    _, agent = _agent(kit, saver)
    for _ in range(2):
        protect(agent, guard, checkpoint="pseudonymised")
    assert agent.checkpointer.saver is saver


def test_both_colours_store_the_same(guard: Guard) -> None:
    def stored(put: Callable[[Any, Any], Any]) -> Any:
        inner = InMemorySaver()
        put(PseudonymisedSaver(inner, guard), [("x", [MAIL])])
        return dict(inner.writes)

    config = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "1"}}
    assert stored(lambda s, w: s.put_writes(config, w, "task")) == stored(
        lambda s, w: asyncio.run(s.aput_writes(config, w, "task"))
    )
