"""Arguments as JSON Schema can judge them (pure).

Rules:
* JSON values stay what they are; tuples and sets are arrays; other mappings, dataclasses and pydantic
  models are objects; an enum is its value, a scalar of numpy the number it is; dates, times, UUIDs
  and paths are the text that stands for them.
* What JSON has no word for (bytes, NaN, half a surrogate pair, an enormous number, a key that
  is no string) becomes `Opaque`: no type of JSON Schema matches it, so no constraint lets it pass.
* No code of a foreign object runs: neither its repr nor its comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from types import NoneType
from typing import Any, TypeGuard, cast
from uuid import UUID

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
    value = real(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (date, time, UUID, PurePath)):
        value = _written(value)
    if isinstance(value, str):
        return str.__str__(value) if is_unicode(value) else Opaque("text that is not Unicode")
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if depth <= 0:
        raise TooDeepError
    if is_mapping(value):
        return _object(value, depth)
    if isinstance(value, (tuple, set, frozenset)):
        value = list(cast("tuple[object, ...]", value))
    if is_list(value):
        return [plain(item, depth=depth - 1) for item in value]
    return Opaque(type(value).__name__)


def real(value: object) -> object:
    """What an enum, a dataclass, a pydantic model or a scalar of numpy stands for.

    Looks at fields where they are kept; calls no property and no method of a foreign class.
    """
    kind_of = type(value)
    if kind_of in _PLAIN:
        return value
    if isinstance(value, Enum):
        return real(cast("object", value._value_))  # not `value`: a class may redefine that
    if is_dataclass(kind_of):
        return {f.name: _kept(value, f.name) for f in fields(kind_of)}
    if kind_of.__module__ == "numpy" and hasattr(kind_of, "item"):
        return cast("Any", value).item() if getattr(value, "ndim", 1) == 0 else value
    if any(base.__module__ == "pydantic.main" for base in kind_of.__mro__):
        return cast("object", object.__getattribute__(value, "__dict__"))
    return value


_PLAIN = frozenset({str, int, float, bool, NoneType, dict, list, tuple, Decimal, datetime, bytes})


def _kept(value: object, name: str) -> object:
    try:
        return cast("object", object.__getattribute__(value, name))
    except AttributeError:
        return None


def _written(value: date | time | UUID | PurePath) -> str:
    if isinstance(value, PurePath):
        return PurePath.__str__(value)
    if isinstance(value, UUID):
        return UUID.__str__(value)
    # A class's own method, so that no subclass's runs; a datetime is a date too, so it goes first.
    if isinstance(value, datetime):
        return datetime.isoformat(value)
    return date.isoformat(value) if isinstance(value, date) else time.isoformat(value)


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
