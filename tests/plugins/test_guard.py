"""The guard: order, refusals, rewrites, failures, records. The same in both colours."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from hauberk import (
    ApprovalRequiredError,
    BlockedError,
    Decision,
    Event,
    Finding,
    Guard,
    Policy,
    PolicyError,
    Segment,
    Session,
    Stage,
    StoreError,
    Verdict,
)
from hauberk.plugin import Entry, Plugin
from hauberk.policy import LimitsPolicy

SECRET = "4929-1111-2222-3333"


@dataclass(eq=False)
class Scripted:
    """A plugin that does what the test says."""

    act: Callable[[Event], Decision]
    name: str = "scripted"
    stages: frozenset[Stage] = frozenset(Stage)
    released: list[str] = field(default_factory=list)

    def inspect(self, event: Event) -> Decision:
        return self.act(event)

    def release(self, event: Event) -> None:
        self.released.append(event.call)


class Book:
    """A recorder that keeps what it gets, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.entries: list[Entry] = []
        self.error = error

    def record(self, entry: Entry) -> None:
        if self.error is not None:
            raise self.error
        self.entries.append(entry)

    async def arecord(self, entry: Entry) -> None:
        self.record(entry)

    def close(self) -> None:
        self.entries.clear()


def prompt(text: str = "hello", session: Session | None = None) -> Event:
    return Event(
        stage=Stage.PROMPT, segments=(Segment.from_user(text),), session=session or Session()
    )


def guard(*plugins: Plugin, book: Book | None = None, limits: LimitsPolicy | None = None) -> Guard:
    policy = Policy.unsafe_allow_all()
    if limits is not None:
        policy = policy.model_copy(update={"limits": limits})
    return Guard(policy, plugins=plugins, recorder=book)


@pytest.fixture(params=["sync", "async"])
def check(request: pytest.FixtureRequest) -> Callable[[Guard, Event], Decision]:
    """Both colours of `check`: every test of a decision runs in both."""
    if request.param == "sync":
        return lambda guard, event: guard.check(event)
    return lambda guard, event: asyncio.run(guard.acheck(event))


Check = Callable[[Guard, Event], Decision]


def upper(event: Event) -> Decision:
    return Decision.rewrite(segments=[s.with_text(s.text.upper()) for s in event.segments])


def boom(event: Event) -> Decision:
    raise ValueError(SECRET)


def test_nothing_objects_means_allow(check: Check) -> None:
    assert check(guard(), prompt()).verdict is Verdict.ALLOW


def test_rewrites_are_threaded_through(check: Check) -> None:
    seen: list[str] = []

    def look(event: Event) -> Decision:
        seen.append(event.segments[0].text)
        return Decision.rewrite(segments=[event.segments[0].with_text("last")])

    decision = check(guard(Scripted(upper), Scripted(look)), prompt("hi"))
    assert seen == ["HI"]
    assert decision.apply(prompt("hi")).segments[0].text == "last"


def test_first_refusal_ends_the_check(check: Check) -> None:
    asked: list[str] = []

    def note(event: Event) -> Decision:
        asked.append(event.call)
        return Decision.allow()

    refuse = Scripted(lambda _: Decision.deny("no"), name="first")
    after = Scripted(note, name="second")
    decision = check(guard(refuse, after), prompt())
    assert (decision.verdict, decision.plugin, asked) == (Verdict.DENY, "first", [])


def test_later_refusal_beats_an_earlier_question(check: Check) -> None:
    ask, deny = Scripted(lambda _: Decision.ask("?")), Scripted(lambda _: Decision.deny("no"))
    assert check(guard(ask, deny), prompt()).verdict is Verdict.DENY


def test_question_without_anyone_to_answer_is_a_refusal() -> None:
    with pytest.raises(ApprovalRequiredError):
        guard(Scripted(lambda _: Decision.ask("send it?"))).require(prompt())


class Counted(Decision):
    """A decision that knows how often it was applied."""

    applied: ClassVar[list[str]] = []

    def apply(self, event: Event) -> Event:
        self.applied.append(event.segments[0].text)
        return super().apply(event)


