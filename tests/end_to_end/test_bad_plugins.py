"""Plugins of the application that fail: refused, recorded, and nothing that they say goes out."""

from __future__ import annotations

from typing import Any

import pytest

from hauberk import Decision, Event, Stage

pytestmark = pytest.mark.timeout(60)

SECRET = "the-secret-that-the-plugin-looked-at"


class Raises:
    """Fails at one stage."""

    name = "broken"

    def __init__(self, stage: Stage, error: BaseException) -> None:
        self.stages = frozenset({stage})
        self.error = error

    def inspect(self, event: Event) -> Decision:
        raise self.error


class Answers(Raises):
    """Gives back what is no decision."""

    def __init__(self, stage: Stage, answer: Any) -> None:
        super().__init__(stage, ValueError())
        self.answer = answer

    def inspect(self, event: Event) -> Decision:
        found: Decision = self.answer
        return found


class BrokenFilter:
    def __init__(self, at: str) -> None:
        self.at = at

    def feed(self, text: str) -> str:
        if self.at == "feed":
            raise ValueError(SECRET)
        return text

    def finish(self) -> str:
        if self.at == "finish":
            raise ValueError(SECRET)
        return ""


class BrokenStream:
    """Allows the whole, and fails in the stream."""

    name = "broken"
    stages = frozenset({Stage.COMPLETION})

    def __init__(self, at: str) -> None:
        self.at = at

    def inspect(self, event: Event) -> Decision:
        return Decision.allow()

    def open_stream(self, event: Event, *, json_string: bool) -> BrokenFilter:
        if self.at == "open":
            raise ValueError(SECRET)
        return BrokenFilter(self.at)


class BrokenRelease:
    """Fails when a call that failed is given back."""

    name = "broken"
    stages = frozenset({Stage.PROMPT})

    def __init__(self) -> None:
        self.released = 0

    def inspect(self, event: Event) -> Decision:
        return Decision.allow()

    def release(self, event: Event) -> None:
        self.released += 1
        raise RuntimeError(SECRET)


ERRORS = [ValueError(SECRET), RecursionError(SECRET), MemoryError(), StopIteration(SECRET)]


def check_refused(world: Any, outcome: Any) -> None:
    assert outcome.refused, repr(outcome.error)
    error = outcome.error
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__
    (denied,) = {record.plugin for record in world.denied()}
    assert denied
    assert not world.leaked(SECRET)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_plugin_that_raises_blocks_the_prompt(
    make: Any, door: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world = make(door, plugins=[Raises(Stage.PROMPT, error)])
    outcome = world.run("Go", ["never"])
    check_refused(world, outcome)
    assert outcome.seen == ""
    assert SECRET not in caplog.text


@pytest.mark.parametrize("stage", [Stage.TOOL_CALL, Stage.TOOL_RESULT])
def test_a_plugin_that_raises_at_a_tool_is_answered_to_the_model(
    make: Any, kit: Any, door: str, stage: Stage
) -> None:
    ran: list[int] = []

    def work() -> str:
        ran.append(1)
        return SECRET

    world = make(door, plugins=[Raises(stage, ValueError(SECRET))])
    outcome = world.run("Go", [kit.call(), "Refused."], work)
    assert outcome.answer == "Refused.", repr(outcome.error)
    assert SECRET not in outcome.seen
    assert bool(ran) is (stage is Stage.TOOL_RESULT)
    assert [record.stage for record in world.denied()] == [stage]


def test_a_plugin_that_raises_at_the_answer_blocks_it(make: Any, door: str) -> None:
    world = make(door, plugins=[Raises(Stage.COMPLETION, ValueError(SECRET))])
    outcome = world.run("Go", [f"I say {SECRET}."])
    check_refused(world, outcome)
    assert SECRET not in outcome.shown


@pytest.mark.parametrize("answer", [None, True, "allow", Decision.rewrite(segments=[])])
def test_what_is_no_decision_blocks(make: Any, door: str, answer: Any) -> None:
    world = make(door, plugins=[Answers(Stage.PROMPT, answer)])
    outcome = world.run("Go", ["never"])
    check_refused(world, outcome)
    assert outcome.seen == ""


@pytest.mark.parametrize("at", ["open", "feed", "finish"])
def test_a_filter_that_fails_ends_the_stream(make: Any, door: str, at: str) -> None:
    world = make(door, plugins=[BrokenStream(at)])
    outcome = world.run("Go", [f"I say {SECRET}."])
    if "stream" not in door:
        assert outcome.answer == f"I say {SECRET}."
    else:
        check_refused(world, outcome)


def test_a_plugin_that_fails_to_release_stops_nobody(
    make: Any, door: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The reservations of the others are freed: the next run has the whole budget."""
    broken = BrokenRelease()
    world = make(door, plugins=[broken], budget={"model_calls": 1})

    class Fails:
        def reply(self, turns: Any, tools: Any) -> Any:
            raise ConnectionError("the provider is down")

    with world.guard.session():
        outcome = world.run("Go", brain=Fails())
        assert isinstance(outcome.error, ConnectionError)
        assert world.run("Go", ["fine"]).answer == "fine"
    assert broken.released
    assert SECRET not in caplog.text
    world.records()
