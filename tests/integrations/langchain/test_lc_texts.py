"""Translation: what is read, what is written, and what is left alone."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool

from hauberk import Event, Guard, Policy, Stage, Trust
from hauberk_langchain import HauberkCallbackHandler, _seam
from hauberk_langchain._chunks import ChatChunkFilter
from hauberk_langchain._messages import read_messages, write_messages

TEXT = "secret"


def read(*messages: Any) -> list[tuple[str, str, str]]:
    return [(s.origin, s.where, s.text) for s in read_messages(list(messages))]


def test_origins_follow_who_wrote_the_text() -> None:
    wish = AIMessage("c", tool_calls=[{"name": "mail", "args": {"to": "d"}, "id": "1"}])
    found = read(
        SystemMessage("a"),
        HumanMessage("b"),
        wish,
        ToolMessage("e", tool_call_id="1"),
        ToolMessage("f", tool_call_id="9"),
        FunctionMessage(content="g", name="old"),
        ChatMessage(content="h", role="system"),
        ChatMessage(content="i", role="critic"),
    )
    assert [(origin, text) for origin, _, text in found] == [
        ("developer", "a"),
        ("user", "b"),
        ("model", "c"),
        ("model", "d"),
        ("tool:mail", "e"),
        ("tool:unknown", "f"),
        ("tool:old", "g"),
        ("developer", "h"),
        ("user", "i"),
    ]
    assert found[3][1] == "messages[2].tool_calls[0].args.to"
    assert read_messages([ChatMessage(content="i", role="critic")])[0].trust is Trust.UNTRUSTED


BLOCKS: list[tuple[Any, list[str]]] = [
    ({"type": "text", "text": TEXT, "id": "x"}, [TEXT]),
    ({"type": "text-plain", "text": TEXT, "mime_type": "text/plain", "base64": "AA"}, [TEXT]),
    ({"type": "image_url", "image_url": {"url": "https://x/secret"}}, []),
    ({"type": "image", "base64": "secret", "mime_type": "image/png"}, []),
    ({"type": "audio", "data": "secret", "source_type": "base64"}, []),
    ({"type": "file", "data": "secret", "source_type": "text"}, [TEXT]),
    ({"type": "document", "source": {"type": "text", "data": TEXT}, "title": TEXT}, [TEXT] * 2),
    ({"type": "tool_use", "id": "1", "name": "n", "input": {"id": TEXT}}, [TEXT]),
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": TEXT}]}, [TEXT]),
    ({"type": "thinking", "thinking": TEXT, "signature": "secret"}, [TEXT]),
    ({"type": "tool_result", "tool_use_id": "1", "content": [{"text": TEXT}]}, [TEXT]),
    ({"type": "never_heard_of", "deep": {"words": [TEXT]}}, [TEXT]),
    (TEXT, [TEXT]),
]


@pytest.mark.parametrize(("block", "texts"), BLOCKS)
def test_blocks_are_read_where_they_have_words_and_left_alone_elsewhere(
    block: Any, texts: list[str]
) -> None:
    message = HumanMessage([block])
    before = copy.deepcopy(message)
    segments = read_messages([message])
    assert [s.text for s in segments] == texts
    (new,) = write_messages([message], [s.with_text("<X>") for s in segments])
    assert message == before
    assert str(new.content).count("<X>") == len(texts)
    assert (new is message) == (not texts)


def test_arguments_in_a_json_string_are_opened_and_escaped_again() -> None:
    arguments = json.dumps({"to": TEXT, "n": 1})
    kwargs: Any = {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": arguments}}]}
    message = AIMessage("", additional_kwargs=kwargs)
    segments = read_messages([message])
    # LangChain reads the tool call out of the extra field: it is there twice.
    assert [s.text for s in segments] == ["", TEXT, TEXT]
    (new,) = write_messages([message], [s.with_text('a "quote"') for s in segments])
    written = new.additional_kwargs["tool_calls"][0]["function"]["arguments"]
    assert json.loads(written) == {"to": 'a "quote"', "n": 1}
    assert kwargs["tool_calls"][0]["function"]["arguments"] == arguments


def test_broken_tool_calls_are_read_too() -> None:
    broken: Any = {"name": "f", "args": '{"to": secret', "id": "1", "error": None}
    message = AIMessage("", invalid_tool_calls=[broken])
    assert [text for _, _, text in read(message)] == ["", '{"to": secret']


# --- streams ----------------------------------------------------------------------------------


def _cut(text: str, sizes: list[int]) -> list[str]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    return [*pieces, text[start:]]


WORDS = st.lists(st.sampled_from(["<MAIL_1>", "<MAIL", "a ", "é😀", "<", '"', "\\"]), max_size=8)
SIZES = st.lists(st.integers(1, 5), max_size=12)


@settings(deadline=None)
@given(words=WORDS, sizes=SIZES, position=st.sampled_from(["content", "block", "calls"]))
def test_a_stream_cut_anywhere_merges_into_the_restored_message(
    kit: Any, words: list[str], sizes: list[int], position: str
) -> None:
    guard = Guard(Policy.unsafe_allow_all(), plugins=[kit.Names()])
    prompt = guard.require(
        Event(stage=Stage.PROMPT, segments=read_messages([HumanMessage("x@example.com")]))
    )
    stream = guard.open_stream(prompt)
    shown = ChatChunkFilter(stream)
    text = "".join(words)
    raw = json.dumps({"to": text}) if position == "calls" else text
    found = [shown.feed(_chunk(piece, position)) for piece in _cut(raw, sizes)]
    parts = [part for part in [*found, shown.tail(stream.finish())] if part is not None]
    whole: Any = functools.reduce(lambda a, b: a + b, parts).message
    expected = text.replace("<MAIL_1>", "x@example.com")
    if position == "calls":
        assert [call["args"] for call in whole.tool_calls] == [{"to": expected}]
        assert whole.tool_calls[0]["name"] == "send"
    else:
        assert str(whole.text) == expected


def _chunk(piece: str, position: str) -> ChatGenerationChunk:
    if position == "content":
        return ChatGenerationChunk(message=AIMessageChunk(content=piece))
    if position == "block":
        block: Any = {"type": "text", "text": piece, "index": 0}
        return ChatGenerationChunk(message=AIMessageChunk(content=[block]))
    first = piece.startswith("{")
    call: Any = {
        "name": "send" if first else None,
        "id": "1" if first else None,
        "args": piece,
        "index": 0,
        "type": "tool_call_chunk",
    }
    return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))


def test_a_tool_call_that_comes_whole_and_unnumbered_stays_one_call(kit: Any) -> None:
    guard = Guard(Policy.unsafe_allow_all(), plugins=[kit.Names()])
    prompt = guard.require(Event(stage=Stage.PROMPT, segments=read_messages([HumanMessage("x")])))
    stream = guard.open_stream(prompt)
    shown = ChatChunkFilter(stream)
    calls: Any = [{"name": "f", "args": {"a": "<MAIL"}, "id": "1"}]
    first = shown.feed(ChatGenerationChunk(message=AIMessageChunk(content="", tool_calls=calls)))
    tail = shown.tail(stream.finish())
    assert first is not None
    assert tail is not None
    whole: Any = (first + tail).message
    assert whole.tool_calls == [
        {"name": "f", "args": {"a": "<MAIL"}, "id": "1", "type": "tool_call"}
    ]


# --- the house --------------------------------------------------------------------------------


def test_every_way_to_run_a_framework_object_is_covered_or_out_of_scope() -> None:
    """What the framework adds later is noticed here."""
    runs = {
        n for n in dir(BaseChatModel) if n.lstrip("a").startswith(("invoke", "stream", "batch"))
    }
    assert runs <= set(_seam.RUN_METHODS) | {"assign"}
    assert {"_run", "_arun", "run", "arun"} <= set(dir(BaseTool))
    assert {"invoke", "ainvoke"} <= set(dir(BaseRetriever))


def test_a_handler_wants_no_events_and_raises() -> None:
    handler = HauberkCallbackHandler(Guard(Policy.unsafe_allow_all()))
    ignored = [name for name in dir(handler) if name.startswith("ignore_")]
    assert all(getattr(handler, name) for name in ignored)
    assert handler.raise_error
    assert handler.run_inline


def test_without_langchain_the_import_names_the_extra() -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'langchain_core' else find(name, *a)\n"
        "from hauberk import MissingExtraError\n"
        "try:\n    import hauberk_langchain\n"
        "except MissingExtraError as error:\n    print(error.command)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'pip install "hauberk[langchain]"'
