"""Flow rules: may these values go there (pure, over what the session has read).

Rules:
* Every rule is asked; a denial goes before a question, and all questions are asked together.
* `from`: each value of the arguments (or each thing of the kinds that the rule names inside them)
  must have been written, all of it, by one of these parties. Null, booleans and empty texts say
  nothing and pass.
* `after`: once such text or data was read, no such call.
* A label sticks to a value that holds it, and to everything that the model writes after it read it.
  What the user or the developer said is theirs to give.
* Rule of two: a call that would bring the third of untrusted text, private data and an effect
  outside into one session, or that reaches outside once the other two are there.
* A reason names rule, argument, and where the value came from. It never repeats a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hauberk.capabilities._names import shown
from hauberk.capabilities._outcome import Change
from hauberk.capabilities.flow._intent import Intent
from hauberk.capabilities.flow._tools import UNTRUSTED, ToolView
from hauberk.capabilities.flow._values import MAX_THINGS, MAX_VALUES, Asked, Value, held, values_of
from hauberk.capabilities.provenance import MODEL, Ledger, Origin
from hauberk.decisions import Decision, Finding, Severity
from hauberk.policy._flow import FlowRule, FlowSection


@dataclass(frozen=True, slots=True)
class Objection:
    """What one rule has against a call."""

    rule: str
    """Id for findings: `flow.from` ..."""
    name: str
    """The rule in the policy: its name, or its place."""
    refusal: str
    """`deny` or `ask`."""
    reason: str
    where: str = "tool"
    change: Change | None = None
    """What would take it away."""


@dataclass(frozen=True, slots=True)
class _Rule:
    said: FlowRule
    number: int
    name: str
    allowed: frozenset[str] | None
    banned: frozenset[str]


class FlowBook:
    """The flow rules of a policy, compiled. Frozen: safe for every thread."""

    def __init__(self, policy: FlowSection) -> None:
        self._rule_of_two = policy.rule_of_two
        self._intent = None if policy.intent is None else Intent(policy.intent)
        self._rules = tuple(_compiled(rule, n) for n, rule in enumerate(policy.flow))
        self._of_tool: dict[str, tuple[tuple[_Rule, str], ...]] = {}

    def objections(
        self, view: ToolView, arguments: Mapping[str, object], ledger: Ledger
    ) -> Iterator[Objection]:
        """What the rules have against a call."""
        rules = self._rules_of(view)
        values: tuple[Value, ...] = ()
        if rules:
            values = tuple(values_of(arguments))
            if len(values) > MAX_VALUES:
                reason = f"more than {MAX_VALUES} values in one call cannot be judged"
                yield Objection("flow.limit", "flow", "deny", reason)
                return
        asked = Asked(ledger)
        for rule, effect in rules:
            if effect == "values":
                yield from _about_values(rule, view, values, asked)
            elif effect == "label":
                yield from _about_labels(rule, view, values, asked)
            elif (read := _read(rule.said.after, ledger)) is not None:
                what = "lets no call" if effect == "deny" else "asks before a call"
                reason = f"{read} was read, and {rule.name} {what} of {shown(view.name)} after it"
                change = Change(at=("flow", rule.number), action="remove")
                yield Objection("flow.after", rule.name, effect, reason, change=change)
        yield from self._two(view, ledger)
        yield from self._asked_for(view, ledger)

    def _rules_of(self, view: ToolView) -> tuple[tuple[_Rule, str], ...]:
        """Rules that are about a tool, each with what they do: computed once for each tool."""
        known = self._of_tool.get(view.name)
        if known is None:
            known = tuple(
                (rule, effect) for rule in self._rules for effect in _effects(rule.said, view)
            )
            if len(self._of_tool) < MAX_TOOLS:
                self._of_tool[view.name] = known
        return known

    def _two(self, view: ToolView, ledger: Ledger) -> Iterator[Objection]:
        if self._rule_of_two is None:
            return
        read = ledger.read
        private = next(iter(read.labels.values()), None)
        before = (read.untrusted is not None, private is not None, read.outside > 0)
        brings = (
            view.access == "read" and any(not ledger.is_trusted(p) for p in view.parties()),
            bool(view.all_labels()),
            view.effect == "outside",
        )
        after = [a or b for a, b in zip(before, brings, strict=True)]
        adds = any(b and not a for a, b in zip(before, brings, strict=True))
        if all(after) and (adds or view.effect == "outside"):
            parts = (
                f"untrusted text ({read.untrusted or 'by this call'})",
                f"private data ({private or 'by this call'})",
                f"an effect outside ({'by this call' if view.effect == 'outside' else f'call {read.outside}'})",
            )
            reason = f"{shown(view.name)} would bring three together: {', '.join(parts)}; the rule of two allows two"
            change = Change(at=("rule_of_two",), action="remove")
            name = "rule_of_two"
            yield Objection("flow.rule-of-two", name, self._rule_of_two, reason, change=change)

    def _asked_for(self, view: ToolView, ledger: Ledger) -> Iterator[Objection]:
        if self._intent is None or any(view.is_meant(one) for one in self._intent.always):
            return
        if not self._intent.wants(view.name, ledger.heard):
            reason = (
                f"the user's words do not ask for {shown(view.name)}, and `intent` fixes the tools of "
                "a task from them; to permit it, add what users say to `capabilities.intent.words`"
            )
            change = Change(at=("intent", "always"), action="add", value=view.name)
            refusal = self._intent.otherwise
            yield Objection("flow.intent", "intent", refusal, reason, change=change)

    def hear(self, text: str, ledger: Ledger) -> None:
        """Take a message of the user's for what it asks."""
        if self._intent is not None:
            ledger.hear(self._intent.heard(text))


