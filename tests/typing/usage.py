"""The documented usage, for the type checkers: checked by mypy and pyright, never run."""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

from hauberk import (
    BlockedError,
    Decision,
    Event,
    Finding,
    Guard,
    Plugin,
    Policy,
    Segment,
    Session,
    Stage,
    load_policy,
)


class NoShouting:
    """A user's plugin needs no base class."""

    name = "no-shouting"
    stages = frozenset({Stage.PROMPT})

    def inspect(self, event: Event) -> Decision:
        if any(segment.text.isupper() for segment in event.segments):
            return Decision.deny("the prompt shouts")
        return Decision.allow()


plugin: Plugin = NoShouting()
assert_type(load_policy(Path("policy.yaml")), Policy)
assert_type(load_policy({"version": 1}), Policy)
guard = Guard(Policy(version=1, pii=False), plugins=[NoShouting()])
event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("hello"),))
assert_type(guard.check(event), Decision)
assert_type(guard.require(event), Event)
assert_type(guard.check(event).findings, tuple[Finding, ...])
assert_type(guard.check(event).arguments, Mapping[str, object] | None)

with guard.session(user="ada", purpose="support") as session:
    assert_type(session, Session)


async def on_a_loop() -> None:
    async with guard.session(user="ada") as session:
        assert_type(session, Session)
        assert_type(await guard.acheck(event), Decision)


def refused() -> str:
    try:
        guard.require(event)
    except BlockedError as error:
        assert_type(error.decision, Decision)
        return error.decision.reason
    return ""
