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
from typing import Any

from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.tools import AsyncBaseTool
from llama_index.core.workflow import StopEvent

from hauberk.events import Stage
from hauberk.guard import Guard
from hauberk.session import Session
from hauberk_llama_index._armed import Scope
from hauberk_llama_index._layers import Door, Layer, Layers, Run
from hauberk_llama_index._nesting import awaits, inside
from hauberk_llama_index._swap import guard_of
from hauberk_llama_index._tools import acall_tool, real_tool
from hauberk_llama_index._wishes import Wish

Attach = Callable[[Any, Guard], object]
"""Guards what an object holds."""


# --- agents and workflows -------------------------------------------------------------------------


def run_door(attach: Attach) -> Door:
    """The door for agents and workflows."""

    def run_one(
        guard: Guard, workflow: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if guard_of(workflow) is guard:
            attach(workflow, guard)
        # The tasks of a run take this context along when they are made.
        with Scope(guard):
            return run(*args, **kwargs)

    def door(kind: type) -> Layers:
        found: dict[str, Layer] = {"run": run_one}
        if hasattr(kind, "_call_tool"):
            found["_call_tool"] = _call_one
        # The step in which agents end: it swallows what their structured output raises.
        if hasattr(getattr(kind, "parse_agent_output", None), "_step_config"):
            found["parse_agent_output"] = _last_step
        return found

    return door


async def _call_one(
    guard: Guard, _: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    ctx, tool, tool_input = _wanted(*args, **kwargs)
    owner = real_tool(tool)
    if awaits(owner, guard):  # from `super()`
        return await run(ctx, tool, tool_input)

    wish = Wish(owner, (), tool_input, strict=guard.watches(Stage.TOOL_CALL))
    return await acall_tool(
        guard, wish, inside(owner, guard), lambda _, arguments: run(ctx, tool, arguments)
    )


def _wanted(ctx: Any, tool: AsyncBaseTool, tool_input: Any) -> tuple[Any, AsyncBaseTool, Any]:
    """The arguments of `_call_tool`, in their order."""
    return ctx, tool, tool_input


async def _last_step(
    guard: Guard, agent: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    done = await run(*args, **kwargs)
    session = Session.current()
    if session is not None and isinstance(done, StopEvent) and _lacks_shape(agent, done):
        guard.require_open(session)
    return done


def _lacks_shape(agent: Any, done: Any) -> bool:
    """Whether a run ended without the structured output that it should have.

    Only then: another run may have ended the session while this one went well.
    """
    if getattr(done.result, "structured_response", None) is not None:
        return False
    agents = (agent, *getattr(agent, "agents", {}).values())
    names = ("output_cls", "structured_output_fn")
    return any(getattr(one, name, None) is not None for one in agents for name in names)


# --- engines -------------------------------------------------------------------------------------


_ENGINE = ("query", "chat", "stream_chat")


def engine_layers(kind: type) -> Layers:
    """What lies around the methods of an engine: a session for each call, which tells of refusals."""
    found: dict[str, Layer] = dict.fromkeys(_ENGINE, _in_session)
    found |= {f"a{name}": _ain_session for name in _ENGINE}
    return {name: layer for name, layer in found.items() if hasattr(kind, name)}


def _in_session(
    guard: Guard, _: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with Scope(guard) as scope:
        answer = run(*args, **kwargs)
        guard.require_open(scope.session)
        return _kept(answer, guard, scope.session)


async def _ain_session(
    guard: Guard, _: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with Scope(guard) as scope:
        answer = await run(*args, **kwargs)
        guard.require_open(scope.session)
        return _kept(answer, guard, scope.session)


def _kept(answer: Any, guard: Guard, session: Session) -> Any:
    """An answer that makes its model calls while it is read makes them in the session."""
    inner: Any = getattr(answer, "response_gen", None)
    if isinstance(answer, StreamingResponse) and inner is not None:
        answer.response_gen = _read_in(inner, guard, session)
    if isinstance(answer, AsyncStreamingResponse) and inner is not None:
        answer.response_gen = _aread_in(inner, guard, session)
    return answer


def _read_in(inner: Any, guard: Guard, session: Session) -> Generator[Any, None, None]:
    try:
        while True:
            with Scope(guard, session):
                try:
                    token = next(inner)
                except StopIteration:
                    return
            yield token
    finally:
        inner.close()


async def _aread_in(inner: Any, guard: Guard, session: Session) -> AsyncGenerator[Any, None]:
    try:
        while True:
            with Scope(guard, session):
                try:
                    token = await anext(inner)
                except StopAsyncIteration:
                    return
            yield token
    finally:
        await inner.aclose()
