"""Models: what reaches one and what comes back, in all twelve methods.

Rules:
* The model sees what the guard lets through; the caller's messages, memory and prompts stay.
* One call is one call, however many methods of the same model it goes through.
* `structured_predict` and its kin are guarded where the provider overrides them (some call their
  service directly there); elsewhere they go through `chat`, and that is guarded.
* What was reserved for a call is settled or freed: when it fails, when its stream is abandoned, and
  when its stream is never read.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from hauberk.events import Event, Segment, Stage
from hauberk.flows import arun_model, released_on_failure, run_model
from hauberk.guard import Guard
from hauberk.structure import TooDeepError
from hauberk_llama_index._codecs import ChatCodec, CompletionCodec, ObjectCodec, usage_of
from hauberk_llama_index._messages import in_messages
from hauberk_llama_index._nesting import inside, running
from hauberk_llama_index._streams import ChatPieces, CompletionPieces, Pieces, apieces, pieces
from hauberk_llama_index._swap import Above, Methods
from hauberk_llama_index._texts import read, write


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """One of the two families of methods: what goes in, what comes out."""

    parameter: str
    codec: ChatCodec | CompletionCodec
    pieces: type[Pieces]
    read: Callable[[Any], tuple[Segment, ...]]
    write: Callable[[Any, tuple[Segment, ...]], Any]


def _read_messages(messages: Sequence[ChatMessage]) -> tuple[Segment, ...]:
    return read(lambda visit: in_messages(messages, visit))


def _write_messages(
    messages: Sequence[ChatMessage], segments: tuple[Segment, ...]
) -> Sequence[ChatMessage]:
    return write(lambda visit: in_messages(messages, visit), segments)


def _read_prompt(prompt: str) -> tuple[Segment, ...]:
    return (Segment.from_user(prompt, where="prompt"),)


def _write_prompt(_: str, segments: tuple[Segment, ...]) -> str:
    return segments[0].text


_CHAT = _Shape(
    parameter="messages",
    codec=ChatCodec(),
    pieces=ChatPieces,
    read=_read_messages,
    write=_write_messages,
)
_COMPLETION = _Shape(
    parameter="prompt",
    codec=CompletionCodec(),
    pieces=CompletionPieces,
    read=_read_prompt,
    write=_write_prompt,
)


class _Input:
    """The input of a call, wherever it stands among the arguments."""

    def __init__(self, shape: _Shape, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._shape = shape
        self._args = args
        self._kwargs = kwargs
        self.value = args[0] if args else kwargs[shape.parameter]

    def event(self, guard: Guard, llm: LLM) -> Event:
        """The prompt.

        Raises:
            BlockedError: It is nested too deeply to be read.
        """
        limit = self._kwargs.get("max_tokens", getattr(llm, "max_tokens", None))
        return prompt_event(guard, llm, lambda: self._shape.read(self.value), limit)

    def call(self, method: Callable[..., Any], sent: Event) -> Any:
        """Call with the texts as they may be sent."""
        new = self._shape.write(self.value, sent.segments)
        if self._args:
            return method(new, *self._args[1:], **self._kwargs)
        return method(**{**self._kwargs, self._shape.parameter: new})


def prompt_event(
    guard: Guard, llm: LLM, texts: Callable[[], tuple[Segment, ...]], limit: object = None
) -> Event:
    """The event of a prompt.

    Raises:
        BlockedError: The prompt cannot be read.
    """
    try:
        segments = texts()
    except TooDeepError as error:
        raise guard.refuse(Event(stage=Stage.PROMPT), "adapter", error) from None
    return Event(
        stage=Stage.PROMPT,
        segments=segments,
        model=_name(llm),
        max_output_tokens=limit if isinstance(limit, int) and limit > 0 else None,
    )


def _name(llm: LLM) -> str | None:
    """The name that prices hang on. `metadata` can fail for names that a provider does not know."""
    for field in ("model", "model_name"):
        found = getattr(llm, field, None)
        if isinstance(found, str) and found:
            return found
    return llm.metadata.model_name


# --- the door -----------------------------------------------------------------------------------


def model_methods(base: type, guard: Guard, above: Above) -> Methods:
    """The methods of a guarded model."""
    found: dict[str, Callable[..., Any]] = {}
    for kind, shape in (("chat", _CHAT), ("complete", _COMPLETION)):
        found[kind] = _called(kind, shape, guard, above)
        found[f"a{kind}"] = _acalled(f"a{kind}", shape, guard, above)
        found[f"stream_{kind}"] = _streamed(f"stream_{kind}", shape, guard, above)
        found[f"astream_{kind}"] = _astreamed(f"astream_{kind}", shape, guard, above)
    return {**found, **_structured_methods(base, guard, above)}


def _called(name: str, shape: _Shape, guard: Guard, above: Above) -> Callable[..., Any]:
    def method(self: LLM, *args: Any, **kwargs: Any) -> Any:
        run = getattr(above(self), name)
        frame = running(self)
        if frame is not None:
            answer = run(*args, **kwargs)
            frame.usage = usage_of(answer)
            return answer
        given = _Input(shape, args, kwargs)

        def call(sent: Event) -> Any:
            with inside(self):
                return given.call(run, sent)

        return run_model(guard, given.event(guard, self), call, shape.codec)

    return method


def _acalled(name: str, shape: _Shape, guard: Guard, above: Above) -> Callable[..., Any]:
    async def method(self: LLM, *args: Any, **kwargs: Any) -> Any:
        run = getattr(above(self), name)
        frame = running(self)
        if frame is not None:
            answer = await run(*args, **kwargs)
            frame.usage = usage_of(answer)
            return answer
        given = _Input(shape, args, kwargs)

        async def call(sent: Event) -> Any:
            with inside(self):
                return await given.call(run, sent)

        return await arun_model(guard, given.event(guard, self), call, shape.codec)

    return method


def _streamed(name: str, shape: _Shape, guard: Guard, above: Above) -> Callable[..., Any]:
    def method(self: LLM, *args: Any, **kwargs: Any) -> Any:
        run = getattr(above(self), name)
        if running(self) is not None:
            return run(*args, **kwargs)
        given = _Input(shape, args, kwargs)
        sent = guard.require(given.event(guard, self))
        with released_on_failure(guard, sent), inside(self):
            inner = given.call(run, sent)
        return _released_unread(guard, sent, pieces(self, inner, shape.pieces(guard, sent)))

    return method


def _astreamed(name: str, shape: _Shape, guard: Guard, above: Above) -> Callable[..., Any]:
    async def method(self: LLM, *args: Any, **kwargs: Any) -> Any:
        run = getattr(above(self), name)
        if running(self) is not None:
            return await run(*args, **kwargs)
        given = _Input(shape, args, kwargs)
        sent = await guard.arequire(given.event(guard, self))
        with released_on_failure(guard, sent), inside(self):
            inner = await given.call(run, sent)
        return _released_unread(guard, sent, apieces(self, inner, shape.pieces(guard, sent)))

    return method


def _released_unread(guard: Guard, sent: Event, stream: Any) -> Any:
    """A stream that is dropped before its first piece never runs its own clean-up."""
    weakref.finalize(stream, guard.release, sent).atexit = False
    return stream


# --- structured answers ---------------------------------------------------------------------------


def _structured_methods(base: type, guard: Guard, above: Above) -> dict[str, Callable[..., Any]]:
    made = {
        "structured_predict": _predicted,
        "astructured_predict": _apredicted,
        "stream_structured_predict": _stream_predicted,
        "astream_structured_predict": _astream_predicted,
    }
    return {
        name: make(guard, above)
        for name, make in made.items()
        if getattr(base, name) is not getattr(LLM, name)
    }


class _Question:
    """The prompt of a structured call: a template with its values."""

    def __init__(self, llm: LLM, prompt: BasePromptTemplate, values: Mapping[str, Any]) -> None:
        self._llm = llm
        self._messages = prompt.format_messages(llm=llm, **values)

    def event(self, guard: Guard) -> Event:
        """The prompt.

        Raises:
            BlockedError: It is nested too deeply to be read.
        """
        return prompt_event(guard, self._llm, lambda: _read_messages(self._messages))

    def template(self, sent: Event) -> ChatPromptTemplate:
        """The texts as they may be sent, as a template without variables."""
        return ChatPromptTemplate(message_templates=_write_messages(self._messages, sent.segments))


def _predicted(guard: Guard, above: Above) -> Callable[..., Any]:
    def method(
        self: LLM, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **values: Any
    ) -> Any:
        run = above(self).structured_predict
        if running(self) is not None:
            return run(output_cls, prompt, llm_kwargs, **values)
        question, codec = _Question(self, prompt, values), ObjectCodec()

        def call(sent: Event) -> object:
            with inside(self) as frame:
                answer = run(output_cls, question.template(sent), llm_kwargs)
            codec.usage = frame.usage
            return answer

        return run_model(guard, question.event(guard), call, codec)

    return method


def _apredicted(guard: Guard, above: Above) -> Callable[..., Any]:
    async def method(
        self: LLM, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **values: Any
    ) -> Any:
        run = above(self).astructured_predict
        if running(self) is not None:
            return await run(output_cls, prompt, llm_kwargs, **values)
        question, codec = _Question(self, prompt, values), ObjectCodec()

        async def call(sent: Event) -> object:
            with inside(self) as frame:
                answer = await run(output_cls, question.template(sent), llm_kwargs)
            codec.usage = frame.usage
            return answer

        return await arun_model(guard, question.event(guard), call, codec)

    return method


def _stream_predicted(guard: Guard, above: Above) -> Callable[..., Any]:
    def method(
        self: LLM, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **values: Any
    ) -> Any:
        run = above(self).stream_structured_predict
        if running(self) is not None:
            yield from run(output_cls, prompt, llm_kwargs, **values)
            return
        question, codec = _Question(self, prompt, values), ObjectCodec()

        def call(sent: Event) -> object:
            with inside(self):
                # Half-made objects cannot be checked: the whole one is shown, at the end.
                return list(run(output_cls, question.template(sent), llm_kwargs))[-1]

        yield run_model(guard, question.event(guard), call, codec)

    return method


def _astream_predicted(guard: Guard, above: Above) -> Callable[..., Any]:
    async def method(
        self: LLM, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **values: Any
    ) -> Any:
        run = above(self).astream_structured_predict
        if running(self) is not None:
            return await run(output_cls, prompt, llm_kwargs, **values)
        question, codec = _Question(self, prompt, values), ObjectCodec()

        async def call(sent: Event) -> object:
            with inside(self):
                found = await run(output_cls, question.template(sent), llm_kwargs)
                return [one async for one in found][-1]

        async def whole() -> Any:
            yield await arun_model(guard, question.event(guard), call, codec)

        return whole()

    return method