def test_the_rewrite_of_a_question_is_applied_once(check: Check) -> None:
    def ask(event: Event) -> Decision:
        new = (event.segments[0].with_text("safe"),)
        return Counted(verdict=Verdict.ASK, reason="send it?", segments=new)

    Counted.applied.clear()
    decision = check(guard(Scripted(ask)), prompt("raw"))
    assert (decision.verdict, Counted.applied) == (Verdict.ASK, ["raw"])
    assert decision.segments == (prompt("safe").segments[0],)


def test_findings_of_all_plugins_are_kept(check: Check) -> None:
    def flag(rule: str) -> Scripted:
        return Scripted(lambda _: Decision.allow(findings=[Finding(rule=rule, category="c")]))

    found = check(guard(flag("a"), flag("b")), prompt()).findings
    assert [finding.rule for finding in found] == ["a", "b"]


def test_plugin_that_raises_blocks_and_tells_no_secret(
    check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        decision = check(guard(Scripted(boom)), prompt(SECRET))
    assert decision.verdict is Verdict.DENY
    assert "ValueError" in decision.findings[0].explanation
    assert SECRET not in repr(decision) + caplog.text


def test_plugin_that_raises_passes_only_where_the_policy_says_so(check: Check) -> None:
    from hauberk._check import Check as OneCheck
    from hauberk.policy import OnError

    run = OneCheck(prompt(), (), LimitsPolicy(), {"x": OnError.ALLOW})
    run.failed("x", ValueError(SECRET))
    assert run.decision().passes
    assert "on_error: allow" in run.decision().findings[0].explanation


def test_rewrite_of_the_wrong_shape_blocks(check: Check) -> None:
    drop = Scripted(lambda _: Decision.rewrite(segments=[]))
    assert check(guard(drop), prompt()).verdict is Verdict.DENY


def test_recorder_that_fails_blocks(check: Check) -> None:
    book = Book(StoreError("full", store="trail"))
    assert check(guard(book=book), prompt()).verdict is Verdict.DENY


def test_every_decision_is_recorded_once_with_the_event_as_it_came(check: Check) -> None:
    book = Book()
    check(guard(Scripted(upper), book=book), prompt("hi"))
    (entry,) = book.entries
    assert entry.event.segments[0].text == "hi"
    assert entry.decision.apply(entry.event).segments[0].text == "HI"


def test_refusal_that_stops_trips_the_session_for_good(check: Check) -> None:
    session = Session()
    plugin = Scripted(lambda e: Decision.deny("enough", stop=True) if e.tool else Decision.allow())
    trip = Event(stage=Stage.TOOL_CALL, tool="t", session=session)
    one = guard(plugin)
    assert check(one, prompt(session=session)).passes
    assert check(one, trip).stop
    after = check(one, prompt(session=session))
    assert (after.passes, after.reason) == (False, "enough")
    assert check(one, prompt()).passes, "other sessions go on"


def test_what_was_reserved_for_a_refused_event_is_released(check: Check) -> None:
    holder = Scripted(lambda _: Decision.allow(), name="holder")
    event = prompt()
    check(guard(holder, Scripted(lambda _: Decision.deny("no"))), event)
    assert holder.released == [event.call]


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (prompt("x" * 101), "hauberk.limit-size"),
        (replace(prompt(), segments=(Segment.from_user(""),) * 4), "hauberk.limit-segments"),
        (
            Event(stage=Stage.TOOL_CALL, tool="t", arguments={"a": {"b": {"c": {}}}}),
            "hauberk.limit-depth",
        ),
    ],
)
def test_what_passes_a_bound_is_refused_unread(check: Check, event: Event, rule: str) -> None:
    limits = LimitsPolicy(max_text_chars=100, max_segments=3, max_depth=2)
    decision = check(guard(Scripted(boom), limits=limits), event)
    assert [finding.rule for finding in decision.findings] == [rule]


