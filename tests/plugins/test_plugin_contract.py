"""The contract suites catch what they are there to catch."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from hauberk import Decision, Event, Finding, Segment, Stage, testing
from hauberk.plugin import Plugin, StreamFilter
from hauberk.testing import PluginContract


class Contract(PluginContract):
    texts = ("hello",)
    tools = ("t",)


@dataclass
class Bad:
    """A plugin with one fault."""

    decide: Callable[[Event], Decision]
    name: str = "bad"
    stages: frozenset[Stage] = frozenset(Stage)

    def inspect(self, event: Event) -> Decision:
        return self.decide(event)


def _raises(event: Event) -> Decision:
    if event.segments:
        raise ValueError("oh")
    return Decision.allow()


def _changes(event: Event) -> Decision:
    if event.arguments:
        event.arguments.clear()  # type: ignore[attr-defined]  # that is the fault
    return Decision.allow()


def _drops(event: Event) -> Decision:
    return Decision.rewrite(segments=event.segments[1:])


def _trusts(event: Event) -> Decision:
    return Decision.rewrite(segments=[Segment.from_user(s.text) for s in event.segments])


def _tells_reason(event: Event) -> Decision:
    return Decision.deny(f"found {event.segments[0].text}") if event.segments else Decision.allow()


def _tells_finding(event: Event) -> Decision:
    return Decision.allow(
        findings=[Finding(rule="r", category="c", where=str(event.arguments), score=0.5)]
    )


def _points_outside(event: Event) -> Decision:
    findings = [
        Finding(rule="r", category="c", segment=n, start=0, end=len(s.text) + 1)
        for n, s in enumerate(event.segments)
    ]
    return Decision.allow(findings=findings)


def _counting() -> Callable[[Event], Decision]:
    counter = count()
    return lambda _: Decision.deny("even") if next(counter) % 2 else Decision.allow()


def _by_thread(_: Event) -> Decision:
    main = threading.current_thread() is threading.main_thread()
    return Decision.allow() if main else Decision.deny("another thread")


@dataclass
class TwoColours(Bad):
    async def ainspect(self, event: Event) -> Decision:
        return Decision.deny("the other colour")


@dataclass
class Upper(Bad):
    """Whole texts in capitals, streams as they are."""

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        return None


def _upper(event: Event) -> Decision:
    return Decision.rewrite(segments=[s.with_text(s.text.upper()) for s in event.segments])


def _allow(_: Event) -> Decision:
    return Decision.allow()


@dataclass
class ReleasesOnce(Bad):
    released: int = 0

    def release(self, event: Event) -> None:
        self.released += 1
        if self.released > 1:
            raise KeyError(event.call)


def _rewrites(_: Event) -> Decision:
    return Decision.rewrite(arguments={"injected": "x"})


FAULTS: dict[str, tuple[Plugin, str]] = {
    "no stages": (Bad(_allow, stages=frozenset()), "test_it_is_a_plugin"),
    "raises": (Bad(_raises), "test_any_event_gets_a_decision"),
    "changes arguments": (Bad(_changes), "test_the_event_is_not_changed"),
    "drops a segment": (Bad(_drops), "test_a_rewrite_keeps_the_shape"),
    "raises trust": (Bad(_trusts), "test_a_rewrite_keeps_the_shape"),
    "adds arguments": (Bad(_rewrites), "test_a_rewrite_keeps_the_shape"),
    "text in reason": (Bad(_tells_reason), "test_no_text_is_told"),
    "text in finding": (Bad(_tells_finding), "test_no_text_is_told"),
    "span outside": (Bad(_points_outside), "test_findings_point_into_the_event"),
    "state in plugin": (Bad(_counting()), "test_threads_agree"),
    "by thread": (Bad(_by_thread), "test_threads_agree"),
    "colours differ": (TwoColours(_allow), "test_both_colours_agree"),
    "streams differ": (Upper(_upper), "test_streams_equal_the_whole"),
    "release raises": (ReleasesOnce(_allow), "test_release_is_safe"),
}


@pytest.mark.parametrize(("plugin", "promise"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_caught(plugin: Plugin, promise: str) -> None:
    check: Callable[..., Any] = getattr(Contract(), promise)
    with pytest.raises((AssertionError, ValueError, KeyError, ExceptionGroup)):
        check(plugin=plugin)


@pytest.mark.parametrize("promise", [n for n in dir(PluginContract) if n.startswith("test_")])
def test_a_plugin_without_a_fault_passes(promise: str) -> None:
    getattr(Contract(), promise)(plugin=Bad(_allow))


def test_every_name_of_the_testing_package_can_be_loaded() -> None:
    assert sorted(name for names in testing._HOMES.values() for name in names) == testing.__all__
    for name in testing.__all__:
        assert getattr(testing, name) is not None


def test_importing_the_testing_package_needs_no_test_tools() -> None:
    code = (
        "import sys, hauberk.testing as t; t.ScriptedBrain; t.GullibleBrain;"
        "assert not {'pytest', 'hypothesis'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
