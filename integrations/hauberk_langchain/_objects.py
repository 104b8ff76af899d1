"""Small readings of the framework's objects that several parts share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_NAME_FIELDS = ("model", "model_name", "model_id", "deployment_name")
_MAX_KINDS = 1024
"""Classes of models whose fields are remembered."""


def model_name(model: object) -> str | None:
    """How a model calls itself; prices hang on it."""
    name: str | None = attribute(model, _NAME_FIELDS, str)
    return name


def attribute(model: object, names: tuple[str, ...], kind: type[Any]) -> Any:
    """The first of these attributes that says something of this type."""
    known: Any = type(model)
    for name in _had(known, names):
        value = getattr(model, name, None)
        if isinstance(value, kind) and value:
            return value
    return None


@lru_cache(maxsize=_MAX_KINDS)
def _had(kind: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `names` that a class has: pydantic takes a microsecond to say no."""
    fields: Mapping[str, object] = getattr(kind, "model_fields", {})
    return tuple(name for name in names if name in fields or hasattr(kind, name))


def named_like(original: Any, call: Any) -> Any:
    """`call`, for everyone who asks for its name, the same function as `original`."""
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(call, name, getattr(original, name, None))
    call.__wrapped__ = original
    return call
