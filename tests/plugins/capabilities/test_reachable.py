"""Rules that contradict each other or could never decide: errors with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Policy, PolicyError, load_policy
from hauberk.capabilities._names import covers, matcher

BAD = [
    ("tools: {pay: {}}\n  deny: [pay]", 3, "tools.pay", "can never be used: `deny` has 'pay'"),
    ("tools:\n    pay: {}\n    'p*': {}\n  deny: ['p*']", 4, "tools.pay", "and deny wins"),
    ("deny: [a, 'b*', bc]", 3, "deny[2]", "'b*' denies whatever 'bc' would"),
    ("deny:\n    - a\n    - {tool: a, when: {user: eve}}", 5, "deny[1]", "decides nothing"),
    ("deny: [a, a]", 3, "deny[1]", "decides nothing"),
    ("tools: {p\u0430y: {}, pay: {}}", 3, "tools.pay", "looks like another tool"),
    (
        "tools:\n    pay:\n      cases:\n        - where: {a: {money: 5}}\n        - {}\n        - approval: true",
        8,
        "tools.pay.cases[2]",
        "whatever fits it fits cases[1] before",
    ),
    (
        "tools:\n    pay:\n      cases:\n        - when: {user: [a, b]}\n        - when: {user: [a], role: x}",
        7,
        "tools.pay.cases[1]",
        "fits cases[0] before",
    ),
    (
        "tools: {pay: {approval: true, cases: [{approval: true}]}}",
        3,
        "tools.pay.approval",
        "says nothing new",
    ),
    (
        "tools: {pay: {args: {properties: {a: {}}, additionalProperties: false}, where: {b: any}}}",
        3,
        "tools.pay.where.b",
        "is about an argument that `args` refuses",
    ),
    ("users: {ada: clerk}", 3, "users", "has no roles to give"),
    ("roles: {a: {}}\n  users: {ada: b}", 4, "users.ada", "has the role 'b', which is not there"),
    ("roles: {a: {includes: [b]}}", 3, "roles.a.includes[0]", "includes 'b', which is not there"),
    ("roles: {a: {includes: [b]}, b: {includes: [a]}}", 3, "roles.a.includes", "includes itself"),
    ("roles: {a: {can: {x: read}, cannot: {x: '*'}}}", 3, "roles.a.can.x", "`cannot` takes away"),
    (
        "remembered: [{tool: 'a*', owner: x, until: 2027-01-01}]",
        3,
        "remembered[0].tool",
        "by its exact name",
    ),
    (
        "deny: ['a*']\n  remembered:\n    - {tool: ab, owner: x, until: 2027-01-01}",
        5,
        "remembered[0]",
        "answers nothing",
    ),
    (
        "remembered: [{tool: a, owner: x, until: 2027-01-01T00:00:00}]",
        3,
        "remembered[0].until",
        "timezone",
    ),
    ("tools: {a: {when: {}}}", 3, "tools.a.when", "says nothing"),
    ("tools: {a: {when: {time: {days: []}}}}", 3, "tools.a.when.time", "no day"),
    (
        "tools: {a: {when: {time: {from: '08:00', to: '08:00'}}}}",
        3,
        "tools.a.when.time",
        "starts when it ends",
    ),
    ("tools: {a: {when: {time: {tz: Mars/Base}}}}", 3, "tools.a.when.time.tz", "no such time zone"),
    ("tools: {a: {where: {to: {mial: [x]}}}}", 3, "tools.a.where.to.mial", "Did you mean 'mail'?"),
    ("tools: {a: {where: {to: {}}}}", 3, "tools.a.where.to", "checks nothing"),
    ("tools: {a: {breaker: {failures: 0}}}", 3, "tools.a.breaker.failures", "greater than"),
]


@pytest.mark.parametrize(("text", "line", "field", "part"), BAD, ids=[case[2] for case in BAD])
def test_it_is_an_error_at_its_place(
    tmp_path: Path, text: str, line: int, field: str, part: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"version: 1\ncapabilities:\n  {text}\n", "utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    assert part in str(caught.value)
    assert (caught.value.line, caught.value.field) == (line, f"capabilities.{field}")


GOOD = [
    "tools: {pay: {}, 'p*': {}}\n  deny: ['px*', 'q*']",
    "access: read\n  tools: {pay: {access: write}}",
    "tools: {pay: {cases: [{where: {a: any}}, {where: {a: any, b: any}}]}}",
    "tools: {pay: {cases: [{where: {a: {money: 5}}}, {where: {a: {money: 9}}, approval: true}]}}",
    "tools: {pay: {cases: [{when: {user: a}}, {when: {role: a}}]}}",
    "deny: ['a*', '*b', {tool: ab_, when: {user: x}}]".replace("ab_", "c"),
    "tools: {pay: {when: {time: {from: 22:00, to: 06:00, tz: Europe/Zurich}}}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_rules_that_can_all_decide_are_no_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"version: 1\ncapabilities:\n  {text}\n", "utf-8")
    assert load_policy(file).capabilities


def test_a_policy_in_python_is_checked_too() -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy({"version": 1, "capabilities": {"tools": {"a": {}}, "deny": ["a"]}})
    assert caught.value.field == "capabilities.tools.a"


def test_the_schema_of_policies_can_be_printed() -> None:
    schema = Policy.model_json_schema()
    assert {"Constraint", "When", "Role", "Breaker", "Remembered"} <= schema["$defs"].keys()


@given(
    pattern=st.text(alphabet="ab*?", max_size=5),
    other=st.text(alphabet="ab*?", max_size=5),
    name=st.text(alphabet="ab", max_size=6),
)
def test_a_pattern_that_covers_another_matches_whatever_that_matches(
    pattern: str, other: str, name: str
) -> None:
    if covers(pattern, other) and matcher(other)(name):
        assert matcher(pattern)(name)
