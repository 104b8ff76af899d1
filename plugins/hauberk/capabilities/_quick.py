"""A yes without a validator: what plain arguments of a plain schema are sure to satisfy (pure).

Most schemas of tools are an object with a few texts, whole numbers and switches. A validator walks them
in several microseconds, at each call of a tool.

Rules:
* It only ever says yes, and only where the validator would. Whatever it does not know is the validator's.
* A schema with any keyword beside those here has no quick answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

Fits = Callable[[object], bool]

_EXACT = 2**53
"""Greatest whole number that is looked at here: what every reader of JSON knows (RFC 8259 section 6)."""

_NOTES = frozenset({"title", "description", "default", "examples", "$schema", "$comment"})
"""Keywords that judge nothing."""


def quick(schema: Mapping[str, Any]) -> Fits | None:
    """Whether arguments are sure to satisfy a prepared schema; None when that takes a validator.

    Example:
        >>> fits = quick({"type": "object", "properties": {"to": {"type": "string"}}})
        >>> fits({"to": "ada"}), fits({"to": 1})
        (True, False)
    """
    if schema.keys() - _NOTES - {"type", "properties", "required", "additionalProperties"}:
        return None
    if schema.get("type") != "object" or schema.get("additionalProperties", False) is not False:
        return None
    checks = {name: _check(inner) for name, inner in schema.get("properties", {}).items()}
    known = {name: check for name, check in checks.items() if check is not None}
    required = tuple(schema.get("required", ()))

    def fits(arguments: object) -> bool:
        if type(arguments) is not dict:
            return False
        given = cast("dict[str, object]", arguments)
        for name in required:
            if name not in given:
                return False
        for name, value in given.items():
            check = known.get(name)
            if check is None or not check(value):
                return False
        return True

    return fits


def _check(inner: object) -> Fits | None:
    """The same for one argument."""
    if not isinstance(inner, Mapping):
        return None
    schema = cast("Mapping[str, Any]", inner)
    match schema.get("type"):
        case "string" if not schema.keys() - _NOTES - {"type", "minLength", "maxLength"}:
            least, most = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
            # Other texts may be no Unicode: the validator's path looks at that.
            return lambda value: (
                type(value) is str and value.isascii() and least <= len(value) <= most
            )
        case "integer" if not schema.keys() - _NOTES - {"type"}:
            return lambda value: type(value) is int and -_EXACT <= value <= _EXACT
        case "boolean" if not schema.keys() - _NOTES - {"type"}:
            return lambda value: type(value) is bool
        case _:
            return None
