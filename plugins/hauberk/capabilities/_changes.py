"""The smallest change of policy that would allow a call (pure).

Rules:
* A change is tried, not guessed: the changed policy is loaded and asked again, until the call passes
  or nothing more can be changed.
* Only what the call needs is changed: one host is added, one limit is raised to the call's value.
* What cannot be read for certain has no change: the value must be written plainly.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, cast

from pydantic import ValidationError

from hauberk.capabilities._outcome import At, Change, Outcome
from hauberk.capabilities._rules import RuleBook
from hauberk.decisions import Verdict
from hauberk.errors import HauberkError
from hauberk.events import Event
from hauberk.policy import CapabilitiesPolicy

MAX_CHANGES = 12
"""Most changes that are tried for one call: more are another policy."""


def changes_for(policy: CapabilitiesPolicy, event: Event, outcome: Outcome) -> tuple[Change, ...]:
    """The changes that a denied call needs, one after the other; empty when none would allow it.

    Args:
        policy: The policy that denied.
        event: The tool call.
        outcome: What its rule book said of it.
    """
    changes: list[Change] = []
    while outcome.decision.verdict is Verdict.DENY:
        made = None if outcome.change is None else _made(policy, outcome.change)
        if made is None or len(changes) == MAX_CHANGES:
            return ()
        change, policy = made
        before, outcome = outcome, RuleBook(policy).outcome(event)
        if outcome == before:
            return ()  # it changed nothing: do not advise it
        changes.append(change)
    return tuple(changes)


def _made(policy: CapabilitiesPolicy, change: Change) -> tuple[Change, CapabilitiesPolicy] | None:
    """The change as it is to be written, and the policy with it; None when it cannot be made."""
    data = policy.model_dump(mode="json", by_alias=True, exclude_unset=True)
    in_schema = change.at[:1] == ("tools",) and change.at[2:3] == ("args",)
    try:
        change = _in_schema(data, change) if in_schema else change
        return change, CapabilitiesPolicy.model_validate(applied(data, change))
    except (ValidationError, HauberkError, LookupError, TypeError, ValueError):
        return None


def applied(data: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """A copy of what is below `capabilities`, with one change made.

    Raises:
        LookupError: The place is not there, and cannot be made.
        TypeError: Something else is in its place.
    """
    copy: dict[str, Any] = deepcopy(dict(data))
    here: Any = copy
    for step in change.at[:-1]:
        here = here[step] if isinstance(step, int) else here.setdefault(step, {})
    last = change.at[-1]
    match change.action:
        case "remove":
            del here[last]
        case "set":
            here[last] = change.value
        case "add":
            there = cast("dict[Any, Any]", here).get(last)
            here[last] = _added(there, change.value)
    return copy


def _added(there: object, value: object) -> object:
    """What is there (one item, a list, or names with what they may do), and one more."""
    if isinstance(there, dict):
        return {**cast("dict[object, object]", there), value: {}}
    if isinstance(there, list):
        return [*cast("list[object]", there), value]
    return [value] if there is None else [there, value]


def _in_schema(data: Mapping[str, Any], change: Change) -> Change:
    """The change of a JSON Schema that lets a value through, keyword by keyword."""
    at, value = change.at, cast("Any", change.value)
    match at[-1]:
        case "maximum" | "minimum":
            return Change(at=at, action="set", value=value)
        case "maxLength" | "minLength" | "maxItems" | "minItems":
            return Change(at=at, action="set", value=len(value))
        case "enum":
            return Change(at=at, action="add", value=value)
        case "required":
            there = [name for name in _at(data, at) if name in value]
            return Change(at=at, action="set", value=there)
        case "additionalProperties":
            place = (*at[:-1], "properties")
            known: Any = _at(data, place)
            new = next(name for name in value if name not in known)
            return Change(at=(*place, new), action="set", value={})
        case _:
            return Change(at=at, action="remove")


def _at(data: Any, at: At) -> Any:
    here = data
    for step in at:
        here = here[step] if isinstance(step, int) else here.get(step, {})
    return here


def dotted(at: At) -> str:
    """A place in the policy, as people write it."""
    return "capabilities" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in at)
