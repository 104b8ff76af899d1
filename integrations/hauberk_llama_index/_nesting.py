"""What is under way in this context, so that nothing is guarded twice.

LlamaIndex's methods call each other: `CustomLLM.achat` calls `chat`, which calls `complete`; an
agent's `_call_tool` calls the tool. The outermost guarded call does the work.

Rules:
* Only calls of the same object nest. Another guarded object is a boundary of its own.
* A call that is over has no calls inside it any more, whatever context they were started in.
* A tool's pass is used up by its first call: a tool that calls itself is checked again.
* Not token/reset: generators may be closed in another context than the one they started in.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from hauberk.events import Usage


class Frame:
    """One guarded model call under way, for as long as its `with` block lasts.

    Entered for every piece of a stream, so a plain class: a generator costs four times as much.
    """

    __slots__ = ("outer", "over", "owner", "usage")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.outer: Frame | None = None
        self.over = False
        """A task that was started inside and outlives the call is not part of it."""
        self.usage: Usage | None = None
        """What the calls inside used, for outer calls whose answer does not say."""

    def __enter__(self) -> Self:
        self.outer = _frame.get()
        _frame.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        _frame.set(self.outer)


_frame: ContextVar[Frame | None] = ContextVar("hauberk_llama_index_frame", default=None)
_pass: ContextVar[object] = ContextVar("hauberk_llama_index_pass", default=None)


def running(owner: object) -> Frame | None:
    """The call of this object that is under way here, or None."""
    frame = _frame.get()
    while frame is not None and (frame.over or frame.owner is not owner):
        frame = frame.outer
    return frame


def inside(owner: object) -> Frame:
    """A stretch of code in which calls of `owner` are part of one call."""
    return Frame(owner)


@contextmanager
def checked(tool: object) -> Generator[None]:
    """A stretch of code in which the next call of `tool` was checked already."""
    outer = _pass.get()
    _pass.set(tool)
    try:
        yield
    finally:
        _pass.set(outer)


def take_pass(tool: object) -> bool:
    """Whether this call of `tool` was checked already. The pass is used up."""
    if _pass.get() is not tool:
        return False
    _pass.set(None)
    return True
