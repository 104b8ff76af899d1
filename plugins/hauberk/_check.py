"""One check under way: what is decided so far (no I/O).

Rules:
* A refusal is final; a question waits for a refusal that beats it; rewrites are threaded through.
* Questions are asked together, and answered by a grant that covers exactly this event.
* What fails refuses, unless the policy opens up for that part, and says so in a finding.
* Of a foreign error only its class and place are told: its message may hold the guarded text.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from hauberk._limits import over_limit
from hauberk.approval import Grant
from hauberk.decisions import ALLOWED, Decision, Finding, Severity, Verdict
from hauberk.events import Event
from hauberk.plugin import Entry, Plugin
from hauberk.policy import LimitsPolicy, OnError

_log = logging.getLogger("hauberk")


class Check:
    """What the plugins of one stage said of one event, so far."""

    __slots__ = (
        "_findings",
        "_grant",
        "_limits",
        "_on_error",
        "_plugins",
        "_question",
        "_refusal",
        "_started",
        "_timeout_s",
        "event",
        "original",
    )

    def __init__(
        self,
        event: Event,
        plugins: tuple[Plugin, ...],
        limits: LimitsPolicy,
        on_error: Mapping[str, OnError],
        grant: Grant | None = None,
    ) -> None:
        self.event = event
        self.original = event
        self._plugins = plugins
        self._limits = limits
        self._on_error = on_error
        self._grant = grant
        self._findings: list[Finding] = []
        self._refusal: Decision | None = None
        self._question: Decision | None = None
        self._timeout_s: float | None = None
        self._started = time.perf_counter()

    def plugins(self) -> Iterator[Plugin]:
        """Those that must still be asked: none after a refusal."""
        tripped = self.event.session.tripped
        if tripped is not None:
            self.refuse("session", replace(tripped, findings=()))
        elif limit := over_limit(self.event, self._limits):
            self.refuse("limits", limit)
        for plugin in self._plugins:
            if self._refusal is not None:
                return
            if time.perf_counter() - self._started > self._limits.check_timeout_s:
                self.refuse("limits", _overdue(self._limits.check_timeout_s))
                return
            yield plugin

    def accept(self, plugin: Plugin, decision: Decision) -> None:
        """Thread one plugin's decision through."""
        if decision is ALLOWED:
            return
        match decision.verdict:
            case Verdict.DENY:
                self.refuse(plugin.name, decision)
                return
            case Verdict.ASK:
                self.event = _rewritten(self.event, decision)
                self._question = _joined(self._question, replace(decision, plugin=plugin.name))
            case Verdict.REWRITE:
                self.event = _rewritten(self.event, decision)
            case Verdict.ALLOW:
                pass
        self._findings += decision.findings
        if decision.timeout_s is not None:
            self._timeout_s = min(self._timeout_s or decision.timeout_s, decision.timeout_s)

    def failed(self, name: str, error: Exception) -> Decision:
        """Something of ours (or a plugin) failed: refuse, unless the policy opens up for it.

        Gives what is decided now.
        """
        opens = self._on_error.get(name) is OnError.ALLOW
        finding = Finding(
            rule="hauberk.error",
            category="error",
            severity=Severity.HIGH,
            # Class and place only: a foreign message may hold the very text that is guarded.
            explanation=f"{name} failed: {place_of(error)}"
            + (" (on_error: allow)" if opens else ""),
        )
        _log.error("%s failed: %s", name, place_of(error))
        if opens:
            self._findings.append(finding)
        else:
            self.refuse(name, Decision.deny(f"{name} failed", findings=[finding]))
        return self.decision()

    def entry(self, decision: Decision) -> Entry:
        """This check, for the recorder."""
        return Entry(
            event=self.original,
            decision=decision,
            elapsed_s=time.perf_counter() - self._started,
            time=time.time(),
        )

    def decision(self) -> Decision:
        """What all plugins together decided."""
        if self._is_plain():
            return ALLOWED
        findings = tuple(self._findings)
        if self._refusal is not None:
            return replace(self._refusal, findings=findings)
        changed = self.event is not self.original
        if self._question is not None:
            if self._grant is None or not self._grant.covers(self.original, self.event):
                return replace(
                    self._question,
                    findings=findings,
                    segments=self.event.segments if changed else None,
                    arguments=self.event.arguments if changed else None,
                )
            findings = (*findings, self._grant.finding)
        return Decision(
            verdict=Verdict.REWRITE if changed else Verdict.ALLOW,
            findings=findings,
            segments=self.event.segments if changed else None,
            arguments=self.event.arguments if changed else None,
            timeout_s=self._timeout_s,
        )

    def _is_plain(self) -> bool:
        return (
            self.event is self.original
            and not self._findings
            and self._refusal is None
            and self._question is None
            and self._timeout_s is None
        )

    def refuse(self, name: str, decision: Decision) -> None:
        """Nothing goes on: `decision` says why."""
        self._findings += decision.findings
        self._refusal = replace(decision, plugin=decision.plugin or name)


def _joined(first: Decision | None, second: Decision) -> Decision:
    """Both questions as one: a person must read all that is asked."""
    return second if first is None else replace(first, reason=f"{first.reason}; {second.reason}")


_origin = attrgetter("origin")


def _rewritten(event: Event, decision: Decision) -> Event:
    new = decision.apply(event)
    segments = decision.segments
    if segments is not None and list(map(_origin, segments)) != list(map(_origin, event.segments)):
        raise ValueError("a rewrite must keep the number and the origins of the segments")
    return new


def _overdue(limit_s: float) -> Decision:
    finding = Finding(
        rule="hauberk.limit-time",
        category="limit",
        severity=Severity.HIGH,
        explanation=f"the check took longer than {limit_s:g} s",
    )
    return Decision.deny("the time limit of a check is passed", findings=[finding])


def place_of(error: Exception) -> str:
    """Class of an error and where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
