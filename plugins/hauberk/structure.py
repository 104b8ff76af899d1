"""Texts inside structured values: taken out, and put back into a copy.

Rules:
* Only strings are texts; keys of mappings are names and stay as they are.
* The value that was given is never changed: containers that hold a new text are rebuilt, everything
  else is shared.
* Depth is bounded, whatever the interpreter's recursion limit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

MAX_DEPTH = 64
"""Levels of nesting that are looked at. Tool arguments of real agents stay below ten."""


class TooDeepError(ValueError):
    """A value is nested deeper than the limit."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def leaves(
    value: object, *, where: str = "", max_depth: int = MAX_DEPTH
) -> Iterator[tuple[str, str]]:
    """Every text in `value` as (place, text), in a fixed order.

    Args:
        value: Anything; mappings, lists and tuples are entered, whatever else is left alone.
        where: Name of the value, the start of each place.
        max_depth: Levels of nesting allowed.

    Raises:
        TooDeepError: `value` is nested deeper than that.

    Example:
        >>> list(leaves({"to": "ada", "cc": ["bob"]}, where="arguments"))
        [('arguments.to', 'ada'), ('arguments.cc[0]', 'bob')]
    """
    if isinstance(value, str):
        yield where, value
        return
    for place, inner in _inside(value, where, max_depth):
        yield from leaves(inner, where=place, max_depth=max_depth - 1)


def text_length(value: object, *, max_depth: int = MAX_DEPTH) -> int:
    """Characters of every text in `value`: those of `leaves`, without their places.

    Raises:
        TooDeepError: `value` is nested deeper than `max_depth`.

    Example:
        >>> text_length({"to": "ada", "cc": ["bob"]})
        6
    """
    if isinstance(value, str):
        return len(value)
    if type(value) is dict or isinstance(value, Mapping):
        inner: Iterable[object] = cast("Mapping[object, object]", value).values()
    elif isinstance(value, (list, tuple)):
        inner = cast("Sequence[object]", value)
    else:
        return 0
    if max_depth <= 0:
        raise TooDeepError
    # Most of what arguments hold are texts: no call for each of them.
    return sum(
        [
            len(one) if type(one) is str else text_length(one, max_depth=max_depth - 1)
            for one in inner
        ]
    )


def replace_leaves(
    value: object, change: Callable[[str], str], *, max_depth: int = MAX_DEPTH
) -> object:
    """A copy of `value` with every text passed through `change`, in the order of `leaves`.

    Shares whatever did not change; gives `value` itself when nothing did.

    Raises:
        TooDeepError: `value` is nested deeper than `max_depth`.

    Example:
        >>> replace_leaves({"to": "<P>", "n": 1}, lambda text: text.replace("<P>", "ada"))
        {'to': 'ada', 'n': 1}
    """
    if isinstance(value, str):
        return change(value)
    below = [
        replace_leaves(inner, change, max_depth=max_depth - 1)
        for _, inner in _inside(value, "", max_depth)
    ]
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        same = all(new is old for new, old in zip(below, named.values(), strict=True))
        return named if same else dict(zip(named, below, strict=True))
    if isinstance(value, (list, tuple)):
        items = cast("list[object] | tuple[object, ...]", value)
        same = all(new is old for new, old in zip(below, items, strict=True))
        return items if same else below if isinstance(value, list) else tuple(below)
    return value


def _inside(value: object, where: str, max_depth: int) -> Iterator[tuple[str, object]]:
    """What a container holds, each with its place; nothing for anything else."""
    if isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        inner = ((f"{where}.{key}", item) for key, item in named.items())
    elif isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        inner = ((f"{where}[{index}]", item) for index, item in enumerate(items))
    else:
        return
    if max_depth <= 0:
        raise TooDeepError
    yield from inner