def test_arguments_nested_ten_thousand_deep_are_refused_not_crashed_on(check: Check) -> None:
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    event = Event(stage=Stage.TOOL_CALL, tool="t", arguments=deep)
    assert check(guard(), event).findings[0].rule == "hauberk.limit-depth"


def test_overdue_check_is_refused(check: Check) -> None:
    def dawdle(event: Event) -> Decision:
        time.sleep(0.02)
        return Decision.allow()

    slow = Scripted(dawdle)
    limits = LimitsPolicy(check_timeout_s=0.001)
    decision = check(guard(slow, Scripted(boom), limits=limits), prompt())
    assert decision.findings[0].rule == "hauberk.limit-time"


def test_async_plugin_is_awaited_on_async_paths() -> None:
    class Waits(Scripted):
        async def ainspect(self, event: Event) -> Decision:
            await asyncio.sleep(0)
            return Decision.deny("async")

    one = guard(Waits(lambda _: Decision.deny("sync")))
    assert one.check(prompt()).reason == "sync"
    assert asyncio.run(one.acheck(prompt())).reason == "async"


def test_exception_outside_a_check_is_recorded_and_blocks() -> None:
    book = Book()
    error = guard(book=book).refuse(prompt(SECRET), "adapter", ValueError(SECRET))
    assert isinstance(error, BlockedError)
    assert not book.entries[0].decision.passes
    assert SECRET not in str(error)


def test_empty_or_missing_policy_refuses_to_start(tmp_path: object) -> None:
    sources: tuple[dict[str, object] | str, ...] = ({}, "no-such-policy.yaml")
    for source in sources:
        with pytest.raises(PolicyError):
            Guard.from_policy(source)


def test_unknown_plugin_is_named_with_the_nearest() -> None:
    with pytest.raises(PolicyError, match="Did you mean 'pii'"):
        Guard.from_policy(Policy.unsafe_allow_all().model_copy(update={"plugins": _plugins("pij")}))


def _plugins(name: str) -> tuple[object, ...]:
    from hauberk.policy import PluginPolicy

    return (PluginPolicy(use=name),)


def test_sessions_of_the_same_key_are_the_same_and_are_bounded() -> None:
    one = guard(limits=LimitsPolicy(max_sessions=2))
    first = one.session_for("a")
    assert one.session_for("a") is first
    one.session_for("b")
    one.session_for("c")
    assert one.session_for("a") is not first


async def test_open_session_is_found_by_events_in_threads_and_tasks() -> None:
    one = guard()
    async with one.session(user="ada", purpose="support") as session:
        assert prompt_here().session is session
        assert (await asyncio.to_thread(prompt_here)).session is session
        assert (await asyncio.create_task(_aprompt())).session is session
    assert prompt_here().session is not session
    with one.session() as outer, one.session() as inner:
        assert prompt_here().session is inner
        assert outer is not inner


def prompt_here() -> Event:
    return Event(stage=Stage.PROMPT)


async def _aprompt() -> Event:
    return prompt_here()


async def test_check_that_is_cancelled_releases_what_was_reserved() -> None:
    class Hangs(Book):
        async def arecord(self, entry: Entry) -> None:
            await asyncio.Event().wait()

    holder, event = Scripted(lambda _: Decision.allow()), prompt()
    task = asyncio.ensure_future(guard(holder, book=Hangs()).acheck(event))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert holder.released == [event.call]


def test_release_that_fails_does_not_keep_others_from_releasing() -> None:
    class Fails(Scripted):
        def release(self, event: Event) -> None:
            raise ValueError(SECRET)

    holder, event = Scripted(lambda _: Decision.allow()), prompt()
    guard(Fails(lambda _: Decision.allow()), holder).release(event)
    assert holder.released == [event.call]


@pytest.mark.parametrize("made", [Scripted(lambda _: Decision.allow(), name="other"), object()])
def test_entry_point_must_make_a_plugin_of_its_own_name(made: object) -> None:
    from hauberk._build import _checked

    with pytest.raises(PolicyError, match="name"):
        _checked(made, "mine")
