"""The engine of a guard: asks the plugins about one event, records what came of it, and settles.

Rules:
* Whatever fails, blocks: a plugin that raises, a recorder that cannot record.
* The same inputs give the same decision in both colours.
* What was reserved for an event that does not go on is released, whatever the reason.
* A refusal that stops the run trips the session.
"""

from __future__ import annotations

from collections.abc import Mapping

from hauberk._check import Check
from hauberk._roster import Roster
from hauberk.approval import Grant
from hauberk.decisions import Decision
from hauberk.events import Event
from hauberk.plugin import Recorder
from hauberk.policy import LimitsPolicy, OnError

Checked = tuple[Event, Decision]
"""An event as it may go on (as it came, where it may not), and the decision on it."""


_NOTHING_OPENS: Mapping[str, OnError] = {}


class Engine:
    """Decides on events. Has no state of its own: called from many threads at once."""

    def __init__(
        self,
        roster: Roster,
        recorder: Recorder | None,
        limits: LimitsPolicy,
        on_error: Mapping[str, OnError],
    ) -> None:
        self._roster = roster
        self._recorder = recorder
        self._limits = limits
        self._on_error = on_error

    def check(self, event: Event, grant: Grant | None) -> Checked:
        """Decide on one event, and record it."""
        plugins = self._roster.by_stage[event.stage]
        run = Check(event, plugins, self._limits, self._on_error, grant)
        try:
            for plugin in run.plugins():
                try:
                    run.accept(plugin, plugin.inspect(run.event))
                except Exception as error:  # noqa: BLE001 - whatever fails in a plugin blocks
                    run.failed(plugin.name, error)
            decision = self._recorded(run)
        except BaseException:
            self._roster.release(event)  # a check that is cancelled half-way leaves nothing behind
            raise
        return self._settled(run, decision)

    async def acheck(self, event: Event, grant: Grant | None) -> Checked:
        """The same, without blocking the event loop on anyone's I/O."""
        plugins = self._roster.by_stage[event.stage]
        run = Check(event, plugins, self._limits, self._on_error, grant)
        try:
            for plugin in run.plugins():
                try:
                    waits = self._roster.waiting.get(id(plugin))
                    if waits is None:
                        run.accept(plugin, plugin.inspect(run.event))
                    else:
                        run.accept(plugin, await waits.ainspect(run.event))
                except Exception as error:  # noqa: BLE001 - whatever fails in a plugin blocks
                    run.failed(plugin.name, error)
            decision = run.decision()
            if self._recorder is not None:
                try:
                    await self._recorder.arecord(run.entry(decision))
                except Exception as error:  # noqa: BLE001 - what cannot be recorded must not happen
                    decision = run.failed("audit", error)
        except BaseException:
            self._roster.release(event)  # a check that is cancelled half-way leaves nothing behind
            raise
        return self._settled(run, decision)

    def refuse(self, event: Event, part: str, why: Decision | Exception) -> Decision:
        """Record a refusal that was made outside a check: what `part` decided, or that it failed."""
        if isinstance(why, Decision):
            run = Check(event, (), self._limits, self._on_error)
            run.refuse(part, why)
        else:
            run = Check(event, (), self._limits, _NOTHING_OPENS)
            run.failed(part, why)
        return self._settled(run, self._recorded(run))[1]

    def _recorded(self, run: Check) -> Decision:
        decision = run.decision()
        if self._recorder is not None:
            try:
                self._recorder.record(run.entry(decision))
            except Exception as error:  # noqa: BLE001 - what cannot be recorded must not happen
                decision = run.failed("audit", error)
        return decision

    def _settled(self, run: Check, decision: Decision) -> Checked:
        if decision.passes:
            return run.event, decision
        self._roster.release(run.event)
        if decision.stop:
            run.event.session.trip(decision)
        return run.original, decision
