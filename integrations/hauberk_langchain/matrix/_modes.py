"""How an application can be run: one function per mode.

Each takes a runnable, what it is given and a config, and gives what its reader got.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from pydantic import BaseModel

from hauberk.testing.matrix import Outcome, in_threads

PATIENCE_S = 5.0
"""How long a run may take to reach its model, in seconds; it takes milliseconds."""

reached: ContextVar[Callable[[], bool]] = ContextVar("reached", default=lambda: True)
"""Whether the run that is under way has reached its model."""

T = TypeVar("T")

Family = Literal["all", "events", "graph"]
"""Runs on every runnable; on chat models and graphs; on graphs."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run an application."""

    name: str
    run: Callable[[Any, Any, Any], Outcome]
    family: Family = "all"
    whole: bool = True
    """Its runs come to their end."""
    streams: bool = False
    """Its reader sees pieces."""


def flat(value: object) -> str:
    """Every text in what a run gave."""
    if isinstance(value, BaseMessage):
        calls = [call["args"] for call in value.tool_calls] if isinstance(value, AIMessage) else []
        return f"{value.content} {json.dumps(calls)}" if calls else str(value.content)
    if isinstance(value, BaseModel):
        return flat(dict(value))
    if isinstance(value, Mapping):
        return " ".join(flat(item) for item in cast("Mapping[str, object]", value).values())
    if isinstance(value, (list, tuple)):
        return " ".join(flat(item) for item in cast("list[object]", value))
    return str(value)


def _joined(parts: Iterable[object]) -> str:
    """Pieces as their reader puts them together: words of messages joined, the rest side by side."""
    said, rest = "", ""
    for part in parts:
        piece = part[0] if isinstance(part, tuple) and part else part
        if isinstance(piece, AIMessageChunk):
            said += str(piece.text) + "".join(c["args"] or "" for c in piece.tool_call_chunks)
        elif isinstance(part, str):
            said += part
        else:
            rest += " " + flat(part)
    return said + rest


def _several(parts: Iterable[tuple[str, Any]]) -> str:
    parts = list(parts)
    said = [part for mode, part in parts if mode == "messages"]
    return _joined(said) + flat([part for mode, part in parts if mode != "messages"])


def _invoke(target: Any, given: Any, config: Any) -> Outcome:
    return Outcome(flat(target.invoke(given, config)))


def _ainvoke(target: Any, given: Any, config: Any) -> Outcome:
    return Outcome(flat(_run(target.ainvoke(given, config))))


def _batch(target: Any, given: Any, config: Any) -> Outcome:
    return Outcome(flat(target.batch([given, given], config)[1]))


def _abatch(target: Any, given: Any, config: Any) -> Outcome:
    return Outcome(flat(_run(target.abatch([given, given], config))[1]))


def _stream(target: Any, given: Any, config: Any) -> Outcome:
    return Outcome(_joined(target.stream(given, config)))


def _astream(target: Any, given: Any, config: Any) -> Outcome:
    return Outcome(_joined(_run(_all(target.astream(given, config)))))


def _events_v2(target: Any, given: Any, config: Any) -> Outcome:
    events = _run(_all(target.astream_events(given, config, version="v2")))
    pieces = [e["data"]["chunk"] for e in events if e["event"].endswith("model_stream")]
    ends = [e["data"].get("output") for e in events if e["event"].endswith("_end")]
    return Outcome(_joined(pieces) + flat(ends))


def _events_v3(target: Any, given: Any, config: Any) -> Outcome:
    with _betas():
        stream = target.stream_events(given, config, version="v3")
        pieces = _deltas(stream)
        return Outcome(pieces + flat(stream.output))


def _aevents_v3(target: Any, given: Any, config: Any) -> Outcome:
    async def run() -> Outcome:
        stream = target.astream_events(given, config, version="v3")
        stream = await stream if inspect.isawaitable(stream) else stream
        pieces = _deltas([event async for event in stream])
        output = stream.output
        output = output() if callable(output) else output
        return Outcome(pieces + flat(await output if inspect.isawaitable(output) else output))

    with _betas():
        return _run(run())


