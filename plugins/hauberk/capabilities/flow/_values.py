"""Values of a tool call, one by one, and the things inside them (pure).

Rules:
* Null and booleans say nothing. Keys that are no names of a schema are values too: they can carry
  data as well as any other text.
* Places are made of plain names; what may be an attacker's sentence is a question mark there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hauberk.capabilities._names import is_plain
from hauberk.capabilities.provenance import Ledger, Origin, normal, things, written
from hauberk.structure import MAX_DEPTH, TooDeepError

MAX_VALUES = 256
"""Values of one call that are judged. Agents pass fewer than twenty; more is a denial."""
MAX_THINGS = 256
"""Links, addresses and the like inside one value that are judged. More is a denial."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a call, with its place."""

    argument: str
    """Name of the argument that it stands in."""
    where: str
    """Place: `arguments.to[0]`."""
    text: str


class Asked:
    """A ledger that is asked about one call: the same value is looked for once."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._origins: dict[tuple[str, bool], Origin] = {}

    def origin(self, text: str, *, whole: bool = False) -> Origin:
        """Where a value came from."""
        known = self._origins.get((text, whole))
        if known is None:
            known = self._origins[text, whole] = self.ledger.origin(text, whole=whole)
        return known


def held(text: str, kinds: tuple[str, ...]) -> Iterator[str]:
    """Things of these kinds in a text."""
    shape = normal(text)
    for found in things(shape):
        if found.kind in kinds:
            yield shape[found.start : found.end].rstrip(".,;:!?)]}>'\"")


def values_of(arguments: Mapping[str, object]) -> Iterator[Value]:
    """Every value of a call that says something, with its place.

    Raises:
        TooDeepError: Nested too deeply.
    """
    for name, value in arguments.items():
        yield from _values(value, str(name), f"arguments.{step(str(name))}", MAX_DEPTH)


_NAME = re.compile(r"[A-Za-z_]\w{0,39}")
"""Keys that are names of a schema. Other keys are values too."""


def step(name: str) -> str:
    """A name in a place; a question mark for one that may be an attacker's sentence."""
    return name if is_plain(name) else "?"


def _values(value: object, argument: str, where: str, depth: int) -> Iterator[Value]:
    if depth <= 0:
        raise TooDeepError
    match value:
        case None | bool():
            return
        case str():
            yield Value(argument, where, value)
        case int() | float():
            yield Value(argument, where, written(value))
        case Mapping():
            for name, inner in cast("Mapping[object, object]", value).items():
                if not _NAME.fullmatch(str(name)):
                    yield Value(argument, where, str(name))
                yield from _values(inner, argument, f"{where}.{step(str(name))}", depth - 1)
        case list() | tuple() | set() | frozenset():
            for number, inner in enumerate(cast("Sequence[object]", value)):
                yield from _values(inner, argument, f"{where}[{number}]", depth - 1)
        case _:
            yield Value(argument, where, str(value))
