"""What the matrix plays with in LangChain: a conversation, models and tools.

People, orders, brains and guards are those of `hauberk.testing.matrix`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import LLM
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatResult, GenerationChunk
from langchain_core.tools import BaseTool, tool

from hauberk.testing.matrix import ADA, ASKED, FRESH, ORDER, PEOPLE, Trace
from hauberk_langchain.testing import BrainChatModel


def conversation(asked: str = f"Write to {ADA} please.", *, poison: str = "") -> list[BaseMessage]:
    """A conversation with an address in every place; the last message is what the user asks now."""
    arguments: dict[str, Any] = {
        "to": "x",
        "details": {"cc": [PEOPLE["PII in tool-call arguments of earlier turns"]]},
    }
    block: dict[str, Any] = {
        "type": "text",
        "text": f"My assistant is {PEOPLE['PII in multimodal text block']}.",
    }
    return [
        SystemMessage(f"You work for {PEOPLE['PII in system prompt']}."),
        HumanMessage(
            [block, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
            name=PEOPLE["PII in metadata that the prompt shows"],
        ),
        AIMessage(
            f"I shall tell {PEOPLE['PII in history']}.",
            tool_calls=[{"name": "send", "args": arguments, "id": "old"}],
        ),
        ToolMessage(
            f"{poison}A copy went to {PEOPLE['PII in tool result']}.",
            tool_call_id="old",
            name="send",
        ),
        HumanMessage(asked),
    ]


class Model(BrainChatModel):
    """The chat model of the matrix. `waits` makes its async calls wait for ever."""

    trace: Any
    waits: bool = False

    def _answer(self, messages: list[BaseMessage], tools: Any = None) -> AIMessage:
        self.trace.prompts.append("\n".join(str(message.model_dump()) for message in messages))
        return super()._answer(messages, tools)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        done = await super()._agenerate(*args, **kwargs)
        if self.waits:
            await asyncio.Event().wait()
        return done


class TextModel(LLM):
    """A string model: repeats the name that it is asked to write to."""

    trace: Any
    model_name: str = "gullible"

    @property
    def _llm_type(self) -> str:
        return "hauberk-text"

    def _call(self, prompt: str, *_: Any, **__: Any) -> str:
        self.trace.prompts.append(prompt)
        found = ASKED.search(prompt)
        return f"I wrote to {found[1] if found else 'nobody'} today."

    def _stream(self, prompt: str, *_: Any, **__: Any) -> Iterator[GenerationChunk]:
        text = self._call(prompt)
        for start in range(0, len(text), 5):
            yield GenerationChunk(text=text[start : start + 5])


class Vectors(Embeddings):
    """An embedding model that keeps what it was sent."""

    def __init__(self, trace: Trace) -> None:
        self.model_name = "gullible"
        self.trace = trace

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector each, all the same: every document is found."""
        self.trace.prompts.append("\n".join(texts))
        return [[1.0, 0.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        """The same vector."""
        return self.embed_documents([text])[0]


def tools_of(trace: Trace) -> list[BaseTool]:
    """The tools of an agent; `remove`, `export` and everything unknown is denied by the policy."""

    @tool
    def send(to: str, details: dict[str, Any]) -> str:
        """Send a mail."""
        trace.ran.append(("send", {"to": to, "details": details}))
        _write({"sent to": to})
        return f"Sent. A copy went to {FRESH}."

    @tool
    def read_mail() -> str:
        """Read the mail."""
        trace.ran.append(("read_mail", {}))
        return f"Dear Sir. {ORDER}"

    @tool
    def remove(path: str) -> str:
        """Remove a file."""
        trace.ran.append(("remove", {"path": path}))
        return "removed"

    @tool
    def export(what: str) -> str:
        """Give everything away. Not offered to the model."""
        trace.ran.append(("export", {"what": what}))
        return "exported"

    @tool
    def post(text: str) -> str:
        """Publish a text."""
        trace.ran.append(("post", {"text": text}))
        return "posted"

    return [send, read_mail, remove, export, post]


OFFERED = frozenset({"send", "read_mail", "remove", "post"})
"""The tools that a model is offered; it calls the hidden one all the same."""


def _write(value: object) -> None:
    """To the custom stream, where a graph runs."""
    try:
        from langgraph.config import get_stream_writer  # noqa: PLC0415 - only with a graph

        get_stream_writer()(value)
    except (ImportError, RuntimeError, KeyError):
        return
