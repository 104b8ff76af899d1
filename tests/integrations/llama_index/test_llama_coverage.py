"""`guard.coverage(obj)`: what is guarded, by which door, and why the rest is not."""

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent
from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings import MockMultiModalEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.tools import FunctionTool, QueryEngineTool
from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step

from hauberk import Decision, Event, Guard, Stage
from hauberk.coverage import Coverage, Covered
from hauberk_llama_index import (
    HauberkCallbackHandler,
    HauberkIngestionTransform,
    HauberkNodePostprocessor,
    install,
    protect,
    uninstall,
)
from hauberk_llama_index.testing import HashEmbedding, ScriptedLLM


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()


class Everything:
    """Looks at every stage."""

    name = "everything"
    stages = frozenset(Stage)

    def inspect(self, event: Event) -> Decision:
        return Decision.allow()


@pytest.fixture
def guard(kit: Any) -> Guard:
    made: Guard = kit.guard(Everything())
    return made


def _index() -> VectorStoreIndex:
    return VectorStoreIndex.from_documents([Document(text="Paris")])


def _llm(guard: Guard | None = None) -> ScriptedLLM:
    llm = ScriptedLLM(replies=["ok"])
    if guard is not None:
        llm.callback_manager = CallbackManager([HauberkCallbackHandler(guard)])
    return llm


def look(x: int) -> int:
    """Look."""
    return x


def _agent(llm: Any) -> FunctionAgent:
    engine = QueryEngineTool.from_defaults(_index().as_query_engine(), name="docs", description="d")
    return FunctionAgent(
        name="bob", description="d", tools=[FunctionTool.from_defaults(look), engine], llm=llm
    )


class Own(Workflow):
    llm: Any = None

    @step
    async def only(self, ev: StartEvent) -> StopEvent:
        return StopEvent()


def _rows(coverage: Coverage) -> dict[tuple[str, str], Covered]:
    return {(row.part, row.stage.value): row for row in coverage.rows}


_AGENT = {
    ("agent bob", "tool_call"),
    ("model ScriptedLLM", "prompt"),
    ("model ScriptedLLM", "completion"),
    ("tool look", "tool_call"),
    ("tool look", "tool_result"),
    ("tool docs", "tool_call"),
    ("tool docs", "tool_result"),
    ("retriever VectorIndexRetriever", "retrieval"),
}


@pytest.mark.parametrize("door", ["", "protect", "install", "handler"])
@pytest.mark.parametrize("workflow", [False, True])
def test_each_part_of_an_agent_tells_its_door(guard: Guard, door: str, workflow: Any) -> None:
    agent: Any = _agent(_llm(guard if door == "handler" else None))
    agent = AgentWorkflow(agents=[agent]) if workflow else agent
    if door == "protect":
        protect(agent, guard)
    if door == "install":
        install(guard)
    rows = _rows(guard.coverage(agent))
    assert rows.keys() >= _AGENT
    for key in _AGENT:
        assert rows[key].door == door, key
        assert bool(rows[key].reason) is (not door)


def test_a_bare_tool_says_that_handlers_are_told_nothing_of_tools(guard: Guard) -> None:
    gaps = guard.coverage(FunctionTool.from_defaults(look)).gaps
    assert {row.stage.value for row in gaps} == {"tool_call", "tool_result"}
    assert all("callbacks nothing of tools" in row.reason for row in gaps)


def test_a_handler_on_a_model_does_not_guard_what_else_uses_it(guard: Guard) -> None:
    tool, llm = FunctionTool.from_defaults(look), _llm(guard)
    rows = _rows(guard.coverage([tool, llm]))
    assert rows["model ScriptedLLM", "prompt"].door == "handler"
    assert not rows["tool look", "tool_call"].guarded