MAX_TOOLS = 1024
"""Names of tools whose rules are kept; names may be an attacker's."""


def _compiled(rule: FlowRule, number: int) -> _Rule:
    name = f"`{rule.name}`" if rule.name else f"`capabilities.flow[{number}]`"
    allowed = None if rule.from_ is None else frozenset(rule.from_)
    return _Rule(rule, number, name, allowed, frozenset(rule.not_from or ()))


def _effects(rule: FlowRule, view: ToolView) -> Iterator[str]:
    def meant(targets: tuple[str, ...]) -> bool:
        return any(view.is_meant(target) for target in targets)

    if rule.label:
        if meant(rule.never_to):
            yield "label"
    elif rule.tool:
        if meant(rule.tool):
            yield "values"
    elif meant(rule.deny):
        yield "deny"
    elif meant(rule.ask):
        yield "ask"


def _read(wanted: tuple[str, ...] | None, ledger: Ledger) -> str | None:
    """What was read of these parties and labels, in words; None when nothing was."""
    read = ledger.read
    for name in wanted or ():
        if name == UNTRUSTED:
            if read.untrusted is not None:
                return f"untrusted text ({read.untrusted})"
        elif name in read.parties:
            return f"text of {name!r} ({read.parties[name]})"
        elif name in read.labels:
            return f"data labelled {name!r} ({read.labels[name]})"
    return None


def _about_values(
    rule: _Rule,
    view: ToolView,
    values: tuple[Value, ...],
    asked: Asked,
) -> Iterator[Objection]:
    said = rule.said
    if said.after and _read(said.after, asked.ledger) is None:
        return
    for value in values:
        if "*" not in said.args and value.argument not in said.args:
            continue
        judged = [value.text] if not said.holding else list(held(value.text, said.holding))
        if len(judged) > MAX_THINGS:
            reason = (
                f"{value.where} of {shown(view.name)} holds more than {MAX_THINGS} things to judge"
            )
            yield Objection("flow.limit", rule.name, "deny", reason, value.where)
            continue
        for text in judged:
            origin = asked.origin(text, whole=said.whole)
            if not _may(origin, rule, asked.ledger):
                yield _wrong_party(rule, view, value, origin)
                break


