"""Runs: agents, workflows and engines. They belong to one session from beginning to end.

Which session a call belongs to, in this order: the one that is open in the context
(`with guard.session(...)`); else the one that the run, the query or the chat message opened; else
one of its own.

Rules:
* A tool call is judged where agents make it (`_call_tool`), so that a refusal that stops the run can
  leave as an exception: raised inside a tool it would be shown to the model as text.
* Tools and models that an agent was given after it was protected are guarded from its next run on.
* A refusal that was swallowed on its way (as a sub-question without an answer, or as a warning that an
  agent has no structured output) is raised at the end of the run.
* Streams keep the session that they were opened in, whoever reads them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import Any, cast

from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.tools import AsyncBaseTool
from llama_index.core.workflow import StopEvent

from hauberk.events import Stage
from hauberk.guard import Guard
from hauberk.session import Session
from hauberk_llama_index._nesting import checked
from hauberk_llama_index._swap import Above, Door, Methods
from hauberk_llama_index._tools import Wish, acall_tool, real_tool

Attach = Callable[[Any, Guard], object]
"""Guards what an object holds."""


def _session() -> Session:
    return Session.current() or Session()


# --- agents and workflows -------------------------------------------------------------------------


def run_door(attach: Attach) -> Door:
    """The door for agents and workflows."""

    def door(base: type, guard: Guard, above: Above) -> Methods:
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            attach(self, guard)
            # The tasks of a run take this context along when they are made.
            with _session().active():
                return above(self).run(*args, **kwargs)

        async def call_one(self: Any, ctx: Any, tool: AsyncBaseTool, tool_input: Any) -> Any:
            async def call(_: tuple[Any, ...], arguments: dict[str, Any]) -> Any:
                with checked(real_tool(tool)):
                    return await above(self)._call_tool(ctx, tool, arguments)  # noqa: SLF001 - the seam

            wish = Wish(tool, (), tool_input, strict=guard.watches(Stage.TOOL_CALL))
            return await acall_tool(guard, wish, call)

        found: Methods = {"run": run}
        if hasattr(base, "_call_tool"):
            found = {**found, "_call_tool": call_one}
        return {**found, **_last_steps(base, guard, above)}

    return door


def _last_steps(base: type, guard: Guard, above: Above) -> Methods:
    """The step in which agents end: it swallows what their structured output raises."""
    inner = getattr(base, "parse_agent_output", None)
    if not hasattr(inner, "_step_config"):
        return {}

    @wraps(cast("Callable[..., Any]", inner))  # with what makes it a step
    async def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        done = await above(self).parse_agent_output(*args, **kwargs)
        session = Session.current()
        if session is not None and isinstance(done, StopEvent) and _lacks_shape(self, done):
            guard.require_open(session)
        return done

    return {"parse_agent_output": step}


def _lacks_shape(agent: Any, done: Any) -> bool:
    """Whether a run ended without the structured output that it should have.

    Only then: another run may have ended the session while this one went well.
    """
    if getattr(done.result, "structured_response", None) is not None:
        return False
    agents = (agent, *getattr(agent, "agents", {}).values())
    names = ("output_cls", "structured_output_fn")
    return any(getattr(one, name, None) is not None for one in agents for name in names)


# --- engines and indexes --------------------------------------------------------------------------


def engine_methods(base: type, guard: Guard, above: Above) -> Methods:
    """The methods of a guarded engine: each call is in one session, and tells of its refusals."""
    names = ("query", "aquery", "chat", "achat", "stream_chat", "astream_chat")
    return {
        name: (_ain_session if name.startswith("a") else _in_session)(name, guard, above)
        for name in names
        if hasattr(base, name)
    }


def _in_session(name: str, guard: Guard, above: Above) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _session().active() as session:
            answer = getattr(above(self), name)(*args, **kwargs)
            guard.require_open(session)
            return _kept(answer, session)

    return method


def _ain_session(name: str, guard: Guard, above: Above) -> Callable[..., Any]:
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _session().active() as session:
            answer = await getattr(above(self), name)(*args, **kwargs)
            guard.require_open(session)
            return _kept(answer, session)

    return method


def _kept(answer: Any, session: Session) -> Any:
    """An answer that makes its model calls while it is read makes them in the session."""
    inner: Any = getattr(answer, "response_gen", None)
    if isinstance(answer, StreamingResponse) and inner is not None:
        answer.response_gen = _read_in(inner, session)
    if isinstance(answer, AsyncStreamingResponse) and inner is not None:
        answer.response_gen = _aread_in(inner, session)
    return answer


def _read_in(inner: Any, session: Session) -> Generator[Any, None, None]:
    try:
        while True:
            with session.active():
                try:
                    token = next(inner)
                except StopIteration:
                    return
            yield token
    finally:
        inner.close()


async def _aread_in(inner: Any, session: Session) -> AsyncGenerator[Any, None]:
    try:
        while True:
            with session.active():
                try:
                    token = await anext(inner)
                except StopAsyncIteration:
                    return
            yield token
    finally:
        await inner.aclose()


def index_door(attach: Attach) -> Door:
    """The door for indexes: what they make is guarded."""

    def door(base: type, guard: Guard, above: Above) -> Methods:
        def maker(name: str) -> Callable[..., Any]:
            def method(self: Any, *args: Any, **kwargs: Any) -> Any:
                made = getattr(above(self), name)(*args, **kwargs)
                attach(made, guard)
                return made

            return method

        names = ("as_retriever", "as_query_engine", "as_chat_engine")
        return {name: maker(name) for name in names if hasattr(base, name)}

    return door
