"""Runs the tasks, bare and guarded, and writes down what happened.

Rules:
* What the model saw is recorded at the model's provider, behind everything that hauberk does.
* One guard and one audit trail for all guarded runs; each task is a session of its own.
* A scenario that fails is not hidden: its error is in the trace.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import as_file, files
from pathlib import Path
from typing import Protocol, cast

from hauberk.audit import AuditTrail, verify_trail
from hauberk.budget import NANO_USD, PriceList
from hauberk.decisions import Finding
from hauberk.demo._company import Company
from hauberk.demo._report import GULLIBLE, AttackOutcome, AuditResult, HonestOutcome, Report
from hauberk.demo._tasks import ATTACKS, HONEST, Attack, Honest
from hauberk.demo._trace import (
    Cost,
    Message,
    ModelCall,
    Reason,
    Trace,
    Verdict,
    what_left,
)
from hauberk.errors import HauberkError, MissingExtraError
from hauberk.events import Stage, Usage
from hauberk.guard import Guard
from hauberk.plugin import Entry
from hauberk.policy import AuditPolicy, Policy, load_policy
from hauberk.testing._brain import Brain, Reply, ToolSpec, Turn, count_tokens
from hauberk.testing._gullible import GullibleBrain

GROUP = "hauberk.demo"
"""Entry point group: name of a framework -> scenario."""


class Provider:
    """The model's provider, as the company's bill shows it: what was sent, what came back.

    It is the brain of the model doubles. A scenario that runs a real model notes its calls here.
    """

    def __init__(self, model: str | None = None, brain: Brain | None = None) -> None:
        self.model = model
        """`provider:name` of a real model; None: the gullible one."""
        self.calls: list[ModelCall] = []
        self._brain = brain or GullibleBrain()

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        """Answer like the gullible model, and note it."""
        reply = self._brain.reply(turns, tools)
        self.note(turns, reply)
        return reply

    def note(self, turns: Sequence[Turn], reply: Reply, usage: Usage | None = None) -> None:
        """Write one model call down; without `usage`, tokens are estimated."""
        messages = tuple(Message(role=turn.role, text=_text(turn)) for turn in turns)
        answer = _text(reply)
        used = usage or Usage(
            input_tokens=sum(count_tokens(message.text) for message in messages),
            output_tokens=count_tokens(answer),
        )
        self.calls.append(
            ModelCall(
                messages=messages,
                answer=answer,
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
            )
        )


def _text(said: Turn | Reply) -> str:
    calls = (f"{c.name}({json.dumps(dict(c.arguments), ensure_ascii=False)})" for c in said.calls)
    return "\n".join(part for part in (said.text, *calls) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a scenario gets: one task for its agent."""

    ask: str
    """What the user types."""
    office: Company
    """What the agent's tools work on."""
    provider: Provider
    """What is behind the agent's model."""
    guard: Guard | None
    """To be put around the agent; None: a bare run."""


class Scenario(Protocol):
    """An agent of one framework: runs one task and gives the answer (entry points `hauberk.demo`)."""

    def __call__(self, visit: Visit) -> str:
        """Run the agent; with a guard, guarded."""
        ...


@dataclass(slots=True)
class _Notes:
    """A recorder that also remembers, so that decisions can be shown beside their run."""

    trail: AuditTrail
    guard: Guard | None = None
    """Whose decisions these are: it explains them."""
    decisions: list[Verdict] = field(default_factory=list[Verdict])

    def record(self, entry: Entry) -> None:
        self.trail.record(entry)
        self._note(entry)

    async def arecord(self, entry: Entry) -> None:
        await self.trail.arecord(entry)
        self._note(entry)

    def _note(self, entry: Entry) -> None:
        # At once: what a session has read by now is what it was refused for.
        self.decisions.append(
            _verdict(entry, "" if self.guard is None else _told(self.guard, entry))
        )

    def close(self) -> None:
        self.trail.close()


def scenarios() -> dict[str, Callable[[], Scenario]]:
    """The frameworks that have an agent for this demo; calling a value imports it.

    A value raises MissingExtraError when the framework is not installed.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return {entry.name: partial(_loaded, entry) for entry in found}


def _loaded(entry: EntryPoint) -> Scenario:
    try:
        return cast("Scenario", entry.load())
    except MissingExtraError:
        raise
    except ImportError as error:
        raise MissingExtraError(entry.name, needed_for=f"the demo's {entry.name} agent") from error


class DemoError(HauberkError):
    """The demo cannot run as it was asked to. The message says why and what to do."""


def demo_policy() -> Policy:
    """The policy of the company's security officer, `policy.yaml`."""
    with as_file(files("hauberk.demo") / "policy.yaml") as path:
        return load_policy(path)


