"""Calls that are waited for only so long, and calls in a thread of their own.

Rules:
* What runs out of time is no longer waited for. Its thread cannot be killed (Python has no way to);
  it is a daemon, so that nothing waits for it when the process or the loop ends.
* The context goes along: a tool sees the session that it belongs to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from typing import TypeVar

T = TypeVar("T")


class ToolTimeoutError(Exception):
    """A tool ran longer than it may. Its `limit_s` is in seconds."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        super().__init__(f"no result within {limit_s:g} s")


def call_within(limit_s: float | None, call: Callable[[], T]) -> T:
    """Call, and wait at most `limit_s` seconds (None: for ever).

    Raises:
        ToolTimeoutError: It took longer; it goes on in its thread, and nobody waits for it.
    """
    if limit_s is None:
        return call()
    future = _started(call)
    if not _wait(future, limit_s):
        raise ToolTimeoutError(limit_s)
    return future.result()


def _started(call: Callable[[], T]) -> Future[T]:
    """`call`, under way in a daemon thread of its own.

    A pool would fill up with tools that hang, and would wait for them when the process ends.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from now on nobody can cancel it, only stop waiting
    context = copy_context()

    def work() -> None:
        try:
            future.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - handed to the waiter
            future.set_exception(error)

    threading.Thread(target=work, name="hauberk-tool", daemon=True).start()
    return future


def _wait(future: Future[T], limit_s: float) -> bool:
    ready = threading.Event()
    future.add_done_callback(lambda _: ready.set())
    return ready.wait(limit_s)


async def acall_within(limit_s: float | None, call: Callable[[], Awaitable[T]]) -> T:
    """Await, at most `limit_s` seconds (None: for ever).

    Raises:
        ToolTimeoutError: It took longer; it is cancelled, and not waited for even when it refuses
            to be.
    """
    if limit_s is None:
        return await call()

    async def work() -> T:
        _limit.set(limit_s)
        return await call()

    task = asyncio.create_task(work())
    try:
        done, _ = await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(_forget)
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise ToolTimeoutError(limit_s)
    return task.result()


_limit: ContextVar[float | None] = ContextVar("hauberk_tool_limit", default=None)


def time_limit() -> float | None:
    """The time limit that this code runs within on an event loop, in seconds; None without one.

    For adapters of frameworks that hand a sync tool to the loop's thread pool: a tool that hangs
    there would be waited for when the loop ends. They use `call_within` or `acall_apart` instead.
    """
    return _limit.get()


async def acall_apart(call: Callable[[], T]) -> T:
    """Await a sync `call` in a thread of its own, which nothing waits for when the loop ends."""
    return await asyncio.wrap_future(_started(call))


def _forget(task: asyncio.Future[T]) -> None:
    """Look at a late error, so that the event loop does not complain of it."""
    if not task.cancelled():
        task.exception()
