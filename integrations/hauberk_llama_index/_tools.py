"""Tool calls: from LlamaIndex's arguments to an event, and from the guard's answer to a ToolOutput.

LlamaIndex checks no argument at call time, and lets the caller's value override a partial parameter
that is hidden from the schema. Both are closed here, because only this side knows the schema.

Rules:
* Rules judge the final arguments: the function's defaults, then what was given, then the partial
  parameters, which always win.
* An argument that the tool's schema does not have, or whose value does not fit, is answered like a
  tool error, in words that do not repeat the value.
* What was not rewritten is passed on as it came: same object, positional or named as before.
* A refused call is a `ToolOutput(is_error=True)`; a refusal that stops the run raises.
* A tool that waits for an event has not run yet: what was reserved for it is free until it does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, cast
from weakref import WeakKeyDictionary

from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import AsyncBaseTool, BaseTool, FunctionTool, ToolOutput
from llama_index.core.tools.function_tool import sync_to_async
from llama_index.core.tools.types import BaseToolAsyncAdapter
from llama_index.core.workflow import Context
from pydantic import BaseModel, ValidationError

from hauberk.decisions import Decision, Finding, Severity
from hauberk.events import Event, Stage
from hauberk.flows import Refused, acall_apart, arun_tool, call_within, run_tool, time_limit
from hauberk.guard import Guard
from hauberk.structure import MAX_DEPTH
from hauberk_llama_index._approval import Question, Replayed
from hauberk_llama_index._codecs import OutputCodec
from hauberk_llama_index._events import WaitingForEvent
from hauberk_llama_index._layers import Layer, Layers, Run
from hauberk_llama_index._nesting import called, take_pass

_SCHEMAS = 1024
"""Schemas whose names of arguments are kept."""
_signatures: WeakKeyDictionary[FunctionTool, tuple[inspect.Parameter, ...]] = WeakKeyDictionary()
"""Working one out takes longer than a whole check."""


class Wish:
    """One call of one tool, as somebody wishes it."""

    def __init__(
        self, tool: BaseTool, args: tuple[Any, ...], given: Mapping[str, Any], *, strict: bool
    ) -> None:
        """Work out the final arguments.

        Args:
            tool: The tool, or the adapter that an agent put around it.
            args: Positional arguments.
            given: Named arguments.
            strict: Somebody judges tool calls: arguments must fit, partial parameters win. Without
                it a call is what LlamaIndex makes of it.
        """
        self.tool = real_tool(tool)
        self.name = self.tool.metadata.name or type(self.tool).__name__
        self._args = args
        self._positions = _positions(self.tool, len(args))
        self._given = {**dict(zip(self._positions, args, strict=True)), **given}
        self._partial = _partial(self.tool)
        self._strict = strict
        known = (self._given, self._partial) if strict else (self._partial, self._given)
        self._final = {**_defaults(self.tool), **known[0], **known[1]}
        # The context of a workflow is handed through: no model gives it, and no rule reads it.
        self._passed = {name for name, value in self._final.items() if isinstance(value, Context)}
        self.arguments: Mapping[str, object] = {
            name: _plain(value) for name, value in self._final.items() if name not in self._passed
        }
        """The final arguments, in plain values."""

    def problem(self) -> str:
        """What is wrong with the given arguments, in words for the model; empty when nothing is."""
        schema = cast("Any", self.tool.metadata.fn_schema) if self._strict else None
        if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
            return ""  # the tool promises nothing of its arguments
        names, ours = _names(schema), (self._passed, self._partial)
        given = {n: v for n, v in self._given.items() if not any(n in one for one in ours)}
        unknown = sorted(given.keys() - names)
        if unknown and schema.model_config.get("extra") != "allow":
            return f"unknown argument {', '.join(unknown)}"
        # A schema of the application's own may name what is fixed.
        fixed = {n: v for n, v in self._partial.items() if n in names}
        return _misfit(schema, {**given, **fixed})

    def call_with(self, new: Mapping[str, object]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments for the tool, with what a rewrite changed."""
        old = self.arguments
        final = {name: self._final[name] for name in self._passed}
        for name, value in new.items():
            same = name in old and old[name] == value
            final[name] = self._final[name] if same else value
        args = tuple(final.pop(name, None) for name in self._positions)
        # Defaults and partial parameters that nobody touched are the tool's own business.
        kept = {n: v for n, v in final.items() if n in self._given or v is not self._own(n)}
        return args, kept

    def _own(self, name: str) -> object:
        return self._final.get(name, _NOTHING)

    def refusal(self, text: str) -> ToolOutput:
        """What a refused call gives back."""
        given = {k: v for k, v in self._given.items() if k not in self._passed}
        return ToolOutput(
            content=text, tool_name=self.name, raw_input=given, raw_output=None, is_error=True
        )


