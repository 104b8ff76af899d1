"""Arguments against a JSON Schema: what is refused, why, and how little is told."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk import Event, PolicyError, Stage, load_policy
from hauberk.capabilities import (
    ArgumentSchema,
    CapabilitiesPlugin,
    SchemaProblemError,
    Violation,
)
from hauberk.capabilities._prepare import _KNOWN
from hauberk.policy import CapabilitiesPolicy, ToolRule


def violation(schema: dict[str, Any], **arguments: object) -> Violation | None:
    return ArgumentSchema(schema).violation(arguments)


def of(inner: object) -> dict[str, Any]:
    return {"properties": {"x": inner}}


TO = {"properties": {"to": {"pattern": "@bank\\.example$"}}, "required": ["to"]}


def test_the_refusal_names_tool_argument_keyword_and_the_change_that_would_permit_it() -> None:
    plugin = CapabilitiesPlugin(CapabilitiesPolicy(tools={"send": ToolRule(args=TO)}))
    event = Event(stage=Stage.TOOL_CALL, tool="send", arguments={"to": "eve@evil.example"})
    decision = plugin.inspect(event)
    assert decision.reason == (
        "arguments.to of 'send' must match `pattern`; to permit it, change "
        "`capabilities.tools.send.args.properties.to.pattern`"
    )
    assert decision.findings[0].where == "arguments.to"
    assert decision.findings[0].rule == "capability.args"


CASES: list[tuple[object, object, str]] = [
    ({"type": "integer"}, "1", "must be of type integer"),
    ({"type": ["integer", "null"]}, "1", "must be of type integer or null"),
    ({"enum": ["a", "b"]}, "c", "must be one of the values in `enum`"),
    ({"const": "a"}, "b", "must be the value of `const`"),
    ({"minimum": 5}, 4, "must be at least 5"),
    ({"maximum": 5}, 6, "must be at most 5"),
    ({"exclusiveMaximum": 5}, 5, "must be less than 5"),
    ({"minLength": 2}, "a", "must have at least 2 characters"),
    ({"maxLength": 2}, "abc", "must have at most 2 characters"),
    ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
    ({"uniqueItems": True}, [{"a": [1]}, {"a": [1.0]}], "must not repeat an item"),
    ({"format": "email"}, "a@b.example, c@d.example", "must have the format email"),
    ({"not": {"const": 1}}, 1, "must satisfy `not`"),
    ({"anyOf": [{"const": 1}, {"const": 2}]}, 3, "must satisfy `anyOf`"),
    (False, 1, "is not allowed"),
]


@pytest.mark.parametrize(("schema", "value", "wants"), CASES, ids=lambda case: str(case)[:30])
def test_each_keyword_says_what_it_wants(schema: object, value: object, wants: str) -> None:
    found = violation(of(schema), x=value)
    assert found is not None
    assert (found.where, found.wants) == ("arguments.x", wants)


def test_what_satisfies_the_schema_passes() -> None:
    assert violation(TO, to="ada@bank.example", subject="anything") is None


def test_a_missing_argument_is_named() -> None:
    found = violation(TO)
    assert found is not None
    assert (found.where, found.wants) == ("arguments.to", "is missing")


def test_an_extra_argument_is_named_when_the_rule_closes_the_list() -> None:
    found = violation({**TO, "additionalProperties": False}, to="a@bank.example", bcc="x")
    assert found is not None
    assert (found.where, found.wants) == ("arguments.bcc", "is not named by the rule")


def test_deep_places_are_named() -> None:
    schema = of({"items": {"properties": {"iban": {"maxLength": 3}}}})
    found = violation(schema, x=[{"iban": "abc"}, {"iban": "abcd"}])
    assert found is not None
    assert found.where == "arguments.x[1].iban"
    assert found.keyword == ".properties.x.items.properties.iban.maxLength"


def test_keys_that_are_no_plain_names_are_not_repeated() -> None:
    schema = of({"additionalProperties": {"maxLength": 3}})
    found = violation(schema, x={"ada lovelace <ada@bank.example>": "too long"})
    assert found is not None
    assert found.where == "arguments.x.*"


# --- no way around --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"maximum": 100}, "1e9"),
        ({"maximum": 100}, [1000]),
        ({"maximum": 100}, None),
        ({"maximum": 100}, True),
        ({"maximum": 100}, float("nan")),
        ({"maximum": 100}, Decimal("NaN")),
        ({"maximum": 100}, Decimal("Infinity")),
        ({"minimum": 5}, float("inf")),
        ({"minimum": 5}, Decimal("Infinity")),
        ({"maximum": 100}, 10**400),
        ({"maximum": 100}, Decimal("1e999999")),
        ({"pattern": "^a"}, b"a"),
        ({"pattern": "^a"}, ["a"]),
        ({"pattern": "^a$"}, "a\n"),
        ({"pattern": "^a"}, "a\ud800"),
        ({"not": {"pattern": "evil"}}, "\ud800evil"),
        ({"not": {"pattern": "evil"}}, ["evil"]),
        ({"enum": ["a"]}, b"a"),
        ({"const": 1}, True),
        ({"items": {"const": 1}}, {"0": 2}),
        ({"items": {"const": 1}}, (1, 2)),
        ({"properties": {"a": {"const": 1}}}, [("a", 2)]),
        ({"properties": {"a": {"const": 1}}}, OrderedDict(a=2)),
        ({"properties": {"a": {"const": 1}}}, MappingProxyType({"a": 2})),
        ({"required": ["1"]}, {1: 2}),
        ({"multipleOf": 0.01}, 19.999),
        ({"multipleOf": 0.01}, 1e300),
    ],
    ids=lambda case: str(case)[:30],
)
def test_no_other_type_or_odd_value_slips_past_a_keyword(schema: object, value: object) -> None:
    assert violation(of(schema), x=value) is not None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"maximum": 100}, Decimal("99.5")),
        ({"multipleOf": 0.01}, 19.99),
        ({"multipleOf": 0.01}, Decimal("0.07")),
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}, None]),
        ({"items": {"type": "integer"}}, (1, 2)),
        ({"pattern": "b"}, "abc"),
        ({"pattern": "^\\p{Cyrillic}+$"}, "\u0430"),
        ({"type": ["number", "string"], "maximum": 5}, "6"),
        ({"not": {"pattern": "evil"}}, "good"),
        ({"format": "date"}, "2024-02-29"),
        ({"format": "date-time"}, "2024-02-29T10:00:00Z"),
        ({"format": "ipv4"}, "10.0.0.1"),
        ({"format": "ipv6"}, "::1"),
        ({"format": "uuid"}, "6b1c7c9e-7a55-4b53-9c1e-0123456789ab"),
        ({"format": "uri"}, "https://bank.example/a?b=c"),
        ({"format": "hostname"}, "mail.bank.example"),
    ],
    ids=lambda case: str(case)[:30],
)
def test_honest_values_pass(schema: object, value: object) -> None:
    assert violation(of(schema), x=value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "a@b@c.example"),
        ("email", "a@b.example\n"),
        ("email", "Ada <a@b.example>"),
        ("date", "2023-02-29"),
        ("date", "20240229"),
        ("date-time", "2024-02-29 10:00:00"),
        ("ipv4", "010.0.0.1"),
        ("ipv4", "2130706433"),
        ("ipv6", "fe80::1%eth0"),
        ("uri", "//bank.example"),
        ("uri", "https://bank.example/a b"),
        ("hostname", "-bank.example"),
        ("hostname", "bank..example"),
    ],
)
def test_formats_assert(name: str, value: str) -> None:
    assert violation(of({"format": name}), x=value) is not None


class Hostile:
    """An argument whose code must never run."""

    def __repr__(self) -> str:
        raise AssertionError("its repr was called")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("it was compared")

    def __hash__(self) -> int:
        raise AssertionError("it was hashed")


def test_no_code_of_a_foreign_object_runs() -> None:
    found = violation(of({"enum": ["a"], "type": "string"}), x=Hostile())
    assert found is not None
    assert violation(of({"uniqueItems": True}), x=[Hostile()]) is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "is a null"),
        ([], "is an array"),
        ({}, "is an object"),
        (True, "is a boolean"),
        (1, "is an integer"),
        (1.5, "is a number"),
        (b"", "is a bytes"),
        ("\ud800", "is a text that is not Unicode"),
        (float("nan"), "is a number out of range"),
        ({1: 2}, "is an object with keys that are not text"),
    ],
)
def test_a_wrong_type_is_called_by_its_name(value: object, kind: str) -> None:
    found = violation(of({"type": "string"}), x=value)
    assert found is not None
    assert found.got == kind


def test_a_cycle_is_refused() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    found = violation(of({"type": "array"}), x=cycle)
    assert found is not None
    assert found.wants == "is nested too deeply"


def test_a_pattern_that_would_hang_re_is_linear() -> None:
    """`re` needs 2**40 steps for this one."""
    schema = ArgumentSchema(of({"pattern": "^(a+)+$", "patternProperties": {}}))
    assert schema.violation({"x": "a" * 50_000 + "!"}) is not None


def test_patterns_of_names_are_linear_too() -> None:
    schema = ArgumentSchema(
        of({"patternProperties": {"^(a+)+$": True}, "additionalProperties": False})
    )
    assert schema.violation({"x": {"a" * 50_000 + "!": 1}}) is not None


@pytest.mark.timeout(60)
def test_unique_items_are_linear() -> None:
    """Comparing each with each would take a thousand million steps: many minutes."""
    items = [{"n": n} for n in range(50_000)]
    assert violation(of({"uniqueItems": True}), x=items) is None


# --- at load --------------------------------------------------------------------------------

UNUSABLE: dict[str, tuple[Any, str]] = {
    "typo": (of({"patern": "a"}), "Did you mean 'pattern'?"),
    "unknown": (of({"x-ui": 1}), "Take it out."),
    "type": ({"type": "strin"}, "not valid JSON Schema"),
    "remote": (of({"$ref": "https://schemas.example/a.json"}), "nothing is fetched"),
    "file": (of({"$ref": "file:///etc/passwd"}), "nothing is fetched"),
    "dangling": (of({"$ref": "#/$defs/a"}), "Name an entry of $defs."),
    "dynamic": ({"$dynamicRef": "#a"}, "unknown keyword"),
    "base": ({"$id": "https://schemas.example/"}, "unknown keyword"),
    "dialect": ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"),
    "look-ahead": (of({"pattern": "(?=a)"}), "without look-around"),
    "back-reference": (of({"pattern": "(a)\\1"}), "without look-around"),
    "name pattern": (of({"patternProperties": {"(?<!a)b": {}}}), "without look-around"),
    "format": (of({"format": "iri"}), "Known: date"),
    "format list": (of({"format": ["email"]}), "Known: date"),
    "negated reference": ({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {}}}, "Write it out."),
    "no schema": (of(3), "a schema is a mapping"),
    "unevaluated": (
        {"allOf": [of({"patternProperties": {"a": {}}})], "unevaluatedProperties": False},
        "Use additionalProperties.",
    ),
}


@pytest.mark.parametrize(("schema", "hint"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_could_not_be_checked_is_refused_at_load(schema: dict[str, Any], hint: str) -> None:
    with pytest.raises(SchemaProblemError) as caught:
        ArgumentSchema(schema)
    assert hint in f"{caught.value} {caught.value.remedy}"


def test_the_policy_error_names_the_tool() -> None:
    rules = {"version": 1, "capabilities": {"tools": {"send": {"args": of({"patern": "a"})}}}}
    with pytest.raises(PolicyError) as caught:
        load_policy(rules)
    assert caught.value.field == "capabilities.tools.send.args"
    assert caught.value.remedy == "Did you mean 'pattern'?"


def test_a_rule_that_skipped_validation_is_refused_by_the_plugin() -> None:
    rule = ToolRule().model_copy(update={"args": of({"patern": "a"})})
    with pytest.raises(PolicyError) as caught:
        CapabilitiesPlugin(CapabilitiesPolicy().model_copy(update={"tools": {"send": rule}}))
    assert caught.value.field == "capabilities.tools.send.args"


def test_the_schema_of_the_policy_is_not_changed() -> None:
    schema = of({"maximum": 1})
    ArgumentSchema(schema)
    assert schema == of({"maximum": 1})


def test_local_references_work_and_recursion_ends() -> None:
    tree = {
        "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "n": {"maximum": 1}}}},
        "properties": {"x": {"$ref": "#/$defs/node"}},
    }
    assert violation(tree, x={"next": {"n": 1}}) is None
    assert violation(tree, x={"next": {"next": {"n": 2}}}) is not None
    endless = violation({"$ref": "#"}, x=1)
    assert endless is not None
    assert endless.wants == "cannot be judged (RecursionError)"


# --- for all arguments ----------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)


@given(x=_JSON)
def test_a_value_passes_only_with_the_type_that_the_keyword_is_about(x: object) -> None:
    number = isinstance(x, int) and not isinstance(x, bool)
    assert (violation(of({"maximum": 100}), x=x) is None) is number
    assert (violation(of({"maxLength": 100}), x=x) is None) is isinstance(x, str)


_KEYWORDS = st.sampled_from(sorted(_KNOWN))
_VALUES = _JSON | st.sampled_from(("string", "number", "#", "#/$defs/a", "email", "^(a+)+$", "("))
_SCHEMAS = st.recursive(
    st.dictionaries(_KEYWORDS, _VALUES, max_size=3),
    lambda inner: st.dictionaries(
        _KEYWORDS,
        _VALUES | inner | st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
        max_size=3,
    ),
    max_leaves=6,
)


def test_a_value_that_looks_like_a_reference_is_a_value() -> None:
    schema = ArgumentSchema({"const": {"$ref": None}})
    assert schema.violation({"$ref": None}) is None
    assert schema.violation({}) is not None


@settings(max_examples=400, deadline=None)
@given(schema=_SCHEMAS, arguments=st.dictionaries(st.sampled_from("ab"), _JSON))
def test_any_schema_is_either_refused_with_its_problem_or_usable(
    schema: dict[str, Any], arguments: dict[str, object]
) -> None:
    try:
        usable = ArgumentSchema(schema)
    except SchemaProblemError:
        return
    usable.violation(arguments)


@given(items=st.lists(_JSON, max_size=4))
def test_unique_means_what_json_calls_equal(items: list[object]) -> None:
    equal = any(_same(a, b) for i, a in enumerate(items) for b in items[:i])
    assert (violation(of({"uniqueItems": True}), x=items) is not None) is equal


def _same(a: object, b: object) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b
