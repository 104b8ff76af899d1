"""What the matrix plays with in LlamaIndex: a conversation, models, tools and documents.

People, orders, brains and guards are those of `hauberk.testing.matrix`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import FunctionTool
from typing_extensions import override

from hauberk.testing import Brain, Reply, ToolCall, ToolSpec, Turn
from hauberk.testing.matrix import ADA, ATTEMPTS, FRESH, ORDER, PEOPLE, Trace
from hauberk_llama_index.testing import BrainLLM, HashEmbedding

RULES: Mapping[str, Any] = {
    "execute": {"access": "write"},
    "file": {"access": "write"},
    "handoff": {"access": "read"},
    "note": {"access": "write"},
    "pay": {"access": "write", "approval": True},
    "documents": {"access": "read"},
}
"""Rules for tools, beside those of every matrix."""

LI_ATTEMPTS = (
    *ATTEMPTS,
    ToolCall(name="file", arguments={"tenant": "evil", "text": "x"}),
    ToolCall(name="note", arguments={"number": "many"}),
)
"""LlamaIndex checks no arguments, and lets a model override `partial_params`."""


_PICTURE = b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""One pixel. LlamaIndex's memories open pictures to count their tokens."""


def conversation(
    asked: str = f"Write to {ADA} please.", *, poison: str = ""
) -> tuple[ChatMessage, ...]:
    """A conversation with an address in every place; the last message is what the user asks now."""
    arguments: dict[str, Any] = {
        "to": "x",
        "details": {"cc": [PEOPLE["PII in tool-call arguments of earlier turns"]]},
    }
    block = TextBlock(text=f"My assistant is {PEOPLE['PII in multimodal text block']}.")
    words = TextBlock(text=f"I shall tell {PEOPLE['PII in history']}.")
    call = ToolCallBlock(tool_call_id="old", tool_name="send", tool_kwargs=arguments)
    return (
        ChatMessage(role="system", content=f"You work for {PEOPLE['PII in system prompt']}."),
        ChatMessage(
            role="user",
            blocks=[block, ImageBlock(image=_PICTURE)],
            additional_kwargs={"name": PEOPLE["PII in metadata that the prompt shows"]},
        ),
        ChatMessage(role="assistant", blocks=[words, call]),
        ChatMessage(
            role="tool",
            content=f"{poison}A copy went to {PEOPLE['PII in tool result']}.",
            additional_kwargs={"tool_call_id": "old", "name": "send"},
        ),
        ChatMessage(role="user", content=asked),
    )