def test_a_postprocessor_guards_the_retrieval_of_its_engine_only(guard: Guard) -> None:
    engine = _index().as_query_engine(node_postprocessors=[HauberkNodePostprocessor(guard)])
    rows = _rows(guard.coverage(engine))
    assert rows["retriever VectorIndexRetriever", "retrieval"].door == "postprocessor"
    assert not rows["model ScriptedLLM", "prompt"].guarded


def test_the_weaker_of_two_ways_counts(guard: Guard) -> None:
    retriever = _index().as_retriever()
    from llama_index.core.query_engine import RetrieverQueryEngine

    engine = RetrieverQueryEngine.from_args(
        retriever, node_postprocessors=[HauberkNodePostprocessor(guard)]
    )
    rows = _rows(guard.coverage([engine, retriever]))
    assert not rows["retriever VectorIndexRetriever", "retrieval"].guarded


def test_pipelines_and_indexes_tell_of_ingestion(guard: Guard) -> None:
    screen = HauberkIngestionTransform(guard)
    first = IngestionPipeline(transformations=[screen, SentenceSplitter()])
    late = IngestionPipeline(transformations=[SentenceSplitter(), screen])
    bare = IngestionPipeline(transformations=[SentenceSplitter()])
    key = ("pipeline IngestionPipeline", "ingest")
    assert _rows(guard.coverage(first))[key] == Covered(
        part=key[0], stage=_rows(guard.coverage(first))[key].stage, door="transform"
    )
    assert "not the first" in _rows(guard.coverage(late))[key].reason
    assert not _rows(guard.coverage(bare))[key].guarded
    assert _rows(guard.coverage(protect(bare, guard)))[key].door == "protect"
    index = ("index VectorStoreIndex", "ingest")
    assert _rows(guard.coverage(protect(_index(), guard)))[index].door == "protect"


@pytest.mark.parametrize("stage", ["ingest", "prompt"])
def test_embedding_models_are_guarded_where_a_door_leads_to_them(guard: Guard, stage: str) -> None:
    key = ("embedding model HashEmbedding", stage)
    row = _rows(guard.coverage(HashEmbedding()))[key]
    assert not row.guarded
    assert "no door leads here" in row.reason
    assert guard.coverage(protect(_index(), guard)).complete
    pipeline = IngestionPipeline(transformations=[HashEmbedding()])
    assert _rows(guard.coverage(protect(pipeline, guard)))[key].door == "protect"
    install(guard)
    assert _rows(guard.coverage(HashEmbedding()))[key].door == "install"


def test_pictures_that_are_embedded_are_said_to_go_as_they_are(guard: Guard) -> None:
    model = protect(MockMultiModalEmbedding(embed_dim=2), guard)
    reasons = {row.reason for row in guard.coverage(model).rows}
    assert reasons == {"texts only: pictures go to it as they are"}


def test_what_a_door_cannot_see_is_said(guard: Guard) -> None:
    coder = CodeActAgent(name="c", code_execute_fn=lambda code: code, llm=_llm())
    row = _rows(guard.coverage(protect(coder, guard)))["agent c", "tool_call"]
    assert row.guarded
    assert "sandbox" in row.reason
    row = _rows(guard.coverage(protect(Own(), guard)))["steps of Own", "prompt"]
    assert row.guarded
    assert "around LlamaIndex" in row.reason


def test_another_guard_is_no_door(kit: Any, guard: Guard) -> None:
    llm = protect(_llm(), kit.guard())
    assert all("another guard" in row.reason for row in guard.coverage(llm).gaps)
    assert len(guard.coverage(llm).gaps) == 2


def test_a_policy_that_looks_at_nothing_says_so(kit: Any) -> None:
    idle = kit.guard()
    rows = idle.coverage(protect(_llm(), idle)).rows
    assert all("looks at nothing" in row.reason for row in rows)


@pytest.mark.parametrize("obj", [3, "text", object(), []])
def test_what_is_not_of_llama_index_is_left_to_others(guard: Guard, obj: object) -> None:
    with pytest.raises(TypeError):
        guard.coverage(obj)
