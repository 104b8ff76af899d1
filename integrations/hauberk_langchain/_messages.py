"""Messages and segments: read texts out of LangChain's messages, write new ones into copies.

Rules:
* Who wrote a text decides its origin: system messages the developer, human messages the user, AI
  messages (the arguments of their tool calls included) the model, tool messages their tool.
* A role that we do not know is nobody whom we trust.
* Reading and writing walk the same way, so that texts never change places.
* A message without a new text stays the same object; the caller's objects are never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, TypeVar, cast

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import BaseModel

from hauberk.events import Segment, Trust, Usage
from hauberk_langchain._leaves import Change, Path, change_blocks, change_values, dotted, taking

M = TypeVar("M", bound=BaseMessage)

_Maker = Callable[[str, str], Segment]


def read_messages(messages: Sequence[BaseMessage]) -> tuple[Segment, ...]:
    """Every text of a conversation, with who wrote it."""
    found: list[Segment] = []
    names: dict[str, str] = {}
    for number, message in enumerate(messages):
        names |= names_in(message)
        found += read_message(message, number, names)
    return tuple(found)


def read_message(
    message: BaseMessage, number: int, names: Mapping[str, str]
) -> tuple[Segment, ...]:
    """Every text of one message.

    Args:
        message: The message.
        number: Its place in the conversation.
        names: Names of the tools that were called, by the id of the call.
    """
    make, where = _maker(message, names), f"messages[{number}]."
    if isinstance(message.content, str) and is_plain(message):
        return (make(message.content, where + "content"),)
    found: list[Segment] = []

    def keep(path: Path, text: str) -> str:
        found.append(make(text, where + dotted(path)))
        return text

    change_message(message, keep)
    return tuple(found)


def names_in(message: BaseMessage) -> dict[str, str]:
    """Names of the tools that a message calls, by the id of the call."""
    calls: Sequence[Mapping[str, Any]] = vars(message).get("tool_calls") or ()
    return {call["id"] or "": call["name"] for call in calls}


def needs_names(message: BaseMessage) -> bool:
    """Whether only the call that it answers says which tool a message is of."""
    return isinstance(message, ToolMessage) and not message.name


def write_messages(
    messages: Sequence[BaseMessage], segments: Sequence[Segment]
) -> list[BaseMessage]:
    """The conversation with other texts, in the order of `read_messages`."""
    change = taking(segment.text for segment in segments)
    return [change_message(message, change) for message in messages]


def change_message(message: M, change: Change) -> M:
    """A message with every text passed through `change`; itself when none changed."""
    if isinstance(message.content, str) and is_plain(message):
        text = change(_CONTENT, message.content)
        return message if text is message.content else with_content(message, text)
    update: dict[str, Any] = {}
    _put(update, "content", message.content, change_blocks(message.content, change, path=_CONTENT))
    if _is_ai(type(message)):
        for field in CALL_FIELDS:
            calls = vars(message).get(field)  # pydantic takes microseconds to say no
            if calls:
                _put(update, field, calls, change_blocks(calls, change, path=(field,)))
    if message.additional_kwargs:
        old = message.additional_kwargs
        new = change_blocks(old, change, path=("additional_kwargs",))
        _put(update, "additional_kwargs", old, new)
    if message.name and not _is_of_tool(type(message)):
        _put(update, "name", message.name, change(("name",), message.name))
    return message.model_copy(update=update) if update else message


def change_tool_message(message: ToolMessage, change: Change) -> ToolMessage:
    """The same for what a tool returns: its artifact is looked at too."""
    new = change_message(message, change)
    artifact: object = message.artifact
    if artifact is None:
        return new
    changed = change_values(artifact, change, path=("artifact",))
    return new if changed is artifact else new.model_copy(update={"artifact": changed})


class ChatCodec:
    """How a chat model's answer is read and written. Every generation of it counts."""

    def read(self, answer: ChatResult) -> tuple[tuple[Segment, ...], Usage | None]:
        """The texts of an answer, and what it used."""
        found: list[Segment] = []

        def keep(path: Path, text: str) -> str:
            found.append(Segment.from_model(text, where=dotted(path)))
            return text

        for generation in answer.generations:
            change_message(generation.message, keep)
        return tuple(found), _usage(answer)

    def write(self, answer: ChatResult, segments: tuple[Segment, ...]) -> ChatResult:
        """A copy of the answer with these texts."""
        change = taking(segment.text for segment in segments)
        return ChatResult(
            generations=[
                ChatGeneration(
                    message=change_message(one.message, change),
                    generation_info=one.generation_info,
                )
                for one in answer.generations
            ],
            llm_output=answer.llm_output,
        )


