"""Copies that share whatever did not change; the value that was given is never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def each(items: Sequence[T], change: Callable[[str, T], object]) -> Any:
    """A sequence with every item changed; itself when none is."""
    new = [change(f"[{index}]", item) for index, item in enumerate(items)]
    if same(new, items):
        return items
    return tuple(new) if isinstance(items, tuple) else new


def updated(model: M, **new: object) -> M:
    """A copy with these fields; the model itself when all are what they were."""
    changed = {
        key: value
        for key, value in new.items()
        # A text that was only passed through is the same string, though not always the same object.
        if value is not (old := getattr(model, key)) and not _equal_text(value, old)
    }
    return model.model_copy(update=changed) if changed else model


def same(new: Iterable[object], old: Iterable[object]) -> bool:
    """Whether nothing changed."""
    return all(a is b or _equal_text(a, b) for a, b in zip(new, old, strict=True))


def _equal_text(new: object, old: object) -> bool:
    return isinstance(new, str) and isinstance(old, str) and new == old


def all_fields(model: BaseModel) -> Iterable[tuple[str, Any]]:
    """Declared fields and extra ones."""
    return [*vars(model).items(), *(model.model_extra or {}).items()]
