"""Paths to fields of structured values: a small part of JSONPath (RFC 9535), as policies write it.

    id                   the field `id`; of each record, where the value is a list of records
    customer.name        a field of a field
    orders[*].id         of each item; the `[*]` may be left out
    orders[0]            one item of a list
    customer.*           every field
    ..iban               the field wherever it stands, at any depth
    ['e-mail address']   a name with dots, brackets or quotes in it
    $                    everything

Rules:
* A `$` in front may be left out. Names are matched exactly.
* Names reach through lists: a list of records is read like one record.
* Slices, negative positions, filters and functions are refused, so that nobody thinks they work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum


class Wild(Enum):
    """Steps that name no field."""

    ANY = "*"
    """One step, to any field or item."""
    DEEP = ".."
    """Any number of steps."""


Step = str | int | Wild
Path = tuple[Step, ...]

_STEP = re.compile(
    r"""
    (?P<deep>\.\.(?=[^.])) |
    \.?(?P<any>\*) |
    \.?(?P<name>[^.\[\]*'"$]+) |
    \[\s*(?:(?P<star>\*)|(?P<index>\d{1,9})|'(?P<single>[^']+)'|"(?P<double>[^"]+)")\s*\]
    """,
    re.VERBOSE,
)


def parse_path(written: str) -> Path:
    """The steps of a path.

    Raises:
        ValueError: It is no path, or uses a part of JSONPath that is not supported.

    Example:
        >>> parse_path("$.orders[0].id")
        ('orders', 0, 'id')
    """
    steps: list[Step] = []
    at = 1 if written.startswith("$") else 0
    if not written.strip():
        raise ValueError("a path to a field cannot be empty; `$` is everything")
    while at < len(written):
        match = _STEP.match(written, at)
        if match is None:
            raise ValueError(
                f"{written!r} is no path to a field: use names, `.`, `..`, `*`, `[0]`, `['name']`"
            )
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["deep"]:
        return Wild.DEEP
    if match["any"] or match["star"]:
        return Wild.ANY
    if match["index"]:
        return int(match["index"])
    return str(match["name"] or match["single"] or match["double"])


class Selection:
    """Which parts of a value may be seen: what some paths reach, of every one of several lists.

    Immutable. Walk a value with `field` and `item`; where `whole` is true, all that is below may be
    seen; where `nothing` is, none of it.

    Example:
        >>> chosen = Selection.of(["id", "customer.name"])
        >>> chosen.field("id").whole, chosen.field("customer").whole, chosen.field("card").nothing
        (True, False, True)
    """

    __slots__ = ("_all",)

    def __init__(self, paths: tuple[frozenset[Path], ...]) -> None:
        # A list that has reached its end asks for nothing more.
        self._all = tuple(one for one in paths if () not in one)

    @classmethod
    def of(cls, *lists: Iterable[str]) -> Selection:
        """What is reached by a path of every list.

        Raises:
            ValueError: A path cannot be read.
        """
        return cls(tuple(frozenset(parse_path(path) for path in one) for one in lists))

    def both(self, other: Selection) -> Selection:
        """What both let be seen."""
        return Selection((*self._all, *other._all))

    @property
    def whole(self) -> bool:
        """Whether everything may be seen from here on."""
        return not self._all

    @property
    def nothing(self) -> bool:
        """Whether nothing below can be seen."""
        return any(not one for one in self._all)

    def field(self, name: str) -> Selection:
        """What may be seen of a field."""
        return self._after(name)

    def item(self, index: int) -> Selection:
        """What may be seen of an item of a list; of each row of a table, by `-1`."""
        return self._after(index)

    def _after(self, step: str | int) -> Selection:
        return Selection(
            tuple(
                frozenset(rest for path in one for rest in _rest(path, step)) for one in self._all
            )
        )


def _rest(path: Path, step: str | int) -> Iterator[Path]:
    """What is left of a path after one step into a value."""
    head = path[0]
    if head is Wild.DEEP:
        yield path
        yield from _rest(path[1:], step)
    elif head is Wild.ANY or head == step:
        yield path[1:]
    elif isinstance(step, int) and isinstance(head, str):
        yield path  # names reach through lists
