"""Delegation: a sub-agent's rights are a part of its parent's, and never more (pure).

Rules:
* A child session has its parent's state (vault, budget, trip) and a chain of rights: its parent's,
  then its own. A call must be within every link of the chain.
* Asking for more than the parent has is refused, and recorded, when the child is made.
* Whether a pattern is within another one is decided sign by sign. What is not surely within is more.
  To the agent itself a glob is a choice among the policy's tools.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hauberk.capabilities._names import covers, is_plain, matcher, shown
from hauberk.capabilities._outcome import finding
from hauberk.capabilities._roles import RoleBook
from hauberk.decisions import Decision, Severity
from hauberk.errors import PolicyError
from hauberk.policy import Access, CapabilitiesPolicy
from hauberk.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a session was given by the one above it. None: all that one has."""

    tools: tuple[str, ...] | None = None
    """Names and globs of tools."""
    access: Access | None = None
    """The ceiling."""
    roles: frozenset[str] | None = None
    """The roles that may be used, of those that the user has."""

    def has_tool(self, tool: str) -> bool:
        """Whether a tool's name is within these rights."""
        return self.tools is None or any(matcher(name)(tool) for name in self.tools)


def widened(asked: Rights, parents: tuple[Rights, ...], roles: frozenset[str]) -> str | None:
    """What `asked` has that some parent has not, in words; None when it is a part of them all.

    Args:
        asked: The rights of the child.
        parents: The chain above it.
        roles: The roles in force in the parent's session.
    """
    for parent in parents:
        if (asked.access or Access.READ).rank > (parent.access or Access.ADMIN).rank:
            return f"{asked.access} access, which its parent has not"
        for tool in () if parent.tools is None else asked.tools or ():
            if not any(covers(pattern, tool) for pattern in parent.tools or ()):
                return f"the tool {_named(tool)}, which its parent has not"
    if asked.roles is not None and not asked.roles <= roles:
        return f"the role {shown(min(asked.roles - roles))}, which its parent has not"
    return None


def delegated(
    policy: CapabilitiesPolicy | Literal[False], parent: Session, *, agent: str, asked: Rights
) -> Session | Decision:
    """A session for a sub-agent, or the refusal of rights that are more than its parent's.

    Raises:
        PolicyError: The policy switches `capabilities` off.
    """
    if policy is False:
        raise PolicyError(
            "is off: nothing would keep the rights of a sub-agent",
            field="capabilities",
            remedy="Switch it on.",
        )
    roles = RoleBook(policy).roles_of(parent)
    more = _beyond(asked, policy) or widened(asked, parent.rights, roles)
    if more is None:
        return parent.delegated(agent=agent, rights=asked)
    reason = f"the agent {shown(agent)} asks for {more}"
    found = finding("capability.widening", reason, Severity.HIGH)
    return replace(Decision.deny(reason, findings=[found]), plugin="capabilities")


def _beyond(asked: Rights, policy: CapabilitiesPolicy) -> str | None:
    """What is asked for that the policy gives to nobody. A glob is a choice among its tools."""
    if asked.access is not None and asked.access.rank > policy.access.rank:
        return f"{asked.access} access, which its parent has not"
    for tool in asked.tools or ():
        if not any(covers(rule, tool) or covers(tool, rule) for rule in policy.tools):
            return f"the tool {_named(tool)}, which its parent has not"
    return None


def _named(tool: str) -> str:
    return f"'{tool}'" if is_plain(tool.replace("*", "x").replace("?", "x")) else shown(tool)