def _may(origin: Origin, rule: _Rule, ledger: Ledger) -> bool:
    if rule.allowed is not None and not origin.within(_open(rule.allowed, ledger)):
        return False
    return not rule.banned or not _only_of(origin, rule.banned, ledger)


def _open(parties: frozenset[str], ledger: Ledger) -> frozenset[str]:
    """With `untrusted` for everybody who is not trusted."""
    if UNTRUSTED not in parties:
        return parties
    return parties | {party for party in ledger.read.parties if not ledger.is_trusted(party)}


def _only_of(origin: Origin, banned: frozenset[str], ledger: Ledger) -> bool:
    """Whether nobody but banned parties is known to have written a value, or a part of it."""
    if origin.parts:
        return any(_only_of(part, banned, ledger) for part in origin.parts)
    if origin.source is None:
        return origin.party in banned or (origin.influence is not None and UNTRUSTED in banned)
    return origin.holders <= _open(banned, ledger)


def _wrong_party(rule: _Rule, view: ToolView, value: Value, origin: Origin) -> Objection:
    what = f"a {'/'.join(rule.said.holding)} in {value.where}" if rule.said.holding else value.where
    if rule.allowed is None:
        wants = f"{rule.name} does not take that from {_either(rule.banned)}"
    else:
        wants = f"{rule.name} wants it from {_either(rule.allowed)}"
    whole = ", as a whole" if rule.said.whole else ""
    reason = f"{what} of {shown(view.name)} {origin}; {wants}{whole}"
    change = _allowing(rule, origin)
    return Objection("flow.from", rule.name, rule.said.otherwise, reason, value.where, change)


def _allowing(rule: _Rule, origin: Origin) -> Change | None:
    """The change that would let this origin pass; None when only a person could."""
    place = ("flow", rule.number)
    if rule.allowed is None or origin.parts:
        return Change(at=place, action="remove")
    if origin.source is not None:
        return Change(at=(*place, "from"), action="add", value=origin.party)
    if origin.influence is None:
        return Change(at=(*place, "from"), action="add", value=MODEL)
    return (
        None
        if rule.said.otherwise == "ask"
        else Change(at=(*place, "otherwise"), action="set", value="ask")
    )


def _either(parties: frozenset[str]) -> str:
    return " or ".join(sorted(parties))


def _about_labels(
    rule: _Rule,
    view: ToolView,
    values: tuple[Value, ...],
    asked: Asked,
) -> Iterator[Objection]:
    labels = frozenset(rule.said.label or ())
    for value in values:
        origin = asked.origin(value.text)
        borne = labels & origin.borne
        if borne:
            label = min(borne)
            reason = (
                f"{value.where} of {shown(view.name)} {origin}, and may hold data labelled "
                f"{label!r} ({asked.ledger.read.labels.get(label, origin.source)}); {rule.name} never lets "
                "that go there"
            )
            change = Change(at=("flow", rule.number), action="remove")
            refusal = rule.said.otherwise
            yield Objection("flow.label", rule.name, refusal, reason, value.where, change)
            return


def decision_of(objections: list[Objection]) -> Decision | None:
    """A denial when one rule denies; a question with all reasons when some only ask."""
    if not objections:
        return None
    denying = [one for one in objections if one.refusal == "deny"]
    chosen = denying[:1] or objections
    severity = Severity.HIGH if denying else Severity.MEDIUM
    findings = [
        Finding(
            rule=o.rule, category="flow", severity=severity, explanation=o.reason, where=o.where
        )
        for o in chosen
    ]
    if denying:
        return Decision.deny(denying[0].reason, findings=findings)
    reasons = list(dict.fromkeys(one.reason for one in objections))
    return Decision.ask("; ".join(reasons[:MAX_REASONS]), findings=findings)


MAX_REASONS = 3
"""Reasons that a question repeats: a person must judge it in seconds."""
