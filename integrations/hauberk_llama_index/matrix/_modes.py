"""How an application can be run: sync, async, in pieces, given up, cancelled, in threads.

A surface says how it is called in up to four ways (`sync`, `async`, `stream`, `async stream`); the other
modes are made of these.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore
from llama_index.core.tools import ToolOutput
from pydantic import BaseModel

from hauberk.testing.matrix import Outcome, in_threads

PATIENCE_S = 20.0
"""How long a run may take, in seconds; it takes milliseconds. A run that hangs does not hold."""

Way = Literal["sync", "async", "stream", "async stream"]
Talk = tuple[ChatMessage, ...]
Calls = Mapping[Way, Callable[[Any, Talk], Any]]
"""How a surface is called. `sync` gives a value, `async` an awaitable, the others pieces of text."""
Reached = Callable[[], bool]
"""Whether the run that is under way has reached its model."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run an application."""

    name: str
    way: Way
    run: Callable[[Callable[[Any, Talk], Any], Any, Talk, Reached], Outcome]
    whole: bool = True
    """Its runs come to their end."""
    waits: bool = False
    """The model waits for ever."""
    parallel: bool = False
    """Several tool calls at once; for agents."""

    @property
    def streams(self) -> bool:
        """Whether its reader sees pieces."""
        return "stream" in self.way


def flat(value: object) -> str:  # noqa: PLR0911 - one for each kind of value
    """Every text in what a run gave."""
    match value:
        case ChatResponse():
            return flat(value.message)
        case ChatMessage():
            calls = [b.tool_kwargs for b in value.blocks if isinstance(b, ToolCallBlock)]
            return f"{value.content or ''} {json.dumps(calls) if calls else ''}"
        case ToolOutput():
            return value.content
        case NodeWithScore():
            return flat(value.node)
        case BaseNode():
            return value.get_content(MetadataMode.ALL)
        case BaseModel():
            return flat(dict(value))
        case Mapping():
            named = cast("Mapping[object, object]", value)
            return " ".join(flat(item) for item in named.values())
        case list() | tuple():
            return " ".join(flat(item) for item in cast("list[object]", value))
        case _:
            return str(value)


async def _in_time(work: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(work, PATIENCE_S)


def _sync(call: Any, target: Any, talk: Talk, _: Reached) -> Outcome:
    return Outcome(flat(call(target, talk)))


def _async(call: Any, target: Any, talk: Talk, _: Reached) -> Outcome:
    async def run() -> Any:
        return await _in_time(call(target, talk))

    return Outcome(flat(asyncio.run(run())))


def _stream(call: Any, target: Any, talk: Talk, _: Reached) -> Outcome:
    return Outcome("".join(call(target, talk)))


def _astream(call: Any, target: Any, talk: Talk, _: Reached) -> Outcome:
    async def run() -> list[str]:
        return [piece async for piece in call(target, talk)]

    async def in_time() -> list[str]:
        found: list[str] = await _in_time(run())
        return found

    return Outcome("".join(asyncio.run(in_time())))


def _left(call: Any, target: Any, talk: Talk, reached: Reached) -> Outcome:
    stream: Iterator[str] = call(target, talk)
    parts: list[str] = []
    for part in stream:
        parts.append(part)
        if reached():
            break
    cast("Any", stream).close()
    return Outcome("".join(parts))


def _aleft(call: Any, target: Any, talk: Talk, reached: Reached) -> Outcome:
    async def run() -> str:
        stream: AsyncIterator[str] = call(target, talk)
        parts: list[str] = []
        async for part in stream:
            parts.append(part)
            if reached():
                break
        await cast("Any", stream).aclose()
        return "".join(parts)

    async def in_time() -> Any:
        return await _in_time(run())

    return Outcome(asyncio.run(in_time()))


def _cancelled(call: Any, target: Any, talk: Talk, reached: Reached) -> Outcome:
    """Cancelled while its model, which waits for ever, is at work."""

    async def run() -> None:
        async def work() -> Any:
            return await call(target, talk)

        task = asyncio.create_task(work())
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while not task.done() and not reached() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - its model tells nobody that it is at work
            await asyncio.sleep(0.0005)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    return Outcome("")


def _threads(call: Any, target: Any, talk: Talk, reached: Reached) -> Outcome:
    return in_threads(lambda: _sync(call, target, talk, reached).shown)


MODES = (
    Mode("sync", "sync", _sync),
    Mode("async", "async", _async),
    Mode("stream", "stream", _stream),
    Mode("async stream", "async stream", _astream),
    Mode("abandoned stream", "stream", _left, whole=False),
    Mode("abandoned async stream", "async stream", _aleft, whole=False),
    Mode("cancelled task", "async", _cancelled, whole=False, waits=True),
    Mode("threads", "sync", _threads),
    Mode("parallel tool calls", "async", _async, parallel=True),
)
