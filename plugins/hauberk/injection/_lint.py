"""What looks unwise in a rule pack that can be used.

Rules:
* A remark names the rule and the line; it never stops a pack.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hauberk.decisions import Severity
from hauberk.injection._automaton import Patterns
from hauberk.injection._packs import read_pack, with_packs
from hauberk.injection._rules import Rule
from hauberk.injection._update import check_examples

ORIGINS = frozenset(("user", "tool", "document"))

_ORDINARY = (
    "the meeting is on tuesday at nine, please bring the notes. thank you for your order; it leaves"
    " our house tomorrow. see the page on returns, and write to us when something is missing."
)
"""Words of every day: a rule that finds something here finds something everywhere."""


def lint_pack(path: Path) -> list[str]:
    """Remarks on a pack, one sentence each.

    Raises:
        PolicyError: It cannot be used at all.
    """
    file = read_pack(path)
    pack = with_packs([file])
    own = {rule.id for rule in file.pack.rules}
    remarks = [
        f"{place[0]}:{place[1]}: {rule.id} {remark}"
        for rule, place in zip(file.pack.rules, file.places(), strict=True)
        for remark in _remarks(rule)
    ]
    first = len(pack.rules) - len(file.pack.rules)
    numbers = range(first, len(pack.rules))
    raw, always = _ORDINARY.encode(), frozenset(pack.candidates(b""))
    remarks += [
        f"{path}: {pack.rules[n].id} finds something in a text of every day"
        for n in numbers
        if pack.span(n, raw)
    ]
    remarks += [
        f"{path}: {pack.rules[n].id} is tried on every text: give each way to match a word of three"
        " letters or more"
        for n in numbers
        if n in always
    ]
    return remarks + [
        f"{path}: {problem}" for problem in check_examples(pack) if problem.rule in own
    ]


def _remarks(rule: Rule) -> Iterator[str]:
    if Patterns([r"^(?:\.\*|\.\+|\[\^)"]).span(0, rule.pattern.encode()):
        yield "begins with anything at all: leave that out"
    if unknown := rule.origins - ORIGINS:
        yield f"applies to origins that are not known: {', '.join(sorted(unknown))}"
    if "user" in rule.origins and rule.severity >= Severity.HIGH and len(rule.no_match) == 1:
        yield "stops users: give it more than one text that it must not find"
    if not rule.explanation.endswith("."):
        yield "has an explanation that is no sentence"
