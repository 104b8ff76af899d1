"""A least-privilege policy, proposed from recorded calls that went well (pure).

Rules:
* Only what was called is allowed: each tool by its exact name, each argument by its name and type.
* What an argument is, is told by all of its values together: recipients, links, paths, networks,
  amounts; otherwise numbers have bounds, texts a length, and words that repeat are a list.
* Every recorded call passes the proposal: it is asked about each of them before it is given out.
* What cannot be seen in calls is guessed on the safe side, and said: access by the tool's name.

It is a proposal. A trace with an attack in it teaches the attack; a person must read what is learnt.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from hauberk.capabilities._changes import applied, changes_for
from hauberk.capabilities._learnt import Seen, schema_of, typed
from hauberk.capabilities._rules import RuleBook
from hauberk.capabilities._trace import Call
from hauberk.decisions import Verdict
from hauberk.policy import Access, CapabilitiesPolicy

_READS = re.compile(
    r"(?:^|[_.:/-])(?:get|read|search|find|list|show|fetch|query|lookup|look_up|check|count|describe"
    r"|view|retrieve|load|calculate|compute|convert|current|is|has)(?:$|[_.:/-]|(?=[A-Z]))"
)
_ADMINISTERS = re.compile(
    r"(?:^|[_.:/-])(?:delete|remove|drop|grant|revoke|admin|reset|purge|shutdown|exec|execute|run"
    r"|deploy|install|sudo)(?:$|[_.:/-]|(?=[A-Z]))"
)


def learned(calls: Iterable[Call], *, dialect: str | None = None) -> dict[str, Any]:
    """What belongs below `capabilities` so that these calls pass, and little else.

    Args:
        calls: Recorded calls of runs that went well.
        dialect: The database's, as sqlglot calls it: SQL is learnt too (extra `sql`).

    Raises:
        ValueError: There are no calls.
        MissingExtraError: `dialect` is given and the extra `sql` is not installed.

    Example:
        >>> found = learned([Call(tool="get_mail", arguments={"n": 5}, session={})])
        >>> found["tools"]["get_mail"]["args"]["properties"]
        {'n': {'type': 'integer', 'minimum': 5, 'maximum': 5}}
    """
    by_tool: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_tool[call.tool].append(call)
    if not by_tool:
        raise ValueError("the trace holds no calls")
    tools = {name: _rule(name, by_tool[name], dialect) for name in sorted(by_tool)}
    access = max((Access(rule["access"]) for rule in tools.values()), key=lambda a: a.rank)
    found: dict[str, Any] = {"access": access.value, "tools": tools}
    for name, made in by_tool.items():
        found = _grown(found, name, made)
    return found


def access_of(tool: str) -> Access:
    """What a tool can do, by its name: what does not say that it reads, writes."""
    if _ADMINISTERS.search(tool):
        return Access.ADMIN
    return Access.READ if _READS.search(tool) else Access.WRITE


def _rule(tool: str, calls: list[Call], dialect: str | None) -> dict[str, Any]:
    names = sorted({name for call in calls for name in call.arguments})
    where: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name in names:
        seen = Seen(name, [call.arguments.get(name) for call in calls], dialect)
        constraint = typed(seen)
        if constraint is not None:
            where[name] = constraint
        properties[name] = {} if constraint is not None else schema_of(seen)
    required = [n for n in names if n not in where and all(n in c.arguments for c in calls)]
    rule: dict[str, Any] = {"access": access_of(tool).value}
    args: dict[str, Any] = {"type": "object", "properties": properties}
    args["additionalProperties"] = False
    rule["args"] = {**args, "required": required} if required else args
    return {**rule, "where": where} if where else rule


def _grown(found: dict[str, Any], tool: str, calls: list[Call]) -> dict[str, Any]:
    """The proposal, widened by the least that each call of a tool still needs."""
    policy = CapabilitiesPolicy.model_validate(found)
    book = RuleBook(policy)
    for call in calls:
        event = call.event()
        outcome = book.outcome(event)
        if outcome.decision.verdict is not Verdict.DENY:
            continue
        for change in changes_for(policy, event, outcome):
            found = applied(found, change)
        policy = CapabilitiesPolicy.model_validate(found)
        book = RuleBook(policy)
        if not _fits(book, call):
            # Nothing that can be said of these arguments: the tool alone is learnt.
            return _without_arguments(found, tool)
    return found


def _fits(book: RuleBook, call: Call) -> bool:
    return book.judge(call.event()).verdict is not Verdict.DENY


def _without_arguments(found: Mapping[str, Any], tool: str) -> dict[str, Any]:
    rule = {"access": found["tools"][tool]["access"]}
    return {**found, "tools": {**found["tools"], tool: rule}}
