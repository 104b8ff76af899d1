"""Keywords and formats of JSON Schema as they are judged here: linear in what an attacker chose.

Rules:
* Every pattern runs in RE2. jsonschema would run it in `re`, which can be made to hang.
* `uniqueItems` is linear; jsonschema compares each item with each other.
* `multipleOf` counts in decimals, as people do with money: 19.99 is a multiple of 0.01.
* Formats assert, and each is one full match; `email` is one plain address, not "contains an @".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it ships no types
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

from hauberk.capabilities._values import is_list, is_mapping

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
"""One label of a host name (RFC 1123)."""

_EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*"
"""One e-mail address, as HTML has it (https://html.spec.whatwg.org/#valid-e-mail-address)."""


_re2: Any = re2
_OPTIONS = _re2.Options()
_OPTIONS.log_errors = False  # it would write the pattern to stderr


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """A pattern of a policy, in RE2. Raises `re2.error` for one that RE2 cannot take."""
    return _re2.compile(pattern, _OPTIONS)


def _pattern(_: Any, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not compiled(pattern).search(value):
        yield ValidationError("pattern")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, object], value: object, _: object
) -> Iterator[ValidationError]:
    if is_mapping(value):
        for pattern, schema in patterns.items():
            for name, inner in value.items():
                if compiled(pattern).search(name):
                    yield from validator.descend(inner, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, wanted: object, value: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not is_mapping(value):
        return
    named = schema.get("properties", {})
    patterns = [compiled(pattern) for pattern in schema.get("patternProperties", {})]
    for name, inner in value.items():
        if name in named or any(pattern.search(name) for pattern in patterns):
            continue
        if wanted is False:
            yield ValidationError("additionalProperties", path=[str(name)])
            return
        yield from validator.descend(inner, wanted, path=name)


def _unique_items(_: Any, wanted: bool, value: object, __: object) -> Iterator[ValidationError]:  # noqa: FBT001 - the signature is jsonschema's
    if wanted and is_list(value) and len({_key(item) for item in value}) < len(value):
        yield ValidationError("uniqueItems")


def _key(value: object) -> object:
    """Equal for values that JSON calls equal, and hashable: 1 is 1.0, but true is not 1."""
    if is_mapping(value):
        return ("object", frozenset((name, _key(inner)) for name, inner in value.items()))
    if is_list(value):
        return ("array", tuple(_key(item) for item in value))
    return (isinstance(value, bool), value)


def _multiple_of(_: Any, step: float, value: object, __: object) -> Iterator[ValidationError]:
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if number and Decimal(str(value)) % Decimal(str(step)):
        yield ValidationError("multipleOf")


def _full(pattern: str) -> Callable[[object], bool]:
    match = compiled(pattern).fullmatch
    return lambda value: not isinstance(value, str) or match(value) is not None


def _read(pattern: str, read: Callable[[str], object]) -> Callable[[object], bool]:
    """A format whose numbers must also make sense: no 31st of February."""
    fits = _full(pattern)

    def check(value: object) -> bool:
        if not isinstance(value, str):
            return True
        try:
            return fits(value) and read(value) is not None
        except ValueError:
            return False

    return check


_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)"

_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "email": _full(_EMAIL),
    "hostname": _full(rf"{_LABEL}(?:\.{_LABEL})*"),
    "ipv4": _read(r"[0-9.]+", ipaddress.IPv4Address),
    "ipv6": _read(r"[0-9A-Fa-f:.]+", ipaddress.IPv6Address),
    "uri": _full(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+"),
    "uuid": _full(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "date": _read(_DATE, date.fromisoformat),
    "date-time": _read(rf"{_DATE}[Tt]{_CLOCK}", datetime.fromisoformat),
}
FORMATS = frozenset(_CHECKS)
"""Formats that are asserted; a schema that names another one is refused."""


def _checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, check in _CHECKS.items():
        checker.checks(name)(check)
    return checker


_validators: Any = validators  # `extend` is untyped
_Extended = _validators.extend(
    Draft202012Validator,
    validators={
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "multipleOf": _multiple_of,
    },
    format_checker=_checker(),
)


def strict_validator(schema: object, registry: Any) -> Any:
    """The validator of jsonschema with these keywords and formats."""
    return _Extended(schema, registry=registry, format_checker=_Extended.FORMAT_CHECKER)