def _usage(answer: ChatResult) -> Usage | None:
    said = [vars(one.message).get("usage_metadata") for one in answer.generations]
    counts = [usage for usage in said if usage]
    return total_usage(counts) or reported_usage(answer.llm_output)


def total_usage(counts: Sequence[Mapping[str, Any]]) -> Usage | None:
    """What several `usage_metadata` come to; None when there is none."""
    if not counts:
        return None
    came = went = 0
    for usage in counts:
        came += int(usage.get("input_tokens") or 0)
        went += int(usage.get("output_tokens") or 0)
    return Usage(input_tokens=came, output_tokens=went)


def reported_usage(output: Mapping[str, Any] | None) -> Usage | None:
    """Usage as older models report it: beside the answer, under `token_usage`."""
    counts: object = (output or {}).get("token_usage")
    if not isinstance(counts, Mapping):
        return None
    known = cast("Mapping[str, Any]", counts)
    return Usage(
        input_tokens=int(known.get("prompt_tokens") or 0),
        output_tokens=int(known.get("completion_tokens") or 0),
    )


_CONTENT: Path = ("content",)

CALL_FIELDS = ("tool_calls", "invalid_tool_calls", "tool_call_chunks")
"""Where a message holds the calls of tools that its model asked for."""

_MAX_KINDS = 1024
"""Classes of messages that are remembered. pydantic's take a microsecond to say whose subclass they are."""


@lru_cache(maxsize=_MAX_KINDS)
def _is_ai(kind: type[BaseMessage]) -> bool:
    return issubclass(kind, AIMessage)


@lru_cache(maxsize=_MAX_KINDS)
def _is_of_tool(kind: type[BaseMessage]) -> bool:
    """Whether a message's name is that of a tool; everyone else's is that of a person or an agent."""
    return issubclass(kind, (ToolMessage, FunctionMessage))


def with_content(message: M, text: str) -> M:
    """A copy with another content: a quarter of the time of `model_copy`."""
    kind = type(message)
    if kind.__copy__ is not BaseModel.__copy__:
        new = copy(message)
        vars(new)["content"] = text
        new.__pydantic_fields_set__.add("content")
        return new
    # What pydantic's own `__copy__` does: a history has many messages.
    new = object.__new__(kind)
    _fill(new, "__dict__", {**vars(message), "content": text})
    _fill(new, "__pydantic_fields_set__", message.__pydantic_fields_set__ | {"content"})
    extra, private = message.__pydantic_extra__, message.__pydantic_private__
    _fill(new, "__pydantic_extra__", extra and copy(extra))
    _fill(new, "__pydantic_private__", private and copy(private))
    return new


_fill = object.__setattr__


def _put(update: dict[str, Any], field: str, old: object, new: object) -> None:
    if new is not old:
        update[field] = new


def is_plain(message: BaseMessage) -> bool:
    """Whether a message has no text but its content."""
    if message.additional_kwargs or (message.name and not _is_of_tool(type(message))):
        return False
    held = vars(message)
    return not (held.get("tool_calls") or held.get("invalid_tool_calls"))


def _maker(message: BaseMessage, names: Mapping[str, str]) -> _Maker:
    make = _maker_of(type(message))
    if make is not None:
        return make
    if isinstance(message, ToolMessage):
        return _tool(message.name or names.get(message.tool_call_id, "unknown"))
    if isinstance(message, FunctionMessage):
        return _tool(message.name)
    return _ROLES.get(message.role, _stranger) if isinstance(message, ChatMessage) else _stranger


@lru_cache(maxsize=_MAX_KINDS)
def _maker_of(kind: type[BaseMessage]) -> _Maker | None:
    """What makes segments of messages of a class; None where the message itself says who wrote it."""
    makers: tuple[tuple[type[BaseMessage], _Maker], ...] = (
        (HumanMessage, _user),
        (AIMessage, _model),
        (SystemMessage, _developer),
    )
    return next((make for base, make in makers if issubclass(kind, base)), None)


def _user(text: str, where: str) -> Segment:
    return Segment.from_user(text, where=where)


def _model(text: str, where: str) -> Segment:
    return Segment.from_model(text, where=where)


def _developer(text: str, where: str) -> Segment:
    return Segment.from_developer(text, where=where)


def _tool(name: str) -> _Maker:
    return lambda text, where: Segment.from_tool(name, text, where=where)


def _stranger(text: str, where: str) -> Segment:
    return Segment(text=text, origin="user", trust=Trust.UNTRUSTED, where=where)


_ROLES: Mapping[str, _Maker] = {
    "assistant": _model,
    "developer": _developer,
    "system": _developer,
    "user": _user,
    "human": _user,
}


def texts(segments: Sequence[Segment]) -> Iterator[str]:
    """Only the words."""
    return (segment.text for segment in segments)
