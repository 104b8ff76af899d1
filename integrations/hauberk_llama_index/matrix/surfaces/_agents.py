"""Agents and workflows: what calls tools by itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

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
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, Event, StartEvent, StopEvent, Workflow, step

from hauberk_llama_index.matrix._modes import Calls, Talk, flat
from hauberk_llama_index.matrix._world import HandsOver, Spoken, functions_of, interpreter
from hauberk_llama_index.matrix.surfaces._parts import AGENT, APPROVAL, Parts, Surface, last_text


def start(agent: Any, talk: Talk, *, streaming: bool) -> Any:
    """Start a run of an agent or a workflow; its handler."""
    if isinstance(agent, Desk):
        return agent.run(messages=list(talk), streaming=streaming)
    for one in (agent, *getattr(agent, "agents", {}).values()):
        if isinstance(one, BaseWorkflowAgent):
            one.streaming = streaming
    return agent.run(user_msg=last_text(talk), chat_history=list(talk[:-1]))


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


AGENTS = (
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
)
