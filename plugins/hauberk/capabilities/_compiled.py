"""One rule, one case and one denial of a policy, compiled (frozen, pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hauberk.capabilities._names import matcher, shown, skeleton
from hauberk.capabilities._outcome import At, Change, Outcome, denied
from hauberk.capabilities._schema import ArgumentSchema, SchemaProblemError, Violation
from hauberk.capabilities._when import Condition, Facts, Unmet
from hauberk.capabilities._where import Constraints
from hauberk.errors import PolicyError
from hauberk.policy import Access, Breaker, Case, Constraint, DenyRule, ToolRule

Clock = Callable[[], datetime]
Arguments = Mapping[str, object]
Entries = Iterable[tuple[At, str, Constraint | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCase:
    """One way to use a tool."""

    at: At
    condition: Condition | None
    constraints: Constraints
    asking: str
    """Where the policy says that a person must approve; empty when it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `capabilities.tools`."""

    name: str
    access: Access
    action: str | None
    resource: str | None
    schema: ArgumentSchema | None
    condition: Condition | None
    cases: tuple[CompiledCase, ...]
    """At least one: a rule without cases is a case itself."""
    timeout_s: float | None
    breaker: Breaker | None

    @property
    def by_schema(self) -> bool:
        """Whether it asks for nothing but a schema of the arguments."""
        (case, *more) = self.cases
        return (
            self.condition is None
            and not more
            and case.condition is None
            and not case.asking
            and case.constraints.is_empty
        )

    def case(
        self, facts: Facts, arguments: Arguments
    ) -> tuple[CompiledCase | None, Outcome | None]:
        """The first case that fits; or None, with why the likeliest one does not."""
        nearest: Outcome | None = None
        for case in self.cases:
            unmet = None if case.condition is None else case.condition.unmet(facts)
            bad = case.constraints.violation(arguments) if unmet is None else None
            if unmet is None and bad is None:
                return case, None
            # A case for this session says more about what to do than one for another.
            if bad is not None and (
                nearest is None or nearest.decision.findings[0].where == "when"
            ):
                nearest = self.misfit(self.name, bad)
            elif unmet is not None and nearest is None:
                nearest = self.not_now(self.name, unmet, case.at)
        return None, nearest

    def misfit(self, tool: str, bad: Violation) -> Outcome:
        """The refusal of an argument."""
        at = ("args", *bad.at) if bad.keyword else bad.at
        where = f"args{bad.keyword}" if bad.keyword or not bad.at else _dotted(bad.at)
        but = f" but {bad.got}" if bad.got else ""
        return denied(
            "capability.args",
            f"{bad.where} of {shown(tool)} {bad.wants}{but}; to permit it, change "
            f"`capabilities.tools.{self.name}.{where}`",
            where=bad.where,
            change=_change(("tools", self.name, *at), bad.needed) if bad.at else None,
        )

    def not_now(self, tool: str, unmet: Unmet, at: At) -> Outcome:
        """The refusal of a call for this session, or at this time."""
        place = (*at, "when", unmet.field)
        needed = unmet.needed
        return denied(
            "capability.when",
            f"the tool {shown(tool)} may be used {unmet.wants}; to permit it, change "
            f"`capabilities.tools.{self.name}.{_dotted(place)}`",
            where="when",
            change=None if needed is None else _change(("tools", self.name, *place), needed),
        )


def _change(at: At, needed: object) -> Change | None:
    if needed is None:
        return None
    action: Literal["set", "add"] = "set" if at[-1] in _SINGLE or needed == "any" else "add"
    return Change(at=at, action=action, value=needed)


_SINGLE = frozenset({"max", "min", "query", "optional", "max_words"})
"""Fields of constraints that hold one value; all others hold a list."""


def _dotted(at: At) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")


def compiled_rule(name: str, rule: ToolRule, clock: Clock) -> Rule:
    """Compile one entry of `tools`.

    Raises:
        PolicyError: A schema or a constraint cannot be used.
        MissingExtraError: A constraint needs an extra that is not installed.
    """
    try:
        schema = None if rule.args is None else ArgumentSchema(rule.args)
    except SchemaProblemError as error:
        raise PolicyError(
            str(error), field=f"capabilities.tools.{name}.args", remedy=error.remedy
        ) from None
    cases: list[tuple[At, Case]] = [(("cases", i), case) for i, case in enumerate(rule.cases)]
    return Rule(
        name=name,
        access=rule.access,
        action=rule.action,
        resource=rule.resource,
        schema=schema,
        condition=None if rule.when is None else Condition(rule.when, clock),
        cases=tuple(
            _compiled_case(name, rule, at, case, clock) for at, case in cases or [((), Case())]
        ),
        timeout_s=rule.timeout_s,
        breaker=rule.breaker,
    )


def _compiled_case(name: str, rule: ToolRule, at: At, case: Case, clock: Clock) -> CompiledCase:
    entries: list[tuple[At, str, Constraint | str]] = [
        *((("where", argument), argument, one) for argument, one in rule.where.items()),
        *(((*at, "where", argument), argument, one) for argument, one in case.where.items()),
    ]
    asking = f"{name}.approval" if rule.approval else ""
    if case.approval:
        asking = f"{name}.{_dotted((*at, 'approval'))}"
    return CompiledCase(
        at=at,
        condition=None if case.when is None else Condition(case.when, clock),
        constraints=constraints(
            entries,
            field=f"capabilities.tools.{name}",
            named=(rule.args or {}).get("properties", ()),
        ),
        asking=asking,
    )


def constraints(
    entries: Entries, *, field: str, named: Iterable[str] = (), deny: bool = False
) -> Constraints:
    """Compile a `where`.

    Raises:
        PolicyError: A constraint cannot be used.
        MissingExtraError: A constraint needs an extra that is not installed.
    """
    try:
        return Constraints(entries, named=named, deny=deny)
    except ValueError as error:
        raise PolicyError(str(error), field=f"{field}.where") from None


class Denial:
    """One entry of `capabilities.deny`."""

    def __init__(
        self, index: int, pattern: str, condition: Condition | None, where: Constraints | None
    ) -> None:
        self.index = index
        self.pattern = pattern
        self.is_conditional = condition is not None or where is not None
        self._condition = condition
        self._where = where
        self._matches = matcher(pattern)
        self._reads_like = matcher(skeleton(pattern))

    def names(self, tool: str) -> bool:
        """Whether it is about a tool of this name, or one that looks like it."""
        return self._matches(tool) or self._reads_like(skeleton(tool))

    def holds(self, facts: Facts, arguments: Arguments) -> bool:
        """Whether it denies this call, or may: what is unknown or unreadable counts."""
        if self._condition is not None and not self._condition.may_hold(facts):
            return False
        return self._where is None or self._where.denies(arguments)


def compiled_denial(index: int, entry: str | DenyRule, clock: Clock) -> Denial:
    """Compile one entry of `deny`.

    Raises:
        PolicyError: A constraint cannot be used.
    """
    if isinstance(entry, str):
        return Denial(index, entry, None, None)
    condition = None if entry.when is None else Condition(entry.when, clock)
    entries = [(("where", name), name, one) for name, one in entry.where.items()]
    where = (
        constraints(entries, field=f"capabilities.deny[{index}]", deny=True) if entries else None
    )
    return Denial(index, entry.tool, condition, where)
