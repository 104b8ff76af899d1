"""How a model call and a tool call go through a guard: both colours, and every way to end early."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hauberk import (
    ApprovalRequiredError,
    BlockedError,
    BudgetExceededError,
    Decision,
    Event,
    Guard,
    Policy,
    Segment,
    Stage,
    Usage,
    Verdict,
)
from hauberk.budget import BudgetPlugin
from hauberk.flows import (
    Refused,
    ToolTimeoutError,
    acall_within,
    arun_model,
    arun_tool,
    call_within,
    run_model,
    run_tool,
)
from hauberk.policy import BudgetPolicy
from hauberk.session import Session

HANG_S = 30.0
"""Longer than any test waits."""
LIMIT_S = 0.05


# --- doubles --------------------------------------------------------------------------------


@dataclass
class Answers:
    """A plugin that says what it is told to, stage by stage, and remembers what it saw."""

    decisions: dict[Stage, Decision] = field(default_factory=dict)
    name: str = "answers"
    stages: frozenset[Stage] = frozenset(Stage)
    seen: list[Event] = field(default_factory=list)
    released: list[Event] = field(default_factory=list)

    def inspect(self, event: Event) -> Decision:
        self.seen.append(event)
        return self.decisions.get(event.stage, Decision.allow())

    def release(self, event: Event) -> None:
        self.released.append(event)


class Texts:
    """A codec for answers and results that are a plain text (or anything, told by its repr)."""

    usage: Usage | None = Usage(input_tokens=3, output_tokens=4)

    def read(self, answer: Any) -> tuple[tuple[Segment, ...], Usage | None]:
        return (Segment.from_model(str(answer)),), self.usage

    def write(self, answer: Any, segments: tuple[Segment, ...]) -> Any:
        return segments[0].text


class Results:
    def read(self, value: object) -> tuple[Segment, ...]:
        return (Segment.from_tool("t", str(value)),)

    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        return segments[0].text


class BrokenResults(Results):
    def read(self, value: object) -> tuple[Segment, ...]:
        raise ValueError("cannot be read")


class UnwritableResults(Results):
    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        raise ValueError("cannot be written")


@dataclass
class Colour:
    """One way to run the flows, so that each promise is tested for both."""

    is_async: bool

    def model(self, guard: Guard, prompt: Event, call: Callable[[Event], Any]) -> Any:
        if not self.is_async:
            return run_model(guard, prompt, call, Texts())
        return asyncio.run(arun_model(guard, prompt, _awaited(call), Texts()))

    def tool(
        self,
        guard: Guard,
        event: Event,
        call: Callable[[Mapping[str, object]], object],
        codec: Results | None = None,
    ) -> object:
        codec = codec or Results()
        if not self.is_async:
            return run_tool(guard, event, call, codec)
        return asyncio.run(arun_tool(guard, event, _awaited(call), codec))


def _awaited(call: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    async def work(given: Any) -> Any:
        await asyncio.sleep(0)
        return call(given)

    return work


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    return Colour(is_async=request.param)


def guarded(*plugins: Any) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=plugins)


def prompt(session: Session | None = None, text: str = "hello") -> Event:
    return Event(
        stage=Stage.PROMPT, session=session or Session(), segments=(Segment.from_user(text),)
    )


def call(session: Session | None = None, **arguments: object) -> Event:
    return Event(stage=Stage.TOOL_CALL, session=session or Session(), tool="t", arguments=arguments)


def spending() -> BudgetPlugin:
    return BudgetPlugin(BudgetPolicy())


def reserved(plugin: BudgetPlugin, session: Session) -> tuple[int, ...]:
    return plugin._store.balance(session).reserved


def rewriting(stage: Stage, text: str) -> Answers:
    segments = {
        Stage.PROMPT: Segment.from_user(text),
        Stage.COMPLETION: Segment.from_model(text),
        Stage.TOOL_RESULT: Segment.from_tool("t", text),
    }
    return Answers({stage: Decision.rewrite(segments=[segments[stage]])})


# --- model calls ----------------------------------------------------------------------------


def test_an_answer_that_nobody_changes_is_the_same_object(colour: Colour) -> None:
    answer = str(12345)
    assert colour.model(guarded(), prompt(), lambda _: answer) is answer


def test_the_model_gets_the_rewritten_prompt_and_the_caller_the_rewritten_answer(
    colour: Colour,
) -> None:
    sent: list[str] = []
    guard = guarded(
        rewriting(Stage.PROMPT, "masked"), replace(rewriting(Stage.COMPLETION, "clear"), name="b")
    )

    def model(event: Event) -> str:
        sent.append(event.segments[0].text)
        return "raw"

    assert colour.model(guard, prompt(), model) == "clear"
    assert sent == ["masked"]


def test_a_refused_prompt_never_reaches_the_model(colour: Colour) -> None:
    guard = guarded(Answers({Stage.PROMPT: Decision.deny("no")}))
    with pytest.raises(BlockedError):
        colour.model(guard, prompt(), lambda _: pytest.fail("it was called"))


def test_a_refused_answer_never_reaches_the_caller(colour: Colour) -> None:
    plugin = spending()
    guard, session = guarded(plugin, Answers({Stage.COMPLETION: Decision.deny("no")})), Session()
    with pytest.raises(BlockedError):
        colour.model(guard, prompt(session), lambda _: "secret")
    assert plugin.spent(session).tokens == 7  # it was bought all the same
    assert not any(reserved(plugin, session))


def test_what_the_model_used_is_settled_once(colour: Colour) -> None:
    plugin, session = spending(), Session()
    colour.model(guarded(plugin), prompt(session), lambda _: "fine")
    assert plugin.spent(session).tokens == 7
    assert not any(reserved(plugin, session))


def test_a_model_that_fails_costs_nothing_and_its_error_comes_through(colour: Colour) -> None:
    plugin, session, error = spending(), Session(), ConnectionError("down")

    def model(_: Event) -> str:
        raise error

    with pytest.raises(ConnectionError) as caught:
        colour.model(guarded(plugin), prompt(session), model)
    assert caught.value is error
    assert plugin.spent(session).model_calls == 0
    assert not any(reserved(plugin, session))


def test_a_prompt_that_a_later_plugin_refuses_costs_nothing(colour: Colour) -> None:
    plugin, session = spending(), Session()
    guard = guarded(plugin, Answers({Stage.PROMPT: Decision.deny("no")}))
    with pytest.raises(BlockedError):
        colour.model(guard, prompt(session), lambda _: "never")
    assert plugin.spent(session).model_calls == 0
    assert not any(reserved(plugin, session))


async def test_a_cancelled_model_call_counts_with_its_prompt() -> None:
    """The provider goes on with it, and bills it."""
    plugin, session = spending(), Session()
    started = asyncio.Event()

    async def model(_: Event) -> str:
        started.set()
        await asyncio.sleep(HANG_S)
        return "never"

    task = asyncio.create_task(arun_model(guarded(plugin), prompt(session), model, Texts()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plugin.spent(session).model_calls == 1
    assert 0 < plugin.spent(session).tokens < 20
    assert not any(reserved(plugin, session))


async def test_a_call_that_is_cancelled_while_it_is_checked_frees_everything() -> None:
    class Slow(Answers):
        async def ainspect(self, event: Event) -> Decision:
            started.set()
            await asyncio.sleep(HANG_S)
            return Decision.allow()

    plugin, session, started = spending(), Session(), asyncio.Event()

    async def model(_: Event) -> str:
        return "never"

    guard = guarded(plugin, Slow())
    task = asyncio.create_task(arun_model(guard, prompt(session), model, Texts()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plugin.spent(session).model_calls == 0
    assert not any(reserved(plugin, session))


# --- tool calls -----------------------------------------------------------------------------


def test_a_result_that_nobody_changes_is_the_same_object(colour: Colour) -> None:
    result = object()
    assert colour.tool(guarded(), call(), lambda _: result) is result


def test_a_tool_gets_the_rewritten_arguments_and_the_agent_the_rewritten_result(
    colour: Colour,
) -> None:
    plugin = Answers(
        {
            Stage.TOOL_CALL: Decision.rewrite(arguments={"to": "ada"}),
            Stage.TOOL_RESULT: Decision.rewrite(segments=[Segment.from_tool("t", "masked")]),
        }
    )
    got: list[Mapping[str, object]] = []

    def tool(arguments: Mapping[str, object]) -> str:
        got.append(arguments)
        return "clear"

    assert colour.tool(guarded(plugin), call(to="<PERSON_1>"), tool) == "masked"
    assert got == [{"to": "ada"}]


def test_a_refused_call_answers_with_its_reason_and_has_no_effect(colour: Colour) -> None:
    plugin = Answers({Stage.TOOL_CALL: Decision.deny("writing is not allowed")})
    answer = colour.tool(guarded(plugin), call(), lambda _: pytest.fail("it was called"))
    assert isinstance(answer, Refused)
    assert "writing is not allowed" in answer.text
    assert "no effect" in answer.text
    assert answer.decision.verdict is Verdict.DENY
    assert answer.decision.plugin == "answers"


def test_a_call_that_nobody_can_approve_answers_with_its_reason(colour: Colour) -> None:
    plugin = Answers({Stage.TOOL_CALL: Decision.ask("a person must look at it")})
    answer = colour.tool(guarded(plugin), call(), lambda _: pytest.fail("it was called"))
    assert isinstance(answer, Refused)
    assert answer.decision.verdict is Verdict.ASK


@pytest.mark.parametrize("stage", [Stage.TOOL_CALL, Stage.TOOL_RESULT])
def test_a_refusal_that_stops_the_run_raises(colour: Colour, stage: Stage) -> None:
    session = Session()
    guard = guarded(Answers({stage: Decision.deny("over", stop=True)}))
    with pytest.raises(BlockedError) as caught:
        colour.tool(guard, call(session), lambda _: "result")
    assert caught.value.decision.stop
    assert session.tripped is not None


def test_a_withheld_result_is_not_shown(colour: Colour) -> None:
    plugin = Answers({Stage.TOOL_RESULT: Decision.deny("it gives orders")})
    answer = colour.tool(guarded(plugin), call(), lambda _: "secret")
    assert isinstance(answer, Refused)
    assert "withheld" in answer.text
    assert "secret" not in answer.text


def test_a_tool_that_fails_is_counted_and_its_error_comes_through(colour: Colour) -> None:
    """It ran: it may have had an effect."""
    plugin, session, error = spending(), Session(), KeyError("x")

    def tool(_: Mapping[str, object]) -> object:
        raise error

    with pytest.raises(KeyError) as caught:
        colour.tool(guarded(plugin), call(session), tool)
    assert caught.value is error
    assert plugin.spent(session).tool_calls == 1
    assert not any(reserved(plugin, session))


def test_a_tool_that_is_refused_or_not_approved_is_not_counted(colour: Colour) -> None:
    for decision in (Decision.deny("no"), Decision.ask("who?")):
        plugin, session = spending(), Session()
        guard = guarded(plugin, Answers({Stage.TOOL_CALL: decision}))
        colour.tool(guard, call(session), lambda _: None)
        assert plugin.spent(session).tool_calls == 0
        assert not any(reserved(plugin, session))


def test_a_tool_call_is_counted_once(colour: Colour) -> None:
    plugin, session = spending(), Session()
    colour.tool(guarded(plugin), call(session), lambda _: None)
    assert plugin.spent(session).tool_calls == 1
    assert not any(reserved(plugin, session))


def test_a_result_that_cannot_be_read_does_not_get_through(colour: Colour) -> None:
    plugin, session, codec = spending(), Session(), BrokenResults()
    shown = colour.tool(guarded(plugin), call(session), lambda _: "secret", codec)
    assert isinstance(shown, Refused)
    assert "withheld" in shown.text
    assert "secret" not in shown.text
    assert [found.rule for found in shown.decision.findings] == ["hauberk.error"]
    assert plugin.spent(session).tool_calls == 1
    assert not any(reserved(plugin, session))


def test_a_result_that_cannot_be_written_anew_does_not_get_through(colour: Colour) -> None:
    changed = Decision.rewrite(segments=[Segment.from_tool("t", "masked")])
    guard = guarded(Answers({Stage.TOOL_RESULT: changed}))
    shown = colour.tool(guard, call(), lambda _: "secret", UnwritableResults())
    assert isinstance(shown, Refused)
    assert "secret" not in shown.text


@pytest.mark.parametrize("value", [None, b"\xff", 7, {"a": [1]}, iter([1])])
def test_results_of_any_type_get_through(colour: Colour, value: object) -> None:
    assert colour.tool(guarded(), call(), lambda _: value) is value


def test_what_ended_a_session_is_told_by_its_kind(colour: Colour) -> None:
    spent_up = BudgetPlugin(BudgetPolicy(model_calls=1))
    session = Session()
    colour.model(guarded(spent_up), prompt(session), lambda _: "fine")
    with pytest.raises(BudgetExceededError):
        colour.model(guarded(spent_up), prompt(session), lambda _: "never")
    asks = guarded(Answers({Stage.PROMPT: Decision.ask("who?")}))
    with pytest.raises(ApprovalRequiredError):
        colour.model(asks, prompt(), lambda _: "never")


# --- time limits ----------------------------------------------------------------------------


def limited() -> Answers:
    return Answers({Stage.TOOL_CALL: Decision.allow(timeout_s=LIMIT_S)})


def test_a_tool_that_hangs_is_no_longer_waited_for() -> None:
    plugin, session, gate = spending(), Session(), threading.Event()
    answer = run_tool(
        guarded(plugin, limited()), call(session), lambda _: gate.wait(HANG_S), Results()
    )
    gate.set()
    assert isinstance(answer, Refused)
    assert "within 0.05 s" in answer.text
    assert "may still have an effect" in answer.text
    assert answer.decision.findings[0].rule == "capability.timeout"
    assert plugin.spent(session).tool_calls == 1
    assert not any(reserved(plugin, session))


async def test_a_tool_that_hangs_is_cancelled_on_an_event_loop() -> None:
    cancelled = asyncio.Event()

    async def tool(_: Mapping[str, object]) -> object:
        try:
            await asyncio.sleep(HANG_S)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    answer = await arun_tool(guarded(limited()), call(), tool, Results())
    assert isinstance(answer, Refused)
    await cancelled.wait()


async def test_a_tool_that_refuses_to_be_cancelled_is_not_waited_for() -> None:
    gate = asyncio.Event()

    async def stubborn(_: Mapping[str, object]) -> object:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("late: nobody may complain of it")

    answer = await arun_tool(guarded(limited()), call(), stubborn, Results())
    assert isinstance(answer, Refused)
    gate.set()
    await asyncio.sleep(0.01)


async def test_a_cancelled_wait_cancels_the_tool_and_raises() -> None:
    plugin, session, started, ended = spending(), Session(), asyncio.Event(), asyncio.Event()
    slow = Answers({Stage.TOOL_CALL: Decision.allow(timeout_s=HANG_S)})

    async def tool(_: Mapping[str, object]) -> object:
        started.set()
        try:
            await asyncio.sleep(HANG_S)
        finally:
            ended.set()
        return "never"

    task = asyncio.create_task(arun_tool(guarded(plugin, slow), call(session), tool, Results()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended.wait()
    assert plugin.spent(session).tool_calls == 1
    assert not any(reserved(plugin, session))


def test_a_tool_in_time_gives_its_result_or_its_own_error(colour: Colour) -> None:
    assert colour.tool(guarded(limited()), call(), lambda _: 7) == 7

    def late(_: Mapping[str, object]) -> object:
        raise TimeoutError("the tool's own")

    with pytest.raises(TimeoutError, match="the tool's own"):
        colour.tool(guarded(limited()), call(), late)


def test_a_timed_tool_keeps_its_context(colour: Colour) -> None:
    """It runs in another thread or task, in the same session."""
    who: ContextVar[str] = ContextVar("who", default="nobody")
    who.set("ada")
    assert colour.tool(guarded(limited()), call(), lambda _: who.get()) == "ada"


def test_without_a_limit_a_tool_runs_in_the_callers_thread() -> None:
    assert call_within(None, threading.get_ident) == threading.get_ident()


def test_a_hanging_tool_keeps_no_process_alive() -> None:
    gate = threading.Event()
    with pytest.raises(ToolTimeoutError) as caught:
        call_within(LIMIT_S, lambda: gate.wait(HANG_S))
    assert caught.value.limit_s == LIMIT_S
    hanging = [t for t in threading.enumerate() if t.name == "hauberk-tool"]
    assert hanging
    assert all(thread.daemon for thread in hanging)
    gate.set()
    for thread in hanging:
        thread.join()


@pytest.mark.parametrize("error", [StopIteration(1), KeyboardInterrupt(), SystemExit(3)])
def test_no_error_of_a_tool_is_lost_in_its_thread(error: BaseException) -> None:
    def tool() -> object:
        raise error

    with pytest.raises(type(error)):
        call_within(1.0, tool)


async def test_without_a_limit_an_awaited_tool_runs_in_the_callers_task() -> None:
    async def tool() -> object:
        return asyncio.current_task()

    assert await acall_within(None, tool) is asyncio.current_task()
