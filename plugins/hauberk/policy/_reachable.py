"""Rules that could never decide anything, or that contradict each other (pure).

Rules:
* A rule that another one always goes before is an error, and so is one that nothing could satisfy:
  its author thinks that it does something.
* What is found is certain: a pattern covers another one only when it does so sign by sign.
* A ceiling below a tool's access is no error: lowering it is how an agent is made read-only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import cast

from hauberk.capabilities._names import covers, is_glob, skeleton
from hauberk.policy._capabilities import (
    CapabilitiesPolicy,
    Case,
    DenyRule,
    Remembered,
    Role,
    ToolRule,
    Where,
)

At = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, the place below `capabilities`, and what to do."""

    problem: str
    at: At
    remedy: str


def first_problem(policy: CapabilitiesPolicy) -> Problem | None:
    """The first rule that could never decide anything, or None."""
    return next(_problems(policy), None)


def _problems(policy: CapabilitiesPolicy) -> Iterator[Problem]:
    yield from _shadowed_denials(policy)
    yield from _denied_tools(policy)
    yield from _twins(policy)
    for name, rule in policy.tools.items():
        yield from _in_rule(rule, ("tools", name))
    yield from _in_roles(policy)
    yield from _in_remembered(policy)


# --- deny and tools -----------------------------------------------------------------------------


def _always(policy: CapabilitiesPolicy) -> list[tuple[int, str]]:
    """The denials without a condition, with their places."""
    found: list[tuple[int, str]] = []
    for index, entry in enumerate(policy.deny):
        if isinstance(entry, str):
            found.append((index, entry))
        elif entry.when is None and not entry.where:
            found.append((index, entry.tool))
    return found


def _shadowed_denials(policy: CapabilitiesPolicy) -> Iterator[Problem]:
    always = _always(policy)
    for index, entry in enumerate(policy.deny):
        name = entry.tool if isinstance(entry, DenyRule) else entry
        for other, pattern in always:
            same = (index, name) in always and covers(name, pattern)
            if other == index or not covers(pattern, name) or (same and other > index):
                continue
            yield Problem(
                problem=f"decides nothing: {pattern!r} denies whatever {name!r} would",
                at=("deny", index),
                remedy="Take one of them out.",
            )


def _denied_tools(policy: CapabilitiesPolicy) -> Iterator[Problem]:
    for name in policy.tools:
        for _, pattern in _always(policy):
            if covers(pattern, name):
                yield Problem(
                    problem=f"can never be used: `deny` has {pattern!r}, and deny wins",
                    at=("tools", name),
                    remedy="Take one of them out.",
                )


def _twins(policy: CapabilitiesPolicy) -> Iterator[Problem]:
    read_as: dict[str, str] = {}
    for name in policy.tools:
        first = name if is_glob(name) else read_as.setdefault(skeleton(name), name)
        if first != name:
            yield Problem(
                problem="looks like another tool of this policy, but is written with other characters",
                at=("tools", name),
                remedy="Give it a name that people can tell apart.",
            )


# --- one rule -----------------------------------------------------------------------------------


def _in_rule(rule: ToolRule, at: At) -> Iterator[Problem]:
    yield from _forbidden_arguments(rule, at)
    if rule.approval and any(case.approval for case in rule.cases):
        yield Problem(
            problem="`approval` in a case says nothing new: the whole tool needs one",
            at=(*at, "approval"),
            remedy="Take one of them out.",
        )
    for earlier, later in combinations(range(len(rule.cases)), 2):
        if _goes_before(rule.cases[earlier], rule.cases[later]):
            yield Problem(
                problem=f"is never reached: whatever fits it fits cases[{earlier}] before",
                at=(*at, "cases", later),
                remedy="Put the narrower case first.",
            )


def _goes_before(earlier: Case, later: Case) -> bool:
    """Whether everything that fits the later case surely fits the earlier one."""
    asks = {} if earlier.when is None else earlier.when.model_dump(exclude_unset=True)
    has = {} if later.when is None else later.when.model_dump(exclude_unset=True)
    return (
        all(name in has and _wider(wanted, has[name]) for name, wanted in asks.items())
        and all(_implied(name, one, later.where) for name, one in earlier.where.items())
        and _names_no_fewer(earlier.where, later.where)
    )


