"""What an application can be made of: one builder per surface, and how each is called."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    BaseWorkflowAgent,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
    ToolCall,
)
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool, QueryEngineTool, RetrieverTool
from llama_index.core.workflow import Context, Event, StartEvent, StopEvent, Workflow, step
from pydantic import BaseModel

from hauberk.testing.matrix import ADA, ORDER, PEOPLE, Trace
from hauberk_llama_index.matrix._modes import Calls, Talk, flat
from hauberk_llama_index.matrix._world import (
    HandsOver,
    Model,
    Shelf,
    Silent,
    Spoken,
    Vectors,
    documents,
    functions_of,
    interpreter,
    tools_of,
)

PARTIAL, MISFIT = "override of a partial parameter", "argument of a wrong type"
APPROVAL = "call without approval"

PROMPT = frozenset(PEOPLE)
"""Attacks: personal data in a conversation."""
USER = frozenset({"PII in user text"})
RESTORED = frozenset({"restore in answer", "restore in stream"})
ARGUMENTS = frozenset({"restore in tool arguments", "restore in nested arguments"})
BUDGETED = frozenset({"call budget", "token budget", "money budget", "time budget"})
POISONED = frozenset({"injection in document", "injection in node metadata"})
MODEL = PROMPT | RESTORED | BUDGETED | {"injection in history", "direct injection"}
ASKED = USER | RESTORED | BUDGETED | {"direct injection"}
READING = POISONED | {"PII in document", "PII in metadata that the prompt shows"}
TOOLS = frozenset(
    {
        "injection in tool result",
        "denied tool",
        "denied argument",
        "hidden tool called anyway",
        "flow from untrusted result to outside effect",
        PARTIAL,
        MISFIT,
    }
)
AGENT = MODEL | ARGUMENTS | TOOLS | {"swallowed refusal", APPROVAL}


@dataclass
class Parts:
    """What a surface is built of."""

    brain: Any
    trace: Trace = field(default_factory=Trace)
    callbacks: list[Any] = field(default_factory=list[Any])
    postprocessors: list[Any] = field(default_factory=list[Any])
    transforms: list[Any] = field(default_factory=list[Any])
    models: list[Model] = field(default_factory=list[Model])
    swallows: bool = False
    """The agent has a tool that swallows a refusal."""

    @property
    def options(self) -> dict[str, Any]:
        """For whatever takes a callback manager."""
        return {"callback_manager": CallbackManager(self.callbacks)} if self.callbacks else {}

    def model(self, brain: Any = None) -> Model:
        """One more model of this application."""
        fields: dict[str, Any] = {"brain": brain or self.brain, "trace": self.trace, **self.options}
        made = Model(**fields)
        self.models.append(made)
        return made

    def tools(self) -> list[Any]:
        """The tools of its agent."""
        more = [FunctionTool.from_defaults(self.swallow)] if self.swallows else []
        return [*tools_of(self.trace), *more]

    def swallow(self) -> str:
        """Ask a model something bad, and say nothing of what came of it."""
        try:
            return flat(self.models[0].chat([ChatMessage(role="user", content=ORDER)]))
        except Exception:  # noqa: BLE001 - as bad applications do
            return "never mind"

    @property
    def provider_saw(self) -> str:
        """Everything that any provider got."""
        return "\n".join(self.trace.prompts)


@dataclass(frozen=True, slots=True)
class Surface:
    """One kind of application."""

    name: str
    build: Callable[[Parts], Any]
    attacks: frozenset[str]
    calls: Calls
    agent: bool = False
    """It has a model that calls tools."""
    doors: frozenset[str] = frozenset({"handler", "protect", "install"})
    models: bool = True
    """It has a model that a cancelled call can be at."""
    threads: bool = True
    """One object may be used by several threads at once; LlamaIndex's memory may not."""


def _last(talk: Talk) -> str:
    return talk[-1].content or ""


# --- models ---------------------------------------------------------------------------------------


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
    "sync": lambda llm, talk: llm.complete(_last(talk)).text,
    "async": lambda llm, talk: _text(llm.acomplete(_last(talk))),
    "stream": lambda llm, talk: _answers(llm.stream_complete(_last(talk))),
    "async stream": lambda llm, talk: _aanswers(llm.astream_complete(_last(talk))),
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
    "sync": lambda llm, talk: llm.predict(_PROMPT, asked=_last(talk)),
    "async": lambda llm, talk: llm.apredict(_PROMPT, asked=_last(talk)),
    "stream": lambda llm, talk: _pieces(llm.stream(_PROMPT, asked=_last(talk))),
    "async stream": lambda llm, talk: _apieces(llm.astream(_PROMPT, asked=_last(talk))),
}


class Place(BaseModel):
    """What structured output is to be filled with."""

    mail: str


def _silent(parts: Parts) -> Any:
    made = parts.model(Silent(parts.brain))
    made.style = "kwargs"  # the only one that LlamaIndex streams objects from
    return made


