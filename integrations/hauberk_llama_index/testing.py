"""Model doubles for LlamaIndex: a brain from `hauberk.testing` inside a real `FunctionCallingLLM`.

Rules:
* No network, no tokenizer, no model: the same conversation gives the same answer.
* What reached the model is kept: `seen` as turns, `sent` as the very messages.
* Streams come in pieces of a few characters, so that a placeholder is always cut in two.
* Counts are in `raw["usage"]`, as providers give them.
"""

# pyright: reportUntypedFunctionDecorator=false
# LlamaIndex's callback decorators carry no types.

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.utils import parse_partial_json
from llama_index.core.tools import BaseTool
from pydantic import Field, PrivateAttr
from typing_extensions import override

from hauberk.testing import (
    Brain,
    Reply,
    Role,
    ScriptedBrain,
    ToolCall,
    ToolSpec,
    Turn,
    count_tokens,
)

ToolCallStyle = Literal["json", "dict", "kwargs"]
"""Where providers put the arguments of a tool call: a JSON string or a dict in a `ToolCallBlock`, or
(older ones) a JSON string in `additional_kwargs["tool_calls"]`."""

_ROLES: Mapping[MessageRole, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}


class BrainLLM(FunctionCallingLLM):
    """A LlamaIndex model that answers what its brain answers.

    Example:
        >>> from hauberk.testing import ScriptedBrain
        >>> BrainLLM(brain=ScriptedBrain(["Hello."])).complete("Hi").text
        'Hello.'
    """

    model: str = "gullible"
    max_tokens: int | None = None
    piece: int = Field(default=3, ge=1)
    """Characters in one piece of a stream."""
    style: ToolCallStyle = "json"
    _brain: Brain = PrivateAttr()
    _seen: list[tuple[Turn, ...]] = PrivateAttr(default_factory=list)
    _sent: list[list[ChatMessage]] = PrivateAttr(default_factory=list)

    def __init__(self, *, brain: Brain, **fields: Any) -> None:
        super().__init__(**fields)
        self._brain = brain

    @classmethod
    def class_name(cls) -> str:
        """Name for serialisation."""
        return "hauberk_brain_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """What agents ask of a model before they use it."""
        return LLMMetadata(
            model_name=self.model, is_chat_model=True, is_function_calling_model=True
        )

    @property
    def seen(self) -> list[tuple[Turn, ...]]:
        """Each prompt that reached the model, as turns."""
        return self._seen

    @property
    def sent(self) -> list[list[ChatMessage]]:
        """Each prompt that reached the model, as copies of its messages."""
        return self._sent

    @property
    def seen_text(self) -> str:
        """Every character that ever reached the model, its tool calls and extra fields included."""
        return "\n".join(m.model_dump_json() for messages in self._sent for m in messages)

    # --- the eight methods ------------------------------------------------------------------

    @override
    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer at once."""
        reply = self._reply(messages, kwargs)
        return ChatResponse(message=self._message(reply), raw=_raw(messages, reply))

    @override
    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer at once."""
        reply = self._reply(messages, kwargs)
        return ChatResponse(message=self._message(reply), raw=_raw(messages, reply))

    @override
    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer in pieces."""
        reply = self._reply(messages, kwargs)

        def pieces() -> Generator[ChatResponse, None, None]:
            yield from self._pieces(messages, reply)

        return pieces()

    @override
    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer in pieces."""
        reply = self._reply(messages, kwargs)

        async def pieces() -> AsyncGenerator[ChatResponse, None]:
            for piece in self._pieces(messages, reply):
                yield piece

        return pieces()

    @override
    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Continue a text at once."""
        messages = [ChatMessage(role=MessageRole.USER, content=prompt)]
        reply = self._reply(messages, kwargs)
        return CompletionResponse(text=reply.text, raw=_raw(messages, reply))

    @override
    @llm_completion_callback()
    async def acomplete(
        self,
        prompt: str,
        formatted: bool = False,
        **kwargs: Any,
    ) -> CompletionResponse:
        """Continue a text at once."""
        messages = [ChatMessage(role=MessageRole.USER, content=prompt)]
        reply = self._reply(messages, kwargs)
        return CompletionResponse(text=reply.text, raw=_raw(messages, reply))

    @override
    @llm_completion_callback()
    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,
        **kwargs: Any,
    ) -> CompletionResponseGen:
        """Continue a text in pieces."""
        messages = [ChatMessage(role=MessageRole.USER, content=prompt)]
        reply = self._reply(messages, kwargs)

        def pieces() -> Generator[CompletionResponse, None, None]:
            yield from map(_as_completion, self._pieces(messages, reply))

        return pieces()

    @override
    @llm_completion_callback()
    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,
        **kwargs: Any,
    ) -> CompletionResponseAsyncGen:
        """Continue a text in pieces."""
        messages = [ChatMessage(role=MessageRole.USER, content=prompt)]
        reply = self._reply(messages, kwargs)

        async def pieces() -> AsyncGenerator[CompletionResponse, None]:
            for piece in self._pieces(messages, reply):
                yield _as_completion(piece)

        return pieces()

    # --- tools ------------------------------------------------------------------------------

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *_: Any,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            asked = user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(user_msg)
            messages.append(asked)
        offered = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        return {"messages": messages, "tools": offered}

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tool calls in an answer, wherever its style has put them."""
        found = [
            ToolSelection(tool_id=call.ident, tool_name=call.name, tool_kwargs=dict(call.arguments))
            for call in _calls(response.message)
        ]
        if error_on_no_tool_call and not found:
            raise ValueError("Expected at least one tool call, but got 0 tool calls.")
        return found

    # --- inside -----------------------------------------------------------------------------

    def _reply(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> Reply:
        turns = tuple(_turns(messages))
        self._seen.append(turns)
        self._sent.append([message.model_copy(deep=True) for message in messages])
        return self._brain.reply(turns, [_spec(tool) for tool in kwargs.get("tools") or ()])

    def _message(self, reply: Reply) -> ChatMessage:
        message = ChatMessage(role=MessageRole.ASSISTANT, content=reply.text)
        # An answer of calls alone has no text block, as with real providers.
        if reply.calls and not reply.text:
            message.blocks = []
        for number, call in enumerate(reply.calls):
            self._add_call(message, call, call.ident or f"call-{number}-{call.name}")
        return message

    def _add_call(self, message: ChatMessage, call: ToolCall, ident: str) -> None:
        text = json.dumps(dict(call.arguments), ensure_ascii=False)
        if self.style == "kwargs":
            function = {"name": call.name, "arguments": text}
            wanted = {"id": ident, "type": "function", "function": function}
            message.additional_kwargs.setdefault("tool_calls", []).append(wanted)
        else:
            kwargs = text if self.style == "json" else json.loads(text)
            message.blocks.append(
                ToolCallBlock(tool_call_id=ident, tool_name=call.name, tool_kwargs=kwargs)
            )

    def _pieces(self, messages: Sequence[ChatMessage], reply: Reply) -> Iterator[ChatResponse]:
        for end in range(self.piece, len(reply.text) + self.piece, self.piece):
            message = ChatMessage(role=MessageRole.ASSISTANT, content=reply.text[:end])
            yield ChatResponse(message=message, delta=reply.text[end - self.piece : end])
        yield ChatResponse(message=self._message(reply), delta="", raw=_raw(messages, reply))


class ScriptedLLM(BrainLLM):
    """A model that answers from a list, `hauberk.testing.ScriptedBrain` inside.

    Example:
        >>> ScriptedLLM(replies=["One.", "Two."]).complete("Count").text
        'One.'
    """

    def __init__(self, *, replies: Sequence[Reply | str], **fields: Any) -> None:
        super().__init__(brain=ScriptedBrain(replies), **fields)


class GullibleLLM(BrainLLM):
    """A model that does what the last instruction in its context tells it to do, whoever wrote it.

    It makes attacks visible without an API key.
    """

    def __init__(self, **fields: Any) -> None:
        from hauberk.testing import GullibleBrain  # noqa: PLC0415 - only who uses it pays for it

        super().__init__(brain=GullibleBrain(), **fields)


class HashEmbedding(BaseEmbedding):
    """Embeds a text as its hashed bag of words: deterministic, no model, no network.

    Good enough to find the document that shares words with the question.
    """

    size: int = Field(default=256, ge=1)

    @classmethod
    def class_name(cls) -> str:
        """Name for serialisation."""
        return "hauberk_hash_embedding"

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [0.0] * self.size
        for word in re.findall(r"\w+", text.lower()):
            digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=4).digest()
            vector[int.from_bytes(digest) % self.size] += 1.0
        length = math.sqrt(sum(x * x for x in vector)) or 1.0
        return [x / length for x in vector]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


# --- between the brain's words and LlamaIndex's -----------------------------------------------


def _turns(messages: Sequence[ChatMessage]) -> Iterator[Turn]:
    names: dict[str, str] = {}
    for message in messages:
        role = _ROLES[message.role]
        calls = tuple(_calls(message)) if role == "assistant" else ()
        names |= {call.ident: call.name for call in calls}
        extra = message.additional_kwargs
        tool = extra.get("name") or names.get(str(extra.get("tool_call_id")))
        yield Turn(
            role=role,
            text=message.content or "",
            tool=tool if role == "tool" else None,
            calls=calls,
        )


def _calls(message: ChatMessage) -> Iterator[ToolCall]:
    for block in message.blocks:
        if isinstance(block, ToolCallBlock):
            yield ToolCall(
                name=block.tool_name,
                arguments=_arguments(block.tool_kwargs),
                ident=block.tool_call_id or "",
            )
    for wanted in message.additional_kwargs.get("tool_calls") or ():
        function = wanted["function"]
        yield ToolCall(
            name=function["name"],
            arguments=_arguments(function["arguments"]),
            ident=wanted.get("id", ""),
        )


def _arguments(value: dict[str, Any] | str) -> dict[str, Any]:
    if not isinstance(value, str):
        return value
    try:
        return dict(parse_partial_json(value))
    except (ValueError, TypeError):
        return {}


def _spec(tool: Mapping[str, Any]) -> ToolSpec:
    function = tool["function"]
    return ToolSpec(
        name=function["name"],
        description=function.get("description", ""),
        parameters=function.get("parameters", {}),
    )


def _raw(messages: Sequence[ChatMessage], reply: Reply) -> dict[str, object]:
    spent = sum(count_tokens(message.content or "") for message in messages)
    calls = "".join(json.dumps(dict(call.arguments)) for call in reply.calls)
    made = count_tokens(reply.text) + count_tokens(calls)
    usage = {"prompt_tokens": spent, "completion_tokens": made, "total_tokens": spent + made}
    return {"usage": usage}


def _as_completion(piece: ChatResponse) -> CompletionResponse:
    return CompletionResponse(text=piece.message.content or "", delta=piece.delta, raw=piece.raw)
