"""Preparing a JSON Schema when the policy is loaded: checked whole, and made strict.

What cannot be checked, or would check less than its author thinks, is refused here, so that nothing
is left to refuse (or to miss) when a call is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeGuard, cast

from jsonschema import Draft202012Validator, FormatChecker, SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from hauberk.capabilities._keywords import FORMATS, compiled, strict_validator
from hauberk.capabilities._schema import SchemaProblemError
from hauberk.capabilities._values import is_list, is_mapping

_MANY = ("properties", "patternProperties", "$defs", "dependentSchemas")
"""Keywords that hold schemas by name."""
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
"""Keywords that hold a list of schemas."""
_ONES = (
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
"""Keywords that hold one schema."""
_NEGATED = frozenset({"not", "if"})
"""Below these a stricter schema would let more through: they are left as they are written."""

_ABOUT = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": (
        *("items", "prefixItems", "contains", "minContains", "maxContains"),
        *("minItems", "maxItems", "uniqueItems", "unevaluatedItems"),
    ),
    "object": (
        *("properties", "patternProperties", "additionalProperties", "propertyNames", "required"),
        *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
        "unevaluatedProperties",
    ),
}
_NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"$comment", "$schema"}
)
_KNOWN = frozenset(
    {*_MANY, *_LISTS, *_ONES, *_NOTES, "type", "enum", "const", "$ref"}.union(*_ABOUT.values())
)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def prepared(schema: Mapping[str, object]) -> Any:
    """The validator for a schema of a policy.

    Raises:
        SchemaProblemError: The schema cannot be used.
    """
    try:
        strict = _strict(schema, "", tighten=True)
    except RecursionError:
        raise SchemaProblemError("nested too deeply") from None
    _check(strict)
    # An empty registry: whatever is not in the schema is not there, and nothing is fetched.
    empty: Any = Registry
    registry = empty()
    _check_references(strict, registry)
    return strict_validator(strict, registry)


def _strict(schema: object, at: str, *, tighten: bool) -> Any:
    """A copy of the schema in which every keyword is known and means its type."""
    if schema is False and at.rpartition(".")[2] not in _ONES:
        # The same thing, said so that jsonschema tells which argument it is.
        return {"not": {}}
    if isinstance(schema, bool):
        return schema
    if not _is_schema(schema):
        raise SchemaProblemError("a schema is a mapping, true or false", at=at)
    if "$ref" in schema and not tighten:
        raise SchemaProblemError("a reference below `not` or `if`", at=at, remedy="Write it out.")
    copy: dict[str, object] = {}
    for key, value in schema.items():
        inner = f"{at}.{key}"
        _check_keyword(key, value, inner)
        copy[key] = _below(key, value, inner, tighten=tighten and key not in _NEGATED)
    implied = [name for name, keys in _ABOUT.items() if any(key in copy for key in keys)]
    if tighten and implied and "type" not in copy:
        # First, so that the type is what a violation speaks of.
        return {"type": implied[0] if len(implied) == 1 else implied, **copy}
    return copy


def _is_schema(value: object) -> TypeGuard[Mapping[str, object]]:
    return is_mapping(value) and all(isinstance(key, str) for key in value)


def _below(key: str, value: object, at: str, *, tighten: bool) -> object:
    if key in _MANY and _is_schema(value):
        return {name: _strict(one, f"{at}.{name}", tighten=tighten) for name, one in value.items()}
    if key in _LISTS and is_list(value):
        return [_strict(one, f"{at}[{i}]", tighten=tighten) for i, one in enumerate(value)]
    return _strict(value, at, tighten=tighten) if key in _ONES else value


def _check_keyword(key: str, value: object, at: str) -> None:
    if key not in _KNOWN:
        near = get_close_matches(key, _KNOWN, n=1)
        raise SchemaProblemError(
            f"unknown keyword {key!r}, which would check nothing",
            at=at,
            remedy=f"Did you mean {near[0]!r}?" if near else "Take it out.",
        )
    if key == "$schema" and value != _DIALECT:
        raise SchemaProblemError("another dialect", at=at, remedy=f"Use {_DIALECT}.")
    if key == "$ref" and not (isinstance(value, str) and value.startswith("#")):
        raise SchemaProblemError(
            "a reference out of the schema", at=at, remedy="Copy it into $defs: nothing is fetched."
        )
    if key == "format" and not (isinstance(value, str) and value in FORMATS):
        known = ", ".join(sorted(FORMATS))
        raise SchemaProblemError("a format that is not checked", at=at, remedy=f"Known: {known}.")
    if key == "pattern":
        _regex(value, at)
    if key == "patternProperties" and _is_schema(value):
        for pattern in value:
            _regex(pattern, at)


def _regex(pattern: object, at: str) -> None:
    if not isinstance(pattern, str):
        raise SchemaProblemError("a pattern is a text", at=at)
    try:
        compiled(pattern)
    except Exception as error:  # RE2 has no public error class that is typed
        raise SchemaProblemError(
            "a pattern that RE2 cannot take",
            at=at,
            remedy="Write it without look-around and back-references.",
        ) from error


def _check(schema: Any) -> None:
    if all([*_found(schema, name)] for name in ("unevaluatedProperties", "patternProperties")):
        # jsonschema would look for evaluated names with `re`.
        raise SchemaProblemError(
            "unevaluatedProperties together with patternProperties",
            remedy="Use additionalProperties.",
        )
    try:
        # Patterns were checked by RE2 already, which knows other ones than `re` does.
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        at = "".join(f".{part}" for part in error.absolute_path)
        raise SchemaProblemError("not valid JSON Schema (draft 2020-12)", at=at) from None


def _check_references(schema: object, registry: Any) -> None:
    resolver: Any = registry.resolver_with_root(DRAFT202012.create_resource(cast("Any", schema)))
    for ref in _found(schema, "$ref"):
        if not isinstance(ref, str):
            continue  # a value inside `const` or `enum`: as a reference the check above refused it
        try:
            resolver.lookup(ref)
        except Unresolvable:
            raise SchemaProblemError(
                f"nothing is at {ref}", at=".$ref", remedy="Name an entry of $defs."
            ) from None


def _found(schema: object, keyword: str) -> Iterator[object]:
    """Every value of a keyword, wherever it is."""
    if is_mapping(schema):
        if keyword in schema:
            yield schema[keyword]
        for value in schema.values():
            yield from _found(value, keyword)
    elif is_list(schema):
        for value in schema:
            yield from _found(value, keyword)
