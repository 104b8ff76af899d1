"""The model doubles: a brain inside a real LlamaIndex model."""

import asyncio
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.tools import FunctionTool

from hauberk.testing import Reply, ToolCall, ToolSpec, Turn
from hauberk_llama_index.testing import BrainLLM, GullibleLLM, HashEmbedding, ScriptedLLM


class Keeper:
    """A brain that keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[list[Turn], list[ToolSpec]]] = []

    def reply(self, turns: Any, tools: Any) -> Reply:
        self.shown.append((list(turns), list(tools)))
        return Reply(text="ok")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_all_eight_methods_give_the_same_text(kit: Any, method: str) -> None:
    assert await kit.ask(ScriptedLLM(replies=["Hello, world."]), method, "x") == (
        "Hello, world.",
        "Hello, world.",
    )


def test_the_brain_sees_roles_calls_and_whose_result_it_is() -> None:
    brain = Keeper()
    wanted = ToolCallBlock(tool_call_id="1", tool_name="add", tool_kwargs='{"a": 1}')
    BrainLLM(brain=brain).chat(
        [
            ChatMessage(role="system", content="s"),
            ChatMessage(role="user", content="u"),
            ChatMessage(role="assistant", blocks=[wanted]),
            ChatMessage(role="tool", content="2", additional_kwargs={"tool_call_id": "1"}),
        ]
    )
    call = ToolCall(name="add", arguments={"a": 1}, ident="1")
    assert brain.shown[0][0] == [
        Turn(role="system", text="s"),
        Turn(role="user", text="u"),
        Turn(role="assistant", calls=(call,)),
        Turn(role="tool", text="2", tool="add"),
    ]


async def test_the_brain_sees_the_tools() -> None:
    brain = Keeper()
    llm = BrainLLM(brain=brain)
    await llm.achat_with_tools([FunctionTool.from_defaults(add)], user_msg="Add")
    (spec,) = brain.shown[0][1]
    assert (spec.name, sorted(spec.parameters["properties"])) == ("add", ["a", "b"])  # type: ignore[call-overload]  # JSON
    assert "Add two numbers." in spec.description


@pytest.mark.parametrize("style", ["json", "dict", "kwargs"])
def test_tool_calls_are_found_in_every_style(style: Any) -> None:
    reply = Reply(calls=(ToolCall(name="add", arguments={"a": 1, "b": 2}, ident="7"),))
    llm = ScriptedLLM(replies=[reply], style=style)
    answers = [llm.chat([ChatMessage("x")]), list(llm.stream_chat([ChatMessage("x")]))[-1]]
    for answer in answers:
        (call,) = llm.get_tool_calls_from_response(answer)
        assert (call.tool_name, call.tool_kwargs, call.tool_id) == ("add", {"a": 1, "b": 2}, "7")


def test_an_answer_without_calls_is_an_error_only_if_asked() -> None:
    llm = ScriptedLLM(replies=["x"])
    answer = llm.chat([ChatMessage("x")])
    assert llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="tool call"):
        llm.get_tool_calls_from_response(answer)


def test_counts_are_where_providers_put_them() -> None:
    raw: Any = ScriptedLLM(replies=["12345678"]).chat([ChatMessage("1234")]).raw
    assert raw == {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}


def test_the_gullible_model_answers_without_a_network() -> None:
    llm = GullibleLLM()
    assert llm.metadata.model_name == "gullible"
    assert isinstance(llm.complete("Hello").text, str)


def test_embeddings_are_the_same_each_time_and_find_shared_words() -> None:
    documents = [Document(text="bananas are yellow"), Document(text="Paris is the capital")]
    index = VectorStoreIndex.from_documents(documents, embed_model=HashEmbedding())
    found = index.as_retriever(similarity_top_k=1).retrieve("the capital?")
    assert found[0].node.get_content() == "Paris is the capital"
    one, two = (HashEmbedding().get_text_embedding("a b") for _ in range(2))
    assert one == two
    assert asyncio.run(HashEmbedding().aget_query_embedding("a b")) == one
    assert HashEmbedding().get_text_embedding("") == [0.0] * 256
