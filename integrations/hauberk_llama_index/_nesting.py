"""What is under way in this context, so that nothing is guarded twice.

LlamaIndex's methods call each other: `CustomLLM.achat` calls `chat`, which calls `complete`; an
agent's `_call_tool` calls the tool; a subclass calls `super()`. The outermost guarded call does the
work, whichever doors it came through.

Rules:
* Only calls of the same object, for the same guard, nest. Another guarded object is a boundary of
  its own, and another guard asks its own questions.
* A call that is over has no calls inside it any more, whatever context they were started in.
* What an agent has checked is used up by the tool's first call. From then on a call of the same tool
  is part of that one only when it comes from `super()`, or hands on the very same arguments: a tool
  that calls itself is checked again.
* Not token/reset: generators may be closed in another context than the one they started in.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Self

from hauberk.events import Usage
from hauberk.guard import Guard


class Frame:
    """One guarded call under way, for as long as its `with` block lasts.

    Entered for every piece of a stream, so a plain class: a generator costs four times as much.
    """

    __slots__ = ("given", "guard", "level", "outer", "over", "owner", "usage")

    def __init__(self, owner: object, guard: Guard, level: type | None = None) -> None:
        self.owner = owner
        self.guard = guard
        self.outer: Frame | None = None
        self.over = False
        """A task that was started inside and outlives the call is not part of it."""
        self.usage: Usage | None = None
        """What the calls inside used, for outer calls whose answer does not say."""
        self.level = level
        """For a tool: the class whose method runs. None: an agent has checked a call to come."""
        self.given: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
        """For a tool: what that method was given."""

    def __enter__(self) -> Self:
        self.outer = _frame.get()
        _frame.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        _frame.set(self.outer)


_frame: ContextVar[Frame | None] = ContextVar("hauberk_llama_index_frame", default=None)


def running(owner: object, guard: Guard) -> Frame | None:
    """The call of this object that this guard has checked and that is under way here, or None."""
    frame = _frame.get()
    while frame is not None and (
        frame.owner is not owner or frame.guard is not guard or frame.over
    ):
        frame = frame.outer
    return frame


def inside(owner: object, guard: Guard) -> Frame:
    """A stretch of code in which calls of `owner` are part of one call."""
    return Frame(owner, guard)


class _Ingesting:
    """Whatever an index or a pipeline is putting in, after the guard has let it in."""


INGESTING = _Ingesting()
"""The owner of the stretches of code in which that is on its way."""


# --- tools --------------------------------------------------------------------------------------


def awaits(tool: object, guard: Guard) -> bool:
    """Whether an agent has checked a call of `tool` that is still to come."""
    frame = running(tool, guard)
    return frame is not None and frame.level is None


def take_pass(
    tool: object, guard: Guard, level: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bool:
    """Whether this call of `tool` was checked already. What an agent has checked is used up."""
    frame = running(tool, guard)
    if frame is None:
        return False
    if frame.level is None:
        frame.level, frame.given = level, (args, kwargs)
        return True
    return level in frame.level.__mro__[1:] or _same(frame.given, (args, kwargs))


def _same(
    one: tuple[tuple[Any, ...], Mapping[str, Any]], other: tuple[tuple[Any, ...], Mapping[str, Any]]
) -> bool:
    """Whether the very same objects were given: equality may be anybody's code."""
    (args, kwargs), (more, named) = one, other
    if len(args) != len(more) or kwargs.keys() != named.keys():
        return False
    return all(a is b for a, b in zip(args, more, strict=True)) and all(
        value is named[name] for name, value in kwargs.items()
    )