def _wider(wanted: object, has: object) -> bool:
    if isinstance(wanted, tuple) and isinstance(has, tuple):
        return set(cast("tuple[str, ...]", has)) <= set(cast("tuple[str, ...]", wanted))
    return wanted == has


def _implied(name: str, wanted: object, where: Where) -> bool:
    return wanted == "any" or where.get(name) == wanted


def _names_no_fewer(earlier: Where, later: Where) -> bool:
    """Whether the earlier case lets every argument be there that the later one does."""
    return (
        not earlier
        or "*" in earlier
        or ("*" not in later and bool(later) and later.keys() <= earlier.keys())
    )


def _forbidden_arguments(rule: ToolRule, at: At) -> Iterator[Problem]:
    args = rule.args or {}
    if args.get("additionalProperties") is not False or "patternProperties" in args:
        return
    named = args.get("properties", {})
    wheres = [(at, rule.where)]
    wheres += [((*at, "cases", i), case.where) for i, case in enumerate(rule.cases)]
    for place, where in wheres:
        for name in where:
            if name != "*" and name not in named and name.split(".")[0] not in named:
                yield Problem(
                    problem="is about an argument that `args` refuses",
                    at=(*place, "where", name),
                    remedy="Name it in `args.properties`, or take it out.",
                )


# --- roles and remembered answers ---------------------------------------------------------------


def _in_roles(policy: CapabilitiesPolicy) -> Iterator[Problem]:
    roles = policy.roles
    if roles is None:
        if policy.users is not None:
            yield Problem(problem="has no roles to give", at=("users",), remedy="Add `roles`.")
        return
    for name, role in roles.items():
        yield from _in_role(name, role, roles)
    for user, has in (policy.users or {}).items():
        for one in has:
            if one not in roles:
                yield Problem(
                    problem=f"has the role {one!r}, which is not there",
                    at=("users", user),
                    remedy=f"Known: {', '.join(sorted(roles)) or 'none'}.",
                )


def _in_role(name: str, role: Role, roles: Mapping[str, Role]) -> Iterator[Problem]:
    at: At = ("roles", name)
    for index, other in enumerate(role.includes):
        if other not in roles:
            known = ", ".join(sorted(roles))
            yield Problem(
                problem=f"includes {other!r}, which is not there",
                at=(*at, "includes", index),
                remedy=f"Known: {known}.",
            )
    if name in _included(name, roles):
        yield Problem(problem="includes itself", at=(*at, "includes"), remedy="Break the circle.")
    for resource, actions in role.can.items():
        taken = role.cannot.get(resource, ())
        if set(actions) <= set(taken) or "*" in taken:
            yield Problem(
                problem="gives what `cannot` takes away",
                at=(*at, "can", resource),
                remedy="Take one of them out.",
            )


def _included(name: str, roles: Mapping[str, Role]) -> set[str]:
    """Every role below this one, itself only in a circle."""
    found: set[str] = set()
    waiting = list(roles[name].includes)
    while waiting:
        one = waiting.pop()
        if one in roles and one not in found:
            found.add(one)
            waiting += roles[one].includes
    return found


def _in_remembered(policy: CapabilitiesPolicy) -> Iterator[Problem]:
    for index, entry in enumerate(policy.remembered):
        if is_glob(entry.tool):
            yield Problem(
                problem="an answer is remembered for one tool, by its exact name",
                at=("remembered", index, "tool"),
                remedy="Write one entry for each tool.",
            )
        elif any(covers(pattern, entry.tool) for _, pattern in _always(policy)):
            yield _useless(entry, index)


def _useless(entry: Remembered, index: int) -> Problem:
    return Problem(
        problem=f"answers nothing: {entry.tool!r} is denied",
        at=("remembered", index),
        remedy="Take one of them out.",
    )
