"""Structured values, without the fields that may not be seen.

Rules:
* What is not named does not come out: unknown objects, plain text, bytes and numbers have no fields,
  and a value that has none is refused, unless it is empty. So is any value when no field at all is chosen.
* The value that was given is never changed; what is kept whole is shared with the copy.
* Models, dataclasses and named tuples that lose a field become mappings: half an object is none.
  Items of lists that lose everything go; sets become lists.
* JSON and YAML inside strings are opened, at any depth of the value, and written again.
* Depth is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast

from pydantic import BaseModel

from hauberk.fields import Selection
from hauberk.structure import MAX_DEPTH, TooDeepError
from hauberk_pii.minimise._strings import opened
from hauberk_pii.minimise._tables import table_of

NOTHING: Final = object()
"""No part of a value may be seen."""


class NoFieldsError(ValueError):
    """A value has no fields, and only fields of it may be seen. The message holds nothing of it."""

    def __init__(self) -> None:
        super().__init__("only some fields of it may be seen, and it has none")


def minimised(value: object, chosen: Selection) -> object:
    """What may be seen of a value.

    Args:
        value: A mapping, sequence, set, model, dataclass, named tuple, pandas or Arrow table, or a
            string that holds JSON or YAML; None and empty texts too.
        chosen: The fields.

    Raises:
        NoFieldsError: It is something else, and not everything of it may be seen.
        TooDeepError: It is nested too deeply.

    Example:
        >>> minimised({"id": 7, "name": "Ada"}, Selection.of(["id"]))
        {'id': 7}
    """
    if chosen.nothing:
        raise NoFieldsError
    found = _picked(value, chosen, MAX_DEPTH)
    if found is not NOTHING:
        return found
    empty = _emptied(value)
    if empty is NOTHING:
        raise NoFieldsError
    return empty


def _emptied(value: object) -> object:
    """What is left of a value of which nothing may be seen, where its kind has fields."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return value
    if isinstance(value, str):
        document = opened(value)
        return NOTHING if document is None else document.empty
    if isinstance(value, (list, tuple, set, frozenset)) and _named(value) is None:
        return []
    return NOTHING if _named(value) is None else {}


def _picked(value: object, chosen: Selection, depth: int) -> object:
    if chosen.whole:
        return value
    if chosen.nothing:
        return NOTHING
    if depth <= 0:
        raise TooDeepError
    if isinstance(value, str):
        return _in_text(value, chosen, depth)
    return _in_structure(value, chosen, depth)


def _in_structure(value: object, chosen: Selection, depth: int) -> object:
    table = table_of(value)
    if table is not None:
        return table.picked(chosen, lambda cell, wanted: _cell(cell, wanted, depth - 1))
    named = _named(value)
    if named is not None:
        return _in_fields(value, named, chosen, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _in_items(cast("Any", value), chosen, depth)
    return NOTHING


def _in_fields(
    value: object, named: Mapping[object, object], chosen: Selection, depth: int
) -> object:
    kept: dict[object, object] = {}
    for key, inner in named.items():
        found = _picked(inner, chosen.field(str(key)), depth - 1)
        if found is not NOTHING:
            kept[key] = found
    if len(kept) == len(named) and all(kept[key] is named[key] for key in kept):
        return value
    return kept or NOTHING


def _in_items(value: Iterable[object], chosen: Selection, depth: int) -> object:
    items = list(value)
    picked = [_picked(item, chosen.item(n), depth - 1) for n, item in enumerate(items)]
    if all(new is old for new, old in zip(picked, items, strict=True)):
        return value
    kept = [one for one in picked if one is not NOTHING]
    return (tuple(kept) if isinstance(value, tuple) else kept) if kept else NOTHING


def _in_text(text: str, chosen: Selection, depth: int) -> object:
    document = opened(text)
    if document is None:
        return NOTHING
    new = _picked(document.value, chosen, depth - 1)
    if new is document.value:
        return text
    return NOTHING if new is NOTHING else document.written(new)


def _cell(cell: object, chosen: Selection, depth: int) -> object:
    """What may be seen of a cell of a table: a row keeps its shape."""
    found = _picked(cell, chosen, depth)
    return None if found is NOTHING else found


def _named(value: object) -> Mapping[object, object] | None:
    """The fields of a value that has names for them, or None."""
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value)
    if isinstance(value, type):
        return None
    if isinstance(value, BaseModel):
        return dict([*vars(value).items(), *(value.model_extra or {}).items()])
    if is_dataclass(value):
        return dict(_set_fields(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return cast("Mapping[object, object]", cast("Any", value)._asdict())
    return None


def _set_fields(value: Any) -> Iterator[tuple[object, object]]:
    for one in fields(value):
        if hasattr(value, one.name):
            yield one.name, getattr(value, one.name)
