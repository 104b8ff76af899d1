"""Where the texts are in LlamaIndex's values, and how to put others in their place.

One walk serves reading and writing: it shows every text to a `Visit`, and what that answers takes
the text's place in a copy. So a text is written exactly where it was read.

Rules:
* The value that was given is never changed; whatever holds no new text is shared with the copy.
* Keys of mappings that read like the name of a field stay; others are texts.
* JSON inside a string is opened: its texts are shown one by one, and escaped again when written.
* Generators and objects of unknown kind are left alone and never consumed.
* Nesting is bounded.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from hauberk.events import Segment, Trust
from hauberk.structure import MAX_DEPTH, TooDeepError
from hauberk_llama_index._copies import all_fields, each, same, updated

Visit = Callable[[str, str, str], str]
"""Takes a text, its place and its origin; gives the text to put there."""
Walk = Callable[[Any, Visit, str, str], Any]
"""Walks one value: it, the visit, its place and its origin."""
T = TypeVar("T")
W = TypeVar("W", bound=Walk)


# --- reading and writing ------------------------------------------------------------------------


def read(walk: Callable[[Visit], object]) -> tuple[Segment, ...]:
    """Every text that a walk shows, as segments, in order.

    Raises:
        TooDeepError: The value is nested too deeply.
    """
    found: list[Segment] = []

    def visit(text: str, where: str, origin: str) -> str:
        found.append(segment(text, where, origin))
        return text

    walk(visit)
    return tuple(found)


def write(walk: Callable[[Visit], T], segments: Iterable[Segment]) -> T:
    """What the walk gives when these texts are put in, in the order of `read`."""
    texts = iter([one.text for one in segments])
    return walk(lambda _text, _where, _origin: next(texts))


def segment(text: str, where: str, origin: str) -> Segment:
    """A text with its origin: users and developers may give orders, nobody else."""
    trusted = origin in ("user", "developer")
    trust = Trust.TRUSTED if trusted else Trust.UNTRUSTED
    return Segment(text=text, origin=origin, trust=trust, where=where)


# --- values -------------------------------------------------------------------------------------


def in_json(value: T, visit: Visit, where: str, origin: str) -> T:
    """Walk the arguments of a tool call: a mapping, or a JSON string of one."""
    if not isinstance(value, str):
        return in_value(value, visit, where, origin)
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, (dict, list)):
        return cast("T", visit(value, where, origin))
    new = in_value(cast("object", parsed), visit, where, origin)
    return value if new is parsed else cast("T", json.dumps(new, ensure_ascii=False))


def in_value(value: T, visit: Visit, where: str, origin: str, depth: int = MAX_DEPTH) -> T:
    """Walk any value: strings, mappings, lists, LlamaIndex's own types, models and dataclasses."""
    return cast("T", _in_value(value, visit, where, origin, depth))


def _in_value(value: object, visit: Visit, where: str, origin: str, depth: int) -> object:
    if isinstance(value, str):
        return visit(value, where, origin)
    if depth <= 0:
        raise TooDeepError
    new: object

    def inside(at: str, inner: object) -> object:
        return _in_value(inner, visit, f"{where}{at}", origin, depth - 1)

    match value:
        case Mapping():
            named = cast("Mapping[object, object]", value)
            new = in_mapping(named, inside, lambda key: visit(key, f"{where}.*", origin))
        case set() | frozenset():
            items = list(cast("Iterable[object]", value))
            found = each(items, inside)
            new = cast("object", value) if found is items else type(value)(found)
        case list() | tuple():
            new = each(cast("Sequence[object]", value), inside)
        case _:
            own = _own_walk(cast("Any", type(value)))
            new = _in_object(value, inside) if own is None else own(value, visit, where, origin)
    return new


_WALKS: list[tuple[type, Walk]] = []
"""Kinds of LlamaIndex's values that are walked in their own way."""
_KINDS = 1024
"""Classes of values of which it is kept how they are walked."""


def walked_by(kind: type) -> Callable[[W], W]:
    """Values of this kind, wherever they are found, are walked by the decorated function."""

    def register(walk: W) -> W:
        _WALKS.append((kind, walk))
        _own_walk.cache_clear()
        return walk

    return register


@lru_cache(maxsize=_KINDS)
def _own_walk(cls: Any) -> Walk | None:
    return next((walk for kind, walk in _WALKS if issubclass(cls, kind)), None)


def in_mapping(
    named: Mapping[Any, Any], inside: Callable[[str, Any], Any], visit: Callable[[str], str]
) -> Mapping[Any, Any]:
    """Walk keys and values. Places do not repeat a key that is a text: it may be a personal one."""
    new = [
        (visit(key), inside(".*", value)) if _is_text(key) else (key, inside(f".{key}", value))
        for key, value in named.items()
    ]
    if same((key for key, _ in new), named.keys()) and same((v for _, v in new), named.values()):
        return named
    return dict(new)


def _is_text(key: object) -> bool:
    """Whether a key of a mapping is a text: an address or a sentence, not the name of a field."""
    return isinstance(key, str) and bool(key) and not key.isidentifier()


def _in_object(value: object, inside: Callable[[str, object], object]) -> object:
    """Models and dataclasses are walked by field; whatever else is left alone."""
    if isinstance(value, BaseModel):
        return updated(value, **{k: inside(f".{k}", v) for k, v in all_fields(value)})
    if not is_dataclass(value) or isinstance(value, type):
        return value
    old = {field.name: getattr(value, field.name) for field in fields(value)}
    new = {name: inside(f".{name}", inner) for name, inner in old.items()}
    if same(new.values(), old.values()):
        return value
    twin = copy.copy(value)
    for name, inner in new.items():
        object.__setattr__(twin, name, inner)  # frozen ones too
    return twin
