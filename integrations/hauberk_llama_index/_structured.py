"""Structured answers: the four methods that give objects, where a provider overrides them.

Rules:
* Some providers call their service directly there, past `chat`: what they send is guarded here.
* Elsewhere these methods go through `chat`, and that is guarded.
* A half-made object cannot be checked: a stream of them gives the whole one, at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from hauberk.events import Event
from hauberk.flows import arun_model, run_model
from hauberk.guard import Guard
from hauberk_llama_index._codecs import ObjectCodec
from hauberk_llama_index._layers import Layer, Layers, Run
from hauberk_llama_index._nesting import inside, running
from hauberk_llama_index._prompts import prompt_event, read_messages, write_messages


def structured_layers(kind: type) -> Layers:
    """What lies around those of the four methods that a provider overrides."""
    made: dict[str, Layer] = {
        "structured_predict": _predicted,
        "astructured_predict": _apredicted,
        "stream_structured_predict": _stream_predicted,
        "astream_structured_predict": _astream_predicted,
    }
    return {
        name: layer for name, layer in made.items() if getattr(kind, name) is not getattr(LLM, name)
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
        return prompt_event(guard, self._llm, lambda: read_messages(self._messages))

    def template(self, sent: Event) -> ChatPromptTemplate:
        """The texts as they may be sent, as a template without variables."""
        return ChatPromptTemplate(message_templates=write_messages(self._messages, sent.segments))


def _wanted(
    output_cls: Any, prompt: Any, llm_kwargs: Any = None, **values: Any
) -> tuple[Any, Any, Any, dict[str, Any]]:
    """The arguments of all four methods, in their order."""
    return output_cls, prompt, llm_kwargs, values


def _predicted(
    guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(llm, guard) is not None:
        return run(*args, **kwargs)
    output_cls, prompt, llm_kwargs, values = _wanted(*args, **kwargs)
    question, codec = _Question(llm, prompt, values), ObjectCodec()

    def call(sent: Event) -> object:
        with inside(llm, guard) as frame:
            answer = run(output_cls, question.template(sent), llm_kwargs)
        codec.usage = frame.usage
        return answer

    return run_model(guard, question.event(guard), call, codec)


async def _apredicted(
    guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(llm, guard) is not None:
        return await run(*args, **kwargs)
    output_cls, prompt, llm_kwargs, values = _wanted(*args, **kwargs)
    question, codec = _Question(llm, prompt, values), ObjectCodec()

    async def call(sent: Event) -> object:
        with inside(llm, guard) as frame:
            answer = await run(output_cls, question.template(sent), llm_kwargs)
        codec.usage = frame.usage
        return answer

    return await arun_model(guard, question.event(guard), call, codec)


def _stream_predicted(
    guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(llm, guard) is not None:
        yield from run(*args, **kwargs)
        return
    output_cls, prompt, llm_kwargs, values = _wanted(*args, **kwargs)
    question, codec = _Question(llm, prompt, values), ObjectCodec()

    def call(sent: Event) -> object:
        with inside(llm, guard) as frame:
            found = list(run(output_cls, question.template(sent), llm_kwargs))
        codec.usage = frame.usage
        return _last(found)

    yield run_model(guard, question.event(guard), call, codec)


async def _astream_predicted(
    guard: Guard, llm: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(llm, guard) is not None:
        return await run(*args, **kwargs)
    output_cls, prompt, llm_kwargs, values = _wanted(*args, **kwargs)
    question, codec = _Question(llm, prompt, values), ObjectCodec()

    async def call(sent: Event) -> object:
        with inside(llm, guard) as frame:
            stream = await run(output_cls, question.template(sent), llm_kwargs)
            found = [one async for one in stream]
        codec.usage = frame.usage
        return _last(found)

    async def whole() -> Any:
        yield await arun_model(guard, question.event(guard), call, codec)

    return whole()


def _last(found: list[object]) -> object:
    """The whole object of a stream of ever more complete ones; None when nothing came."""
    return found[-1] if found else None
