"""The arguments of a tool call, leaf by leaf, each with the name that it stands under.

Rules:
* Texts and numbers are looked at, with the nearest name above them as context.
* A number that is changed becomes a text: what stands for it is none.
* What does not change is shared; nesting is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from hauberk.structure import MAX_DEPTH, TooDeepError

Change = Callable[[str, str], str]
"""What becomes of a text under a name."""


def with_leaves(value: object, change: Change, *, name: str = "", depth: int = MAX_DEPTH) -> object:
    """A copy of `value` with every text and number passed through `change`; itself if nothing changed.

    Raises:
        TooDeepError: It is nested deeper than `depth`.

    Example:
        >>> with_leaves({"pin": [1234], "n": 1}, lambda text, name: "*" if name == "pin" else text)
        {'pin': ['*'], 'n': 1}
    """
    if isinstance(value, str):
        return change(value, name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = str(value)
        new = change(text, name)
        return value if new == text else new
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth <= 0:
        raise TooDeepError
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        inner = {
            key: with_leaves(item, change, name=str(key), depth=depth - 1)
            for key, item in named.items()
        }
        return named if all(inner[key] is item for key, item in named.items()) else inner
    items = cast("list[object] | tuple[object, ...]", value)
    new_items = [with_leaves(item, change, name=name, depth=depth - 1) for item in items]
    if all(new is old for new, old in zip(new_items, items, strict=True)):
        return items
    return new_items if isinstance(value, list) else tuple(new_items)
