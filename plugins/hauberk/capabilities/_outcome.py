"""What a rule says of a call: the decision for the agent, and the change of policy for its owner.

Rules:
* A decision is told to models and written into the trail: it never holds an argument's value.
* A change may hold one (the recipient that would have to be allowed): it is for `explain` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hauberk.decisions import Decision, Finding, Severity

At = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a policy, at a place below `capabilities`."""

    at: At
    action: Literal["set", "add", "remove"]
    """`add` to the list there; `remove` what is there."""
    value: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, and the change that would make it an allowance (None: no change would)."""

    decision: Decision
    change: Change | None = None


def finding(
    rule: str, reason: str, severity: Severity = Severity.MEDIUM, where: str = "tool"
) -> Finding:
    """A finding of this room."""
    return Finding(
        rule=rule, category="capability", severity=severity, explanation=reason, where=where
    )


def denied(
    rule: str,
    reason: str,
    *,
    severity: Severity = Severity.MEDIUM,
    where: str = "tool",
    change: Change | None = None,
) -> Outcome:
    """A denial with one finding."""
    return Outcome(Decision.deny(reason, findings=[finding(rule, reason, severity, where)]), change)