_NOTHING = object()


def real_tool(tool: BaseTool) -> BaseTool:
    """The tool itself, out of the adapter that agents put around tools without async."""
    return tool.base_tool if isinstance(tool, BaseToolAsyncAdapter) else tool


# --- the two colours ----------------------------------------------------------------------------


def call_tool(
    guard: Guard, wish: Wish, call: Callable[[tuple[Any, ...], dict[str, Any]], Any]
) -> Any:
    """One guarded call.

    Raises:
        BlockedError: The guard refused and stops the run.
    """
    event = Event(stage=Stage.TOOL_CALL, tool=wish.name, arguments=wish.arguments)
    result: object = _unfit(guard, wish, event)

    def run(new: Mapping[str, object]) -> object:
        args, kwargs = wish.call_with(new)
        try:
            return call(args, kwargs)
        except WaitingForEvent:
            guard.release(event)  # it will be begun anew
            raise

    if result is None:
        result = run_tool(guard, event, run, OutputCodec(wish.name))
    return wish.refusal(result.text) if isinstance(result, Refused) else result


async def acall_tool(
    guard: Guard, wish: Wish, call: Callable[[tuple[Any, ...], dict[str, Any]], Any]
) -> Any:
    """One guarded call, on an event loop. Inside a workflow, a question goes to its event stream.

    Raises:
        BlockedError: The guard refused and stops the run.
        WaitingForEvent: The step must wait, for a person or for what the tool waits for.
    """
    event = Event(stage=Stage.TOOL_CALL, tool=wish.name, arguments=wish.arguments)
    result: object = _unfit(guard, wish, event)
    question = Question(guard, event)

    async def run(new: Mapping[str, object]) -> object:
        args, kwargs = wish.call_with(new)
        try:
            return await call(args, kwargs)
        except WaitingForEvent:
            question.reopen()
            raise

    if result is None:
        try:
            result = await arun_tool(guard, event, run, OutputCodec(wish.name), question.ask)
        except Replayed as replayed:
            return replayed.result
    return question.keep(wish.refusal(result.text) if isinstance(result, Refused) else result)


def _unfit(guard: Guard, wish: Wish, event: Event) -> Refused | None:
    """The refusal of a call whose arguments do not fit, or None."""
    problem = wish.problem()
    if not problem:
        return None
    finding = Finding(
        rule="llama-index.arguments",
        category="capability",
        severity=Severity.LOW,
        explanation="the arguments do not fit the tool's schema",
    )
    denied = guard.deny(event, Decision.deny("the arguments do not fit", findings=[finding]))
    # What exactly is for the model alone: the trail keeps no word that a model chose.
    text = f"The call of {wish.name} had no effect: its arguments do not fit ({problem})."
    return Refused(text=text, decision=denied.decision)


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
        if _is_shape(tool) or take_pass(tool, guard, kind, args, kwargs):
            return run(*args, **kwargs)

        def checked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            with called(tool, guard, kind, args, kwargs):
                return run(*args, **kwargs)

        return call_tool(guard, _wish(guard, tool, args, kwargs), checked)

    return layer


