"""Models, by each family of their methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Any

from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from hauberk.testing.matrix import Trace
from hauberk_llama_index.matrix._modes import Calls, Talk, flat
from hauberk_llama_index.matrix._world import Silent, tools_of
from hauberk_llama_index.matrix.surfaces._parts import (
    ARGUMENTS,
    ASKED,
    BUDGETED,
    HELD,
    MODEL,
    PROMPT,
    Parts,
    Surface,
    last_text,
)


def _answers(answers: Any) -> Generator[str, None, None]:
    last = None
    for last in answers:
        yield last.delta or ""
    yield f" {flat(last)}"


async def _aanswers(answers: Any) -> AsyncGenerator[str, None]:
    last = None
    async for last in await answers:
        yield last.delta or ""
    yield f" {flat(last)}"


_CHAT: Calls = {
    "sync": lambda llm, talk: llm.chat(list(talk)),
    "async": lambda llm, talk: llm.achat(list(talk)),
    "stream": lambda llm, talk: _answers(llm.stream_chat(list(talk))),
    "async stream": lambda llm, talk: _aanswers(llm.astream_chat(list(talk))),
}
_COMPLETE: Calls = {
    "sync": lambda llm, talk: llm.complete(last_text(talk)).text,
    "async": lambda llm, talk: _text(llm.acomplete(last_text(talk))),
    "stream": lambda llm, talk: _answers(llm.stream_complete(last_text(talk))),
    "async stream": lambda llm, talk: _aanswers(llm.astream_complete(last_text(talk))),
}
_PROMPT = PromptTemplate("The user says: {asked}")


async def _text(work: Any) -> str:
    return str((await work).text)


async def _apieces(work: Any) -> AsyncGenerator[str, None]:
    async for piece in await work:
        yield flat(piece)


def _pieces(found: Any) -> Generator[str, None, None]:
    for piece in found:
        yield flat(piece)


_PREDICT: Calls = {
    "sync": lambda llm, talk: llm.predict(_PROMPT, asked=last_text(talk)),
    "async": lambda llm, talk: llm.apredict(_PROMPT, asked=last_text(talk)),
    "stream": lambda llm, talk: _pieces(llm.stream(_PROMPT, asked=last_text(talk))),
    "async stream": lambda llm, talk: _apieces(llm.astream(_PROMPT, asked=last_text(talk))),
}


class Place(BaseModel):
    """What structured output is to be filled with."""

    mail: str


def _silent(parts: Parts) -> Any:
    made = parts.model(Silent(parts.brain))
    made.style = "kwargs"  # the only one that LlamaIndex streams objects from
    return made


_STRUCTURED: Calls = {
    "sync": lambda llm, talk: llm.structured_predict(Place, _PROMPT, asked=last_text(talk)),
    "async": lambda llm, talk: llm.astructured_predict(Place, _PROMPT, asked=last_text(talk)),
    "stream": lambda llm, talk: _pieces(
        llm.stream_structured_predict(Place, _PROMPT, asked=last_text(talk))
    ),
    "async stream": lambda llm, talk: _apieces(
        llm.astream_structured_predict(Place, _PROMPT, asked=last_text(talk))
    ),
}


def _with(talk: Talk) -> dict[str, Any]:
    return {"tools": tools_of(Trace()), "chat_history": list(talk)}


_CHAT_WITH_TOOLS: Calls = {
    "sync": lambda llm, talk: llm.chat_with_tools(**_with(talk)),
    "async": lambda llm, talk: llm.achat_with_tools(**_with(talk)),
    "stream": lambda llm, talk: _answers(llm.stream_chat_with_tools(**_with(talk))),
    "async stream": lambda llm, talk: _aanswers(llm.astream_chat_with_tools(**_with(talk))),
}


@dataclass
class Caller:
    """A model with tools that it may call: what `predict_and_call` takes."""

    llm: Any
    tools: list[Any]


_PREDICT_AND_CALL: Calls = {
    "sync": lambda one, talk: one.llm.predict_and_call(one.tools, chat_history=list(talk)),
    "async": lambda one, talk: one.llm.apredict_and_call(one.tools, chat_history=list(talk)),
}


MODELS = (
    Surface("LLM: chat", Parts.model, MODEL, _CHAT),
    Surface("LLM: complete", Parts.model, ASKED, _COMPLETE),
    Surface("LLM: predict", Parts.model, ASKED, _PREDICT),
    Surface("LLM: structured_predict", _silent, ASKED, _STRUCTURED),
    Surface("LLM: as_structured_llm", lambda p: _silent(p).as_structured_llm(Place), MODEL, _CHAT),
    Surface("LLM: chat_with_tools", Parts.model, MODEL, _CHAT_WITH_TOOLS),
    Surface(
        "LLM: predict_and_call",
        lambda p: Caller(p.model(), p.tools()),
        PROMPT - {"PII in tool result"} | ARGUMENTS | BUDGETED | {"direct injection"},
        _PREDICT_AND_CALL,
        doors=HELD,
    ),
)
