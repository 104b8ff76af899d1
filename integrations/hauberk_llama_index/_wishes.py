"""Arguments of a tool call: from what somebody gave to what the tool will really get, and back.

LlamaIndex checks no argument at call time, and lets the caller's value override a partial parameter
that is hidden from the schema. Both are closed here, because only this side knows the schema.

Rules:
* Rules judge the final arguments: the function's defaults, then what was given, then the partial
  parameters, which always win.
* An argument that the tool's schema does not have, or whose value does not fit, is told in words that
  do not repeat the value.
* What was not rewritten is passed on as it came: same object, positional or named as before.
* A tool gets what was judged, whoever changes what was given in the meantime.
* What is the same at each call of a tool is worked out once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import BaseTool, FunctionTool, ToolOutput
from llama_index.core.workflow import Context
from pydantic import BaseModel, ValidationError

from hauberk.structure import MAX_DEPTH

_KEPT = 1024
"""Schemas, and classes of tools, of which it is kept what they are."""
_SCALARS = frozenset({str, int, float, bool, type(None)})
"""Kinds of most arguments: they are plain values already."""
_NOTHING = object()


class Wish:
    """One call of one tool, as somebody wishes it."""

    __slots__ = (
        "_args",
        "_final",
        "_given",
        "_nested",
        "_partial",
        "_passed",
        "_positions",
        "_schema",
        "arguments",
        "is_shape",
        "name",
    )

    def __init__(
        self, tool: BaseTool, args: tuple[Any, ...], given: Mapping[str, Any], *, strict: bool
    ) -> None:
        """Work out the final arguments.

        Args:
            tool: The tool itself, not the adapter that an agent put around it.
            args: Positional arguments.
            given: Named arguments.
            strict: Somebody judges tool calls: arguments must fit, partial parameters win. Without
                it a call is what LlamaIndex makes of it.
        """
        function, metadata = function_of(tool), tool.metadata
        self.name = metadata.name or type(tool).__name__
        self._schema = _schema(metadata.fn_schema) if strict else None
        self._args = args
        self._positions = _positions(tool, function, len(args)) if args else ()
        # A copy: what is judged is what is called with, whoever changes the given one meanwhile.
        self._given = {**dict(zip(self._positions, args, strict=True)), **given}
        self.is_shape = function.is_shape
        """Whether the tool only makes the object of a structured answer, which was checked as such.

        LlamaIndex names it after the object's class: no policy could know it. Where an agent has it
        among its tools it is judged like any other."""
        self._partial, own = _fixed(tool, function)
        known = (self._given, self._partial) if strict else (self._partial, self._given)
        self._final = {**function.defaults, **own, **known[0], **known[1]}
        self._passed: set[str] = set()
        self._nested = False
        """Whether there is a value that can be changed from outside."""
        self.arguments: Mapping[str, object] = self._plain_values()
        """The final arguments, in plain values."""

    def _plain_values(self) -> Mapping[str, object]:
        plain: dict[str, object] = {}
        for name, value in self._final.items():
            if type(value) in _SCALARS:
                plain[name] = value
            elif isinstance(value, Context):
                # The context of a workflow is handed through: no model gives it, no rule reads it.
                self._passed.add(name)
            else:
                plain[name] = _plain(value)
                self._nested = True
        return plain

    def problem(self) -> str:
        """What is wrong with the given arguments, in words for the model; empty when nothing is."""
        schema, given = self._schema, self._given
        if schema is None:
            return ""  # the tool promises nothing of its arguments
        if self._partial or self._passed:
            ours = (self._passed, self._partial)
            given = {n: v for n, v in given.items() if not any(n in one for one in ours)}
        if schema.closed and not schema.names.issuperset(given):
            return f"unknown argument {', '.join(sorted(given.keys() - schema.names))}"
        # A schema of the application's own may name what is fixed.
        fixed = {n: v for n, v in self._partial.items() if n in schema.names}
        return _misfit(schema, {**given, **fixed})

    def call_with(self, new: Mapping[str, object]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments for the tool, with what a rewrite changed."""
        if new is self.arguments and not (self._args or self._partial or self._nested):
            return (), dict(self._given)
        final = {name: self._final[name] for name in self._passed}
        for name, value in new.items():
            final[name] = self._final[name] if self._is_still(name, value) else value
        args = tuple(final.pop(name, None) for name in self._positions)
        # Defaults and partial parameters that nobody touched are the tool's own business.
        kept = {n: v for n, v in final.items() if n in self._given or v is not self._own(n)}
        return args, kept

    def _is_still(self, name: str, value: object) -> bool:
        """Whether a value is the one that was given, and that is still what was judged.

        Somebody who holds a list or an object may change what is in it while the guard looks, or
        waits for a person.
        """
        if not _same(self.arguments.get(name, _NOTHING), value):
            return False
        return not self._nested or _same(_plain(self._final[name]), value)

    def _own(self, name: str) -> object:
        return self._final.get(name, _NOTHING)

    def refusal(self, text: str) -> ToolOutput:
        """What a refused call gives back."""
        given = {k: v for k, v in self._given.items() if k not in self._passed}
        return ToolOutput(
            content=text, tool_name=self.name, raw_input=given, raw_output=None, is_error=True
        )


