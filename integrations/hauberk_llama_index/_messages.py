"""Conversations: which texts a message holds, and who wrote them.

Rules:
* Roles say who wrote a message: the developer, the user, the model, or the tool whose result it is.
* The name of a tool comes from its message, or from the call that it answers.
* Results that an agent hands back in user messages are the tool's words, not the user's.
* What a memory puts into the developer's or the user's message is the memory's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ToolCallBlock

from hauberk.structure import MAX_DEPTH
from hauberk_llama_index._blocks import ADDRESSES, CALL_ADDRESSES, Extras, in_block
from hauberk_llama_index._copies import each, same, updated
from hauberk_llama_index._texts import Visit

_ORIGINS: Mapping[MessageRole, str] = {
    MessageRole.SYSTEM: "developer",
    MessageRole.DEVELOPER: "developer",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "model",
    MessageRole.MODEL: "model",
    MessageRole.CHATBOT: "model",
}
_ACTION = re.compile(r"^Action: *([\w-]+)", re.MULTILINE)
"""How a ReAct agent's model names the tool that it wants."""


def in_messages(messages: Sequence[ChatMessage], visit: Visit) -> Sequence[ChatMessage]:
    """Walk a conversation. Results of tools get the name of their tool as origin."""
    tools: dict[str, str] = {}
    new: list[ChatMessage] = []
    for index, message in enumerate(messages):
        tools.update(_called(message))
        origin = _origin(message, tools)
        if index and origin == "user":
            origin = _told(message, messages[index - 1])
        new.append(in_message(message, visit, f"messages[{index}]", origin))
    return messages if same(new, messages) else new


def in_message(message: ChatMessage, visit: Visit, where: str, origin: str) -> ChatMessage:
    """Walk one message: its blocks and its extras."""
    skip = CALL_ADDRESSES if origin.startswith("tool:") else ADDRESSES
    extras = Extras(visit, origin)
    return updated(
        message,
        blocks=each(
            message.blocks,
            lambda at, b: in_block(b, visit, f"{where}.blocks{at}", _remembered(b, origin)),
        ),
        additional_kwargs=extras.walk(message.additional_kwargs, where, skip, MAX_DEPTH),
    )


def _told(message: ChatMessage, before: ChatMessage) -> str:
    """Whose words a user message holds.

    Agents that work in plain text (ReAct, CodeAct) hand results of tools back in user messages,
    with these words in front. A user who writes them is trusted less, not more.
    """
    text = message.content or ""
    if _ORIGINS.get(before.role) != "model":
        return "user"
    if text.startswith("Result of executing the code given:"):
        return "tool:execute"
    if text.startswith("Observation: "):
        action = _ACTION.search(before.content or "")
        return f"tool:{action[1] if action else 'unknown'}"
    return "user"


def _remembered(block: object, origin: str) -> str:
    """Whose words a block holds.

    LlamaIndex's `Memory` puts what its blocks remember between these tags, in a block of its own. An
    application or a user who writes them is trusted less, not more.
    """
    if origin not in ("developer", "user") or not isinstance(block, TextBlock):
        return origin
    text = block.text.strip()
    return "memory:blocks" if text.startswith("<memory>") and text.endswith("</memory>") else origin


def _called(message: ChatMessage) -> Iterator[tuple[str, str]]:
    """The tool calls in a message: id and name."""
    for block in message.blocks:
        if isinstance(block, ToolCallBlock):
            yield block.tool_call_id or "", block.tool_name
    for call in message.additional_kwargs.get("tool_calls") or ():
        function = _get(call, "function")
        name = _get(call, "tool_name") if function is None else _get(function, "name")
        yield str(_get(call, "id") or _get(call, "tool_id")), str(name)


def _get(holder: object, name: str) -> object:
    if isinstance(holder, Mapping):
        return cast("Mapping[str, object]", holder).get(name)
    return getattr(holder, name, None)


def _origin(message: ChatMessage, tools: Mapping[str, str]) -> str:
    known = _ORIGINS.get(message.role)
    if known is not None:
        return known
    extra = message.additional_kwargs
    name = extra.get("name") or tools.get(str(extra.get("tool_call_id")))
    return f"tool:{name or 'unknown'}"