def _acalled(kind: type) -> Layer:
    async def layer(
        guard: Guard, tool: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if _is_shape(tool) or take_pass(tool, guard, kind, args, kwargs):
            return await _arun(tool, run, args, kwargs)

        async def checked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            with called(tool, guard, kind, args, kwargs):
                return await _arun(tool, run, args, kwargs)

        return await acall_tool(guard, _wish(guard, tool, args, kwargs), checked)

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


def _wish(guard: Guard, tool: BaseTool, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Wish:
    return Wish(tool, args, kwargs, strict=guard.watches(Stage.TOOL_CALL))


async def _arun(tool: BaseTool, run: Run, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if time_limit() is not None and isinstance(tool, FunctionTool) and _is_handed_over(tool):
        # The sync form of the same call, with the same arguments: a part of this one.
        return await acall_apart(lambda: tool.call(*args, **kwargs))
    return await run(*args, **kwargs)


_HANDED_OVER = sync_to_async(print).__code__


class _Shape(BaseModel):
    """Any structured answer."""


_SHAPE: object = getattr(get_function_tool(_Shape).real_fn, "__code__", None)


def _is_shape(tool: object) -> bool:
    """Whether a tool only makes the object of a structured answer, which was checked as an answer.

    LlamaIndex names it after the object's class: no policy could know it. Where an agent has it among
    its tools it is judged like any other.
    """
    if not isinstance(tool, FunctionTool) or _SHAPE is None:
        return False
    return getattr(tool.real_fn, "__code__", None) is _SHAPE


def _is_handed_over(tool: FunctionTool) -> bool:
    """Whether the async form of this tool only hands its sync function to the loop's pool."""
    return getattr(tool.async_fn, "__code__", None) is _HANDED_OVER


# --- arguments ----------------------------------------------------------------------------------


def _positions(tool: BaseTool, count: int) -> tuple[str, ...]:
    """Names of the first `count` positional arguments."""
    if count == 0:
        return ()
    if isinstance(tool, FunctionTool):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [p.name for p in _parameters(tool) if p.kind in kinds]
    else:
        schema = tool.metadata.fn_schema
        names = list(schema.model_fields) if schema is not None else ["input"]
    extra = [f"argument_{index}" for index in range(len(names), count)]
    return (*names, *extra)[:count]


def _defaults(tool: BaseTool) -> Mapping[str, Any]:
    if not isinstance(tool, FunctionTool):
        return {}
    plain = {
        p.name: p.default
        for p in _parameters(tool)
        if p.default is not inspect.Parameter.empty and p.name != tool.ctx_param_name
    }
    return {**plain, **tool._field_defaults}


def _partial(tool: BaseTool) -> Mapping[str, Any]:
    return tool.partial_params if isinstance(tool, FunctionTool) else {}


def _parameters(tool: FunctionTool) -> tuple[inspect.Parameter, ...]:
    if type(tool).__hash__ is None:
        return _signature(tool)
    found = _signatures.get(tool)
    if found is None:
        found = _signatures[tool] = _signature(tool)
    return found


def _signature(tool: FunctionTool) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(tool.real_fn).parameters.values())
    except (TypeError, ValueError):  # functions written in C have none
        return ()


def _misfit(schema: type[BaseModel], given: dict[str, Any]) -> str:
    try:
        schema.model_validate(given)
    except ValidationError as error:
        # Places and kinds only: pydantic's own text repeats the value.
        found = [
            (".".join(map(str, e["loc"])), e["type"]) for e in error.errors(include_input=False)
        ]
        return "; ".join(f"{place}: {kind.replace('_', ' ')}" for place, kind in found)
    except Exception as error:  # noqa: BLE001 - the schema's own code failed: nothing is proved
        return f"the schema failed with {type(error).__name__}"
    return ""


@lru_cache(maxsize=_SCHEMAS)
def _names(schema: type[BaseModel]) -> frozenset[str]:
    """What arguments of a schema may be called: fields and their plain aliases."""
    found: set[str] = set()
    for name, field in schema.model_fields.items():
        aliases = (field.alias, field.validation_alias)
        found |= {name, *(alias for alias in aliases if isinstance(alias, str))}
    return frozenset(found)


def _plain(value: object, depth: int = MAX_DEPTH) -> object:
    """A value as rules see it: JSON-like where it can be, itself where it cannot.

    Too deep a value is given as it is: the guard's own limit refuses it.
    """
    value = _opened(value)
    if depth >= 0 and isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {str(key): _plain(inner, depth - 1) for key, inner in named.items()}
    if depth >= 0 and isinstance(value, (list, tuple, set, frozenset)):
        items = cast("list[object]", value)
        return [_plain(inner, depth - 1) for inner in items]
    return value


def _opened(value: object) -> object:
    """What an enum, a model or a dataclass stands for."""
    if isinstance(value, Enum):
        return cast("object", value.value)
    if isinstance(value, BaseModel):
        return vars(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value
