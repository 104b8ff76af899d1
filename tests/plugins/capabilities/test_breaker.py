"""Time limits that hold, and circuit breakers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hauberk import Decision, Event, Guard, Policy, Segment, Session, Stage
from hauberk.capabilities._breaker import Breakers
from hauberk.errors import BlockedError
from hauberk.events import Trust
from hauberk.flows import Refused, arun_tool, run_tool
from hauberk.policy import Breaker

RULE = Breaker(failures=2, within_s=10, open_s=30)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock=clock)


def fail(breakers: Breakers, *calls: str) -> None:
    for one in calls:
        breakers.failed("t", one, RULE)


def test_it_opens_after_so_many_failures_and_closes_after_a_success(
    breakers: Breakers, clock: Clock
) -> None:
    fail(breakers, "1")
    assert breakers.wait_s("t", "2", RULE) is None
    fail(breakers, "2")
    assert breakers.wait_s("t", "3", RULE) == 30
    assert breakers.wait_s("other", "3", RULE) is None
    clock.now += 30
    assert breakers.wait_s("t", "4", RULE) is None  # it may try
    assert breakers.wait_s("t", "5", RULE) == 30  # one at a time
    breakers.succeeded("t", "4")
    assert breakers.wait_s("t", "6", RULE) is None
    assert breakers.wait_s("t", "7", RULE) is None


def test_a_trial_that_fails_opens_it_again(breakers: Breakers, clock: Clock) -> None:
    fail(breakers, "1", "2")
    clock.now += 30
    assert breakers.wait_s("t", "3", RULE) is None
    fail(breakers, "3")
    clock.now += 29
    assert breakers.wait_s("t", "4", RULE) == 1


def test_a_trial_that_says_nothing_gives_its_turn_back(breakers: Breakers, clock: Clock) -> None:
    fail(breakers, "1", "2")
    clock.now += 30
    assert breakers.wait_s("t", "3", RULE) is None
    breakers.left("t", "9")
    assert breakers.wait_s("t", "4", RULE) is not None
    breakers.left("t", "3")
    assert breakers.wait_s("t", "4", RULE) is None


def test_old_failures_are_forgotten(breakers: Breakers, clock: Clock) -> None:
    fail(breakers, "1")
    clock.now += 11
    fail(breakers, "2")
    assert breakers.wait_s("t", "3", RULE) is None


@pytest.mark.parametrize("jump", [-1e9, -31.0])
def test_a_clock_that_jumps_back_closes_nothing(
    breakers: Breakers, clock: Clock, jump: float
) -> None:
    fail(breakers, "1", "2")
    clock.now += jump
    assert breakers.wait_s("t", "3", RULE) is not None


def test_one_trial_at_a_time_however_many_threads_ask(breakers: Breakers, clock: Clock) -> None:
    fail(breakers, "1", "2")
    clock.now += 30
    through: list[str] = []

    def ask(name: str) -> None:
        if breakers.wait_s("t", name, RULE) is None:
            through.append(name)

    threads = [threading.Thread(target=ask, args=(f"c{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 1


# --- through a guard ----------------------------------------------------------------------------


class Texts:
    def read(self, value: object) -> tuple[Segment, ...]:
        return (Segment(text=str(value), origin="tool:t", trust=Trust.UNTRUSTED),)

    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        return segments[0].text


def guarded(**rule: Any) -> Guard:
    return Guard(
        Policy.model_validate(
            {
                "version": 1,
                "pii": False,
                "injection": False,
                "audit": False,
                "capabilities": {"tools": {"t": rule}},
            }
        )
    )


def one() -> Event:
    return Event(stage=Stage.TOOL_CALL, tool="t", arguments={}, session=Session())


Run = Callable[[Guard, Callable[[], object]], object]


def sync_run(guard: Guard, work: Callable[[], object]) -> object:
    return run_tool(guard, one(), lambda _: work(), Texts())


def async_run(guard: Guard, work: Callable[[], object]) -> object:
    async def call(_: Mapping[str, object]) -> object:
        return work()

    return asyncio.run(arun_tool(guard, one(), call, Texts()))


def broken() -> object:
    raise RuntimeError("down")


def refusing() -> object:
    raise BlockedError(Decision.deny("an inner guard said no"))


@pytest.mark.parametrize("run", [sync_run, async_run])
def test_a_tool_that_keeps_failing_is_left_alone(run: Run) -> None:
    guard = guarded(breaker={"failures": 2})
    for _ in range(2):
        with pytest.raises(RuntimeError):
            run(guard, broken)
    ran: list[int] = []
    done = run(guard, lambda: ran.append(1))
    assert isinstance(done, Refused)
    assert done.decision.findings[0].rule == "capability.breaker"
    assert "'t' failed too often" in done.text
    assert ran == []


@pytest.mark.parametrize("run", [sync_run, async_run])
def test_refusals_say_nothing_of_the_tool(run: Run) -> None:
    guard = guarded(breaker={"failures": 1})
    with pytest.raises(BlockedError):
        run(guard, refusing)
    assert run(guard, lambda: "fine") == "fine"


@pytest.mark.parametrize("run", [sync_run, async_run])
def test_a_success_after_the_rest_closes_it(run: Run) -> None:
    guard = guarded(breaker={"failures": 1, "open_s": 0.05})
    with pytest.raises(RuntimeError):
        run(guard, broken)
    assert isinstance(run(guard, lambda: "fine"), Refused)
    time.sleep(0.06)
    assert run(guard, lambda: "fine") == "fine"
    assert run(guard, lambda: "fine") == "fine"


def test_running_out_of_time_is_a_failure_and_leaves_no_waiter() -> None:
    guard = guarded(timeout_s=0.05, breaker={"failures": 1})
    hold = threading.Event()
    done = run_tool(guard, one(), lambda _: hold.wait(30), Texts())
    assert isinstance(done, Refused)
    assert done.decision.findings[0].rule == "capability.timeout"
    left = [t for t in threading.enumerate() if t.name == "hauberk-tool"]
    assert all(thread.daemon for thread in left)
    hold.set()
    for thread in left:
        thread.join(10)
    assert not [t for t in threading.enumerate() if t.name == "hauberk-tool"]
    again = run_tool(guard, one(), lambda _: "fine", Texts())
    assert isinstance(again, Refused)
    assert again.decision.findings[0].rule == "capability.breaker"


async def test_running_out_of_time_on_a_loop_cancels_the_tool() -> None:
    guard = guarded(timeout_s=0.05, breaker={"failures": 1})
    ended: list[str] = []

    async def hang(_: Mapping[str, object]) -> object:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return None

    assert isinstance(await arun_tool(guard, one(), hang, Texts()), Refused)
    await asyncio.sleep(0)
    assert ended == ["cancelled"]
    assert len(asyncio.all_tasks()) == 1
    assert not guard.check(one()).passes


async def test_a_cancelled_run_is_no_failure_of_the_tool() -> None:
    guard = guarded(breaker={"failures": 1})

    async def hang(_: Mapping[str, object]) -> object:
        await asyncio.sleep(30)
        return None

    task = asyncio.create_task(arun_tool(guard, one(), hang, Texts()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert guard.check(one()).passes
