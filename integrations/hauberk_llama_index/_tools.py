"""Tool calls: from LlamaIndex's arguments to an event, and from the guard's answer to a ToolOutput.

Rules:
* What rules judge, and what is passed on, `_wishes` says.
* Arguments that do not fit are answered like a tool error, in words that do not repeat a value.
* A refused call is a `ToolOutput(is_error=True)`; a refusal that stops the run raises.
* A tool that waits for an event has not run yet: what was reserved for it is free until it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llama_index.core.tools import AsyncBaseTool, BaseTool, FunctionTool
from llama_index.core.tools.function_tool import sync_to_async
from llama_index.core.tools.types import BaseToolAsyncAdapter

from hauberk.decisions import Decision, Finding, Severity
from hauberk.events import Event, Stage
from hauberk.flows import Refused, acall_apart, arun_tool, call_within, run_tool, time_limit
from hauberk.guard import Guard
from hauberk_llama_index._approval import Question, Replayed
from hauberk_llama_index._codecs import OutputCodec
from hauberk_llama_index._events import WaitingForEvent
from hauberk_llama_index._layers import Layer, Layers, Run
from hauberk_llama_index._nesting import Frame, take_pass
from hauberk_llama_index._wishes import Wish


def real_tool(tool: BaseTool) -> BaseTool:
    """The tool itself, out of the adapter that agents put around tools without async."""
    return tool.base_tool if isinstance(tool, BaseToolAsyncAdapter) else tool


# --- the two colours ----------------------------------------------------------------------------


Below = Callable[[tuple[Any, ...], dict[str, Any]], Any]
"""Runs a tool with these positional and named arguments."""


def call_tool(guard: Guard, wish: Wish, frame: Frame, below: Below) -> Any:
    """One guarded call.

    Args:
        guard: What to ask.
        wish: The call.
        frame: Where the tool runs, so that it is not guarded twice.
        below: Runs the tool.

    Raises:
        BlockedError: The guard refused and stops the run.
    """
    event = Event(stage=Stage.TOOL_CALL, tool=wish.name, arguments=wish.arguments)
    problem = wish.problem()
    if problem:
        return wish.refusal(_unfit(guard, event, problem))

    def run(new: Mapping[str, object]) -> object:
        frame.given = wish.call_with(new)
        try:
            with frame:
                return below(*frame.given)
        except WaitingForEvent:
            guard.release(event)  # it will be begun anew
            raise

    result = run_tool(guard, event, run, OutputCodec(wish.name))
    return wish.refusal(result.text) if isinstance(result, Refused) else result


async def acall_tool(guard: Guard, wish: Wish, frame: Frame, below: Below) -> Any:
    """One guarded call, on an event loop. Inside a workflow, a question goes to its event stream.

    Args:
        guard: What to ask.
        wish: The call.
        frame: Where the tool runs, so that it is not guarded twice.
        below: Begins to run the tool, and gives something to await.

    Raises:
        BlockedError: The guard refused and stops the run.
        WaitingForEvent: The step must wait, for a person or for what the tool waits for.
    """
    event = Event(stage=Stage.TOOL_CALL, tool=wish.name, arguments=wish.arguments)
    problem = wish.problem()
    if problem:
        return wish.refusal(_unfit(guard, event, problem))
    question = Question(guard, event)

    async def run(new: Mapping[str, object]) -> object:
        frame.given = wish.call_with(new)
        try:
            with frame:
                return await below(*frame.given)
        except WaitingForEvent:
            question.reopen()
            raise

    try:
        result = await arun_tool(guard, event, run, OutputCodec(wish.name), question.ask)
    except Replayed as replayed:
        return replayed.result
    return question.keep(wish.refusal(result.text) if isinstance(result, Refused) else result)


def _unfit(guard: Guard, event: Event, problem: str) -> str:
    """Record the refusal of a call whose arguments do not fit, and give the answer to it."""
    finding = Finding(
        rule="llama-index.arguments",
        category="capability",
        severity=Severity.LOW,
        explanation="the arguments do not fit the tool's schema",
    )
    guard.deny(event, Decision.deny("the arguments do not fit", findings=[finding]))
    # What exactly is for the model alone: the trail keeps no word that a model chose.
    return f"The call of {event.tool} had no effect: its arguments do not fit ({problem})."


# --- the door -----------------------------------------------------------------------------------


def tool_layers(kind: type) -> Layers:
    """What lies around the methods of a tool."""
    if issubclass(kind, BaseToolAsyncAdapter):
        return {}  # only a shape around the tool in it, which is guarded
    if issubclass(kind, AsyncBaseTool):
        return {"call": _called(kind), "acall": _acalled(kind)}  # `__call__` goes to `call`
    return {"__call__": _dunder_called(kind)}


def _called(kind: type) -> Layer:
    def layer(
        guard: Guard, tool: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if take_pass(tool, guard, kind, args, kwargs):
            return run(*args, **kwargs)
        wish = Wish(tool, args, kwargs, strict=guard.watches(Stage.TOOL_CALL))
        if wish.is_shape:
            return run(*args, **kwargs)
        frame = Frame(tool, guard, kind)
        return call_tool(guard, wish, frame, lambda args, kwargs: run(*args, **kwargs))

    return layer


def _acalled(kind: type) -> Layer:
    async def layer(
        guard: Guard, tool: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if take_pass(tool, guard, kind, args, kwargs):
            return await _begun(tool, run, args, kwargs)
        wish = Wish(tool, args, kwargs, strict=guard.watches(Stage.TOOL_CALL))
        if wish.is_shape:
            return await _begun(tool, run, args, kwargs)
        frame = Frame(tool, guard, kind)
        return await acall_tool(
            guard, wish, frame, lambda args, kwargs: _begun(tool, run, args, kwargs)
        )

    return layer


def _dunder_called(kind: type) -> Layer:
    plain = _called(kind)

    def layer(
        guard: Guard, tool: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if take_pass(tool, guard, kind, args, kwargs):
            # In a thread of the loop's pool, where an agent has put it.
            return call_within(time_limit(), lambda: run(*args, **kwargs))
        return plain(guard, tool, run, args, kwargs)

    return layer


def _begun(tool: BaseTool, run: Run, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if time_limit() is not None and isinstance(tool, FunctionTool) and _is_handed_over(tool):
        # The sync form of the same call, with the same arguments: a part of this one.
        return acall_apart(lambda: tool.call(*args, **kwargs))
    return run(*args, **kwargs)


_HANDED_OVER = sync_to_async(print).__code__


def _is_handed_over(tool: FunctionTool) -> bool:
    """Whether the async form of this tool only hands its sync function to the loop's pool."""
    return getattr(tool.async_fn, "__code__", None) is _HANDED_OVER
