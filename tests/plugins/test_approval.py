"""Approvals: bound to one call, once, in time; asked of whoever is there; fails closed."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import (
    ApprovalRequest,
    ApprovalRequiredError,
    BlockedError,
    Decision,
    Event,
    Guard,
    Policy,
    Session,
    Stage,
    StoreError,
    Verdict,
)
from hauberk._approvals import MemoryApprovals, SqliteApprovals
from hauberk.approval import Answer, Approvals, Choice, Grant
from hauberk.flows import Refused, arun_tool, run_tool
from hauberk.policy import ApprovalPolicy

SECRET = "4929-1111-2222-3333"
Both = Callable[..., Any]


class Asks:
    """A plugin that asks about every tool call, and counts what it sees."""

    name = "asks"
    stages = frozenset({Stage.TOOL_CALL, Stage.PROMPT})

    def __init__(self, why: str = "money leaves the house") -> None:
        self.why = why
        self.seen: list[Any] = []

    def inspect(self, event: Event) -> Decision:
        self.seen.append(event.arguments)
        return Decision.ask(self.why)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def guard_with(approver: Any = None, *plugins: Any) -> Guard:
    policy = Policy.unsafe_allow_all()
    return Guard(policy, plugins=plugins or [Asks()], approver=approver)


def pay(amount: object = 10, **other: Any) -> Event:
    return Event(stage=Stage.TOOL_CALL, tool="pay", arguments={"amount": amount, **other})


@pytest.fixture(params=["sync", "async"])
def decide(request: pytest.FixtureRequest) -> Both:
    def sync(guard: Guard, event: Event, ask: Any = None) -> tuple[Event, Decision]:
        return guard.decide(event, ask)

    def runs(guard: Guard, event: Event, ask: Any = None) -> tuple[Event, Decision]:
        async def way(question: ApprovalRequest) -> object:
            return ask(question)

        return asyncio.run(guard.adecide(event, way if ask else None))

    return sync if request.param == "sync" else runs


def test_nobody_there_is_a_refusal_that_keeps_what_would_have_run_to_itself(decide: Both) -> None:
    event = pay(SECRET)
    after, decision = decide(guard_with(), event)
    assert decision.verdict is Verdict.ASK
    assert after is event
    assert decision.arguments is None
    with pytest.raises(ApprovalRequiredError):
        guard_with().require(event)


def test_an_approver_says_yes_no_or_something_else_instead(decide: Both) -> None:
    asked: list[ApprovalRequest] = []

    def approver(question: ApprovalRequest) -> object:
        asked.append(question)
        return answers.pop(0)

    answers: list[object] = [True, False, {"type": "edit", "arguments": {"amount": 1}, "by": "eve"}]
    guard = guard_with(approver)
    assert decide(guard, pay())[1].passes
    assert decide(guard, pay())[1].reason == "a person refused it"
    event, decision = decide(guard, pay())
    assert event.arguments == {"amount": 1}
    assert [f.explanation for f in decision.findings] == ["edited and approved by eve"]
    assert asked[0].reason == "money leaves the house"
    assert asked[0].arguments == {"amount": 10}
    assert len({question.id for question in asked}) == 3


def test_an_async_approver_is_awaited_and_refused_where_nobody_can_await_it() -> None:
    async def approver(question: ApprovalRequest) -> bool:
        return True

    guard = guard_with(approver)
    assert asyncio.run(guard.adecide(pay()))[1].passes
    assert "asking failed" in guard.decide(pay())[1].reason


def test_a_sync_approver_does_not_block_the_loop() -> None:
    ticked = threading.Event()

    def approver(question: ApprovalRequest) -> bool:
        return ticked.wait(10)

    async def both() -> Decision:
        waiting = asyncio.create_task(guard_with(approver).adecide(pay()))
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        ticked.set()
        return (await waiting)[1]

    assert asyncio.run(both()).passes


@pytest.mark.parametrize(
    "bad", [7, "maybe", {"type": "edit"}, {"type": 3}, {"type": "approve", "arguments": {}}]
)
def test_an_answer_that_says_nothing_clear_is_a_refusal(decide: Both, bad: object) -> None:
    decision = decide(guard_with(lambda _: bad), pay())[1]
    assert decision.verdict is Verdict.DENY
    assert decision.plugin == "approval"


def test_an_approver_that_fails_refuses_and_its_message_goes_nowhere(
    decide: Both, caplog: pytest.LogCaptureFixture
) -> None:
    def approver(_: ApprovalRequest) -> bool:
        raise RuntimeError(SECRET)

    decision = decide(guard_with(approver), pay(SECRET))[1]
    assert not decision.passes
    assert SECRET not in caplog.text + repr(decision) + decision.reason


def test_a_framework_that_leaves_the_run_to_ask_is_let_go(decide: Both) -> None:
    class LeavesError(Exception):
        pass

    def ask(_: ApprovalRequest) -> object:
        raise LeavesError

    with pytest.raises(LeavesError):
        decide(guard_with(lambda _: True), pay(), ask)


def test_the_frameworks_way_goes_first_and_the_approver_is_asked_where_there_is_none(
    decide: Both,
) -> None:
    guard = guard_with(lambda _: True)
    assert decide(guard, pay(), lambda _: None)[1].passes
    assert not decide(guard, pay(), lambda q: {"type": "reject", "id": q.id})[1].passes


def test_every_question_is_asked_together_and_a_refusal_beats_them(decide: Both) -> None:
    one, two = Asks("first"), Asks("second")
    asked: list[str] = []

    def approver(question: ApprovalRequest) -> bool:
        asked.append(question.reason)
        return True

    assert decide(guard_with(approver, one, two), pay())[1].passes
    assert asked == ["first; second"]

    class No(Asks):
        def inspect(self, event: Event) -> Decision:
            return Decision.deny("no")

    assert decide(guard_with(approver, one, No()), pay())[1].verdict is Verdict.DENY
    assert len(asked) == 1


def test_an_edited_call_is_judged_anew(decide: Both) -> None:
    class Small(Asks):
        def inspect(self, event: Event) -> Decision:
            amount = (event.arguments or {})["amount"]
            small = isinstance(amount, int) and amount <= 100
            return Decision.ask("really?") if small else Decision.deny("too much")

    edit = {"type": "edit", "arguments": {"amount": 500}}
    assert decide(guard_with(lambda _: edit, Small()), pay())[1].reason == "too much"


# --- binding --------------------------------------------------------------------------------------


def approvals(clock: Clock | None = None, **store: Any) -> Approvals:
    return Approvals(MemoryApprovals(), valid_s=60, clock=clock or Clock())


ASK = Decision.ask("sure?")


def yes(question: ApprovalRequest) -> Answer:
    return Answer(choice=Choice.APPROVE, id=question.id)


def test_an_answer_counts_once() -> None:
    them, event = approvals(), pay()
    answer = yes(them.request(event, ASK))
    assert isinstance(them.take(event, ASK, answer), Grant)
    again = them.take(event, ASK, answer)
    assert isinstance(again, Decision)
    assert "used already" in again.reason


def test_another_spelling_of_a_used_id_is_refused() -> None:
    """The last letter before the padding has spare bits: each of its spellings once counted anew."""
    them, event = approvals(), pay()
    ident = them.request(event, ASK).id
    body = ident.rstrip("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = [body[:-1] + letter + ident[len(body) :] for letter in letters]
    taken = [them.take(event, ASK, Answer(choice=Choice.APPROVE, id=one)) for one in spellings]
    assert sum(isinstance(one, Grant) for one in taken) == 1


def test_many_threads_with_one_answer_get_one_yes() -> None:
    them, event = approvals(), pay()
    answer = yes(them.request(event, ASK))
    got: list[Grant | Decision] = []
    threads = [
        threading.Thread(target=lambda: got.append(them.take(event, ASK, answer)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Grant) for one in got) == 1


@pytest.mark.parametrize(("moment", "word"), [(61.0, "too late"), (-10.0, "clock stands before")])
def test_an_answer_counts_in_its_time_only(moment: float, word: str) -> None:
    clock = Clock()
    them, event = approvals(clock), pay()
    answer = yes(them.request(event, ASK))
    clock.now += moment
    refusal = them.take(event, ASK, answer)
    assert isinstance(refusal, Decision)
    assert word in refusal.reason


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def same(one: object, two: object) -> bool:
    """Equal in type too: True is not 1, and 1 is not 1.0."""
    return repr(one) == repr(two)


@given(VALUES, VALUES)
def test_an_answer_fits_no_other_arguments(one: object, two: object) -> None:
    them, session = approvals(), Session(ident="s")
    first, other = (replace(pay(value), session=session) for value in (one, two))
    taken = them.take(other, ASK, yes(them.request(first, ASK)))
    if same(one, two):
        assert isinstance(taken, Grant)
    elif repr(sorted(str(one))) != repr(sorted(str(two))):  # the order of keys means nothing
        assert isinstance(taken, Decision)


@pytest.mark.parametrize(
    "other",
    [
        {"session": Session(ident="other")},
        {"tool": "pay_more"},
        {"stage": Stage.TOOL_RESULT},
    ],
)
def test_an_answer_fits_no_other_session_tool_or_stage(other: dict[str, Any]) -> None:
    them, event = approvals(), replace(pay(), session=Session(ident="s"))
    refusal = them.take(replace(event, **other), ASK, yes(them.request(event, ASK)))
    assert isinstance(refusal, Decision)
    assert "another question" in refusal.reason


@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_a_made_up_id_is_refused(ident: str) -> None:
    refusal = approvals().take(pay(), ASK, Answer(choice=Choice.APPROVE, id=ident))
    assert isinstance(refusal, Decision)


def test_arguments_that_change_between_question_and_answer_are_not_approved(decide: Both) -> None:
    arguments = {"amount": 10}
    event = Event(stage=Stage.TOOL_CALL, tool="pay", arguments=arguments)

    def approver(_: ApprovalRequest) -> bool:
        arguments["amount"] = 10_000
        return True

    assert not decide(guard_with(approver), event)[1].passes


# --- the file -------------------------------------------------------------------------------------


def test_a_question_can_be_answered_in_another_process_when_both_share_the_file(
    tmp_path: Path,
) -> None:
    path, event = tmp_path / "approvals.db", replace(pay(), session=Session(ident="s"))
    policy = ApprovalPolicy(path=str(path))
    answer = yes(Approvals.open(policy).request(event, ASK))
    assert isinstance(Approvals.open(policy).take(event, ASK, answer), Grant)
    assert isinstance(Approvals.open(policy).take(event, ASK, answer), Decision)
    assert path.stat().st_mode & 0o077 == 0
    stranger = Approvals.open(ApprovalPolicy())
    assert isinstance(stranger.take(event, ASK, answer), Decision)


def test_answers_that_lapsed_are_forgotten(tmp_path: Path) -> None:
    for store in (MemoryApprovals(), SqliteApprovals(tmp_path / "a.db")):
        assert store.use("old", expires=10, now=5)
        assert store.use("new", expires=100, now=50)
        assert store.use("old", expires=10, now=50)  # refused for its time, long before this


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="file of approvals"):
        Approvals.open(ApprovalPolicy(path=str(tmp_path / "no" / "folder.db")))


# --- the flow of a tool ---------------------------------------------------------------------------


class Texts:
    def read(self, value: object) -> tuple[Any, ...]:
        return ()

    def write(self, value: object, segments: tuple[Any, ...]) -> object:
        return value


def test_a_tool_runs_with_what_the_person_approved(decide: Both) -> None:
    edit = {"type": "edit", "arguments": {"amount": 1}}
    guard = guard_with(lambda _: edit)
    ran: list[Any] = []

    def tool(arguments: Any) -> str:
        ran.append(arguments)
        return "paid"

    async def atool(arguments: Any) -> str:
        return tool(arguments)

    assert run_tool(guard, pay(), tool, Texts()) == "paid"
    assert asyncio.run(arun_tool(guard, pay(), atool, Texts())) == "paid"
    assert ran == [{"amount": 1}] * 2


def test_a_tool_that_a_person_refused_answers_with_the_persons_words() -> None:
    guard = guard_with(lambda _: {"type": "reject", "message": "ask the boss first"})
    result = run_tool(guard, pay(), lambda _: "paid", Texts())
    assert isinstance(result, Refused)
    assert "ask the boss first" in result.text


def test_a_prompt_that_is_asked_about_waits_for_the_answer() -> None:
    event = Event(stage=Stage.PROMPT)
    assert guard_with(lambda _: True).require(event).call == event.call
    with pytest.raises(BlockedError, match="refused"):
        guard_with(lambda _: False).require(event)


def test_question_and_answer_are_recorded() -> None:
    with Guard(
        Policy(version=1, capabilities=False, pii=False, injection=False),
        plugins=[Asks()],
        approver=lambda _: True,
    ) as guard:
        guard.decide(pay())
        trail: Any = guard.recorder
        verdicts = [
            (record.verdict, [f.rule for f in record.findings]) for record in trail.records()
        ]
    assert verdicts == [(Verdict.ASK, []), (Verdict.ALLOW, ["approval.granted"])]
