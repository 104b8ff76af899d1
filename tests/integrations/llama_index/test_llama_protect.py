"""`protect` itself: identity, copies, pickles, other guards, and what it will not take."""

import copy
import pickle
import subprocess
import sys
import threading
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool, QueryEngineTool

import hauberk_llama_index
from hauberk import BlockedError
from hauberk_llama_index import protect, unprotect
from hauberk_llama_index._swap import guard_of
from hauberk_llama_index.testing import HashEmbedding, ScriptedLLM

ADDRESS = "ada.l@corp.example"


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def _make(kind: str) -> Any:
    llm = ScriptedLLM(replies=["to <EMAIL_1>"])
    tool = FunctionTool.from_defaults(add)
    match kind:
        case "llm":
            return llm
        case "tool":
            return tool
        case "agent":
            return FunctionAgent(tools=[tool], llm=llm)
        case "workflow":
            return AgentWorkflow(agents=[FunctionAgent(tools=[tool], llm=llm)])
        case "chat engine":
            return SimpleChatEngine.from_defaults(
                llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=100)
            )
        case _:
            index = VectorStoreIndex.from_documents(
                [Document(text="x")], embed_model=HashEmbedding()
            )
            made = {
                "index": index,
                "retriever": index.as_retriever(),
                "query engine": index.as_query_engine(llm=llm),
                "query tool": QueryEngineTool.from_defaults(index.as_query_engine(llm=llm)),
            }
            return made[kind]


KINDS = (
    "llm",
    "tool",
    "agent",
    "workflow",
    "chat engine",
    "index",
    "retriever",
    "query engine",
    "query tool",
)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """One kind of object that can be protected."""
    return str(request.param)


def test_it_is_the_same_object_of_the_same_kind(kit: Any, kind: str) -> None:
    obj = _make(kind)
    before = type(obj)
    guard = kit.guard()
    assert protect(obj, guard) is obj
    assert isinstance(obj, before)
    assert (type(obj).__name__, type(obj).__module__) == (before.__name__, before.__module__)
    assert guard_of(obj) is guard


def test_protecting_twice_changes_nothing(kit: Any, kind: str) -> None:
    guard = kit.guard()
    obj = protect(_make(kind), guard)
    cls = type(obj)
    assert type(protect(obj, guard)) is cls


def test_objects_of_one_kind_share_their_class(kit: Any, kind: str) -> None:
    guard = kit.guard()
    assert type(protect(_make(kind), guard)) is type(protect(_make(kind), guard))


def test_another_guard_is_refused_and_nothing_changes(kit: Any, kind: str) -> None:
    first, second = kit.guard(), kit.guard()
    obj = protect(_make(kind), first)
    with pytest.raises(ValueError, match="another guard"):
        protect(obj, second)
    fresh = ScriptedLLM(replies=["x"])
    with pytest.raises(ValueError, match="another guard"):
        protect([fresh, obj], second)
    assert guard_of(fresh) is None
    assert guard_of(obj) is first


def test_unprotect_gives_everything_back(kit: Any, kind: str) -> None:
    obj = _make(kind)
    before = type(obj)
    assert unprotect(protect(obj, kit.guard())) is obj
    assert type(obj) is before
    assert guard_of(protect(obj, kit.guard())) is not None


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
@pytest.mark.parametrize(
    "kind", ["llm", "tool", "agent", "retriever", "query engine", "query tool"]
)
def test_a_copy_is_guarded(kit: Any, kind: str, copied: Any) -> None:
    guard = kit.guard()
    assert guard_of(copied(protect(_make(kind), guard))) is guard


def test_a_model_copy_is_guarded_and_really_guards(kit: Any) -> None:
    llm = protect(ScriptedLLM(replies=["to <EMAIL_1>"]), kit.guard(kit.Masks()))
    for twin in (llm.model_copy(), llm.model_copy(deep=True), copy.deepcopy(llm)):
        assert twin.complete(ADDRESS).text == f"to {ADDRESS}"
        assert ADDRESS not in twin.seen_text


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_comes_back_guarded(kit: Any, protocol: int) -> None:
    guard = kit.guard(kit.Calls(0))
    llm = protect(MockLLM(max_tokens=3), guard)
    loaded = pickle.loads(pickle.dumps(llm, protocol))  # noqa: S301 - our own
    assert guard_of(loaded) is guard
    assert loaded.max_tokens == 3
    with pytest.raises(BlockedError):
        loaded.complete("x")
    assert guard_of(llm) is guard


