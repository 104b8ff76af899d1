"""What a memory puts into a message is the memory's, not the developer's or the user's."""

from __future__ import annotations

import pytest
from llama_index.core.llms import ChatMessage, TextBlock
from llama_index.core.memory import InsertMethod, Memory, StaticMemoryBlock

from hauberk import Segment
from hauberk_llama_index._messages import in_messages
from hauberk_llama_index._texts import read

FACT = "Ada likes tea."


@pytest.mark.parametrize("place", [InsertMethod.SYSTEM, InsertMethod.USER])
async def test_what_a_memory_block_remembers_is_of_origin_memory(place: InsertMethod) -> None:
    memory = Memory.from_defaults(
        session_id="s",
        memory_blocks=[StaticMemoryBlock(name="facts", static_content=[TextBlock(text=FACT)])],
        insert_method=place,
    )
    await memory.aput(ChatMessage("What do I drink?", role="user"))
    segments = read_all(await memory.aget())
    await memory.sql_store._async_engine.dispose()  # type: ignore[attr-defined]  # it is open now
    told = {segment.origin: segment.text for segment in segments}
    assert FACT in told["memory:blocks"]
    assert told["user"] == "What do I drink?"


def test_ordinary_words_stay_their_writers() -> None:
    segments = read_all([ChatMessage("Be kind. <memory>", role="system"), ChatMessage("hi")])
    assert [segment.origin for segment in segments] == ["developer", "user"]


def read_all(messages: list[ChatMessage]) -> tuple[Segment, ...]:
    return read(lambda visit: in_messages(messages, visit))
