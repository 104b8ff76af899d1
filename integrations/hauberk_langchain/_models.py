"""Models: what happens between a model's callers and its provider. Chat models and string models.

Rules:
* The guard sits at the methods that a provider's class overrides (`_generate`, `_stream` and their
  async twins): below callbacks and cache, above the provider, so every mode goes through it.
* What those methods call within themselves belongs to the same crossing.
* A provider's own token events are muted while it works: they would show what the guard has not seen.
  LangChain sends the events of the guarded chunks instead.
* With several guards each sees what the one before it lets through, as if they were nested.
"""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from hauberk import BlockedError, Event, Guard, Segment, Session, Stage, Usage
from hauberk._stream import GuardStream
from hauberk.flows import ModelCodec, arun_model, run_model
from hauberk_langchain._chunks import ChatChunkFilter, ChunkFilter, TextChunkFilter
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._history import History
from hauberk_langchain._leaves import dotted
from hauberk_langchain._messages import ChatCodec, reported_usage
from hauberk_langchain._objects import attribute, model_name
from hauberk_langchain._run import Closing, crossing, pending, session_of

_LIMIT_FIELDS = ("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict")


Reading = tuple[tuple[Segment, ...], Callable[[tuple[Segment, ...]], Any]]
"""The texts of a prompt, and what writes it with other texts."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of model is read and written."""

    base: type[Any]
    """The framework's class: what its subclasses override is guarded."""
    read: Callable[[Any, Guard, Session], Reading]
    codec: ModelCodec[Any]
    chunks: Callable[[GuardStream], ChunkFilter[Any]]


class TextCodec:
    """How a string model's answer is read and written."""

    def read(self, answer: LLMResult) -> tuple[tuple[Segment, ...], Usage | None]:
        """The texts of an answer, and what it used."""
        segments = tuple(
            Segment.from_model(one.text, where=dotted(("generations", n, m)))
            for n, row in enumerate(answer.generations)
            for m, one in enumerate(row)
        )
        return segments, reported_usage(answer.llm_output)

    def write(self, answer: LLMResult, segments: tuple[Segment, ...]) -> LLMResult:
        """A copy of the answer with these texts."""
        texts = iter(segments)
        rows = [
            [one.model_copy(update={"text": next(texts).text}) for one in row]
            for row in answer.generations
        ]
        return LLMResult(generations=cast("Any", rows), llm_output=answer.llm_output)


def _read_messages(messages: list[BaseMessage], guard: Guard, session: Session) -> Reading:
    return session.state((guard, History), History).read(messages)


def _read_prompts(prompts: list[str] | str, _: Guard, __: Session) -> Reading:
    if isinstance(prompts, str):
        return (Segment.from_user(prompts, where="prompt"),), lambda new: new[0].text
    read = tuple(Segment.from_user(p, where=f"prompts[{n}]") for n, p in enumerate(prompts))
    return read, lambda new: [segment.text for segment in new]


CHAT = Form(BaseChatModel, _read_messages, ChatCodec(), ChatChunkFilter)
TEXT = Form(BaseLLM, _read_prompts, TextCodec(), TextChunkFilter)


@dataclass(slots=True)
class Asked:
    """One prompt on its way."""

    event: Event
    """As the guard is asked about it."""
    prompt: Any
    """As it came."""
    write: Callable[[tuple[Segment, ...]], Any]

    def sent(self, sent: Event) -> Any:
        """The prompt as it may be sent: a copy, where it changed."""
        return self.prompt if sent.segments is self.event.segments else self.write(sent.segments)


