"""guard.coverage(obj): what it says must be so."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models.fake import FakeStreamingListLLM
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.graph import START, MessagesState, StateGraph

from hauberk import Guard, Policy, Stage
from hauberk_langchain import HauberkCallbackHandler, HauberkMiddleware, install, protect
from hauberk_langchain.testing import ScriptedChatModel


@tool
def send(to: str) -> str:
    """Send."""
    return to


def _guard() -> Guard:
    return Guard(Policy.unsafe_allow_all())


def _doors(guard: Guard, obj: object) -> dict[tuple[str, Stage], str]:
    return {(row.part, row.stage): row.door for row in guard.coverage(obj).rows}


MODEL = "model ScriptedChatModel"


def test_without_a_door_nothing_is_guarded_and_the_remedy_is_said() -> None:
    covered = _guard().coverage(create_agent(ScriptedChatModel(), [send]))
    assert {(row.part, row.stage.value) for row in covered.gaps} == {
        (MODEL, "prompt"),
        (MODEL, "completion"),
        ("tool send", "tool_call"),
        ("tool send", "tool_result"),
    }
    assert not covered.complete
    assert all("protect(obj, guard)" in row.reason for row in covered.gaps)


@pytest.mark.parametrize("way", ["protect", "install", "handler", "middleware"])
def test_each_door_is_named(way: str) -> None:
    guard = _guard()
    middleware: list[Any] = [HauberkMiddleware(guard)] if way == "middleware" else []
    agent: Any = create_agent(ScriptedChatModel(), [send], middleware=middleware)
    if way == "protect":
        protect(agent, guard)
    if way == "install":
        install(guard)
    if way == "handler":
        agent = agent.with_config(callbacks=[HauberkCallbackHandler(guard)])
    assert guard.coverage(agent).complete
    assert set(_doors(guard, agent).values()) == {way}
    assert not _guard().coverage(agent).complete  # another guard is not there


def test_a_protected_part_does_not_cover_the_rest() -> None:
    guard = _guard()
    agent = create_agent(protect(ScriptedChatModel(), guard), [tool("other")(len)])
    doors = _doors(guard, agent)
    assert doors[MODEL, Stage.PROMPT] == "protect"
    assert doors["tool other", Stage.TOOL_CALL] == ""


# Told apart by its name.
Summariser: Any = type("Summariser", (ScriptedChatModel,), {"__module__": __name__})


def test_a_model_of_another_middleware_is_past_our_middleware() -> None:
    guard = _guard()
    summary = SummarizationMiddleware(Summariser(), trigger=("messages", 99))
    agent = create_agent(
        ScriptedChatModel(), [send], middleware=[HauberkMiddleware(guard), summary]
    )
    covered = guard.coverage(agent)
    assert {row.part for row in covered.gaps} == {"model Summariser"}
    assert "another middleware" in covered.gaps[0].reason
    assert guard.coverage(protect(agent, guard)).complete


def test_an_agent_with_middleware_does_not_cover_its_neighbours() -> None:
    guard, outside = _guard(), Summariser()
    inner = create_agent(ScriptedChatModel(), [send], middleware=[HauberkMiddleware(guard)])
    graph = StateGraph(MessagesState)
    graph.add_node("agent", inner)

    def check(state: Any) -> Any:
        return {"messages": [outside.invoke(state["messages"])]}

    graph.add_node("check", check)
    graph.add_edge(START, "agent")
    graph.add_edge("agent", "check")
    assert {row.part for row in guard.coverage(graph.compile()).gaps} == {"model Summariser"}


def test_a_part_that_two_ways_lead_to_is_as_guarded_as_the_weaker() -> None:
    guard, shared = _guard(), ScriptedChatModel()
    inner = create_agent(shared, [], middleware=[HauberkMiddleware(guard)])
    assert guard.coverage(inner).complete
    assert not guard.coverage([inner, shared]).complete


def test_retrievers_embeddings_and_tools_of_the_provider() -> None:
    guard = _guard()
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=2))
    retriever = protect(store.as_retriever(), guard)
    remote: Any = {"type": "web_search_20250305", "name": "web_search"}
    model = protect(ScriptedChatModel().bind(tools=[remote]), guard)
    doors = _doors(guard, [retriever, model])
    assert doors["retriever VectorStoreRetriever", Stage.RETRIEVAL] == "protect"
    assert doors["embedding model DeterministicFakeEmbedding", Stage.INGEST] == "protect"
    assert doors["provider's tool web_search_20250305", Stage.TOOL_CALL] == ""


def test_what_is_nothing_of_langchain_is_nobodys() -> None:
    with pytest.raises(TypeError, match="no integration knows"):
        _guard().coverage(object())


class Loner(ScriptedChatModel):
    """Streams past everything that LangChain knows."""

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        yield AIMessageChunk(content="alone")


@pytest.mark.parametrize("way", ["protect", "install"])
def test_a_model_that_answers_by_itself_is_not_called_guarded(way: str) -> None:
    make: Any = Loner
    guard, model = _guard(), make()
    if way == "protect":
        protect(model, guard)
    else:
        install(guard)
    covered = guard.coverage(model)
    assert not covered.complete
    assert "stream of this class" in covered.gaps[0].reason
    assert guard.coverage(protect(FakeStreamingListLLM(responses=["x"]), guard)).complete
