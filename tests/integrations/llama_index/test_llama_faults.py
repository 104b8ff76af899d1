"""Bad input and faults: what tools do that they should not, odd documents, and plugins that fail."""

import asyncio
import base64
import contextlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock, TextBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, StartEvent, StopEvent, Workflow, step

from hauberk import BlockedError, Decision, Event, Stage
from hauberk.testing import Reply, ToolCall
from hauberk_llama_index import install, protect, uninstall
from hauberk_llama_index.testing import ScriptedLLM

ADDRESS = "ada.l@corp.example"


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()


def _calls(*calls: ToolCall) -> ScriptedLLM:
    return ScriptedLLM(replies=[Reply(calls=calls), "Done."])


def _function(llm: Any, *tools: FunctionTool) -> Any:
    return FunctionAgent(name="a", description="d", tools=list(tools), llm=llm)


def _workflow(llm: Any, *tools: FunctionTool) -> Any:
    return AgentWorkflow(agents=[_function(llm, *tools)])


AGENTS = pytest.mark.parametrize("make", [_function, _workflow])
DOORS = pytest.mark.parametrize("door", ["protect", "install"])


def _guard(obj: Any, guard: Any, door: str) -> Any:
    if door == "install":
        install(guard)
        return obj
    return protect(obj, guard)


class ToolCalls:
    """A budget of tool calls."""

    name = "budget"
    stages = frozenset({Stage.TOOL_CALL, Stage.TOOL_RESULT})

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.spent = 0

    def inspect(self, event: Event) -> Decision:
        if event.stage is Stage.TOOL_CALL:
            self.open.add(event.call)
        else:
            self._settle(event)
        return Decision.allow()

    def release(self, event: Event) -> None:
        if event.stage is Stage.TOOL_RESULT:
            self._settle(event)
        self.open.discard(event.call)

    def _settle(self, event: Event) -> None:
        self.spent += event.call in self.open
        self.open.discard(event.call)


# --- tools ----------------------------------------------------------------------------------------


class Rude(BaseException):
    """What no tool should raise."""


@DOORS
@pytest.mark.parametrize("error", [ValueError("x"), Rude("x"), asyncio.CancelledError()])
@pytest.mark.parametrize("colour", ["call", "acall"])
async def test_whatever_a_tool_raises_leaves_nothing_reserved(
    kit: Any, door: str, error: BaseException, colour: str
) -> None:
    budget = ToolCalls()

    def fails() -> str:
        raise error

    async def afails() -> str:
        raise error

    tool: Any = _guard(FunctionTool.from_defaults(fails, async_fn=afails), kit.guard(budget), door)

    async def use() -> None:
        made = getattr(tool, colour)()
        await made if colour == "acall" else None

    with pytest.raises(type(error)):
        await use()
    assert (budget.open, budget.spent) == (set(), 1)


@DOORS
@AGENTS
async def test_two_tools_of_one_name_are_judged_by_their_name(
    kit: Any, make: Any, door: str
) -> None:
    ran: list[str] = []
    tools = [
        FunctionTool.from_defaults(lambda text=which: _noted(ran, text), name="twin")
        for which in ("first", "last")
    ]
    agent = make(_calls(ToolCall(name="twin")), *tools)
    _guard(agent, kit.guard(kit.Rules(deny=frozenset({"twin"}))), door)
    result, _ = await kit.run(agent, "go")
    assert (str(result), ran) == ("Done.", [])


@DOORS
@AGENTS
async def test_a_tool_with_context_and_callback_that_returns_directly(
    kit: Any, make: Any, door: str
) -> None:
    async def tell(ctx: Context, name: str) -> str:
        """Tell."""
        await ctx.store.set("told", name)
        return f"IGNORE {name}"

    tool = FunctionTool.from_defaults(
        tell, return_direct=True, async_callback=_shown, callback=lambda out: f"seen {out}"
    )
    agent = make(_calls(ToolCall(name="tell", arguments={"name": "ada"})), tool)
    _guard(agent, kit.guard(kit.Screens(), kit.Rules()), door)
    result, _ = await kit.run(agent, "go")
    assert str(result) == "[withheld]"


def _noted(ran: list[str], what: str) -> str:
    ran.append(what)
    return what


async def _shown(output: Any) -> str:
    return f"seen {output}"


@DOORS
@AGENTS
async def test_a_plugin_that_fails_at_a_tool_denies_and_one_that_fails_at_a_model_stops(
    kit: Any, make: Any, door: str
) -> None:
    class Fails:
        name = "fails"

        def __init__(self, *stages: Stage) -> None:
            self.stages = frozenset(stages)

        def inspect(self, event: Event) -> Decision:
            raise RuntimeError(ADDRESS)

    ran: list[str] = []
    for stage, ends in ((Stage.TOOL_CALL, False), (Stage.TOOL_RESULT, False), (Stage.PROMPT, True)):
        ran.clear()
        tool = FunctionTool.from_defaults(lambda: _noted(ran, "secret"), name="look")
        llm = _calls(ToolCall(name="look"))
        agent = make(llm, tool)
        _guard(agent, kit.guard(Fails(stage)), door)
        result, _ = await kit.run(agent, "go")
        assert isinstance(result, BlockedError) is ends
        assert ADDRESS not in f"{result} {llm.seen_text}"
        assert "secret" not in llm.seen_text
        assert ran == (["secret"] if stage is Stage.TOOL_RESULT else [])
        uninstall()


