"""Capability rules: may this tool be called, with these arguments, for this session (pure).

Rules:
* A tool that no rule names is denied. Deny wins over whatever `tools` says.
* An exact name goes before globs; of several globs that match, all must be satisfied: the highest
  access, every schema, the smallest time limit, any approval. The order of rules means nothing; the
  order of one rule's `cases` does.
* Names are matched exactly and case-sensitively. A name that only looks like one of the policy's is
  denied, whatever globs it matches.
* What may be done is what the agent (its tools and ceiling), the user (roles) and the session (what
  was delegated to it) all have.
* Arguments are judged as the tool would get them; a path that is rewritten is judged twice.
* A refusal says in one sentence which rule, which argument, what is wanted, and the smallest change
  of the policy that would allow it. Never an argument's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from hauberk.capabilities._compiled import Denial, Rule, compiled_denial, compiled_rule
from hauberk.capabilities._names import is_glob, is_plain, matcher, shown, skeleton
from hauberk.capabilities._outcome import Change, Outcome, denied, finding
from hauberk.capabilities._remembered import Memory
from hauberk.capabilities._roles import RoleBook
from hauberk.capabilities._when import Facts, SteadyClock
from hauberk.decisions import Decision, Finding, Severity, Verdict
from hauberk.events import Event
from hauberk.policy import Access, Breaker, CapabilitiesPolicy
from hauberk.session import Session

_NAMES_KEPT = 4096
"""Tool names of which is kept what their name alone decides. Agents have tens of tools."""

Arguments = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What a tool's name alone decides."""

    refusal: Outcome | None
    rules: tuple[Rule, ...]
    denials: tuple[Denial, ...]
    """Those that may hold for some of its calls."""
    breaker: Breaker | None
    allowed: Outcome
    """The allowance of a call that nothing objects to."""
    by_schema: bool
    """Whether nothing but the schema of its arguments (and what was delegated) can object."""


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

    def __init__(
        self, policy: CapabilitiesPolicy, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Compile the rules.

        Args:
            policy: The rules.
            clock: Gives the time, aware; a clock that never goes back by default.

        Raises:
            PolicyError: A schema or a constraint cannot be used.
            MissingExtraError: A constraint needs an extra that is not installed.
        """
        clock = clock or SteadyClock()
        rules = [compiled_rule(name, policy.tools[name], clock) for name in sorted(policy.tools)]
        self.roles = RoleBook(policy)
        self._memory = Memory(policy.remembered, clock)
        self._environment = policy.environment
        self._ceiling = policy.access
        self._exact = {rule.name: (rule,) for rule in rules if not is_glob(rule.name)}
        self._globs = tuple((matcher(rule.name), rule) for rule in rules if is_glob(rule.name))
        self._read_as = {skeleton(name): name for name in self._exact}
        self._denials = tuple(
            compiled_denial(index, entry, clock) for index, entry in enumerate(policy.deny)
        )
        self._named = lru_cache(maxsize=_NAMES_KEPT)(self._by_name)

    def judge(self, event: Event) -> Decision:
        """Decide on one tool call."""
        return self.outcome(event).decision

    def outcome(self, event: Event) -> Outcome:
        """The decision on one tool call, with the change of policy that would allow it."""
        tool, arguments = event.tool or "", event.arguments or {}
        named = self._named(tool)
        if named.refusal is not None:
            return named.refusal
        rules, denials = named.rules, named.denials
        if named.by_schema and not event.session.rights:
            return _bad_schema(tool, rules, arguments) or named.allowed
        facts = self._facts(event.session)
        found = (
            _denied_here(tool, denials, facts, arguments)
            or _not_delegated(tool, rules, event.session)
            or self._not_permitted(tool, rules, facts)
            or _unmet(tool, rules, facts)
            or _bad_schema(tool, rules, arguments)
        )
        return found or self._by_arguments(tool, named, facts, arguments)

    def remembered(self, event: Event, question: str) -> Finding | None:
        """Who answered such a question about this call before; None when nobody did."""
        facts = self._facts(event.session)
        return self._memory.answer(question, event.tool or "", event.arguments or {}, facts)

    def breaker(self, tool: str) -> Breaker | None:
        """The circuit breaker of a tool: the first that a rule has."""
        return self._named(tool).breaker

    def _facts(self, session: Session) -> Facts:
        return Facts(
            user=session.user,
            purpose=session.purpose,
            agent=session.agent,
            tenant=session.tenant,
            environment=session.environment or self._environment,
            role=self.roles.roles_of(session),
        )

    # --- what a name alone decides --------------------------------------------------------------

    def _by_name(self, tool: str) -> _Named:
        rules = self._exact.get(tool) or tuple(rule for fits, rule in self._globs if fits(tool))
        denials = tuple(denial for denial in self._denials if denial.names(tool))
        refusal = (
            _denied_by_name(tool, denials)
            or self._looks_like_another(tool)
            or _unknown(tool, rules)
            or self._above_ceiling(tool, rules)
        )
        limit = min((r.timeout_s for r in rules if r.timeout_s is not None), default=None)
        return _Named(
            refusal=refusal,
            rules=rules,
            denials=denials,
            breaker=next((r.breaker for r in rules if r.breaker is not None), None),
            allowed=Outcome(Decision.allow(timeout_s=limit)),
            by_schema=not denials and not self.roles.applies and all(r.by_schema for r in rules),
        )

    def _looks_like_another(self, tool: str) -> Outcome | None:
        meant = self._read_as.get(skeleton(tool))
        if meant is None or tool in self._exact:
            return None
        return denied(
            "capability.look-alike",
            f"the tool's name looks like {shown(meant)} but is written with other "
            "characters; to permit it, name it exactly in `capabilities.tools`",
            severity=Severity.HIGH,
        )

    def _above_ceiling(self, tool: str, rules: tuple[Rule, ...]) -> Outcome | None:
        needed = _access(rules)
        if needed.rank <= self._ceiling.rank:
            return None
        return denied(
            "capability.access",
            f"the tool {shown(tool)} needs {needed.value} access and the agent has "
            f"{self._ceiling.value}; to permit it, raise `capabilities.access`",
            change=Change(at=("access",), action="set", value=needed.value),
        )

    # --- what the user may ----------------------------------------------------------------------

    def _not_permitted(self, tool: str, rules: tuple[Rule, ...], facts: Facts) -> Outcome | None:
        if not self.roles.applies:
            return None
        for rule in rules:
            action, resource = rule.action or rule.access.value, rule.resource or tool
            if not self.roles.permits(facts.role, action, resource):
                return _no_permission(facts, action, resource)
        return None

    # --- what the arguments decide --------------------------------------------------------------

    def _by_arguments(
        self,
        tool: str,
        named: _Named,
        facts: Facts,
        arguments: Arguments,
    ) -> Outcome:
        given, asking = arguments, ""
        for rule in named.rules:
            case, bad = rule.case(facts, arguments)
            if case is None:
                return bad or denied("capability.case", f"no case of {shown(tool)} fits")
            given = case.constraints.given(given)
            asking = asking or case.asking
        if given is not arguments and given != arguments:
            found = _denied_here(tool, named.denials, facts, given)
            found = found or _bad_schema(tool, named.rules, given)
            if found is not None:
                return found
        elif not asking:
            return named.allowed
        else:
            given = arguments
        passed = self._passed(tool, facts, given, asking, changed=given is not arguments)
        return Outcome(replace(passed, timeout_s=named.allowed.decision.timeout_s))

    def _passed(
        self, tool: str, facts: Facts, given: Arguments, asking: str, *, changed: bool
    ) -> Decision:
        verdict = Verdict.REWRITE if changed else Verdict.ALLOW
        reason = ""
        findings: tuple[Finding, ...] = ()
        if asking:
            answer = self._memory.answer("approval", tool, given, facts)
            if answer is not None:
                findings = (answer,)
            else:
                names = ", ".join(shown(name) for name in given) or "no arguments"
                verdict = Verdict.ASK
                reason = (
                    f"a person must approve each call of {shown(tool)} (here with {names}), as "
                    f"`capabilities.tools.{asking}` says"
                )
                findings = (finding("capability.approval", reason, Severity.INFO),)
        return Decision(
            verdict=verdict,
            reason=reason,
            findings=findings,
            arguments=given if changed else None,
        )


def _access(rules: tuple[Rule, ...]) -> Access:
    return max((rule.access for rule in rules), key=lambda access: access.rank)


def _denied_by_name(tool: str, denials: tuple[Denial, ...]) -> Outcome | None:
    return next((_denial(tool, d) for d in denials if not d.is_conditional), None)


def _denied_here(
    tool: str, denials: tuple[Denial, ...], facts: Facts, arguments: Arguments
) -> Outcome | None:
    return next((_denial(tool, d) for d in denials if d.holds(facts, arguments)), None)


def _denial(tool: str, denial: Denial) -> Outcome:
    return denied(
        "capability.denied",
        f"the policy denies the tool {shown(tool)}{' here' if denial.is_conditional else ''}; to "
        f"permit it, take {denial.pattern!r} out of `capabilities.deny`",
        severity=Severity.HIGH,
        change=Change(at=("deny", denial.index), action="remove"),
    )


def _unknown(tool: str, rules: tuple[Rule, ...]) -> Outcome | None:
    if rules:
        return None
    entry = f"`capabilities.tools.{tool}`" if is_plain(tool) else "it to `capabilities.tools`"
    return denied(
        "capability.unknown",
        f"no rule of the policy names the tool {shown(tool)}; to permit it, add {entry}",
        change=Change(at=("tools", tool), action="set", value={}) if is_plain(tool) else None,
    )


def _not_delegated(tool: str, rules: tuple[Rule, ...], session: Session) -> Outcome | None:
    for rights in session.rights:
        if not rights.has_tool(tool):
            return denied(
                "capability.delegation",
                f"the tool {shown(tool)} was not delegated to the agent {shown(session.agent)}",
            )
        if rights.access is not None and _access(rules).rank > rights.access.rank:
            return denied(
                "capability.delegation",
                f"the tool {shown(tool)} needs {_access(rules).value} access, and "
                f"{rights.access.value} was delegated to the agent {shown(session.agent)}",
            )
    return None


def _no_permission(facts: Facts, action: str, resource: str) -> Outcome:
    role = min(facts.role, default=None)
    if role is None:
        who = "no role is known of the user"
        remedy = "give the user a role in `capabilities.users`, or open the session with `roles`"
        change = None
    else:
        who = f"no role of the user's permits {action} on {shown(resource)}"
        remedy = f"add it to `capabilities.roles.{role}.can`"
        change = Change(at=("roles", role, "can", resource), action="add", value=action)
    return denied("capability.role", f"{who}; to permit it, {remedy}", change=change)


def _unmet(tool: str, rules: tuple[Rule, ...], facts: Facts) -> Outcome | None:
    for rule in rules:
        unmet = None if rule.condition is None else rule.condition.unmet(facts)
        if unmet is not None:
            return rule.not_now(tool, unmet, ())
    return None


def _bad_schema(tool: str, rules: tuple[Rule, ...], arguments: Arguments) -> Outcome | None:
    for rule in rules:
        bad = None if rule.schema is None else rule.schema.violation(arguments)
        if bad is not None:
            return rule.misfit(tool, bad)
    return None
