"""Where texts are in LlamaIndex's values: what is read is what can be written, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import ToolOutput

from hauberk import Segment
from hauberk.structure import TooDeepError
from hauberk_llama_index._codecs import OutputCodec, in_output
from hauberk_llama_index._messages import in_messages
from hauberk_llama_index._node_texts import in_nodes
from hauberk_llama_index._texts import in_json, in_value, read, write

TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
BLOCKS = st.one_of(
    st.builds(TextBlock, text=TEXT),
    st.builds(
        ToolCallBlock,
        tool_call_id=st.just("1"),
        tool_name=st.just("t"),
        tool_kwargs=st.dictionaries(TEXT, VALUES, max_size=3) | VALUES.map(json.dumps) | TEXT,
    ),
)
MESSAGES = st.lists(
    st.builds(
        ChatMessage,
        role=st.sampled_from(MessageRole),
        blocks=st.lists(BLOCKS, max_size=3),
        additional_kwargs=st.dictionaries(st.sampled_from(["note", "x"]), VALUES, max_size=2),
    ),
    max_size=4,
)


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Messages take long to make, on a busy machine."""


def _marked(segments: tuple[Segment, ...]) -> list[Segment]:
    return [s.with_text(f'{index}:"\\{s.text}') for index, s in enumerate(segments)]


@patient
@given(MESSAGES)
def test_reading_changes_nothing_and_shares_everything(messages: list[ChatMessage]) -> None:
    segments = read(lambda visit: in_messages(messages, visit))
    assert write(lambda visit: in_messages(messages, visit), segments) is messages


@patient
@given(MESSAGES)
def test_every_text_is_written_where_it_was_read(messages: list[ChatMessage]) -> None:
    before = [message.model_dump() for message in messages]
    segments = read(lambda visit: in_messages(messages, visit))
    wanted = _marked(segments)
    new = write(lambda visit: in_messages(messages, visit), wanted)
    found = read(lambda visit: in_messages(new, visit))
    assert [(s.text, s.where, s.origin) for s in found] == [
        (s.text, s.where, s.origin) for s in wanted
    ]
    assert [message.model_dump() for message in messages] == before


@given(VALUES)
def test_json_in_a_string_stays_json(value: Any) -> None:
    text = json.dumps(value)
    new = in_json(text, lambda t, *_: f'<"{t}\n">', "x", "model")
    if isinstance(value, (dict, list)):
        assert json.loads(new) == in_value(value, lambda t, *_: f'<"{t}\n">', "x", "model")
    else:
        assert new == f'<"{text}\n">'


@pytest.mark.parametrize("text", ["", "{", '{"a": "b', "[" * 100_000, "nul\x00", "\ud800"])
def test_a_string_that_is_no_json_is_one_text(text: str) -> None:
    assert in_json(text, lambda t, *_: f"<{t}>", "x", "model") == f"<{text}>"


@given(VALUES, TEXT)
def test_outputs_too(value: Any, text: str) -> None:
    output = ToolOutput(content=text or "x", tool_name="t", raw_input={}, raw_output=value)
    before = output.model_dump()
    segments = read(lambda visit: in_output(output, visit, "tool:t"))
    new = write(lambda visit: in_output(output, visit, "tool:t"), _marked(segments))
    found = read(lambda visit: in_output(new, visit, "tool:t"))
    assert [s.text for s in found] == [s.text for s in _marked(segments)]
    assert output.model_dump() == before


@given(VALUES, TEXT)
def test_nodes_too(value: Any, text: str) -> None:
    nodes = [NodeWithScore(node=TextNode(text=text, metadata={"v": value}))]
    before = nodes[0].model_dump()
    segments = read(lambda visit: in_nodes(nodes, visit))
    new = write(lambda visit: in_nodes(nodes, visit), _marked(segments))
    found = read(lambda visit: in_nodes(new, visit))
    assert [s.text for s in found] == [s.text for s in _marked(segments)]
    assert nodes[0].model_dump() == before


def test_nesting_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(TooDeepError):
        read(lambda visit: in_value(deep, visit, "x", "model"))


def test_a_raw_output_that_cannot_be_read_is_replaced_when_the_content_is() -> None:
    deep: Any = "secret"
    for _ in range(100):
        deep = [deep]
    output = ToolOutput(content="secret", tool_name="t", raw_input={}, raw_output=deep)
    segments = read(lambda visit: in_output(output, visit, "tool:t"))
    new = write(
        lambda visit: in_output(output, visit, "tool:t"), [s.with_text("gone") for s in segments]
    )
    assert (new.content, new.raw_output) == ("gone", "gone")


def test_addresses_are_no_texts() -> None:
    function = {"name": "mail", "arguments": "{}"}
    message = ChatMessage(
        role="tool",
        content="text",
        additional_kwargs={
            "name": "mail",
            "tool_call_id": "7",
            "tool_calls": [{"id": "7", "type": "function", "index": 0, "function": function}],
        },
    )
    segments = read(lambda visit: in_messages([message], visit))
    assert [s.text for s in segments] == ["text"]


@given(
    texts=st.lists(st.sampled_from(["", "a", "b c"]), max_size=2),
    raw=st.sampled_from(["", "a", "b c", None, {"a": "b"}]),
)
def test_an_output_of_one_text_is_read_as_its_walk_reads_it(texts: list[str], raw: object) -> None:
    blocks: list[Any] = [TextBlock(text=text) for text in texts]
    output = ToolOutput(blocks=blocks, tool_name="t", raw_input={}, raw_output=raw)
    walked = read(lambda visit: in_output(output, visit, "tool:t"))
    assert OutputCodec("t").read(output) == walked