def test_a_pickle_of_a_holder_keeps_the_guard_of_what_it_holds(kit: Any) -> None:
    guard = kit.guard()
    llm = protect(MockLLM(), guard)
    loaded = pickle.loads(pickle.dumps({"models": [llm]}))  # noqa: S301 - our own
    assert guard_of(loaded["models"][0]) is guard


def test_a_pickle_is_refused_where_its_guard_does_not_live(kit: Any) -> None:
    guard = kit.guard()
    data = pickle.dumps(protect(MockLLM(), guard))
    code = f"import pickle; pickle.loads({data!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "does not live in this process" in done.stderr


class SlyTool(FunctionTool):
    """A tool with a pickling of its own."""

    def __reduce__(self) -> Any:
        return (FunctionTool.from_defaults, (add,))


def test_a_pickling_that_would_come_out_bare_is_refused(kit: Any) -> None:
    tool = protect(SlyTool.from_defaults(add), kit.guard())
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(pickle.PicklingError):
            copied(tool)


def test_lists_and_mappings_are_guarded_inside(kit: Any) -> None:
    guard = kit.guard()
    tools = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(add)]
    assert protect(tools, guard) is tools
    assert all(guard_of(tool) is guard for tool in tools)
    named = {"llm": ScriptedLLM(replies=["x"])}
    assert guard_of(protect(named, guard)["llm"]) is guard


def test_everything_that_an_agent_holds_is_guarded(kit: Any) -> None:
    guard = kit.guard()
    workflow = protect(_make("workflow"), guard)
    (agent,) = workflow.agents.values()
    assert {guard_of(x) for x in (workflow, agent, agent.llm, *agent.tools)} == {guard}


@pytest.mark.parametrize("obj", [add, "text", 7, None, [], {}, [add]])
def test_what_cannot_be_guarded_is_refused(kit: Any, obj: Any) -> None:
    with pytest.raises(TypeError, match="nothing in this"):
        protect(obj, kit.guard())


def test_a_cycle_is_walked_once(kit: Any) -> None:
    tools: list[Any] = [FunctionTool.from_defaults(add)]
    tools.append(tools)
    assert guard_of(protect(tools, kit.guard())[0]) is not None


def test_protecting_from_many_threads_is_one_protection(kit: Any) -> None:
    guard, llm = kit.guard(), ScriptedLLM(replies=["x"])
    start = threading.Barrier(8)

    def go() -> None:
        start.wait()
        protect(llm, guard)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert type(llm).__mro__[1] is ScriptedLLM


def test_fields_and_serialisation_stay(kit: Any) -> None:
    bare = ScriptedLLM(replies=["x"], model="m", system_prompt="s")
    llm = protect(ScriptedLLM(replies=["x"], model="m", system_prompt="s"), kit.guard())
    assert llm.to_dict() == bare.to_dict()
    assert llm.class_name() == bare.class_name()
    llm.model = "other"
    assert llm.metadata.model_name == "other"
    assert isinstance(llm, LLM)


def test_the_first_copy_outlives_the_original(kit: Any) -> None:
    llm = protect(ScriptedLLM(replies=["to <EMAIL_1>"]), kit.guard(kit.Masks()))
    twin = copy.copy(llm)
    del llm
    assert twin.chat([ChatMessage(ADDRESS)]).message.content == f"to {ADDRESS}"


def test_public_names_are_what_the_package_says() -> None:
    assert hauberk_llama_index.__all__ == [
        "FileReport",
        "HauberkCallbackHandler",
        "HauberkIngestionTransform",
        "HauberkNodePostprocessor",
        "IngestionReport",
        "install",
        "protect",
        "uninstall",
        "unprotect",
    ]
    assert all(hasattr(hauberk_llama_index, name) for name in hauberk_llama_index.__all__)


def test_without_llama_index_the_import_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['llama_index'] = None\n"
        "from hauberk import MissingExtraError\n"
        "try:\n    import hauberk_llama_index\n"
        "except MissingExtraError as error:\n    print(error.extra, error.command)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'llama-index pip install "hauberk[llama-index]"'
