"""Prompts: the event of what is about to reach a model.

Rules:
* What cannot be read is refused, and recorded.
* Whoever streams from a model that counts only when it is asked to, asks it to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from hauberk.events import Event, Segment, Stage
from hauberk.guard import Guard
from hauberk.structure import TooDeepError
from hauberk_llama_index._messages import in_messages
from hauberk_llama_index._texts import read, write


def read_messages(messages: Sequence[ChatMessage]) -> tuple[Segment, ...]:
    return read(lambda visit: in_messages(messages, visit))


def write_messages(
    messages: Sequence[ChatMessage], segments: tuple[Segment, ...]
) -> Sequence[ChatMessage]:
    return write(lambda visit: in_messages(messages, visit), segments)


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


# --- counts ---------------------------------------------------------------------------------------

_COUNTS: Mapping[str, object] = {"include_usage": True}
_ASKS = "stream_options"
_CLASSES = 256
"""Classes of models of which it is kept whether they count on demand."""


def counted(guard: Guard, llm: LLM, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a streaming call, with the wish for real counts where one must be voiced.

    OpenAI's chat API counts a stream only when `stream_options` asks for it
    (https://platform.openai.com/docs/api-reference/chat/create, read 2026-10). What the application
    says there itself, in the call or in `additional_kwargs`, is left alone.
    """
    if _ASKS in kwargs or not guard.watches(Stage.COMPLETION) or not _counts_on_demand(type(llm)):
        return kwargs
    always: object = getattr(llm, "additional_kwargs", None)
    if isinstance(always, Mapping) and _ASKS in cast("Mapping[str, object]", always):
        return kwargs
    return {**kwargs, _ASKS: dict(_COUNTS)}


@lru_cache(maxsize=_CLASSES)
def _counts_on_demand(kind: Any) -> bool:
    """Whether it is an `OpenAI` of LlamaIndex, or a subclass; known by name, nothing is imported."""
    return any(
        one.__name__ == "OpenAI" and one.__module__.startswith("llama_index.llms.openai.")
        for one in kind.__mro__
    )
