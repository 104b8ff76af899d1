"""How a model's answer and a tool's result are read and written (the codecs of `hauberk.flows`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse, TextBlock
from llama_index.core.tools import ToolOutput
from pydantic import BaseModel

from hauberk.events import Segment, Usage
from hauberk.plugin import Select
from hauberk.structure import TooDeepError
from hauberk_llama_index._blocks import in_block
from hauberk_llama_index._copies import each
from hauberk_llama_index._fields import minimised_output
from hauberk_llama_index._messages import in_message
from hauberk_llama_index._texts import Visit, in_value, read, write

_INPUT = ("prompt_tokens", "input_tokens", "prompt_token_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidates_token_count")
_NO_FIELDS: Mapping[str, object] = {}


class ChatCodec:
    """Answers of chat methods."""

    def read(self, answer: ChatResponse) -> tuple[tuple[Segment, ...], Usage | None]:
        """The texts of the message, and the provider's counts."""
        return read(lambda visit: _in_answer(answer, visit)), usage_of(answer)

    def write(self, answer: ChatResponse, segments: tuple[Segment, ...]) -> ChatResponse:
        """A copy of the answer with other texts."""
        message = write(lambda visit: _in_answer(answer, visit), segments)
        delta = answer.delta if answer.delta is None else message.content
        return answer.model_copy(update={"message": message, "delta": delta})


def _in_answer(answer: ChatResponse, visit: Any) -> Any:
    return in_message(answer.message, visit, "answer", "model")


class CompletionCodec:
    """Answers of completion methods."""

    def read(self, answer: CompletionResponse) -> tuple[tuple[Segment, ...], Usage | None]:
        """The text, and the provider's counts."""
        return (Segment.from_model(answer.text, where="answer"),), usage_of(answer)

    def write(
        self, answer: CompletionResponse, segments: tuple[Segment, ...]
    ) -> CompletionResponse:
        """A copy of the answer with another text."""
        return answer.model_copy(update={"text": segments[0].text})


class ObjectCodec:
    """Structured answers: an object of the class that was asked for."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        """What the calls inside used, when they said so."""

    def read(self, answer: object) -> tuple[tuple[Segment, ...], Usage | None]:
        """The texts in the object."""
        return read(lambda visit: in_value(answer, visit, "answer", "model")), self.usage

    def write(self, answer: object, segments: tuple[Segment, ...]) -> object:
        """A copy of the object with other texts."""
        return write(lambda visit: in_value(answer, visit, "answer", "model"), segments)


class OutputCodec:
    """Results of tools."""

    def __init__(self, tool: str) -> None:
        self._origin = f"tool:{tool}"

    def read(self, value: object) -> tuple[Segment, ...]:
        """The texts of a result."""
        text = _only_text(value)
        if text is not None:
            return (Segment(text=text, origin=self._origin, where="blocks[0]"),)
        return read(lambda visit: self._walk(value, visit))

    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        """A copy of the result with other texts."""
        return write(lambda visit: self._walk(value, visit), segments)

    def minimise(self, value: object, select: Select) -> object:
        """A copy of the result without what may not be seen.

        Raises:
            BlockedError: Nothing of it may be seen.
        """
        return minimised_output(value, select) if isinstance(value, ToolOutput) else select(value)

    def _walk(self, value: object, visit: Any) -> object:
        if isinstance(value, ToolOutput):
            return in_output(value, visit, self._origin)
        return in_value(value, visit, "result", self._origin)


def in_output(output: ToolOutput, visit: Visit, origin: str) -> ToolOutput:
    """Walk what a tool returned: its blocks, and the raw value behind them.

    A raw value that repeats the content is the same text and is shown once. One that cannot be
    walked is replaced by the content when the content changes: no clear copy stays behind.
    """
    blocks = each(output.blocks, lambda at, b: in_block(b, visit, f"blocks{at}", origin))
    raw = cast("object", output.raw_output)
    repeats = raw == output.content if isinstance(raw, str) else raw is output.blocks
    new_raw = raw if repeats else _in_raw(raw, visit, origin)
    if blocks is output.blocks and new_raw is raw:
        return output
    new = output.model_copy(update={"blocks": blocks})
    new.raw_output = new.content if new_raw is raw or new_raw is _UNREADABLE else new_raw
    new._exception = None  # noqa: SLF001 - its message is the text that was just replaced
    return new


def _only_text(value: object) -> str | None:
    """The text of an output that is nothing else, as most are. For it alone no walk is begun."""
    if type(value) is not ToolOutput or len(value.blocks) != 1:
        return None
    block, raw = value.blocks[0], cast("object", value.raw_output)
    if type(block) is not TextBlock or not isinstance(raw, str):
        return None
    return raw if raw == block.text else None


_UNREADABLE = object()


def _in_raw(raw: object, visit: Visit, origin: str) -> object:
    try:
        return in_value(raw, visit, "raw_output", origin)
    except TooDeepError:
        return _UNREADABLE


def usage_of(answer: ChatResponse | CompletionResponse) -> Usage | None:
    """What a call used, as the provider reported it; None when it did not say.

    Places and names of the counts are those of LlamaIndex's own token counter
    (`llama_index.core.callbacks.token_counting`, 0.14.25).
    """
    raw, extras = answer.raw, answer.additional_kwargs
    if raw is None and not extras:
        return None  # asked of every piece of a stream: most of them say nothing
    told = _fields(raw)
    for found in (told.get("usage"), told.get("usage_metadata"), extras):
        counts = _fields(found)
        if not counts:
            continue
        sent, made = _count(counts, _INPUT), _count(counts, _OUTPUT)
        if sent or made:
            return Usage(input_tokens=sent, output_tokens=made)
    return None


def _fields(value: object) -> Mapping[str, object]:
    if value is None:
        return _NO_FIELDS
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    return vars(value) if isinstance(value, BaseModel) else _NO_FIELDS


def _count(counts: Mapping[str, object], names: tuple[str, ...]) -> int:
    values = (counts.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), 0)
