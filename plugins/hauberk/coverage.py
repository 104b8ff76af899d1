"""Coverage: which stages of an application's own object are guarded, by which door, and which not.

Rules:
* What is not known to be guarded is reported as not guarded.
* Every stage that is not guarded has its reason, in words that say what to do about it.
* The core knows no framework: each integration registers a reader (entry point group
  `hauberk.coverage`, named like the framework's package); only readers of frameworks that are
  loaded are asked, so nothing is imported for an object that cannot be theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from hauberk.events import Stage

if TYPE_CHECKING:
    from hauberk.guard import Guard

GROUP = "hauberk.coverage"
"""Entry point group: package of a framework -> reader."""

Reader = Callable[["Guard", object], "Coverage | None"]
"""Gives the coverage of an object by a guard; None when the object is not of its framework."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One stage of one part of an application.

    Example:
        >>> Covered(part="tool send_mail", stage=Stage.TOOL_CALL, door="protect").guarded
        True
    """

    part: str
    """What it is: `model ScriptedChatModel`, `tool send_mail`."""
    stage: Stage
    door: str = ""
    """How the guard got there: `protect`, `install`, `handler`, `middleware`. Empty: not at all."""
    reason: str = ""
    """Why it is not guarded, and what to do; or what a guarded stage still cannot see."""

    @property
    def guarded(self) -> bool:
        """Whether the guard is asked there."""
        return bool(self.door)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a guard sees of one object. Prints as a table."""

    rows: tuple[Covered, ...]

    @property
    def gaps(self) -> tuple[Covered, ...]:
        """The stages that nobody guards."""
        return tuple(row for row in self.rows if not row.guarded)

    @property
    def complete(self) -> bool:
        """Whether every stage of every part is guarded."""
        return bool(self.rows) and not self.gaps

    def __str__(self) -> str:
        head = ("part", "stage", "guarded by", "remark")
        table = [head, *((r.part, r.stage.value, r.door or "NOBODY", r.reason) for r in self.rows)]
        wide = [max(len(line[i]) for line in table) for i in range(len(head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, wide, strict=True)).rstrip()
            for line in table
        )

    def _repr_html_(self) -> str:
        from hauberk.notebook import coverage_html  # noqa: PLC0415 - for notebooks only

        return coverage_html(self)


def coverage_of(guard: Guard, obj: object) -> Coverage:
    """The coverage of `obj` by `guard`.

    Raises:
        TypeError: No integration knows objects of this type.
    """
    for entry in entry_points(group=GROUP):
        if entry.name in sys.modules:
            found = cast("Reader", entry.load())(guard, obj)
            if found is not None:
                return found
    raise TypeError(
        f"no integration knows what a {type(obj).__qualname__} is; give the model, tool, retriever, "
        "chain, graph, agent, index or engine itself, with its framework's extra installed"
    )
