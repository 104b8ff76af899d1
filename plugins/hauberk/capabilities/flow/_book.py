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

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hauberk.capabilities._names import is_plain, shown
from hauberk.capabilities.flow._intent import Intent
from hauberk.capabilities.flow._tools import UNTRUSTED, ToolView
from hauberk.capabilities.provenance import NOTHING, Ledger, Origin, normal, things, written
from hauberk.decisions import Decision, Finding, Severity
from hauberk.policy._flow import FlowRule, FlowSection
from hauberk.structure import MAX_DEPTH, TooDeepError

MAX_VALUES = 256
"""Values of one call that are judged. Agents pass fewer than twenty; more is a denial."""
MAX_THINGS = 256
"""Links, addresses and the like inside one value that are judged. More is a denial."""

_OWN = frozenset({"user", "developer"})


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a call, with its place."""

    argument: str
    """Name of the argument that it stands in."""
    where: str
    """Place: `arguments.to[0]`."""
    text: str


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


@dataclass(frozen=True, slots=True)
class _Rule:
    said: FlowRule
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
        origins: dict[tuple[str, bool], Origin] = {}
        for rule, effect in rules:
            if effect == "values":
                yield from _about_values(rule, view, values, ledger, origins)
            elif effect == "label":
                yield from _about_labels(rule, view, values, ledger, origins)
            elif (read := _read(rule.said.after, ledger)) is not None:
                what = "lets no call" if effect == "deny" else "asks before a call"
                reason = f"{read} was read, and {rule.name} {what} of {shown(view.name)} after it"
                yield Objection("flow.after", rule.name, effect, reason)
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
            yield Objection("flow.rule-of-two", "rule_of_two", self._rule_of_two, reason)

    def _asked_for(self, view: ToolView, ledger: Ledger) -> Iterator[Objection]:
        if self._intent is None or any(view.is_meant(one) for one in self._intent.always):
            return
        if not self._intent.wants(view.name, ledger.heard):
            reason = (
                f"the user's words do not ask for {shown(view.name)}, and `intent` fixes the tools of "
                "a task from them; to permit it, add what users say to `capabilities.intent.words`"
            )
            yield Objection("flow.intent", "intent", self._intent.otherwise, reason)

    def hear(self, text: str, ledger: Ledger) -> None:
        """Take a message of the user's for what it asks."""
        if self._intent is not None:
            ledger.hear(self._intent.heard(text))


MAX_TOOLS = 1024
"""Names of tools whose rules are kept; names may be an attacker's."""


def _compiled(rule: FlowRule, number: int) -> _Rule:
    name = f"`{rule.name}`" if rule.name else f"`capabilities.flow[{number}]`"
    allowed = None if rule.from_ is None else frozenset(rule.from_)
    return _Rule(rule, name, allowed, frozenset(rule.not_from or ()))


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
    ledger: Ledger,
    origins: dict[tuple[str, bool], Origin],
) -> Iterator[Objection]:
    said = rule.said
    if said.after and _read(said.after, ledger) is None:
        return
    for value in values:
        if "*" not in said.args and value.argument not in said.args:
            continue
        judged = [value.text] if not said.holding else list(_held(value.text, said.holding))
        if len(judged) > MAX_THINGS:
            reason = (
                f"{value.where} of {shown(view.name)} holds more than {MAX_THINGS} things to judge"
            )
            yield Objection("flow.limit", rule.name, "deny", reason, value.where)
            continue
        for text in judged:
            origin = _origin(text, said.whole, ledger, origins)
            if not _may(origin, rule, ledger):
                yield _wrong_party(rule, view, value, origin)
                break


def _origin(
    text: str, whole: bool, ledger: Ledger, origins: dict[tuple[str, bool], Origin]
) -> Origin:
    known = origins.get((text, whole))
    if known is None:
        known = origins[text, whole] = ledger.origin(text, whole=whole)
    return known


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
    return Objection("flow.from", rule.name, rule.said.otherwise, reason, value.where)


def _either(parties: frozenset[str]) -> str:
    return " or ".join(sorted(parties))


def _about_labels(
    rule: _Rule,
    view: ToolView,
    values: tuple[Value, ...],
    ledger: Ledger,
    origins: dict[tuple[str, bool], Origin],
) -> Iterator[Objection]:
    labels = frozenset(rule.said.label or ())
    for value in values:
        origin = _origin(value.text, False, ledger, origins)  # noqa: FBT003 - a part of it is enough
        borne = labels & labels_of(origin)
        if borne:
            label = min(borne)
            reason = (
                f"{value.where} of {shown(view.name)} {origin}, and may hold data labelled "
                f"{label!r} ({ledger.read.labels.get(label, origin.source)}); {rule.name} never lets "
                "that go there"
            )
            yield Objection("flow.label", rule.name, rule.said.otherwise, reason, value.where)
            return


def labels_of(origin: Origin) -> frozenset[str]:
    """Labels that a value bears: none when the user or the developer said all of it."""
    if origin.party == NOTHING or origin.party in _OWN:
        return frozenset()
    return origin.labels


def _held(text: str, kinds: tuple[str, ...]) -> Iterator[str]:
    """Things of these kinds in a text."""
    shape = normal(text)
    for found in things(shape):
        if found.kind in kinds:
            yield shape[found.start : found.end].rstrip(".,;:!?)]}>'\"")


def values_of(arguments: Mapping[str, object]) -> Iterator[Value]:
    """Every value of a call that says something, with its place.

    Raises:
        TooDeepError: Nested too deeply.
    """
    for name, value in arguments.items():
        yield from _values(value, str(name), f"arguments.{step(str(name))}", MAX_DEPTH)


_NAME = re.compile(r"[A-Za-z_]\w{0,39}")
"""Keys that are names of a schema. Other keys are values too."""


def step(name: str) -> str:
    """A name in a place; a question mark for one that may be an attacker's sentence."""
    return name if is_plain(name) else "?"


def _values(value: object, argument: str, where: str, depth: int) -> Iterator[Value]:
    if depth <= 0:
        raise TooDeepError
    match value:
        case None | bool():
            return
        case str():
            yield Value(argument, where, value)
        case int() | float():
            yield Value(argument, where, written(value))
        case Mapping():
            for name, inner in cast("Mapping[object, object]", value).items():
                if not _NAME.fullmatch(str(name)):
                    yield Value(argument, where, str(name))
                yield from _values(inner, argument, f"{where}.{step(str(name))}", depth - 1)
        case list() | tuple() | set() | frozenset():
            for number, inner in enumerate(cast("Sequence[object]", value)):
                yield from _values(inner, argument, f"{where}[{number}]", depth - 1)
        case _:
            yield Value(argument, where, str(value))


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
