"""The flow part of the capabilities plugin: reads what passes by, and judges calls by it.

Rules:
* A denial of the rule book stands; a denial by flow goes before its question; questions add up.
* A call is numbered when it may run (or waits for a person), so that sources can be named by it.
* The state is in the session. Judging reads it, and changes only what the call itself brings.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice

from hauberk.capabilities._explanation import ValueOrigin, value_origin
from hauberk.capabilities._outcome import Change
from hauberk.capabilities.flow._book import FlowBook, Objection, decision_of
from hauberk.capabilities.flow._observe import Observer, State
from hauberk.capabilities.flow._tools import Sources
from hauberk.capabilities.flow._values import values_of
from hauberk.capabilities.provenance import Ledger
from hauberk.decisions import Decision, Verdict
from hauberk.events import Event, Stage
from hauberk.policy._flow import FlowSection, origins_of
from hauberk.private import Private
from hauberk.references import References
from hauberk.session import Session

OWN = frozenset({"user", "developer"})
MAX_EXPLAINED = 100
"""Values of one call that are explained."""


class Flow:
    """Provenance and flow rules of one policy.

    Does not promise to follow a meaning: a value that the model wrote in other words is the model's
    own, written after it had read what it had read. Rules can refuse that; they cannot read it.
    """

    stages = frozenset({Stage.PROMPT, Stage.TOOL_CALL, Stage.TOOL_RESULT, Stage.RETRIEVAL})

    def __init__(self, policy: FlowSection) -> None:
        """Compile the rules.

        Raises:
            PolicyError: The matcher that `intent` names is not installed.
        """
        self._trusted = OWN | frozenset(policy.trusted)
        self._sources = Sources(policy)
        self._book = FlowBook(policy)
        self._observer = Observer(self._sources, self._book.hear)

    @staticmethod
    def is_wanted(policy: FlowSection) -> bool:
        """Whether a policy says anything about flow."""
        rules = policy.flow or policy.rule_of_two or policy.intent
        return bool(rules) or any(origins.hide for origins in origins_of(policy))

    def state(self, event: Event) -> State:
        """What the event's session has read so far."""
        return event.session.state(self, partial(_state, self._trusted, event.session))

    def observe(self, event: Event) -> Decision:
        """Take in what a prompt, a result or a retrieval brings."""
        return self._observer.observe(event, self.state(event))

    def revealed(self, event: Event) -> Event:
        """A tool call with the real texts in the place of references."""
        arguments = event.arguments or {}
        shown = self.state(event).hidden.shown(arguments)
        return event if shown is arguments else event.rewritten(None, shown)

    def objections(self, meant: Event) -> list[Objection]:
        """What the flow rules have against a call. Changes nothing."""
        view = self._sources.tool(meant.tool or "")
        return list(self._book.objections(view, meant.arguments or {}, self.state(meant).ledger))

    def explain(
        self, meant: Event, decision: Decision
    ) -> tuple[Decision, tuple[ValueOrigin, ...], tuple[Change, ...]]:
        """What flow makes of the rule book's decision, where each value came from, what would help.

        Changes nothing.
        """
        ledger = self.state(meant).ledger
        values = [
            value_origin(value.where, value.text, ledger)
            for value in islice(values_of(meant.arguments or {}), MAX_EXPLAINED)
        ]
        if decision.verdict is Verdict.DENY:
            return decision, tuple(values), ()
        objections = self.objections(meant)
        refusal = "deny" if any(one.refusal == "deny" for one in objections) else "ask"
        changes = [o.change for o in objections if o.refusal == refusal and o.change is not None]
        joined = _joined(decision, decision_of(objections))
        return joined, tuple(values), tuple(dict.fromkeys(changes))

    def judge(self, event: Event, meant: Event, decision: Decision) -> Decision:
        """The decision of the rule book, with what flow has to say.

        Args:
            event: The call as it came.
            meant: The call with the real texts in it.
            decision: What the rule book says of `meant`.
        """
        if decision.verdict is Verdict.DENY:
            return decision
        decision = _joined(decision, decision_of(self.objections(meant)))
        if decision.verdict is Verdict.DENY:
            return decision
        self._open(meant, waits=decision.verdict is Verdict.ASK)
        return decision if meant is event else _rewriting(decision, meant)

    def _open(self, event: Event, *, waits: bool) -> None:
        ledger = self.state(event).ledger
        values = tuple((value.argument, value.text) for value in values_of(event.arguments or {}))
        tool = event.tool or ""
        call = ledger.open_call(event.call, tool, values)
        ledger.spoken(text for _, text in values)
        if not waits and self._sources.tool(tool).effect == "outside":
            ledger.reached_outside(call)


def _state(trusted: frozenset[str], session: Session) -> State:
    ledger = Ledger(trusted)
    Private.of(session).add(ledger, partial(_is_labelled, ledger))
    return State(ledger, References.of(session))


def _is_labelled(ledger: Ledger, text: str) -> bool:
    """Whether a text was taken word for word from data that bears a label."""
    origin = ledger.origin(text)
    return origin.source is not None and bool(origin.borne)


def _joined(first: Decision, second: Decision | None) -> Decision:
    if second is None:
        return first
    if second.verdict is Verdict.DENY or first.verdict is not Verdict.ASK:
        return replace(second, findings=(*first.findings, *second.findings))
    findings = (*first.findings, *second.findings)
    return replace(first, reason=f"{first.reason}; {second.reason}", findings=findings)


def _rewriting(decision: Decision, meant: Event) -> Decision:
    verdict = Verdict.ASK if decision.verdict is Verdict.ASK else Verdict.REWRITE
    return replace(decision, verdict=verdict, arguments=meant.arguments)
