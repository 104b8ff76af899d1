"""The quick yes of a plain schema is never another answer than the validator's."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from hauberk.capabilities._prepare import prepared
from hauberk.capabilities._quick import quick
from hauberk.capabilities._schema import ArgumentSchema

_NAMES = st.sampled_from(["to", "n", "on", "other"])
_INNER: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "pattern": st.just("^a"),
            "title": st.just("t"),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "boolean", "number", "null"])},
        optional={"enum": st.just([1, True]), "default": st.just(1)},
    ),
    st.fixed_dictionaries({}, optional={"maximum": st.just(2)}),
)
_SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("object"),
        "properties": st.dictionaries(_NAMES, _INNER, max_size=3),
        "required": st.lists(_NAMES, unique=True, max_size=2),
        "additionalProperties": st.one_of(st.booleans(), _INNER),
        "maxProperties": st.just(1),
        "not": st.just({"required": ["other"]}),
    },
)
_VALUES = st.one_of(
    st.text("ab\U0001f600\ud800", max_size=4),
    st.integers(-1, 3),
    st.booleans(),
    st.none(),
    st.sampled_from([1.0, 1.5, 10**400]),
    st.lists(st.just("a"), max_size=1),
)


def slow(schema: dict[str, Any]) -> ArgumentSchema:
    """The same schema, without its quick answer."""
    made = ArgumentSchema(schema)
    made._fits = None
    return made


@given(_SCHEMAS, st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_what_is_quickly_let_through_is_what_the_validator_lets_through(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    try:
        validator = prepared(schema)
    except ValueError:
        return
    fits = quick(validator.schema)
    said = fits is not None and fits(arguments)
    truth = slow(schema).violation(arguments) is None
    event(f"quick: {said}, valid: {truth}")
    assert truth or not said
    assert (ArgumentSchema(schema).violation(arguments) is None) is truth


def test_arguments_of_a_class_of_their_own_are_the_validators() -> None:
    class Text(str):
        __slots__ = ()

    fits = quick({"type": "object", "properties": {"to": {"type": "string"}}})
    assert fits is not None
    assert fits({"to": "a"})
    assert not fits({"to": Text("a")})
    assert not fits({"more": "a"})
