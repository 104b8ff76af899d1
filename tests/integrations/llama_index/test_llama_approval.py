"""Questions to people: a workflow's own events ask and answer, once, in time, and for one call."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.workflow import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)

from hauberk import Decision, Event, Guard, Policy, Stage
from hauberk.testing import Reply, ToolCall
from hauberk_llama_index import install, protect, uninstall
from hauberk_llama_index.testing import ScriptedLLM

Reader = Callable[[dict[str, Any]], dict[str, Any] | None]
"""A person: reads a question, and answers it (or not)."""


class Asks:
    """Each payment needs a person."""

    name = "asks"
    stages = frozenset({Stage.TOOL_CALL})

    def inspect(self, event: Event) -> Decision:
        return Decision.ask("it is money") if event.tool == "pay" else Decision.allow()


class Bank:
    """A tool, and what it did."""

    def __init__(self) -> None:
        self.paid: list[tuple[str, int]] = []

    def pay(self, to: str, amount: int) -> str:
        """Pay somebody."""
        self.paid.append((to, amount))
        return f"paid {to}"

    def tool(self) -> FunctionTool:
        return FunctionTool.from_defaults(self.pay)


def _pays(*calls: tuple[str, int]) -> ScriptedLLM:
    wishes = tuple(ToolCall(name="pay", arguments={"to": t, "amount": n}) for t, n in calls)
    return ScriptedLLM(replies=[Reply(calls=wishes), "Done."])


def _function(llm: Any, *tools: FunctionTool) -> Any:
    return FunctionAgent(name="a", description="d", tools=list(tools), llm=llm)


def _workflow(llm: Any, *tools: FunctionTool) -> Any:
    return AgentWorkflow(agents=[_function(llm, *tools)])


AGENTS = pytest.mark.parametrize("make", [_function, _workflow])


def _approve(question: dict[str, Any]) -> dict[str, Any]:
    return {"type": "approve", "id": question["id"]}


async def _run(agent: Any, person: Reader, **start: Any) -> tuple[str, list[dict[str, Any]]]:
    """Run an agent with a person who answers; the result and the questions."""
    handler = agent.run(user_msg="go", **start)
    questions: list[dict[str, Any]] = []

    async def read() -> None:
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                questions.append(dict(event))
                answer = person(questions[-1])
                if answer is not None:
                    handler.ctx.send_event(HumanResponseEvent(**answer))

    _, result = await asyncio.wait_for(asyncio.gather(read(), handler), 20)
    return str(result), questions


@AGENTS
@pytest.mark.parametrize("door", ["protect", "install"])
async def test_an_approved_call_runs_once(kit: Any, make: Any, door: str) -> None:
    bank, llm, book = Bank(), _pays(("ada", 5)), kit.Book()
    agent = make(llm, bank.tool())
    guard = kit.guard(Asks(), kit.Calls(9), book=book)
    if door == "install":
        install(guard)
    else:
        protect(agent, guard)
    try:
        result, questions = await _run(agent, _approve)
    finally:
        uninstall()
    assert (result, bank.paid) == ("Done.", [("ada", 5)])
    assert len(questions) == 1
    asked = questions[0]
    assert (asked["tool"], asked["arguments"]) == ("pay", {"to": "ada", "amount": 5})
    assert asked["reason"] == "it is money"
    assert asked["answers"] == ["approve", "edit", "reject"]


@AGENTS
async def test_a_rejected_call_does_not_run_and_the_run_goes_on(kit: Any, make: Any) -> None:
    bank, llm = Bank(), _pays(("ada", 5))
    agent = protect(make(llm, bank.tool()), kit.guard(Asks()))
    result, _ = await _run(
        agent, lambda q: {"type": "reject", "id": q["id"], "message": "not today"}
    )
    assert (result, bank.paid) == ("Done.", [])
    assert "not today" in llm.seen_text


@AGENTS
async def test_an_edited_call_runs_as_edited(kit: Any, make: Any) -> None:
    bank, llm = Bank(), _pays(("ada", 500))
    agent = protect(make(llm, bank.tool()), kit.guard(Asks()))
    await _run(
        agent,
        lambda q: {"type": "edit", "id": q["id"], "arguments": {"to": "ada", "amount": 5}},
    )
    assert bank.paid == [("ada", 5)]


@AGENTS
@pytest.mark.parametrize("calls", [[("ada", 1), ("bob", 2)], [("ada", 1), ("ada", 1)]])
async def test_parallel_calls_have_questions_of_their_own(
    kit: Any, make: Any, calls: list[tuple[str, int]]
) -> None:
    """Also when they are alike: one is approved, the other is not."""
    bank, llm = Bank(), _pays(*calls)
    agent = protect(make(llm, bank.tool()), kit.guard(Asks()))
    turn: list[str] = []

    def person(question: dict[str, Any]) -> dict[str, Any]:
        turn.append(question["id"])
        kind = "approve" if len(turn) == 1 else "reject"
        return {"type": kind, "id": question["id"]}

    result, questions = await _run(agent, person)
    assert result == "Done."
    assert len(questions) == 2
    assert bank.paid == [(questions[0]["arguments"]["to"], questions[0]["arguments"]["amount"])]


async def test_parallel_calls_may_be_answered_in_any_order(kit: Any) -> None:
    bank, llm = Bank(), _pays(("ada", 1), ("bob", 2), ("eve", 3))
    agent = protect(_function(llm, bank.tool()), kit.guard(Asks()))
    handler = agent.run(user_msg="go")
    questions: list[Any] = []
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            questions.append(event)
            if len(questions) == 3:
                for one in reversed(questions):
                    handler.ctx.send_event(HumanResponseEvent(**_approve(one)))
    await handler
    assert sorted(bank.paid) == [("ada", 1), ("bob", 2), ("eve", 3)]


async def test_an_answer_to_another_call_changes_nothing_here(kit: Any) -> None:
    """It neither approves this call nor is it taken as its answer."""
    bank, llm = Bank(), _pays(("ada", 1))
    agent = protect(_function(llm, bank.tool()), kit.guard(Asks()))
    handler = agent.run(user_msg="go")
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            for wrong in ("", "x", event.id + "1", event.id.rpartition(".")[0]):
                handler.ctx.send_event(HumanResponseEvent(type="approve", id=wrong))  # type: ignore[call-arg]
            handler.ctx.send_event(HumanResponseEvent(type="approve"))  # type: ignore[call-arg]
            await asyncio.sleep(0.05)
            assert bank.paid == []
            handler.ctx.send_event(HumanResponseEvent(**_approve(event)))  # type: ignore[arg-type]
    await handler
    assert bank.paid == [("ada", 1)]


@pytest.mark.parametrize(
    "forged",
    [
        {"type": "approve", "id": "A" * 60},
        {"type": "approve", "id": "\ud800"},
        {"type": "yes please", "id": ""},
        {"type": "approve", "arguments": {"amount": 9}},
        {"type": "edit"},
        {"type": ["approve"]},
    ],
)
async def test_an_answer_that_cannot_count_is_a_refusal(kit: Any, forged: dict[str, Any]) -> None:
    bank, llm = Bank(), _pays(("ada", 1))
    agent = protect(_function(llm, bank.tool()), kit.guard(Asks()))

    def person(question: dict[str, Any]) -> dict[str, Any]:
        sealed, _, tag = question["id"].rpartition(".")
        return {**forged, "id": f"{forged.get('id') or sealed}.{tag}"}

    result, _ = await _run(agent, person)
    assert (result, bank.paid) == ("Done.", [])


async def test_a_question_lapses(kit: Any) -> None:
    bank, llm = Bank(), _pays(("ada", 1))
    policy = Policy.unsafe_allow_all().model_copy(
        update={"approval": Policy(version=1).approval.model_copy(update={"valid_s": 0.1})}
    )
    agent = protect(_function(llm, bank.tool()), Guard(policy, plugins=[Asks()]))
    result, questions = await _run(agent, lambda _: None)
    assert (result, bank.paid, len(questions)) == ("Done.", [], 1)
    assert "nobody answered in time" in llm.seen_text


async def test_what_waits_holds_no_budget(kit: Any) -> None:
    budget, bank, llm = ToolBudget(1), Bank(), _pays(("ada", 1))
    agent = protect(_function(llm, bank.tool()), kit.guard(Asks(), budget))
    held: list[int] = []

    def person(question: dict[str, Any]) -> dict[str, Any]:
        held.append(len(budget.open))
        return _approve(question)

    await _run(agent, person)
    assert bank.paid == [("ada", 1)]
    assert held == [0]
    assert (budget.spent, budget.open) == (1, set())


class ToolBudget:
    """So many tool calls. Reserves, settles, releases."""

    name = "budget"
    stages = frozenset({Stage.TOOL_CALL, Stage.TOOL_RESULT})

    def __init__(self, limit: int) -> None:
        self.limit, self.spent = limit, 0
        self.open: set[str] = set()

    def inspect(self, event: Event) -> Decision:
        if event.stage is Stage.TOOL_RESULT:
            self._settle(event)
            return Decision.allow()
        if self.spent + len(self.open) >= self.limit:
            return Decision.deny("no calls left")
        self.open.add(event.call)
        return Decision.allow()

    def release(self, event: Event) -> None:
        if event.stage is Stage.TOOL_RESULT:
            self._settle(event)
        self.open.discard(event.call)

    def _settle(self, event: Event) -> None:
        if event.call in self.open:
            self.open.discard(event.call)
            self.spent += 1


# --- replay ---------------------------------------------------------------------------------------


async def test_a_tool_that_waits_itself_is_approved_once_and_counted_once(kit: Any) -> None:
    """The step is run again twice: for the answer, and for what the tool waits for."""
    done: list[str] = []

    async def pay(ctx: Context, to: str) -> str:
        """Pay somebody."""
        code = await ctx.wait_for_event(
            HumanResponseEvent,
            waiter_id="code",
            waiter_event=InputRequiredEvent(prefix="code?", key="code"),  # type: ignore[call-arg]
            requirements={"key": "code"},
        )
        done.append(f"{to} {code.code}")
        return "paid"

    budget = ToolBudget(1)
    llm = ScriptedLLM(
        replies=[Reply(calls=(ToolCall(name="pay", arguments={"to": "ada"}),)), "Done."]
    )
    agent = protect(_function(llm, FunctionTool.from_defaults(pay)), kit.guard(Asks(), budget))

    def person(question: dict[str, Any]) -> dict[str, Any]:
        return {"key": "code", "code": "42"} if "key" in question else _approve(question)

    result, questions = await _run(agent, person)
    assert (result, done, len(questions)) == ("Done.", ["ada 42"], 2)
    assert (budget.spent, budget.open) == (1, set())


async def test_a_run_goes_on_from_its_context(kit: Any, tmp_path: Path) -> None:
    """The question of the first run is answered in the second; the session has the same name."""
    bank = Bank()
    policy = Policy.unsafe_allow_all().model_copy(
        update={
            "approval": Policy(version=1).approval.model_copy(
                update={"path": str(tmp_path / "approvals.db")}
            )
        }
    )

    class Pays(Workflow):
        @step
        async def pay(self, ev: StartEvent) -> StopEvent:
            output = await bank.tool().acall(to="ada", amount=1)
            return StopEvent(result=output.content)

    async def first() -> tuple[dict[str, Any], dict[str, Any]]:
        flow = protect(Pays(), Guard(policy, plugins=[Asks()]))
        handler = flow.run()
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                kept = handler.ctx.to_dict()
                await handler.cancel_run()
                return kept, dict(event)
        raise AssertionError

    async def second(kept: dict[str, Any], question: dict[str, Any]) -> str:
        flow = protect(Pays(), Guard(policy, plugins=[Asks()]))
        handler = flow.run(ctx=Context.from_dict(flow, kept))
        handler.ctx.send_event(HumanResponseEvent(**_approve(question)))
        return str(await asyncio.wait_for(handler, 10))

    async with kit.guard().session(ident="case-7"):
        kept, question = await first()
    assert bank.paid == []
    async with kit.guard().session(ident="case-7"):
        assert await second(kept, question) == "paid ada"
    assert bank.paid == [("ada", 1)]
    async with kit.guard().session(ident="case-7"):
        refused = await second(kept, question)
    assert "used already" in refused
    assert bank.paid == [("ada", 1)]


# --- elsewhere ------------------------------------------------------------------------------------


async def test_a_step_of_any_workflow_can_ask_twice(kit: Any) -> None:
    """The very same call twice in one step: two questions, two answers."""
    bank = Bank()
    tool = bank.tool()

    class Own(Workflow):
        @step
        async def work(self, ev: StartEvent) -> StopEvent:
            one = await tool.acall(to="ada", amount=1)
            two = await tool.acall(to="ada", amount=1)
            return StopEvent(result=f"{one.content}, {two.content}")

    flow = protect(Own(), kit.guard(Asks()))
    turn: list[str] = []

    def person(question: dict[str, Any]) -> dict[str, Any]:
        turn.append(question["id"])
        return _approve(question)

    result, questions = await _run(flow, person)
    assert len({q["id"] for q in questions}) == 2
    # A step is run from its beginning for each answer: its first call was made, and is not again.
    assert bank.paid == [("ada", 1), ("ada", 1)]
    assert result == "paid ada, paid ada"


@pytest.mark.parametrize("colour", ["call", "acall"])
@pytest.mark.parametrize("answer", [True, False, None])
async def test_outside_a_workflow_the_approver_is_asked(kit: Any, colour: str, answer: Any) -> None:
    bank = Bank()
    asked: list[Any] = []

    def approver(request: Any) -> object:
        asked.append(request)
        return answer

    guard = Guard(
        Policy.unsafe_allow_all(), plugins=[Asks()], approver=None if answer is None else approver
    )
    tool = protect(bank.tool(), guard)
    made: Any = getattr(tool, colour)(to="ada", amount=1)
    output: ToolOutput = await made if colour == "acall" else made
    assert output.is_error is not (answer is True)
    assert bank.paid == ([("ada", 1)] if answer else [])
    assert len(asked) == (answer is not None)
