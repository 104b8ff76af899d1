"""Results with a structure: their fields, kept apart (pure).

Rules:
* JSON is always opened: its fields were kept apart by whoever wrote it. YAML (and `name: value`
  lines, which are YAML) only where the policy names fields.
* A head of `Name: value` lines with a body below it, as a mail has, is the fields of the head and
  `body`, whatever the body looks like: its lines are no fields. Where a blank line may as well be
  part of a value in YAML, it stays one text.
* A text in which a name stands twice in one record is no structure: somebody may have written the
  second one into a value. It stays one text.
* A field is named by the names on its way, positions left out. A name with a dot or a bracket in it
  stands for nothing.
* Bounded in size, depth and number; what passes a bound stays one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

MAX_STRUCTURE_CHARS = 500_000
"""Characters of a result that is opened."""
MAX_YAML_CHARS = 64_000
"""Characters of a result that is opened as YAML, which is read slowly."""
MAX_FIELDS = 5_000
"""Fields of one result."""
MAX_DEPTH = 32

Path = tuple[str, ...]
Fields = list[tuple[Path, str]]

_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")
_YAML = re.compile(r"\s*(?:-\s+)*[\w \"'-]{1,64}:(?:\s|$)")
_HEAD_LINE = re.compile(r"(?P<name>[^\W_][\w -]{0,39}):(?: (?P<value>.*))?")
_BLANK = re.compile(r"\r?\n[ \t]*\r?\n")


def path_of(where: str) -> Path:
    """Names on the way to an adapter's place.

    Example:
        >>> path_of("rows[3].sender")
        ('rows', 'sender')
    """
    return tuple(step for step in _STEP.findall(where) if step[0] != "[")


def fields_of(text: str, *, named: bool) -> Fields | None:
    """The fields of a result that is structured text; None when it is not.

    Args:
        text: The result.
        named: The policy names fields of it.
    """
    head = text.lstrip()[:1]
    if len(text) > MAX_STRUCTURE_CHARS or not head:
        return None
    try:
        if head in "{[":
            return _flat(json.loads(text, object_pairs_hook=_once))
        if named and len(text) <= MAX_YAML_CHARS and _YAML.match(text):
            head, *rest = _BLANK.split(text.strip(), maxsplit=1)
            return _letter(head, rest[0]) if rest and head[0] != "-" else _flat(_yaml(text))
    except (ValueError, RecursionError):
        return None
    return None


def _letter(head: str, body: str) -> Fields:
    """Fields of a head, and the body below it (RFC 5322, section 2.1).

    Raises:
        ValueError: It may as well be YAML with a value of several lines, or is neither.
    """
    lines = [_HEAD_LINE.fullmatch(line) for line in head.splitlines()]
    if body[:1].isspace() or not all(lines):
        raise ValueError("a body, or a value")
    pairs = [(line["name"], (line["value"] or "").strip()) for line in lines if line]
    _once([(name.casefold(), "") for name, _ in (*pairs, ("body", ""))])
    return [((_step(name),), value) for name, value in (*pairs, ("body", body))]


def map_fields(text: str, change: Callable[[Path, str], str]) -> str | None:
    """A copy of a JSON text with every text in it passed through `change`; None when it is no JSON.

    Shows nothing of numbers: they pass as they are.
    """
    if len(text) > MAX_STRUCTURE_CHARS or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text, object_pairs_hook=_once)
        new = _mapped(value, change, (), MAX_DEPTH)
    except (ValueError, RecursionError):
        return None
    return text if new == value else json.dumps(new, ensure_ascii=False)


def _mapped(value: object, change: Callable[[Path, str], str], path: Path, depth: int) -> object:
    if depth <= 0:
        raise RecursionError
    match value:
        case str():
            return change(path, value)
        case dict():
            named = cast("Mapping[str, object]", value)
            return {
                name: _mapped(inner, change, (*path, _step(name)), depth - 1)
                for name, inner in named.items()
            }
        case list():
            items = cast("list[object]", value)
            return [_mapped(inner, change, path, depth - 1) for inner in items]
        case _:
            return value


def _step(name: str) -> str:
    return name if not set(name) & set(".[]") else "?"


def _flat(value: object) -> Fields | None:
    if not isinstance(value, (dict, list)):
        return None
    found: Fields = []
    for path, leaf in _leaves(cast("object", value), (), MAX_DEPTH):
        found.append((path, leaf))
        if len(found) > MAX_FIELDS:
            return None
    return found


def _leaves(value: object, path: Path, depth: int) -> Iterator[tuple[Path, str]]:
    if depth <= 0:
        raise RecursionError
    match value:
        case str():
            yield path, value
        case bool() | None:
            return
        case int() | float():
            yield path, written(value)
        case dict():
            for name, inner in cast("Mapping[str, object]", value).items():
                yield from _leaves(inner, (*path, _step(name)), depth - 1)
        case list():
            for inner in cast("list[object]", value):
                yield from _leaves(inner, path, depth - 1)
        case _:
            yield path, str(value)


def written(number: float) -> str:
    """A number as people write it: 4.0 is 4."""
    if abs(number) < EXACT and number == int(number):
        return str(int(number))
    return repr(number)


EXACT = 2**53
"""Whole numbers below this are exact in floating point (IEEE 754)."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a name stands twice")
    return record


def _yaml(text: str) -> object:
    import yaml  # noqa: PLC0415 - heavy, and only for such results

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise ValueError("an alias")  # it could grow without bound
        return _node(yaml.compose(text, Loader=loader), MAX_DEPTH)
    except yaml.YAMLError:
        raise ValueError("no YAML") from None


def _node(node: Any, depth: int) -> object:
    if depth <= 0:
        raise RecursionError
    match node.id:
        case "mapping":
            return _once([(str(k.value), _node(v, depth - 1)) for k, v in node.value])
        case "sequence":
            return [_node(item, depth - 1) for item in node.value]
        case _:
            return str(node.value)
