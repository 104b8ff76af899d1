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
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return {}
    return {call["id"] or "": call["name"] for call in message.tool_calls}


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
        return message if text is message.content else _with_content(message, text)
    update: dict[str, Any] = {}
    _put(update, "content", message.content, change_blocks(message.content, change, path=_CONTENT))
    if isinstance(message, AIMessage):
        for field in ("tool_calls", "invalid_tool_calls", "tool_call_chunks"):
            calls = vars(message).get(field)  # pydantic takes microseconds to say no
            if calls:
                _put(update, field, calls, change_blocks(calls, change, path=(field,)))
    if message.additional_kwargs:
        old = message.additional_kwargs
        new = change_blocks(old, change, path=("additional_kwargs",))
        _put(update, "additional_kwargs", old, new)
    if message.name and not isinstance(message, _OF_TOOLS):
        _put(update, "name", message.name, change(("name",), message.name))
    return message.model_copy(update=update) if update else message


def change_tool_message(message: ToolMessage, change: Change) -> ToolMessage:
    """The same for what a tool returns: its artifact is looked at too."""
    new = change_message(message, change)
    artifact: object = message.artifact
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
    counts = [
        usage
        for generation in answer.generations
        if isinstance(generation.message, AIMessage)
        and (usage := generation.message.usage_metadata)
    ]
    return total_usage(counts) or reported_usage(answer.llm_output)


def total_usage(counts: Sequence[Mapping[str, Any]]) -> Usage | None:
    """What several `usage_metadata` come to; None when there is none."""
    if not counts:
        return None
    return Usage(
        input_tokens=sum(int(c.get("input_tokens") or 0) for c in counts),
        output_tokens=sum(int(c.get("output_tokens") or 0) for c in counts),
    )


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


_OF_TOOLS = (ToolMessage, FunctionMessage)
"""Their name is that of a tool; everyone else's is that of a person or an agent."""
_CONTENT: Path = ("content",)


def _with_content(message: M, text: str) -> M:
    """A copy with another content: half the time of `model_copy`, which looks at every field."""
    new = copy(message)
    vars(new)["content"] = text
    new.__pydantic_fields_set__.add("content")
    return new


def _put(update: dict[str, Any], field: str, old: object, new: object) -> None:
    if new is not old:
        update[field] = new


def is_plain(message: BaseMessage) -> bool:
    """Whether a message has no text but its content."""
    if message.additional_kwargs or (message.name and not isinstance(message, _OF_TOOLS)):
        return False
    return not isinstance(message, AIMessage) or not (
        message.tool_calls or message.invalid_tool_calls
    )


def _maker(message: BaseMessage, names: Mapping[str, str]) -> _Maker:
    if isinstance(message, HumanMessage):
        return _user
    if isinstance(message, AIMessage):
        return _model
    if isinstance(message, SystemMessage):
        return _developer
    if isinstance(message, ToolMessage):
        return _tool(message.name or names.get(message.tool_call_id, "unknown"))
    if isinstance(message, FunctionMessage):
        return _tool(message.name)
    return _ROLES.get(message.role, _stranger) if isinstance(message, ChatMessage) else _stranger


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