def run(  # noqa: PLR0913 - options, by keyword only
    frameworks: Sequence[str] | Mapping[str, Scenario],
    *,
    guarded_by: Policy | None = None,
    model: str | None = None,
    audit: Path | None = None,
    attacks: Sequence[Attack] = ATTACKS,
    honest: Sequence[Honest] = HONEST,
    on_task: Callable[[str, str], None] | None = None,
) -> Report:
    """Run every task with every framework's agent: bare, then guarded.

    Args:
        frameworks: Names of scenarios (`langchain`, `llama-index`), or scenarios of your own by
            name: an agent of yours can be put to the same test.
        guarded_by: The policy; the demo's own by default.
        model: `provider:name` of a real model, instead of the gullible one.
        audit: File of the audit trail; one in a temp folder by default.
        attacks: The attacks to try.
        honest: The honest work to do.
        on_task: Told the framework and the task before each.

    Raises:
        MissingExtraError: A framework is not installed.
        DemoError: No scenario has that name, or the model cannot be used.
    """
    if isinstance(frameworks, Mapping):
        chosen = dict(frameworks)
    else:
        chosen = {name: _scenario(name) for name in frameworks}
    policy = guarded_by or demo_policy()
    tried: list[AttackOutcome] = []
    worked: list[HonestOutcome] = []
    with _guard(policy, audit) as (guard, notes):
        bench = _Bench(policy=policy, guard=guard, notes=notes, model=model, on_task=on_task)
        for name, scenario in chosen.items():
            tried += [AttackOutcome.judge(a, *bench.both(name, scenario, a)) for a in attacks]
            worked += [HonestOutcome.judge(h, *bench.both(name, scenario, h)) for h in honest]
        proven = _proven(notes.trail, audit)
    return Report(
        model=model or GULLIBLE,
        frameworks=tuple(chosen),
        attacks=tuple(tried),
        honest=tuple(worked),
        audit=proven,
    )


def _proven(trail: AuditTrail, audit: Path | None) -> AuditResult:
    proof = verify_trail(cast("Path", trail.path))
    return AuditResult(
        path=str(audit) if audit else None,
        records=proof.records,
        intact=proof.intact,
        problems=tuple(problem.text for problem in proof.problems),
    )


def _scenario(name: str) -> Scenario:
    known = scenarios()
    if name not in known:
        raise DemoError(f"no agent for {name!r}; there are {', '.join(known)}")
    return known[name]()


@contextmanager
def _guard(policy: Policy, audit: Path | None) -> Generator[tuple[Guard, _Notes]]:
    with tempfile.TemporaryDirectory(prefix="hauberk-audit-") as folder:
        path = audit or Path(folder) / "audit.db"
        notes = _Notes(AuditTrail.open(AuditPolicy(path=str(path))))
        with Guard(policy, recorder=notes) as guard:
            notes.guard = guard
            yield guard, notes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Runs one task, and measures."""

    policy: Policy
    guard: Guard
    notes: _Notes
    model: str | None
    on_task: Callable[[str, str], None] | None

    def both(self, name: str, scenario: Scenario, task: Attack | Honest) -> tuple[Trace, Trace]:
        """One task, bare and guarded."""
        if self.on_task is not None:
            self.on_task(name, task.title)
        return (
            self._once(name, scenario, task, guard=None),
            self._once(name, scenario, task, guard=self.guard),
        )

    def _once(
        self, name: str, scenario: Scenario, task: Attack | Honest, *, guard: Guard | None
    ) -> Trace:
        provider = Provider(self.model)
        before = len(self.notes.decisions)
        started = time.perf_counter()
        answer, stopped = "", None
        session = guard.session(user="office clerk") if guard else nullcontext()
        with Company() as office, session:
            visit = Visit(ask=task.ask, office=office, provider=provider, guard=guard)
            try:
                answer = scenario(visit)
            except DemoError:
                raise
            except Exception as error:  # noqa: BLE001 - however a run ends, it is shown
                stopped = f"{type(error).__name__}: {error}"
        return Trace(
            framework=name,
            task=task.ident,
            guarded=guard is not None,
            answer=answer,
            stopped=stopped,
            seen=tuple(provider.calls),
            actions=tuple(office.actions),
            left=tuple(what_left(office.actions, answer)),
            cost=self._cost(provider),
            decisions=tuple(self.notes.decisions[before:]),
            seconds=round(time.perf_counter() - started, 4),
        )

    def _cost(self, provider: Provider) -> Cost:
        budget = self.policy.budget
        prices = PriceList(budget.prices if budget else {}, built_in=self.model is not None)
        used_in = sum(call.input_tokens for call in provider.calls)
        used_out = sum(call.output_tokens for call in provider.calls)
        nano = prices.cost(self.model or GULLIBLE, used_in, used_out)
        return Cost(
            model_calls=len(provider.calls),
            input_tokens=used_in,
            output_tokens=used_out,
            usd=None if nano is None else nano / NANO_USD,
        )


def _told(guard: Guard, entry: Entry) -> str:
    """Why a tool call was refused, in one sentence; empty for everything else."""
    event, decision = entry.event, entry.decision
    if event.stage is not Stage.TOOL_CALL or decision.passes:
        return ""
    try:
        explained = guard.explain(event)
    except ValueError:  # nothing in this policy explains
        return decision.reason
    return decision.reason if explained.decision.passes else explained.sentence


def _verdict(entry: Entry, told: str) -> Verdict:
    decision = entry.decision
    return Verdict(
        stage=entry.event.stage.value,
        tool=entry.event.tool,
        verdict=decision.verdict.value,
        plugin=decision.plugin,
        reason=decision.reason,
        findings=tuple(map(_reason, decision.findings)),
        told=told,
    )


def _reason(finding: Finding) -> Reason:
    return Reason(
        rule=finding.rule,
        severity=finding.severity.name.lower(),
        explanation=finding.explanation,
    )