def _deltas(events: Iterable[Any]) -> str:
    said = ""
    for event in events:
        inner = event
        while isinstance(inner, dict) and "delta" not in inner:
            known = cast("dict[str, Any]", inner)
            inner = known.get("params") or known.get("data")
            inner = inner[0] if isinstance(inner, (list, tuple)) and inner else inner
        if isinstance(inner, dict):
            delta = cast("dict[str, Any]", inner)["delta"]
            said += str(delta.get("text") or "") + str(delta.get("args") or "")
    return said


def _left(target: Any, given: Any, config: Any) -> Outcome:
    stream, parts = target.stream(given, config), []
    for part in stream:
        parts.append(part)
        if reached.get()():
            break
    stream.close()
    return Outcome(_joined(parts))


def _aleft(target: Any, given: Any, config: Any) -> Outcome:
    async def run() -> Outcome:
        stream, parts = target.astream(given, config), []
        async for part in stream:
            parts.append(part)
            if reached.get()():
                break
        await stream.aclose()
        return Outcome(_joined(parts))

    return _run(run())


def _cancelled(target: Any, given: Any, config: Any) -> Outcome:
    """Cancelled while its model, which waits for ever, is at work."""

    async def run() -> Outcome:
        task = asyncio.ensure_future(target.ainvoke(given, config))
        end = time.monotonic() + PATIENCE_S
        while not task.done() and not reached.get()() and time.monotonic() < end:  # noqa: ASYNC110 - its model tells nobody that it is at work
            await asyncio.sleep(0.0005)
        if not task.done():
            task.cancel()
        done = (await asyncio.gather(task, return_exceptions=True))[0]
        if isinstance(done, Exception):
            raise done
        return Outcome("")

    return _run(run())


def _threads(target: Any, given: Any, config: Any) -> Outcome:
    # As the executors of LangChain do it.
    return in_threads(lambda: flat(target.invoke(given, config)))


def _graph_stream(mode: str | list[str]) -> Callable[[Any, Any, Any], Outcome]:
    gather = _several if isinstance(mode, list) else _joined

    def run(target: Any, given: Any, config: Any) -> Outcome:
        return Outcome(gather(target.stream(given, config, stream_mode=mode)))

    return run


def _graph_astream(mode: str | list[str]) -> Callable[[Any, Any, Any], Outcome]:
    gather = _several if isinstance(mode, list) else _joined

    def run(target: Any, given: Any, config: Any) -> Outcome:
        return Outcome(gather(_run(_all(target.astream(given, config, stream_mode=mode)))))

    return run


async def _all(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


def _run(work: Awaitable[T]) -> T:
    return asyncio.run(cast("Coroutine[Any, Any, T]", work))


def _betas() -> warnings.catch_warnings[None]:
    """LangChain says that v3 is in beta, at every call."""
    return warnings.catch_warnings(action="ignore")


_SEVERAL = ["messages", "updates", "values", "custom"]

MODES = (
    Mode("invoke", _invoke),
    Mode("ainvoke", _ainvoke),
    Mode("batch", _batch),
    Mode("abatch", _abatch),
    Mode("stream", _stream, streams=True),
    Mode("astream", _astream, streams=True),
    Mode("astream_events v2", _events_v2, streams=True),
    Mode("stream_events v3", _events_v3, family="events", streams=True),
    Mode("astream_events v3", _aevents_v3, family="events", streams=True),
    *(
        Mode(f"{colour} {label}", make(mode), family="graph", streams=True)
        for mode, label in (
            ("values", "values"),
            ("updates", "updates"),
            ("messages", "messages"),
            ("custom", "custom"),
            (_SEVERAL, "several"),
        )
        for colour, make in (("stream", _graph_stream), ("astream", _graph_astream))
    ),
    Mode("abandoned stream", _left, whole=False, streams=True),
    Mode("abandoned astream", _aleft, whole=False, streams=True),
    Mode("cancelled task", _cancelled, whole=False),
    Mode("threads", _threads),
    Mode("parallel tool calls", _invoke, family="graph"),
)