@dataclass(slots=True)
class Call:
    """One call of one method of a model. Never changed; frozen ones take three times as long to make."""

    form: Form
    model: Any
    guards: tuple[Guard, ...]
    stop: list[str] | None
    manager: Any
    kwargs: dict[str, Any]

    def asked(self, guard: Guard, prompt: Any) -> Asked:
        """The prompt, for one guard.

        Raises:
            BlockedError: The prompt cannot be read.
        """
        said: dict[str, Any] = getattr(self.manager, "metadata", None) or {}
        session = session_of(guard, said)
        try:
            if "ls_model_type" not in said:  # LangChain has not asked the model yet
                said = self.model._get_ls_params(stop=self.stop, **self.kwargs)  # noqa: SLF001
            segments, write = self.form.read(prompt, guard, session)
            event = Event(
                stage=Stage.PROMPT,
                segments=segments,
                session=session,
                model=said.get("ls_model_name") or model_name(self.model),
                max_output_tokens=said.get("ls_max_tokens")
                or attribute(self.model, _LIMIT_FIELDS, int),
            )
        except Exception as error:  # noqa: BLE001 - what cannot be read must not be sent
            event = Event(stage=Stage.PROMPT, session=session)
            raise guard.refuse(event, "langchain adapter", error) from None
        return Asked(event, prompt, write)

    def muted(self) -> dict[str, Any]:
        """The run manager for the provider's code: it may have children, but says nothing itself."""
        if self.manager is None:
            return {}
        # A copy by hand: copy.copy() costs five times as much, at each call.
        quiet = object.__new__(type(self.manager))
        quiet.__dict__ = {**self.manager.__dict__, "handlers": []}
        return {"run_manager": quiet}


def answer(call: Call, guards: tuple[Guard, ...], prompt: Any, ask: Callable[[Any], Any]) -> Any:
    """One call that answers at once, through these guards of the call's."""
    if not guards:
        return ask(prompt)
    asked = call.asked(guards[0], prompt)
    return run_model(
        guards[0],
        asked.event,
        lambda sent: answer(call, guards[1:], asked.sent(sent), ask),
        call.form.codec,
    )


async def aanswer(
    call: Call, guards: tuple[Guard, ...], prompt: Any, ask: Callable[[Any], Awaitable[Any]]
) -> Any:
    """The same, on an event loop."""
    if not guards:
        return await ask(prompt)
    asked = call.asked(guards[0], prompt)
    return await arun_model(
        guards[0],
        asked.event,
        lambda sent: aanswer(call, guards[1:], asked.sent(sent), ask),
        call.form.codec,
    )


def chunks(
    call: Call, guards: tuple[Guard, ...], prompt: Any, ask: Callable[[Any], Iterator[Any]]
) -> Generator[Any]:
    """One call that streams."""
    if not guards:
        yield from ask(prompt)
        return
    guard = guards[0]
    asked = call.asked(guard, prompt)
    sent = guard.require(asked.event)
    stream = guard.open_stream(sent)
    shown = call.form.chunks(stream)
    try:
        with closing(chunks(call, guards[1:], asked.sent(sent), ask)) as pieces:
            for piece in pieces:
                chunk = _fed(guard, sent, shown, piece)
                if chunk is not None:
                    yield chunk
        tail = shown.tail(stream.finish(usage=shown.usage))
        if tail is not None:
            yield tail
    finally:
        stream.abandon(usage=shown.usage)


def _fed(guard: Guard, sent: Event, shown: ChunkFilter[Any], piece: Any) -> Any:
    """A piece as it may be shown.

    Raises:
        BlockedError: It cannot be read, or a filter failed.
    """
    try:
        return shown.feed(piece)
    except BlockedError:
        raise
    except Exception as error:  # noqa: BLE001 - what cannot be read must not be shown
        raise guard.refuse(sent.answered(()), "adapter", error) from None


