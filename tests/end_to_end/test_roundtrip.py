"""The whole guard on any conversation: the model sees no value, the reader gets every one back.

The model double echoes every text that it saw, and puts all of them into a tool call, too. All
values are invented.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock

import hauberk_langchain
import hauberk_llama_index
from hauberk import Guard
from hauberk.testing import Reply, ToolCall, ToolSpec, Turn
from hauberk_langchain.testing import BrainChatModel
from hauberk_llama_index.testing import BrainLLM

pytestmark = pytest.mark.timeout(240)

EXAMPLES = 60

VALUES = (
    "ada@example.com",
    "ADA@example.com",
    "bob.o'neil+x@mail.example.org",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "5500005555555559",
    "DE89370400440532013000",
)
WORDS = (
    *(
        "the",
        "order",
        "of",
        "Tuesday",
        "is late",
        "card",
        "mail",
        "12.30",
        "Zoë",
        "漢字",
        "😀",
        "\x00",
    ),
    *("<EMAIL_ADDRESS_1>", "EMAIL_ADDRESS_1", "<CREDIT_CARD_2>", "&lt;PERSON_1&gt;", "<LITERAL_1>"),
    *(
        "\\u003cEMAIL_ADDRESS_1\\u003e",
        "<email address 1>",
        "<",
        ">",
        "<E",
        "<EMAIL_",
        "_1>",
        "&lt;",
    ),
    *('"', "\\", "{", "}", "\\n", "PERSON\\_1", "EMAIL_ADDRESS_12", "xEMAIL_ADDRESS_1", "\ud800"),
)
GAPS = (" ", "\n", ", ", " (", "; ")

_prose = st.lists(
    st.tuples(st.sampled_from(WORDS) | st.sampled_from(VALUES), st.sampled_from(GAPS)),
    min_size=1,
    max_size=12,
).map(lambda parts: "".join(word + gap for word, gap in parts))
_flat = st.sampled_from(WORDS) | st.sampled_from(VALUES) | st.integers(0, 99) | st.none()
_data = st.recursive(
    _flat,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
_texts = _prose | st.builds(json.dumps, _data, ensure_ascii=st.booleans())
_turns = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "tool"]), _texts), min_size=1, max_size=5
)
SEPARATOR = "\n|\n"


class Echo:
    """Says all that it saw, and calls `work` with it."""

    def __init__(self) -> None:
        self.saw: list[str] = []

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        texts = [turn.text for turn in turns]
        inside = [dict(call.arguments) for turn in turns for call in turn.calls]
        self.saw += [*texts, repr(inside)]
        call = ToolCall(name="work", arguments={"texts": texts, "n": 1})
        return Reply(text=SEPARATOR.join(texts), calls=(call,))


Answer = tuple[str, Any]
"""What the reader gets: the text, and the arguments of the tool call."""


def _lc_messages(turns: list[tuple[str, str]]) -> list[Any]:
    made: list[Any] = []
    for number, (role, text) in enumerate(turns):
        if role == "user":
            made.append(HumanMessage(text))
        elif role == "assistant":
            made.append(AIMessage(text))
        else:
            call = {"name": "read", "args": {"of": [text]}, "id": str(number), "type": "tool_call"}
            made.append(AIMessage("", tool_calls=[call]))
            made.append(ToolMessage(text, tool_call_id=str(number), name="read"))
    return made


class LangChain:
    """A chat model behind `protect`."""

    def __init__(self, guard: Guard, echo: Echo) -> None:
        self.model = hauberk_langchain.protect(BrainChatModel(brain=echo), guard)

    def messages(self, turns: list[tuple[str, str]]) -> list[Any]:
        return _lc_messages(turns)

    def whole(self, messages: list[Any]) -> Answer:
        answer: Any = self.model.invoke(messages)
        return answer.content, answer.tool_calls[0]["args"]

    def awhole(self, messages: list[Any]) -> Answer:
        answer: Any = asyncio.run(self.model.ainvoke(messages))
        return answer.content, answer.tool_calls[0]["args"]

    def streamed(self, messages: list[Any], size: int) -> Answer:
        self.model.chunk_size = size
        total: Any = None
        for chunk in self.model.stream(messages):
            assert isinstance(chunk, AIMessageChunk)
            total = chunk if total is None else total + chunk
        return total.content, total.tool_calls[0]["args"]


def _li_messages(turns: list[tuple[str, str]]) -> list[Any]:
    made: list[Any] = []
    for number, (role, text) in enumerate(turns):
        if role == "tool":
            block = ToolCallBlock(
                tool_call_id=str(number), tool_name="read", tool_kwargs={"of": [text]}
            )
            made.append(ChatMessage(role=MessageRole.ASSISTANT, blocks=[block]))
            extra = {"tool_call_id": str(number), "name": "read"}
            made.append(ChatMessage(text, role=MessageRole.TOOL, additional_kwargs=extra))
        else:
            made.append(ChatMessage(text, role=MessageRole(role)))
    return made


def _li_answer(response: Any, text: str) -> Answer:
    (call,) = [b for b in response.message.blocks if isinstance(b, ToolCallBlock)]
    arguments = call.tool_kwargs
    return text, json.loads(arguments) if isinstance(arguments, str) else arguments


class LlamaIndex:
    """A model behind `protect`."""

    def __init__(self, guard: Guard, echo: Echo) -> None:
        self.llm = hauberk_llama_index.protect(BrainLLM(brain=echo), guard)

    def messages(self, turns: list[tuple[str, str]]) -> list[Any]:
        return _li_messages(turns)

    def whole(self, messages: list[Any]) -> Answer:
        answer = self.llm.chat(messages)
        return _li_answer(answer, answer.message.content or "")

    def awhole(self, messages: list[Any]) -> Answer:
        answer = asyncio.run(self.llm.achat(messages))
        return _li_answer(answer, answer.message.content or "")

    def streamed(self, messages: list[Any], size: int) -> Answer:
        self.llm.piece = size
        pieces = list(self.llm.stream_chat(messages))
        text = "".join(piece.delta or "" for piece in pieces)
        assert text == (pieces[-1].message.content or "")
        return _li_answer(pieces[-1], text)


@pytest.mark.parametrize("framework", [LangChain, LlamaIndex])
def test_any_conversation_goes_round(make: Any, framework: Callable[..., Any]) -> None:
    world = make("langchain protect invoke")
    guard: Guard = world.guard

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(turns=_turns, size=st.integers(1, 40))
    def holds(turns: list[tuple[str, str]], size: int) -> None:
        echo = Echo()
        door = framework(guard, echo)
        messages = door.messages(turns)
        before = deepcopy(messages)
        with guard.session():
            answer = door.whole(messages)
            assert door.awhole(messages) == answer
            assert door.streamed(messages, size) == answer
        texts = _said(turns)
        assert answer[0] == SEPARATOR.join(texts)
        assert answer[1] == {"texts": texts, "n": 1}
        assert messages == before
        assert not [value for value in VALUES for saw in echo.saw if value in saw]

    holds()
    assert not world.denied()
    assert not world.leaked(*VALUES)


def _said(turns: list[tuple[str, str]]) -> list[str]:
    """Texts of the messages: a tool's result comes after the empty text of its call."""
    return [t for role, text in turns for t in (("", text) if role == "tool" else (text,))]


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_any_argument_reaches_its_tool_and_any_result_the_reader(make: Any, framework: str) -> None:
    """A session: what the model read under pseudonyms, tools get in clear, at any depth."""
    world = make(f"{framework} protect " + ("invoke" if framework == "langchain" else "streaming"))

    @settings(
        max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(asked=_prose, told=_prose)
    # Restored with the answer, and again at the tool, these became the address.
    @example(asked="<EMAIL_ADDRESS_1> ada@example.com ", told="x")
    @example(asked="ada@example.com EMAIL_ADDRESS_1@example.org ", told="x")
    def holds(asked: str, told: str) -> None:
        got: list[object] = []

        def work(texts: list[str], n: int) -> str:
            """Work."""
            got.append(texts)
            return told

        class Once(Echo):
            def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
                reply = super().reply(turns, tools)
                return Reply(text=turns[-1].text) if turns[-1].role == "tool" else reply

        echo = Once()
        outcome = world.run(asked, tool=work, brain=echo)
        assert got == [[asked]]
        assert outcome.answer == told
        assert outcome.results == [told]
        assert not [value for value in VALUES if value in outcome.seen]

    holds()
    assert not world.denied()
    assert not world.leaked(*VALUES)


def test_the_doubles_would_show_a_leak(make: Any) -> None:
    """Without a guard the model sees the value: the tests above can fail."""
    outcome = make("langchain protect invoke").run(VALUES[0], bare=True)
    assert VALUES[0] in outcome.seen
