"""Chat models for tests, demos and docs: a brain of `hauberk.testing` in LangChain's clothes.

Rules:
* No network, deterministic: the same messages and tools give the same answer in every mode.
* `seen` keeps what reached the model, message by message: what a provider would have got.
* Streams arrive in small pieces, tool calls included, so that hold-back is really needed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field

from hauberk.testing._brain import (
    Brain,
    Reply,
    Role,
    ScriptedBrain,
    ToolCall,
    ToolSpec,
    Turn,
    count_tokens,
)

_ROLES: Mapping[type[BaseMessage], Role] = {
    SystemMessage: "system",
    HumanMessage: "user",
    AIMessage: "assistant",
    ToolMessage: "tool",
}


class BrainChatModel(BaseChatModel):
    """A chat model that answers what its brain says.

    Example:
        >>> from hauberk.testing._brain import ScriptedBrain
        >>> model = BrainChatModel(brain=ScriptedBrain(["Hello."]))
        >>> model.invoke("hi").content
        'Hello.'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    brain: Any
    """A `hauberk.testing` Brain."""
    model_name: str = "gullible"
    """What it calls itself; prices hang on it."""
    chunk_size: int = Field(default=5, ge=1)
    """Characters per piece of a stream."""
    seen: list[list[BaseMessage]] = Field(default_factory=list[list[BaseMessage]], exclude=True)
    """What reached the model, one list of messages per call."""

    @property
    def seen_text(self) -> str:
        """Everything that reached the model, as one text: for `in` and `not in`."""
        return "\n".join(_turn_text(_turn(m)) for call in self.seen for m in call)

    @property
    def _llm_type(self) -> str:
        return "hauberk-brain"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,  # noqa: ARG002 - a brain chooses for itself
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the brain."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _answer(self, messages: list[BaseMessage], tools: Any = None) -> AIMessage:
        self.seen.append([message.model_copy(deep=True) for message in messages])
        turns = [_turn(message) for message in messages]
        brain: Brain = self.brain
        reply = brain.reply(turns, [_spec(tool) for tool in tools or ()])
        return _message(reply, turns)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - the interface
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - the interface
        **kwargs: Any,
    ) -> ChatResult:
        message = self._answer(messages, kwargs.get("tools"))
        message.response_metadata = {"model_name": self.model_name}
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - the interface
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, None, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - the interface
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, kwargs.get("tools")):
            if run_manager is not None:  # as providers' own models do
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - the interface
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, kwargs.get("tools")):
            if run_manager is not None:  # as providers' own models do
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _chunks(self, messages: list[BaseMessage], tools: Any) -> Iterator[ChatGenerationChunk]:
        message = self._answer(messages, tools)
        for piece in _pieces(str(message.content), self.chunk_size):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        for index, call in enumerate(message.tool_calls):
            arguments = json.dumps(call["args"], ensure_ascii=False)
            for number, piece in enumerate(_pieces(arguments, self.chunk_size)):
                yield _call_chunk(piece, index, call if number == 0 else None)
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=message.usage_metadata,
                response_metadata={"model_name": self.model_name},
            )
        )


class ScriptedChatModel(BrainChatModel):
    """A chat model with fixed replies: the n-th to a conversation with n answers so far.

    Example:
        >>> ScriptedChatModel(replies=["one"]).invoke("hi").content
        'one'
    """

    def __init__(self, replies: Sequence[Reply | str] = ("ok",), **kwargs: Any) -> None:
        kwargs.setdefault("brain", ScriptedBrain(replies))
        super().__init__(**kwargs)


class GullibleChatModel(BrainChatModel):
    """A chat model that does what the last instruction-like text says, whoever wrote it."""

    def __init__(self, **kwargs: Any) -> None:
        if "brain" not in kwargs:
            from hauberk.testing import GullibleBrain  # noqa: PLC0415 - only where it is used

            kwargs["brain"] = GullibleBrain()
        super().__init__(**kwargs)


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _call_chunk(piece: str, index: int, call: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content="",
            tool_call_chunks=[
                {
                    "name": call["name"] if call else None,
                    "args": piece,
                    "id": call["id"] if call else None,
                    "index": index,
                    "type": "tool_call_chunk",
                }
            ],
        )
    )


def _role(message: BaseMessage) -> Role:
    for kind, role in _ROLES.items():
        if isinstance(message, kind):
            return role
    return "user"


def _turn(message: BaseMessage) -> Turn:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return Turn(
        role=_role(message),
        text=str(message.text),
        tool=message.name if isinstance(message, ToolMessage) else None,
        calls=tuple(
            ToolCall(name=c["name"], arguments=c["args"], ident=c["id"] or "") for c in calls
        ),
    )


def _spec(tool: dict[str, Any]) -> ToolSpec:
    function = tool.get("function", tool)
    return ToolSpec(
        name=function["name"],
        description=function.get("description", ""),
        parameters=function.get("parameters", {}),
    )


def _message(reply: Reply, turns: Sequence[Turn]) -> AIMessage:
    calls = [
        {
            "name": call.name,
            "args": dict(call.arguments),
            "id": call.ident or f"call_{len(turns)}_{number}",
            "type": "tool_call",
        }
        for number, call in enumerate(reply.calls)
    ]
    spent_in = sum(count_tokens(_turn_text(turn)) for turn in turns)
    spent_out = count_tokens(reply.text) + sum(count_tokens(json.dumps(c["args"])) for c in calls)
    return AIMessage(
        content=reply.text,
        tool_calls=calls,
        usage_metadata=UsageMetadata(
            input_tokens=spent_in, output_tokens=spent_out, total_tokens=spent_in + spent_out
        ),
    )


def _turn_text(turn: Turn) -> str:
    return turn.text + "".join(
        f"\n{call.name} {json.dumps(dict(call.arguments), ensure_ascii=False)}"
        for call in turn.calls
    )
