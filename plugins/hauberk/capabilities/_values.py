"""Arguments as JSON Schema can judge them (pure).

Rules:
* JSON values stay what they are; tuples are arrays, other mappings are objects.
* What JSON has no word for (bytes, dates, NaN, half a surrogate pair, an enormous number, a key that
  is no string) becomes `Opaque`: no type of JSON Schema matches it, so no constraint lets it pass.
* No code of a foreign object runs: neither its repr nor its comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import TypeGuard, cast

from hauberk.structure import MAX_DEPTH, TooDeepError

MAX_INTEGER_BITS = 1024
"""Larger integers cannot be compared with floats (IEEE 754 binary64 ends at 2**1024)."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is none of JSON's; only its kind is kept."""

    kind: str


def plain(value: object, *, depth: int = MAX_DEPTH) -> object:
    """A copy of `value` made of JSON's types (and `Decimal`), with `Opaque` for the rest.

    Raises:
        TooDeepError: Nested deeper than `depth` levels.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value) if is_unicode(value) else Opaque("text that is not Unicode")
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if depth <= 0:
        raise TooDeepError
    if is_mapping(value):
        return _object(value, depth)
    if isinstance(value, tuple):
        value = list(cast("tuple[object, ...]", value))
    if is_list(value):
        return [plain(item, depth=depth - 1) for item in value]
    return Opaque(type(value).__name__)


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """True for a mapping, of whatever."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[object]]:
    """True for a list, of whatever."""
    return isinstance(value, list)


def _object(value: Mapping[object, object], depth: int) -> object:
    copy: dict[str, object] = {}
    for key, inner in value.items():
        if not isinstance(key, str) or not is_unicode(key):
            return Opaque("object with keys that are not text")
        copy[str.__str__(key)] = plain(inner, depth=depth - 1)
    return copy


def _number(value: float | Decimal) -> object:
    if isinstance(value, int):
        value = int(value)
        return value if value.bit_length() <= MAX_INTEGER_BITS else Opaque("number out of range")
    if isinstance(value, Decimal):
        ready = value.is_finite() and -MAX_INTEGER_BITS < value.adjusted() < MAX_INTEGER_BITS
    else:
        ready = isfinite(value)
    return value if ready else Opaque("number out of range")


def is_unicode(text: str) -> bool:
    """False for a text with half a surrogate pair: no encoding and no RE2 takes it."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def kind(value: object) -> str:
    """JSON's name for the type of a plain value."""
    if isinstance(value, Opaque):
        return value.kind
    if value is None:
        return "null"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        ((float, Decimal), "number"),
        (str, "string"),
        (list, "array"),
    )
    return next((name for types, name in names if isinstance(value, types)), "object")