class Model(BrainLLM):
    """The model of the matrix. `waits` makes its async calls wait for ever."""

    trace: Any
    waits: bool = False

    def _reply(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> Reply:
        self.trace.prompts.append("\n".join(m.model_dump_json() for m in messages))
        return super()._reply(messages, kwargs)

    @override
    async def achat(self, *args: Any, **kwargs: Any) -> ChatResponse:
        done: ChatResponse = await super().achat(*args, **kwargs)
        await self._wait()
        return done

    @override
    async def acomplete(self, *args: Any, **kwargs: Any) -> CompletionResponse:
        done: CompletionResponse = await super().acomplete(*args, **kwargs)
        await self._wait()
        return done

    async def _wait(self) -> None:
        if self.waits:
            await asyncio.Event().wait()


class Vectors(HashEmbedding):
    """An embedding model that keeps what it was sent."""

    trace: Any

    @override
    def _get_text_embedding(self, text: str) -> list[float]:
        self.trace.prompts.append(text)
        return super()._get_text_embedding(text)


class Shelf(BaseRetriever):
    """Gives the same nodes for every question."""

    def __init__(self, **options: Any) -> None:
        self._nodes = [NodeWithScore(node=node, score=1.0) for node in documents()]
        super().__init__(**options)

    @override
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._nodes


def documents() -> list[TextNode]:
    """Good ones, with personal data; and orders in the text and in the metadata."""
    author = {"author": PEOPLE["PII in metadata that the prompt shows"]}
    return [
        TextNode(text=f"Ask {PEOPLE['PII in history']}.", id_="good", metadata=author),
        TextNode(text=ORDER, id_="bad"),
        TextNode(text="Shipping takes two days.", id_="sly", metadata={"title": ORDER}),
    ]


# --- tools ----------------------------------------------------------------------------------------


def functions_of(trace: Trace) -> list[Callable[..., str]]:
    """What the tools do; the policy knows neither `remove` nor `export`."""

    def send(to: str, details: dict[str, Any]) -> str:
        """Send a mail."""
        trace.ran.append(("send", {"to": to, "details": details}))
        return f"Sent. A copy went to {FRESH}."

    def read_mail() -> str:
        """Read the mail."""
        trace.ran.append(("read_mail", {}))
        return f"Dear Sir. {ORDER}"

    def note(number: int) -> str:
        """Note a number."""
        trace.ran.append(("note", {"number": number}))
        return "noted"

    return [send, read_mail, note, *(_harmful(trace, name) for name in _HARMFUL)]


_HARMFUL = {"remove": "path", "export": "what", "post": "text", "pay": "amount"}


def _harmful(trace: Trace, name: str) -> Callable[..., str]:
    def act(**arguments: str) -> str:
        trace.ran.append((name, dict(arguments)))
        return "done"

    space: dict[str, Any] = {"act": act}
    field = _HARMFUL[name]
    # A function of its own signature: tools are made of signatures.
    exec(f"def {name}({field}: str) -> str:\n    return act({field}={field})", space)  # noqa: S102 - the words above
    made: Callable[..., str] = space[name]
    made.__doc__ = f"{name.capitalize()} it."
    return made


def tools_of(trace: Trace) -> list[FunctionTool]:
    """The tools of an agent."""

    def file(tenant: str, text: str) -> str:
        """File a text."""
        trace.ran.append(("file", {"tenant": tenant, "text": text}))
        return "filed"

    partial = FunctionTool.from_defaults(file, partial_params={"tenant": "acme"})
    return [*map(FunctionTool.from_defaults, functions_of(trace)), partial]


# --- brains ---------------------------------------------------------------------------------------


class Once:
    """A brain that makes one call, and then says so."""

    def __init__(self, call: ToolCall) -> None:
        self._call = call

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:  # noqa: ARG002 - the Protocol's
        """First the call, then an answer."""
        if turns[-1].role == "tool":
            return Reply(text="Done.")
        return Reply(calls=(self._call,))


class HandsOver:
    """Hands the work to the agent `worker`, where it can; what it then sees is the work alone."""

    def __init__(self, inner: Brain) -> None:
        self._inner = inner

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        """Hand over, then do the work."""
        own = [turn for turn in turns if not _is_handoff(turn)]
        if len(own) == len(turns) and any(spec.name == "handoff" for spec in tools):
            arguments = {"to_agent": "worker", "reason": "it is its work"}
            return Reply(calls=(ToolCall(name="handoff", arguments=arguments),))
        return self._inner.reply(own, [spec for spec in tools if spec.name != "handoff"])


def _is_handoff(turn: Turn) -> bool:
    return turn.tool == "handoff" or any(call.name == "handoff" for call in turn.calls)


class Silent:
    """Fills shapes in without a word, as models do that must call a tool."""

    def __init__(self, inner: Brain) -> None:
        self._inner = inner

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        """The inner brain's calls."""
        return replace(self._inner.reply(turns, tools), text="")


class Spoken:
    """Says its calls in words, one at a time, as ReAct and CodeAct agents want them."""

    def __init__(self, inner: Brain, *, code: bool) -> None:
        self._inner = inner
        self._code = code

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        """What the inner brain would do next, given the results so far."""
        results = [n for n, turn in enumerate(turns) if _RESULT.match(turn.text)]
        ours = [n for n in results if turns[n].role in ("user", "tool")]
        last = max(
            (n for n, t in enumerate(turns) if t.role == "user" and n not in ours), default=0
        )
        waiting = [turns[n] for n in ours if n > last]
        known = [*turns[: last + 1]]
        while True:
            reply = self._inner.reply(known, tools)
            if not reply.calls:
                return self._answer(reply.text)
            known.append(Turn(role="assistant", text=reply.text, calls=reply.calls))
            for call in reply.calls:
                if not waiting:
                    return self._wish(reply.text, call)
                known.append(replace(waiting.pop(0), role="tool", tool=call.name))

    def _wish(self, text: str, call: ToolCall) -> Reply:
        arguments = json.dumps(dict(call.arguments))
        if self._code:
            return Reply(text=f"{text}\n<execute>\n{call.name}(**{arguments})\n</execute>")
        return Reply(
            text=f"Thought: {text or 'I go on.'}\nAction: {call.name}\nAction Input: {arguments}"
        )

    def _answer(self, text: str) -> Reply:
        return Reply(text=text if self._code else f"Thought: I can answer.\nAnswer: {text}")


_RESULT = re.compile(r"Observation:|Result of executing the code")
_CALL = re.compile(r"(\w+)\(\*\*(\{.*\})\)")


def interpreter(functions: Sequence[Callable[..., str]]) -> Callable[[str], str]:
    """What runs the code of a CodeAct agent: calls of these functions, and nothing else."""
    known = {function.__name__: function for function in functions}

    def execute(code: str) -> str:
        """Run code."""
        found = _CALL.search(code)
        if found is None or found[1] not in known:
            return "NameError"
        return known[found[1]](**json.loads(found[2]))

    return execute