_STRUCTURED: Calls = {
    "sync": lambda llm, talk: llm.structured_predict(Place, _PROMPT, asked=_last(talk)),
    "async": lambda llm, talk: llm.astructured_predict(Place, _PROMPT, asked=_last(talk)),
    "stream": lambda llm, talk: _pieces(
        llm.stream_structured_predict(Place, _PROMPT, asked=_last(talk))
    ),
    "async stream": lambda llm, talk: _apieces(
        llm.astream_structured_predict(Place, _PROMPT, asked=_last(talk))
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


# --- tools ----------------------------------------------------------------------------------------


def _wish(talk: Talk) -> dict[str, Any]:
    if ORDER in _last(talk):
        return {"to": "evil@attacker.example", "details": {}}
    return {"to": ADA, "details": {"cc": [ADA]}}


_TOOL: Calls = {
    "sync": lambda tool, talk: tool.call(**_wish(talk)),
    "async": lambda tool, talk: tool.acall(**_wish(talk)),
}
_ASK_TOOL: Calls = {
    "sync": lambda tool, talk: tool.call(input=_last(talk)),
    "async": lambda tool, talk: tool.acall(input=_last(talk)),
}


# --- retrieval ------------------------------------------------------------------------------------

_RETRIEVE: Calls = {
    "sync": lambda retriever, talk: retriever.retrieve(_last(talk)),
    "async": lambda retriever, talk: retriever.aretrieve(_last(talk)),
}


@dataclass
class Engines:
    """One engine that answers at once, and one that streams."""

    whole: Any
    streaming: Any


def _engines(parts: Parts) -> Engines:
    return Engines(_engine(parts), _engine(parts, streaming=True))


def _engine(parts: Parts, *, streaming: bool = False) -> Any:
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
    "sync": lambda one, talk: _answer(one.whole.query(_last(talk))),
    "async": lambda one, talk: _aanswer(one.whole.aquery(_last(talk))),
    "stream": lambda one, talk: _queried(one.streaming, _last(talk)),
    "async stream": lambda one, talk: _aqueried(one.streaming, _last(talk)),
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
    return {"message": _last(talk), "chat_history": [m for m in talk[:-1] if m.role != "system"]}


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


# --- agents ---------------------------------------------------------------------------------------


def start(agent: Any, talk: Talk, *, streaming: bool) -> Any:
    """Start a run of an agent or a workflow; its handler."""
    if isinstance(agent, Desk):
        return agent.run(messages=list(talk), streaming=streaming)
    for one in (agent, *getattr(agent, "agents", {}).values()):
        if isinstance(one, BaseWorkflowAgent):
            one.streaming = streaming
    return agent.run(user_msg=_last(talk), chat_history=list(talk[:-1]))


async def _ran(agent: Any, talk: Talk) -> str:
    return str(await start(agent, talk, streaming=False))


async def _streamed(agent: Any, talk: Talk) -> AsyncGenerator[str, None]:
    handler = start(agent, talk, streaming=True)
    try:
        async for event in handler.stream_events():
            match event:
                case AgentStream() | Piece():
                    yield event.delta
                case ToolCall():
                    yield f" {flat(event.tool_kwargs)} "
                case _:
                    yield ""
        yield f" {await handler}"
    finally:
        if not handler.done():
            await handler.cancel_run()
            with suppress(Exception):
                await handler


_AGENT: Calls = {"async": _ran, "async stream": _streamed}


def _function_agent(parts: Parts) -> Any:
    return FunctionAgent(tools=parts.tools(), llm=parts.model())


def _react_agent(parts: Parts) -> Any:
    return ReActAgent(tools=parts.tools(), llm=parts.model(Spoken(parts.brain, code=False)))


def _code_agent(parts: Parts) -> Any:
    functions = [*functions_of(parts.trace), parts.swallow]
    model = parts.model(Spoken(parts.brain, code=True))
    return CodeActAgent(code_execute_fn=interpreter(functions), tools=[], llm=model)


def _agent_workflow(parts: Parts) -> Any:
    agent = FunctionAgent(name="worker", description="w", tools=parts.tools(), llm=parts.model())
    return AgentWorkflow(agents=[agent])


def _handing_over(parts: Parts) -> Any:
    brain = HandsOver(parts.brain)
    first = FunctionAgent(name="first", description="f", tools=[], llm=parts.model(brain))
    worker = FunctionAgent(
        name="worker", description="w", tools=parts.tools(), llm=parts.model(brain)
    )
    return AgentWorkflow(agents=[first, worker], root_agent="first")


def _asking_another(parts: Parts) -> Any:
    inner: Any = FunctionAgent(
        name="inner", description="i", tools=parts.tools(), llm=parts.model()
    )

    async def helper(question: str) -> str:
        """Ask another agent."""
        return str(await inner.run(user_msg=question))

    return FunctionAgent(tools=[FunctionTool.from_defaults(async_fn=helper)], llm=parts.model())


class Piece(Event):
    """A piece of an answer, on the stream of a workflow."""

    delta: str


class Desk(Workflow):
    """An agent as an application writes it by hand: a model, its tools, a loop."""

    def __init__(self, llm: Any, tools: Sequence[Any]) -> None:
        super().__init__(timeout=None)
        self.llm = llm
        self.tools = list(tools)

    @step
    async def work(self, ctx: Context, ev: StartEvent) -> StopEvent:
        """Ask, call, tell, until there is nothing to call."""
        messages = list(ev.messages)
        while True:
            answer = await self._answer(ctx, messages, streaming=ev.streaming)
            messages.append(answer.message)
            calls = self.llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
            if not calls:
                return StopEvent(result=flat(answer.message))
            messages += [await self._told(call) for call in calls]

    async def _answer(self, ctx: Context, messages: list[Any], *, streaming: bool) -> Any:
        if not streaming:
            return await self.llm.achat_with_tools(self.tools, chat_history=messages)
        answer: Any = None
        async for answer in await self.llm.astream_chat_with_tools(
            self.tools, chat_history=messages
        ):
            ctx.write_event_to_stream(Piece(delta=answer.delta or ""))
        return answer

    async def _told(self, call: Any) -> ChatMessage:
        tool = next((t for t in self.tools if t.metadata.name == call.tool_name), None)
        said = "no such tool" if tool is None else (await tool.acall(**call.tool_kwargs)).content
        extra = {"tool_call_id": call.tool_id, "name": call.tool_name}
        return ChatMessage(role="tool", content=said, additional_kwargs=extra)


# --- what enters an index -------------------------------------------------------------------------


def _pipeline(parts: Parts) -> Any:
    return IngestionPipeline(
        transformations=[*parts.transforms, Vectors(trace=parts.trace)], disable_cache=True
    )


def _nodes(talk: Talk) -> list[TextNode]:
    return [*documents(), TextNode(text=_last(talk), id_="user")]


_INGEST: Calls = {
    "sync": lambda pipeline, talk: pipeline.run(nodes=_nodes(talk)),
    "async": lambda pipeline, talk: pipeline.arun(nodes=_nodes(talk)),
}


def _index(parts: Parts) -> Any:
    return VectorStoreIndex(nodes=[], embed_model=Vectors(trace=parts.trace))


def _inserted(index: Any, talk: Talk) -> str:
    index.insert_nodes(_nodes(talk))
    return flat(list(index.docstore.docs.values()))


async def _ainserted(index: Any, talk: Talk) -> str:
    await index.ainsert_nodes(_nodes(talk))
    return flat(list(index.docstore.docs.values()))


_INSERT: Calls = {"sync": _inserted, "async": _ainserted}

_POST = frozenset({"handler", "protect", "install", "postprocessor"})
_PUT = frozenset({"protect", "install"})

SURFACES = (
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
        doors=_PUT,
    ),
    Surface(
        "FunctionTool",
        lambda p: p.tools()[0],
        ARGUMENTS | {"denied argument"},
        _TOOL,
        doors=_PUT,
        models=False,
    ),
    Surface(
        "QueryEngineTool",
        lambda p: QueryEngineTool.from_defaults(_engine(p), name="documents", description="d"),
        USER | READING | {"restore in answer", "direct injection"},
        _ASK_TOOL,
    ),
    Surface(
        "RetrieverTool",
        lambda p: RetrieverTool.from_defaults(
            Shelf(**p.options), name="documents", description="d"
        ),
        POISONED,
        _ASK_TOOL,
        models=False,
    ),
    Surface("retriever", lambda p: Shelf(**p.options), POISONED, _RETRIEVE, models=False),
    Surface("query engine", _engines, ASKED | READING, _QUERY, doors=_POST),
    Surface(
        "chat engine",
        _chat_engine,
        MODEL - {"PII in system prompt"} | READING,
        _CHAT_ENGINE,
        doors=_POST,
        threads=False,
    ),
    Surface("FunctionAgent", _function_agent, AGENT, _AGENT, agent=True),
    Surface("ReActAgent", _react_agent, AGENT, _AGENT, agent=True),
    Surface("CodeActAgent", _code_agent, AGENT, _AGENT, agent=True),
    Surface("AgentWorkflow", _agent_workflow, AGENT, _AGENT, agent=True),
    Surface("AgentWorkflow with handoff", _handing_over, AGENT, _AGENT, agent=True),
    Surface(
        "agent called from a tool",
        _asking_another,
        AGENT - {"swallowed refusal", APPROVAL},
        _AGENT,
        agent=True,
    ),
    Surface(
        "Workflow of its own",
        lambda p: Desk(p.model(), p.tools()),
        AGENT,
        _AGENT,
        agent=True,
    ),
    Surface(
        "IngestionPipeline",
        _pipeline,
        READING | USER,
        _INGEST,
        doors=_PUT | {"transform"},
        models=False,
    ),
    Surface("VectorStoreIndex: insert", _index, USER | READING, _INSERT, doors=_PUT, models=False),
)
