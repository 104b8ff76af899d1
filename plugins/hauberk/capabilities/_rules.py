"""Capability rules: may this tool be called, with these arguments (pure).

Rules:
* A tool that no rule names is denied. Deny wins over whatever `tools` says.
* An exact name goes before globs; of several globs that match, all must be satisfied: the highest
  access, every schema, the smallest time limit, any approval. The order of rules means nothing.
* Names are matched exactly and case-sensitively. A name that only looks like one of the policy's is
  denied, whatever globs it matches.
* The tool's access must be within the agent's ceiling: read < write < admin.
* Arguments are judged as the tool would get them.
* A refusal says in one sentence which rule, which argument, what is wanted, and the smallest change
  of the policy that would allow it. Never an argument's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hauberk.capabilities._names import is_glob, is_plain, matcher, shown, skeleton
from hauberk.capabilities._schema import ArgumentSchema, SchemaProblemError, Violation
from hauberk.decisions import Decision, Finding, Severity
from hauberk.errors import PolicyError
from hauberk.events import Event
from hauberk.policy import Access, CapabilitiesPolicy, ToolRule


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One entry of `capabilities.tools`, compiled."""

    name: str
    access: Access
    schema: ArgumentSchema | None
    timeout_s: float | None
    approval: bool
    matches: Callable[[str], bool]


class RuleBook:
    """A policy's rules, compiled. Frozen: safe for every thread.

    Example:
        >>> from hauberk.events import Event, Stage
        >>> from hauberk.policy import CapabilitiesPolicy, ToolRule
        >>> book = RuleBook(CapabilitiesPolicy(tools={"read_*": ToolRule()}, deny=("read_keys",)))
        >>> [book.judge(Event(stage=Stage.TOOL_CALL, tool=tool)).verdict.value
        ...     for tool in ("read_mail", "read_keys", "send_mail")]
        ['allow', 'deny', 'deny']
    """

    def __init__(self, policy: CapabilitiesPolicy) -> None:
        """Compile the rules.

        Raises:
            PolicyError: A schema cannot be used.
        """
        rules = [_compiled(name, policy.tools[name]) for name in sorted(policy.tools)]
        self._ceiling = policy.access
        self._above = frozenset(a for a in Access if a.rank > policy.access.rank)
        self._exact = {rule.name: (rule,) for rule in rules if not is_glob(rule.name)}
        self._globs = tuple(rule for rule in rules if is_glob(rule.name))
        self._read_as = {skeleton(name): name for name in self._exact}
        self._deny = tuple(
            (name, matcher(name), matcher(skeleton(name)))
            for name in sorted(one for one in policy.deny if isinstance(one, str))
        )

    def judge(self, event: Event) -> Decision:
        """Decide on one tool call."""
        tool = event.tool or ""
        rules = self._exact.get(tool) or tuple(r for r in self._globs if r.matches(tool))
        return (
            self._denied(tool)
            or self._looks_like_another(tool)
            or _unknown(tool, rules)
            or self._above_ceiling(tool, rules)
            or _bad_arguments(tool, rules, event.arguments or {})
            or _to_approve(tool, rules, event.arguments or {})
            or _allowed(rules)
        )

    def _denied(self, tool: str) -> Decision | None:
        read_as = skeleton(tool)
        for name, matches, reads_like in self._deny:
            if matches(tool) or reads_like(read_as):
                return _deny(
                    "capability.denied",
                    f"the policy denies the tool {shown(tool)}; to permit it, take {name!r} out of "
                    "`capabilities.deny`",
                    severity=Severity.HIGH,
                )
        return None

    def _looks_like_another(self, tool: str) -> Decision | None:
        meant = self._read_as.get(skeleton(tool))
        if meant is None or tool in self._exact:
            return None
        return _deny(
            "capability.look-alike",
            f"the tool's name looks like {shown(meant)} but is written with other "
            "characters; to permit it, name it exactly in `capabilities.tools`",
            severity=Severity.HIGH,
        )

    def _above_ceiling(self, tool: str, rules: tuple[_Rule, ...]) -> Decision | None:
        over = [rule.access for rule in rules if rule.access in self._above]
        if not over:
            return None
        needed = max(over, key=lambda access: access.rank)
        return _deny(
            "capability.access",
            f"the tool {shown(tool)} needs {needed.value} access and the agent has "
            f"{self._ceiling.value}; to permit it, raise `capabilities.access`",
        )


def _compiled(name: str, rule: ToolRule) -> _Rule:
    try:
        schema = None if rule.args is None else ArgumentSchema(rule.args)
    except SchemaProblemError as error:
        raise PolicyError(
            str(error), field=f"capabilities.tools.{name}.args", remedy=error.remedy
        ) from None
    return _Rule(
        name=name,
        access=rule.access,
        schema=schema,
        timeout_s=rule.timeout_s,
        approval=rule.approval,
        matches=matcher(name),
    )


def _unknown(tool: str, rules: tuple[_Rule, ...]) -> Decision | None:
    if rules:
        return None
    entry = f"`capabilities.tools.{tool}`" if is_plain(tool) else "it to `capabilities.tools`"
    return _deny(
        "capability.unknown",
        f"no rule of the policy names the tool {shown(tool)}; to permit it, add {entry}",
    )


def _bad_arguments(
    tool: str, rules: tuple[_Rule, ...], arguments: Mapping[str, object]
) -> Decision | None:
    for rule in rules:
        bad = rule.schema.violation(arguments) if rule.schema is not None else None
        if bad is not None:
            return _deny("capability.args", _why(tool, rule, bad), where=bad.where)
    return None


def _why(tool: str, rule: _Rule, bad: Violation) -> str:
    but = f" but {bad.got}" if bad.got else ""
    return (
        f"{bad.where} of {shown(tool)} {bad.wants}{but}; to permit it, change "
        f"`capabilities.tools.{rule.name}.args{bad.keyword}`"
    )


def _to_approve(
    tool: str, rules: tuple[_Rule, ...], arguments: Mapping[str, object]
) -> Decision | None:
    asking = next((rule for rule in rules if rule.approval), None)
    if asking is None:
        return None
    names = ", ".join(shown(name) for name in arguments) or "no arguments"
    reason = (
        f"a person must approve each call of {shown(tool)} (here with {names}), as "
        f"`capabilities.tools.{asking.name}.approval` says"
    )
    return Decision.ask(reason, findings=[_finding("capability.approval", reason, Severity.INFO)])


def _allowed(rules: tuple[_Rule, ...]) -> Decision:
    return Decision.allow(
        timeout_s=min((r.timeout_s for r in rules if r.timeout_s is not None), default=None)
    )


def _deny(
    rule: str, reason: str, *, severity: Severity = Severity.MEDIUM, where: str = "tool"
) -> Decision:
    return Decision.deny(reason, findings=[_finding(rule, reason, severity, where)])


def _finding(rule: str, reason: str, severity: Severity, where: str = "tool") -> Finding:
    return Finding(
        rule=rule, category="capability", severity=severity, explanation=reason, where=where
    )
