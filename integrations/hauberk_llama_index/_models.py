"""Models: what reaches one and what comes back, in all twelve methods.

Rules:
* The model sees what the guard lets through; the caller's messages, memory and prompts stay.
* One call is one call, however many methods of the same model it goes through.
* A stream is asked for real counts where the provider gives them on demand only.
* What was reserved for a call is settled or freed: when it fails, when its stream is abandoned, and
  when its stream is never read.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llama_index.core.llms import LLM

from hauberk.events import Event, Segment
from hauberk.flows import ReleasedOnFailure, arun_model, run_model
from hauberk.guard import Guard
from hauberk_llama_index._codecs import ChatCodec, CompletionCodec, usage_of
from hauberk_llama_index._layers import Argument, Layer, Layers, Run
from hauberk_llama_index._nesting import inside, running
from hauberk_llama_index._prompts import counted, prompt_event, read_messages, write_messages
from hauberk_llama_index._streams import ChatPieces, CompletionPieces, Pieces, apieces, pieces
from hauberk_llama_index._structured import structured_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """One of the two families of methods: what goes in, what comes out."""

    parameter: str
    codec: ChatCodec | CompletionCodec
    pieces: type[Pieces]
    read: Callable[[Any], tuple[Segment, ...]]
    write: Callable[[Any, tuple[Segment, ...]], Any]


def _read_prompt(prompt: str) -> tuple[Segment, ...]:
    return (Segment.from_user(prompt, where="prompt"),)


def _write_prompt(_: str, segments: tuple[Segment, ...]) -> str:
    return segments[0].text


_CHAT = _Shape(
    parameter="messages",
    codec=ChatCodec(),
    pieces=ChatPieces,
    read=read_messages,
    write=write_messages,
)
_COMPLETION = _Shape(
    parameter="prompt",
    codec=CompletionCodec(),
    pieces=CompletionPieces,
    read=_read_prompt,
    write=_write_prompt,
)


class _Input(Argument):
    """The input of a call."""

    def __init__(self, shape: _Shape, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(shape.parameter, args, kwargs)
        self._shape = shape

    def event(self, guard: Guard, llm: LLM) -> Event:
        """The prompt.

        Raises:
            BlockedError: It is nested too deeply to be read.
        """
        limit = self._kwargs.get("max_tokens", getattr(llm, "max_tokens", None))
        return prompt_event(guard, llm, lambda: self._shape.read(self.value), limit)

    def send(self, run: Run, sent: Event) -> Any:
        """Call with the texts as they may be sent."""
        return self.call(run, self._shape.write(self.value, sent.segments))


# --- the door -----------------------------------------------------------------------------------


def model_layers(kind: type) -> Layers:
    """What lies around the methods of a model."""
    found: dict[str, Layer] = {}
    for name, shape in (("chat", _CHAT), ("complete", _COMPLETION)):
        found[name] = _called(shape)
        found[f"a{name}"] = _acalled(shape)
        found[f"stream_{name}"] = _streamed(shape)
        found[f"astream_{name}"] = _astreamed(shape)
    return {**found, **structured_layers(kind)}


def _called(shape: _Shape) -> Layer:
    def layer(
        guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        frame = running(llm, guard)
        if frame is not None:
            answer = run(*args, **kwargs)
            frame.usage = usage_of(answer)
            return answer
        given = _Input(shape, args, kwargs)

        def call(sent: Event) -> Any:
            with inside(llm, guard):
                return given.send(run, sent)

        return run_model(guard, given.event(guard, llm), call, shape.codec)

    return layer


def _acalled(shape: _Shape) -> Layer:
    async def layer(
        guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        frame = running(llm, guard)
        if frame is not None:
            answer = await run(*args, **kwargs)
            frame.usage = usage_of(answer)
            return answer
        given = _Input(shape, args, kwargs)

        async def call(sent: Event) -> Any:
            with inside(llm, guard):
                return await given.send(run, sent)

        return await arun_model(guard, given.event(guard, llm), call, shape.codec)

    return layer


def _streamed(shape: _Shape) -> Layer:
    def layer(
        guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if running(llm, guard) is not None:
            return run(*args, **kwargs)
        given = _Input(shape, args, counted(guard, llm, kwargs))
        sent = guard.require(given.event(guard, llm))
        with ReleasedOnFailure(guard, sent), inside(llm, guard):
            inner = given.send(run, sent)
        return _released_unread(guard, sent, pieces(llm, guard, inner, shape.pieces(guard, sent)))

    return layer


def _astreamed(shape: _Shape) -> Layer:
    async def layer(
        guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if running(llm, guard) is not None:
            return await run(*args, **kwargs)
        given = _Input(shape, args, counted(guard, llm, kwargs))
        sent = await guard.arequire(given.event(guard, llm))
        with ReleasedOnFailure(guard, sent), inside(llm, guard):
            inner = await given.send(run, sent)
        return _released_unread(guard, sent, apieces(llm, guard, inner, shape.pieces(guard, sent)))

    return layer


def _released_unread(guard: Guard, sent: Event, stream: Any) -> Any:
    """A stream that is dropped before its first piece never runs its own clean-up."""
    weakref.finalize(stream, guard.release, sent).atexit = False
    return stream