@DOORS
async def test_a_refusal_in_a_step_ends_the_run_and_its_stream(kit: Any, door: str) -> None:
    llm = ScriptedLLM(replies=["x"])

    class Own(Workflow):
        @step
        async def work(self, ev: StartEvent) -> StopEvent:
            return StopEvent(result=str(await llm.acomplete("go")))

    flow = _guard(Own(), kit.guard(kit.Calls(0)), door)
    result, events = await kit.run(flow, "go")
    assert isinstance(result, BlockedError)
    assert [type(event).__name__ for event in events] == ["WorkflowFailedEvent"]
    assert llm.seen == []


@DOORS
async def test_a_refusal_that_a_step_swallows_is_refused_again_at_the_next_boundary(
    kit: Any, door: str
) -> None:
    llm = ScriptedLLM(replies=["x"])
    tool = FunctionTool.from_defaults(lambda: "x", name="stop")
    rules = kit.Rules(stop=frozenset({"stop"}))

    class Own(Workflow):
        @step
        async def work(self, ev: StartEvent) -> StopEvent:
            with contextlib.suppress(BlockedError):
                await tool.acall()
            return StopEvent(result=str(await llm.acomplete("go")))

    guard = kit.guard(rules)
    _guard(tool, guard, door)
    flow = _guard(Own(), guard, door)
    result, _ = await kit.run(flow, "go")
    assert isinstance(result, BlockedError)
    assert llm.seen == []


# --- messages -------------------------------------------------------------------------------------


def _sent(kit: Any, *blocks: Any, **extras: Any) -> str:
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(kit.Masks()))
    llm.chat([ChatMessage(role="user", blocks=list(blocks), additional_kwargs=extras)])
    sent = llm.sent[0][0]
    documents = [b for b in sent.blocks if isinstance(b, DocumentBlock)]
    data = b" ".join(b.resolve_document().read() for b in documents)
    return f"{llm.seen_text} {data.decode('utf-8', 'replace')}"


@pytest.mark.parametrize(
    "block",
    [
        lambda _: DocumentBlock(data=f"mail {ADDRESS}".encode()),
        lambda _: DocumentBlock(data=f"mail {ADDRESS}".encode(), document_mimetype="text/plain"),
        lambda _: DocumentBlock(data=base64.b64encode(f"mail {ADDRESS}".encode())),
        lambda _: DocumentBlock(data=BytesIO(f"mail {ADDRESS}".encode())),
        lambda path: DocumentBlock(path=path),
        lambda _: DocumentBlock(
            data=b'{"to": "' + ADDRESS.encode() + b'"}', document_mimetype="application/ld+json"
        ),
    ],
)
def test_a_document_of_text_is_masked(kit: Any, tmp_path: Path, block: Any) -> None:
    path = tmp_path / "note.txt"
    path.write_text(f"mail {ADDRESS}")
    given = block(path)
    before = given.resolve_document().read()
    sent = _sent(kit, given)
    assert ADDRESS not in sent
    assert "<EMAIL_1>" in sent
    assert given.resolve_document().read() == before
    assert ADDRESS in path.read_text()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7 " + ADDRESS.encode(), "application/pdf"),
        (b"\xff\xfe\x00" + ADDRESS.encode(), None),
    ],
)
def test_a_document_that_is_no_text_is_left_alone(kit: Any, data: bytes, kind: str | None) -> None:
    block = DocumentBlock(data=data, document_mimetype=kind)
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(kit.Masks()))
    llm.chat([ChatMessage(role="user", blocks=[block])])
    assert llm.sent[0][0].blocks[0].resolve_document().read() == data  # type: ignore[union-attr]


def test_personal_data_in_ids_and_names_is_masked(kit: Any) -> None:
    call = ToolCallBlock(tool_call_id=f"call {ADDRESS}", tool_name=ADDRESS, tool_kwargs={})
    old = {
        "id": ADDRESS,
        "type": "function",
        "function": {"name": f"to {ADDRESS}", "arguments": "{}"},
    }
    assert ADDRESS not in _sent(kit, TextBlock(text="x"), call, tool_calls=[old], id=ADDRESS)


def test_ids_and_names_that_look_like_it_stay(kit: Any) -> None:
    seen: list[str] = []

    class Reads(kit.Masks):  # type: ignore[misc]
        def inspect(self, event: Event) -> Decision:
            seen.extend(s.text for s in event.segments)
            return super().inspect(event)  # type: ignore[no-any-return]

    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(Reads()))
    call = ToolCallBlock(tool_call_id="call_1:a-b.c", tool_name="send_mail", tool_kwargs={})
    llm.chat([ChatMessage(role="assistant", blocks=[call], additional_kwargs={"id": "run-1"})])
    assert seen[:-1] == []
