"""Texts inside structured values: taken out, and put back into a copy.

Rules:
* Only strings are texts; keys of mappings are names and stay as they are.
* The value that was given is never changed: containers that hold a new text are rebuilt, everything
  else is shared.
* Depth is bounded, whatever the interpreter's recursion limit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_DEPTH = 64
"""Levels of nesting that are looked at. Tool arguments of real agents stay below ten."""


class TooDeepError(ValueError):
    """A value is nested deeper than the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"nested deeper than {limit} levels")


def leaves(
    value: object, *, where: str = "", max_depth: int = MAX_DEPTH
) -> Iterator[tuple[str, str]]:
    """Every text in `value` as (place, text), in a fixed order.

    Args:
        value: Anything; mappings, lists and tuples are entered.
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
    elif isinstance(value, Mapping):
        _check(max_depth)
        for key, inner in value.items():
            yield from leaves(inner, where=f"{where}.{key}", max_depth=max_depth - 1)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        _check(max_depth)
        for index, inner in enumerate(value):
            yield from leaves(inner, where=f"{where}[{index}]", max_depth=max_depth - 1)


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
    if isinstance(value, Mapping):
        _check(max_depth)
        changed = {
            key: replace_leaves(inner, change, max_depth=max_depth - 1)
            for key, inner in value.items()
        }
        return value if all(changed[key] is value[key] for key in changed) else changed
    if isinstance(value, (list, tuple)):
        _check(max_depth)
        items = [replace_leaves(inner, change, max_depth=max_depth - 1) for inner in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return items if isinstance(value, list) else tuple(items)
    return value


def _check(depth: int) -> None:
    if depth <= 0:
        raise TooDeepError(MAX_DEPTH)
