"""Retrievers and engines: what reads documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Any

from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import RetrieverQueryEngine

from hauberk_llama_index.matrix._modes import Calls, Talk, flat
from hauberk_llama_index.matrix._world import Shelf
from hauberk_llama_index.matrix.surfaces._parts import (
    ASKED,
    MODEL,
    POISONED,
    POSTPROCESSED,
    READING,
    Parts,
    Surface,
    last_text,
)

_RETRIEVE: Calls = {
    "sync": lambda retriever, talk: retriever.retrieve(last_text(talk)),
    "async": lambda retriever, talk: retriever.aretrieve(last_text(talk)),
}


@dataclass
class Engines:
    """One engine that answers at once, and one that streams."""

    whole: Any
    streaming: Any


def _engines(parts: Parts) -> Engines:
    return Engines(query_engine(parts), query_engine(parts, streaming=True))


def query_engine(parts: Parts, *, streaming: bool = False) -> Any:
    """An engine that answers from a shelf of documents."""
    return RetrieverQueryEngine.from_args(
        Shelf(**parts.options),
        llm=parts.model(),
        text_qa_template=_QUESTION,
        node_postprocessors=list(parts.postprocessors),
        streaming=streaming,
        **parts.options,
    )


_QUESTION = PromptTemplate("Known: {context_str}\n\nThe user says: {query_str}")


async def _aqueried(engine: Any, asked: str) -> AsyncGenerator[str, None]:
    answer = await engine.aquery(asked)
    async for piece in answer.async_response_gen():
        yield piece


def _queried(engine: Any, asked: str) -> Generator[str, None, None]:
    yield from engine.query(asked).response_gen


def _answer(answer: Any) -> str:
    return f"{answer} {flat(answer.source_nodes)}"


async def _aanswer(work: Any) -> str:
    return _answer(await work)


_QUERY: Calls = {
    "sync": lambda one, talk: _answer(one.whole.query(last_text(talk))),
    "async": lambda one, talk: _aanswer(one.whole.aquery(last_text(talk))),
    "stream": lambda one, talk: _queried(one.streaming, last_text(talk)),
    "async stream": lambda one, talk: _aqueried(one.streaming, last_text(talk)),
}


def _chat_engine(parts: Parts) -> Any:
    # Made with its own manager: `from_defaults` puts that of `Settings` in place of the model's.
    return ContextChatEngine(
        retriever=Shelf(**parts.options),
        llm=parts.model(),
        # The default one keeps to the event loop that it was first used in.
        memory=ChatMemoryBuffer.from_defaults(token_limit=100_000),
        prefix_messages=[],
        node_postprocessors=list(parts.postprocessors),
        **parts.options,
    )


def _history(talk: Talk) -> dict[str, Any]:
    # It has a system message of its own.
    return {
        "message": last_text(talk),
        "chat_history": [m for m in talk[:-1] if m.role != "system"],
    }


def _chatted(engine: Any, talk: Talk) -> Generator[str, None, None]:
    yield from engine.stream_chat(**_history(talk)).response_gen


async def _achatted(engine: Any, talk: Talk) -> AsyncGenerator[str, None]:
    answer = await engine.astream_chat(**_history(talk))
    async for piece in answer.async_response_gen():
        yield piece


_CHAT_ENGINE: Calls = {
    "sync": lambda engine, talk: _answer(engine.chat(**_history(talk))),
    "async": lambda engine, talk: _aanswer(engine.achat(**_history(talk))),
    "stream": _chatted,
    "async stream": _achatted,
}


ENGINES = (
    Surface("retriever", lambda p: Shelf(**p.options), POISONED, _RETRIEVE, models=False),
    Surface("query engine", _engines, ASKED | READING, _QUERY, doors=POSTPROCESSED),
    Surface(
        "chat engine",
        _chat_engine,
        MODEL - {"PII in system prompt"} | READING,
        _CHAT_ENGINE,
        doors=POSTPROCESSED,
        threads=False,
    ),
)