async def achunks(
    call: Call, guards: tuple[Guard, ...], prompt: Any, ask: Callable[[Any], AsyncIterator[Any]]
) -> AsyncGenerator[Any]:
    """The same, on an event loop."""
    if not guards:
        async with Closing(ask(prompt)) as source:
            async for piece in source:
                yield piece
        return
    guard = guards[0]
    asked = call.asked(guard, prompt)
    sent = await guard.arequire(asked.event)
    stream = guard.open_stream(sent)
    shown = call.form.chunks(stream)
    try:
        async with Closing(achunks(call, guards[1:], asked.sent(sent), ask)) as pieces:
            async for piece in pieces:
                chunk = _fed(guard, sent, shown, piece)
                if chunk is not None:
                    yield chunk
        tail = shown.tail(await stream.afinish(usage=shown.usage))
        if tail is not None:
            yield tail
    finally:
        stream.abandon(usage=shown.usage)


def model_methods(
    form: Form, base: type[Any], guards_of: Callable[[object], tuple[Guard, ...]]
) -> dict[str, Any]:
    """The methods of a guarded subclass of `base`: those that `base` itself overrides."""
    makers = {
        "_generate": _generate,
        "_agenerate": _agenerate,
        "_stream": _stream,
        "_astream": _astream,
    }
    return {
        name: make(form, getattr(base, name), guards_of)
        for name, make in makers.items()
        if getattr(base, name) is not getattr(form.base, name)
    }


def _generate(form: Form, original: Any, guards_of: Callable[[object], tuple[Guard, ...]]) -> Any:
    wants_manager = _wants_manager(original)

    def _generate(
        self: Any, prompt: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        call = Call(form, self, pending(self, guards_of(self)), stop, run_manager, kwargs)

        def ask(sent: Any) -> Any:
            manager = call.muted() if wants_manager else {}
            with crossing(self, call.guards):
                return original(self, sent, stop=stop, **manager, **kwargs)

        with hard_stops:
            return answer(call, call.guards, prompt, ask)

    return _generate


def _agenerate(form: Form, original: Any, guards_of: Callable[[object], tuple[Guard, ...]]) -> Any:
    wants_manager = _wants_manager(original)

    async def _agenerate(
        self: Any, prompt: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        call = Call(form, self, pending(self, guards_of(self)), stop, run_manager, kwargs)

        async def ask(sent: Any) -> Any:
            manager = call.muted() if wants_manager else {}
            with crossing(self, call.guards):
                return await original(self, sent, stop=stop, **manager, **kwargs)

        with hard_stops:
            return await aanswer(call, call.guards, prompt, ask)

    return _agenerate


def _stream(form: Form, original: Any, guards_of: Callable[[object], tuple[Guard, ...]]) -> Any:
    wants_manager = _wants_manager(original)

    def _stream(
        self: Any, prompt: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[Any]:
        call = Call(form, self, pending(self, guards_of(self)), stop, run_manager, kwargs)

        def ask(sent: Any) -> Iterator[Any]:
            manager = call.muted() if wants_manager else {}
            source = original(self, sent, stop=stop, **manager, **kwargs)
            return crossing(self, call.guards).each(source)

        with hard_stops, closing(chunks(call, call.guards, prompt, ask)) as pieces:
            for piece in pieces:
                if run_manager is not None:
                    run_manager.on_llm_new_token(piece.text, chunk=piece)
                yield piece

    return _stream


def _astream(form: Form, original: Any, guards_of: Callable[[object], tuple[Guard, ...]]) -> Any:
    wants_manager = _wants_manager(original)

    async def _astream(
        self: Any, prompt: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        call = Call(form, self, pending(self, guards_of(self)), stop, run_manager, kwargs)

        def ask(sent: Any) -> AsyncIterator[Any]:
            manager = call.muted() if wants_manager else {}
            source = original(self, sent, stop=stop, **manager, **kwargs)
            return crossing(self, call.guards).aeach(source)

        with hard_stops:
            async with Closing(achunks(call, call.guards, prompt, ask)) as pieces:
                async for piece in pieces:
                    if run_manager is not None:
                        await run_manager.on_llm_new_token(piece.text, chunk=piece)
                    yield piece

    return _astream


def _wants_manager(method: Any) -> bool:
    return "run_manager" in inspect.signature(method).parameters
