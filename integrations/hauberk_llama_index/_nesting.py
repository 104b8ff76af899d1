"""What is under way in this context, so that nothing is guarded twice.

LlamaIndex's methods call each other: `CustomLLM.achat` calls `chat`, which calls `complete`; an
agent's `_call_tool` calls the tool. The outermost guarded call does the work.

Rules:
* Only calls of the same object nest. Another guarded object is a boundary of its own.
* A tool's pass is used up by its first call: a tool that calls itself is checked again.
* Not token/reset: generators may be closed in another context than the one they started in.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from hauberk.events import Usage


class Frame:
    """One guarded model call under way."""

    __slots__ = ("outer", "owner", "usage")

    def __init__(self, owner: object, outer: Frame | None) -> None:
        self.owner = owner
        self.outer = outer
        self.usage: Usage | None = None
        """What the calls inside used, for outer calls whose answer does not say."""


_frame: ContextVar[Frame | None] = ContextVar("hauberk_llama_index_frame", default=None)
_pass: ContextVar[object] = ContextVar("hauberk_llama_index_pass", default=None)


def running(owner: object) -> Frame | None:
    """The call of this object that is under way here, or None."""
    frame = _frame.get()
    while frame is not None and frame.owner is not owner:
        frame = frame.outer
    return frame


@contextmanager
def inside(owner: object) -> Generator[Frame]:
    """A stretch of code in which calls of `owner` are part of one call."""
    outer = _frame.get()
    frame = Frame(owner, outer)
    _frame.set(frame)
    try:
        yield frame
    finally:
        _frame.set(outer)


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
