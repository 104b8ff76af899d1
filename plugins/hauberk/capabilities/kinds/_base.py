"""What a kind of constraint is: it takes a value apart and judges each part (pure).

Rules:
* A part fits, or it does not, or it cannot be read for certain. To allow, every part must fit; to
  deny, it is enough that one part fits or cannot be read.
* A misfit says in words what is wanted. What would have to be added to the policy stands apart from
  the words: it may be an argument's value, which no message holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

Arguments = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a part does not fit."""

    wants: str
    """To follow the argument's place in a sentence: `must be ...`."""
    sure: bool = True
    """False when the part could not be read: it may be anything."""
    field: str = ""
    """The field of the constraint that stands in the way, such as `domains`."""
    needed: object = None
    """What that field would have to hold too (a list), or be (a single value)."""


def unreadable(wants: str) -> Misfit:
    """A misfit of something that two readers could take for two things."""
    return Misfit(wants, sure=False)


def one_part(value: object) -> Iterable[object]:
    """A value that is judged in one piece, or each item of a list."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return cast("Iterable[object]", value)
    return (value,)


def _always(_: list[object]) -> Misfit | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One compiled constraint."""

    name: str
    check: Callable[[object, Arguments], Misfit | None]
    """Judges one part, beside the other arguments."""
    parts: Callable[[object], Iterable[object]] = one_part
    """Takes a value apart."""
    together: Callable[[list[object]], Misfit | None] = _always
    """Judges all parts together, to allow them."""
    give: Callable[[object], object] | None = None
    """What the tool is given instead of a part that fits."""
