"""Tools: what happens around one call.

Rules:
* The guard judges the final arguments: parsed by the tool's schema, defaults and partials included,
  what the framework injects (state, store, runtime, call id) left out.
* Injected values reach the tool untouched; of the arguments only those that the guard changed are
  replaced, and the tool's own schema checks them again.
* An argument that the tool does not have refuses the call: the framework would drop it in silence.
* A refused call that a model made answers with a tool message, so that the agent goes on. A refused
  call that code made raises: code must notice. (`AgentExecutor` names no call, but shows its model
  what came of it: it gets a text.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, cast

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.tools.base import FILTERED_ARGS
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from hauberk import Decision, Event, Finding, Guard, Severity, Stage
from hauberk.flows import Paused, Refused, arun_tool, run_tool
from hauberk.guard import blocked
from hauberk_langchain._approval import Question, Replayed
from hauberk_langchain._errors import hard_stops, run_error
from hauberk_langchain._fields import Making, making
from hauberk_langchain._results import ResultCodec, screened
from hauberk_langchain._run import session_of

_CLASSIC = "color"
"""What `AgentExecutor` of langchain-classic says at each call of a tool, and nobody else in the
framework. It shows the model whatever comes back."""

_MAX_SCHEMAS = 1024
"""Schemas of tools whose arguments are remembered."""

ToolInput = str | dict[str, Any]


def call_tool(
    guards: tuple[Guard, ...],
    tool: BaseTool,
    given: ToolInput,
    options: Mapping[str, Any],
    work: Callable[[ToolInput], Any],
) -> Any:
    """One call of a tool, guarded.

    Args:
        guards: Whom to ask, outermost first.
        tool: The tool.
        given: What it was called with, injected values included.
        options: The other arguments of `BaseTool.run`.
        work: Runs the tool.

    Raises:
        RunBlockedError: Refused, and nobody is there to read why; or the refusal stops the run.
    """
    if not guards:
        return work(given)
    with hard_stops:
        guard, event = guards[0], tool_event(guards[0], tool, given, options)
        question, made = _question(guard, event, tool, options), _making(guard, event)

        def run(arguments: Mapping[str, object]) -> object:
            with question, making(made):
                return call_tool(guards[1:], tool, _input(given, event, arguments), options, work)

        try:
            result = _unfit(guard, tool, given, event) or run_tool(
                guard, event, run, ResultCodec(tool.name, made), question.ask
            )
        except Replayed as before:
            return before.result
        except Paused as pause:
            raise pause.error from None
        return question.keep(_shown(guard, event, result, options))


async def acall_tool(
    guards: tuple[Guard, ...],
    tool: BaseTool,
    given: ToolInput,
    options: Mapping[str, Any],
    work: Callable[[ToolInput], Awaitable[Any]],
) -> Any:
    """The same, on an event loop.

    Raises:
        RunBlockedError: Refused, and nobody is there to read why; or the refusal stops the run.
    """
    if not guards:
        return await work(given)
    with hard_stops:
        guard, event = guards[0], tool_event(guards[0], tool, given, options)
        question, made = _question(guard, event, tool, options), _making(guard, event)

        async def run(arguments: Mapping[str, object]) -> object:
            changed = _input(given, event, arguments)
            with question, making(made):
                return await acall_tool(guards[1:], tool, changed, options, work)

        try:
            result = _unfit(guard, tool, given, event) or await arun_tool(
                guard, event, run, ResultCodec(tool.name, made), question.aask
            )
        except Replayed as before:
            return before.result
        except Paused as pause:
            raise pause.error from None
        return question.keep(_shown(guard, event, result, options))


def call_stray(
    guards: tuple[Guard, ...], request: Any, config: Any, work: Callable[[], Any]
) -> Any:
    """One call of a tool that the agent does not have: judged by its name, as any other.

    Args:
        guards: Whom to ask, outermost first.
        request: LangGraph's `ToolCallRequest`.
        config: The config of the tool node.
        work: Gives LangGraph's own answer: no such tool.

    Raises:
        RunBlockedError: The refusal stops the run.
    """
    if not guards:
        return work()
    with hard_stops:
        event = _stray_event(guards[0], request, config)
        result = run_tool(
            guards[0],
            event,
            lambda _: call_stray(guards[1:], request, config, work),
            ResultCodec(event.tool or ""),
        )
    return _told(result, request)


async def acall_stray(
    guards: tuple[Guard, ...], request: Any, config: Any, work: Callable[[], Awaitable[Any]]
) -> Any:
    """The same, on an event loop.

    Raises:
        RunBlockedError: The refusal stops the run.
    """
    if not guards:
        return await work()
    with hard_stops:
        event = _stray_event(guards[0], request, config)
        result = await arun_tool(
            guards[0],
            event,
            lambda _: acall_stray(guards[1:], request, config, work),
            ResultCodec(event.tool or ""),
        )
    return _told(result, request)


def _making(guard: Guard, event: Event) -> Making | None:
    select = guard.minimiser(event)
    return None if select is None else Making(event.tool or "", select)


def _stray_event(guard: Guard, request: Any, config: Any) -> Event:
    call = request.tool_call
    session = session_of(guard, config=config)
    return Event(stage=Stage.TOOL_CALL, tool=call["name"], arguments=call["args"], session=session)


def _told(result: object, request: Any) -> object:
    if not isinstance(result, Refused):
        return result
    return denial(result, request.tool_call["name"], request.tool_call["id"])


def tool_event(guard: Guard, tool: BaseTool, given: ToolInput, options: Mapping[str, Any]) -> Event:
    """The call of a tool, as an event.

    Raises:
        BlockedError: The arguments cannot be read.
    """
    name, metadata = tool.name, options.get("metadata")
    session = session_of(
        guard, metadata, config=options.get("config"), callbacks=options.get("callbacks")
    )
    try:
        arguments = _final_arguments(tool, given, options.get("tool_call_id"))
    except Exception as error:  # noqa: BLE001 - what cannot be read must not run
        event = Event(stage=Stage.TOOL_CALL, tool=name, session=session, arguments={})
        raise guard.refuse(event, "langchain adapter", error) from None
    return Event(stage=Stage.TOOL_CALL, tool=name, session=session, arguments=arguments)


def _unfit(guard: Guard, tool: BaseTool, given: ToolInput, event: Event) -> Refused | None:
    """The refusal of a call with arguments that the tool does not have; None when it has them all.

    The framework drops such arguments in silence: the model would believe that they counted.
    """
    if isinstance(given, str) or not guard.watches(Stage.TOOL_CALL):
        return None
    schema = tool.args_schema
    known = _names(schema) if isinstance(schema, type) else None
    if known is None:
        return None
    # What the framework brings along need not be in the schema: the function asks for it.
    unknown = given.keys() - known - tool._injected_args_keys  # noqa: SLF001
    if not unknown:
        return None
    finding = Finding(
        rule="langchain.arguments",
        category="capability",
        severity=Severity.LOW,
        explanation="the call has arguments that the tool's schema does not have",
    )
    denied = guard.deny(event, Decision.deny("the arguments do not fit", findings=[finding]))
    # What exactly is for the model alone: the trail keeps no word that a model chose.
    names = ", ".join(sorted(unknown))
    text = f"The call of {tool.name} had no effect: it has no argument {names}."
    return Refused(text=text, decision=denied.decision)


@lru_cache(maxsize=_MAX_SCHEMAS)
def _names(schema: type[Any]) -> frozenset[str] | None:
    """The arguments that a schema takes; None when it takes any, or is none that pydantic reads."""
    if not issubclass(schema, BaseModel):
        return None
    if (
        schema.model_config.get("extra") == "allow"
        or {"args", "kwargs"} & schema.model_fields.keys()
    ):
        return None
    fields = schema.model_fields.items()
    spelt = [alias for _, f in fields for alias in (f.alias, f.validation_alias) if alias]
    if any(not isinstance(alias, str) for alias in spelt):
        return None
    return frozenset(map(str, spelt)) | schema.model_fields.keys()


def _question(guard: Guard, event: Event, tool: BaseTool, options: Mapping[str, Any]) -> Question:
    ident = options.get("tool_call_id")
    return Question(guard, event, ident, lambda edited: _final_arguments(tool, dict(edited), ident))


def _final_arguments(tool: BaseTool, given: ToolInput, ident: str | None) -> dict[str, object]:
    if isinstance(given, str):
        return {_only_name(tool): given}
    try:
        parsed = tool._parse_input(dict(given), ident)  # noqa: SLF001
    except Exception:  # noqa: BLE001 - bad arguments: the tool will say so itself, in its own way,
        parsed = given  # after the guard has seen what was given
    named = parsed if isinstance(parsed, dict) else given
    hidden = _hidden(tool, named)
    final = _bound(tool)
    for name, value in named.items():
        if name not in hidden:
            final[name] = value if type(value) is str else _plain(value)
    return final


def _hidden(tool: BaseTool, named: dict[str, Any]) -> AbstractSet[str]:
    """Those of these arguments that the framework injects, and more like them."""
    schema = tool.args_schema
    usual = type(tool)._filter_injected_args is BaseTool._filter_injected_args  # noqa: SLF001
    if usual and isinstance(schema, type) and issubclass(schema, BaseModel):
        return _injected(schema, tool._injected_args_keys)  # noqa: SLF001
    return named.keys() - tool._filter_injected_args(named).keys()  # noqa: SLF001


@lru_cache(maxsize=_MAX_SCHEMAS)
def _injected(schema: type[BaseModel], more: frozenset[str]) -> frozenset[str]:
    """The same for every call: LangChain reads all annotations of the schema to say so."""
    tool: Any = SimpleNamespace(args_schema=schema, _injected_args_keys=more)
    names = dict.fromkeys((*schema.model_fields, *more, *FILTERED_ARGS))
    return frozenset(names.keys() - BaseTool._filter_injected_args(tool, names).keys())  # noqa: SLF001


def _bound(tool: BaseTool) -> dict[str, Any]:
    """What a partial function brings along."""
    function: object = getattr(tool, "func", None) or getattr(tool, "coroutine", None)
    return dict(function.keywords) if isinstance(function, partial) else {}


def _only_name(tool: BaseTool) -> str:
    schema = tool.args_schema
    fields: Mapping[str, object] = getattr(schema, "model_fields", {})
    return next(iter(fields), "tool_input")


def _plain(value: object) -> object:
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    try:
        return to_jsonable_python(value, serialize_unknown=True, fallback=str)
    except (ValueError, RecursionError):
        return value  # nested too deep, or a cycle: the guard's limit says so


def _input(given: ToolInput, event: Event, arguments: Mapping[str, object]) -> ToolInput:
    """What the tool is called with: `given`, with the arguments that the guard changed."""
    before = event.arguments or {}
    if arguments is before:
        return given
    changed = {k: v for k, v in arguments.items() if k not in before or before[k] != v}
    if isinstance(given, str):
        return cast("str", next(iter(changed.values()), given))
    gone = before.keys() - arguments.keys()  # a person took them away
    if not changed and not gone:
        return given
    return {k: v for k, v in given.items() if k not in gone} | changed


def _shown(guard: Guard, event: Event, result: object, options: Mapping[str, Any]) -> object:
    if not isinstance(result, Refused):
        return screened(guard, event, result)
    ident = options.get("tool_call_id")
    if ident is None and _CLASSIC in options:
        return result.text
    if ident is None:
        raise run_error(blocked(event, result.decision))
    return denial(result, event.tool or "", ident)


def denial(refused: Refused, tool: str, ident: str | None) -> ToolMessage:
    """What a model reads in place of a result."""
    return ToolMessage(content=refused.text, name=tool, tool_call_id=ident or "", status="error")