# --- what a tool's function takes ---------------------------------------------------------------


class Function(NamedTuple):
    """The function of a tool. Asking for a signature takes longer than a whole check."""

    itself: object
    """None where a tool has no function."""
    positions: tuple[str, ...]
    """Names of the arguments that may be positional, in order."""
    defaults: Mapping[str, Any]
    is_shape: bool
    """Whether it only makes the object of a structured answer."""


_functions: WeakKeyDictionary[Any, Function] = WeakKeyDictionary()


def function_of(tool: Any) -> Function:
    """The function of a tool."""
    kind: Any = type(tool)
    if not _has_function(kind):
        return _NO_FUNCTION
    if kind.__hash__ is None:
        return _function(tool)
    found = _functions.get(tool)
    if found is None or found.itself is not tool.real_fn:
        found = _functions[tool] = _function(tool)
    return found


@lru_cache(maxsize=_KEPT)
def _has_function(kind: type) -> bool:
    return issubclass(kind, FunctionTool)


class _Shape(BaseModel):
    """Any structured answer."""


_SHAPE: object = getattr(get_function_tool(_Shape).real_fn, "__code__", _NOTHING)
_NO_FUNCTION = Function(itself=None, positions=(), defaults={}, is_shape=False)
_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _function(tool: FunctionTool) -> Function:
    itself = tool.real_fn
    try:
        found = list(inspect.signature(itself).parameters.values())
    except (TypeError, ValueError):  # functions written in C have none
        found = []
    return Function(
        itself=itself,
        positions=tuple(p.name for p in found if p.kind in _BY_PLACE),
        defaults={
            p.name: p.default
            for p in found
            if p.default is not inspect.Parameter.empty and p.name != tool.ctx_param_name
        },
        is_shape=getattr(itself, "__code__", None) is _SHAPE,
    )


def _fixed(tool: Any, function: Function) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Partial parameters, and defaults that stand in no signature."""
    return (tool.partial_params, tool._field_defaults) if function.itself is not None else ({}, {})


def _positions(tool: BaseTool, function: Function, count: int) -> tuple[str, ...]:
    """Names of the first `count` positional arguments."""
    schema = tool.metadata.fn_schema
    if function.itself is not None:
        names = list(function.positions)
    else:
        names = list(schema.model_fields) if schema is not None else ["input"]
    extra = [f"argument_{index}" for index in range(len(names), count)]
    return (*names, *extra)[:count]


# --- what a tool's schema takes -----------------------------------------------------------------


class _Schema(NamedTuple):
    """A schema of arguments."""

    names: frozenset[str]
    """What arguments may be called: fields and their plain aliases."""
    closed: bool
    """Whether there can be no others."""
    validate: Callable[[Any], object]


def _schema(found: object) -> _Schema | None:
    return _known_schema(cast("Any", found)) if isinstance(found, type) else None


@lru_cache(maxsize=_KEPT)
def _known_schema(found: Any) -> _Schema | None:
    if not issubclass(found, BaseModel):
        return None
    names: set[str] = set()
    for name, field in found.model_fields.items():
        aliases = (field.alias, field.validation_alias)
        names |= {name, *(alias for alias in aliases if isinstance(alias, str))}
    closed = found.model_config.get("extra") != "allow"
    return _Schema(frozenset(names), closed, found.model_validate)


def _misfit(schema: _Schema, given: dict[str, Any]) -> str:
    try:
        schema.validate(given)
    except ValidationError as error:
        # Places and kinds only: pydantic's own text repeats the value.
        found = [
            (".".join(map(str, e["loc"])), e["type"]) for e in error.errors(include_input=False)
        ]
        return "; ".join(f"{place}: {kind.replace('_', ' ')}" for place, kind in found)
    except Exception as error:  # noqa: BLE001 - the schema's own code failed: nothing is proved
        return f"the schema failed with {type(error).__name__}"
    return ""


# --- plain values -------------------------------------------------------------------------------


def _plain(value: object, depth: int = MAX_DEPTH) -> object:
    """A value as rules see it: JSON-like where it can be, itself where it cannot.

    Too deep a value is given as it is: the guard's own limit refuses it.
    """
    if type(value) in _SCALARS:
        return value
    value = _opened(value)
    if depth >= 0 and isinstance(value, Mapping):
        named = cast("Mapping[object, object]", value)
        return {str(key): _plain(inner, depth - 1) for key, inner in named.items()}
    if depth >= 0 and isinstance(value, (list, tuple, set, frozenset)):
        items = cast("list[object]", value)
        return [_plain(inner, depth - 1) for inner in items]
    return value


def _same(one: object, other: object) -> bool:
    # The same object first: arrays and tables do not compare to one bool.
    return one is other or one == other


def _opened(value: object) -> object:
    """What an enum, a model or a dataclass stands for."""
    if isinstance(value, Enum):
        return cast("object", value.value)
    if isinstance(value, BaseModel):
        return vars(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value
