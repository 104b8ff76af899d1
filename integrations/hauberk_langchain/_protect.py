"""protect(obj, guard): guard an object that exists, in place, with everything that it holds.

Rules:
* The same object comes back, with the same type for everyone who asks.
* Models, tools and retrievers carry the guard wherever they go. A chain, a binding, an agent or a
  graph carries it too, so that whatever it calls while it runs is guarded, found or not.
* Twice is once. Two guards are asked one after the other.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any, Literal, TypeVar, cast

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore

from hauberk import Guard
from hauberk_langchain._patch import teach
from hauberk_langchain._seam import arm

T = TypeVar("T")

_MODELS = (BaseChatModel, BaseLLM)
_CALLED = (BaseTool, BaseRetriever, Embeddings, VectorStore)
_FRAMEWORK = ("langchain", "langgraph")

MAX_OBJECTS = 100_000
"""Objects that a walk looks at. Agents of fifty tools stay below five thousand."""


def protect(obj: T, guard: Guard, *, checkpoint: Literal["clear", "pseudonymised"] = "clear") -> T:
    """Guard `obj`, in place, and give it back.

    Args:
        obj: A chat model, string model, tool, retriever, embedding model, vector store, chain,
            binding, agent or compiled graph; or a list, tuple or mapping of them.
        guard: What it must obey.
        checkpoint: With `pseudonymised`, the checkpointer of a graph gets pseudonyms instead of the
            personal data that the guard finds (see `PseudonymisedSaver`).

    Raises:
        TypeError: It is nothing that can be guarded.
        ValueError: `pseudonymised`, and there is no checkpointer, or nothing that hides values.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from hauberk_langchain.testing import ScriptedChatModel
        >>> model = ScriptedChatModel(replies=["ok"])
        >>> protect(model, Guard(Policy.unsafe_allow_all())) is model
        True
    """
    if checkpoint == "pseudonymised":
        _pseudonymise(obj, guard)
    teach()
    if isinstance(obj, (list, tuple)):
        for item in cast("list[object]", obj):
            protect(item, guard)
    elif isinstance(obj, Mapping):
        for item in cast("Mapping[object, object]", obj).values():
            protect(item, guard)
    elif isinstance(obj, (*_MODELS, *_CALLED, Runnable)):
        for part in held_by(obj):
            arm(part, guard)
        arm(obj, guard)
    else:
        raise TypeError(
            f"protect() takes models, tools, retrievers, chains, agents and graphs, "
            f"not {type(obj).__name__}; make a tool of a function with langchain_core.tools.tool"
        )
    return obj


def _pseudonymise(obj: object, guard: Guard) -> None:
    """Put a saver that hides values before the checkpointer of a graph."""
    saver: object = getattr(obj, "checkpointer", None)
    if saver in (None, True, False):
        raise ValueError(f"this {type(obj).__name__} has no checkpointer of its own")
    from hauberk_langchain._checkpoint import PseudonymisedSaver  # noqa: PLC0415 - needs LangGraph

    if not isinstance(saver, PseudonymisedSaver):
        cast("Any", obj).checkpointer = PseudonymisedSaver(cast("Any", saver), guard)


def held_by(obj: object) -> Iterator[Any]:
    """What `obj` holds that crosses a stage, in its fields and in its functions."""
    waiting: list[object] = [*inside(obj)]
    seen = {id(obj)}
    while waiting and len(seen) < MAX_OBJECTS:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, (*_MODELS, *_CALLED)):
            yield part
        waiting += inside(part)


def inside(obj: object) -> Iterator[object]:
    """What may lead to a model, a tool, a retriever or an embedding model."""
    if isinstance(obj, Mapping):
        yield from cast("Mapping[object, object]", obj).values()
    elif isinstance(obj, (list, tuple, set, frozenset)):
        yield from cast("list[object]", obj)
    elif isinstance(obj, FunctionType):
        yield from _of_function(obj)
    elif isinstance(obj, MethodType):
        yield from (obj.__func__, obj.__self__)
        yield from _fields(obj.__self__)
    elif isinstance(obj, functools.partial):
        yield from (obj.func, *obj.args, *obj.keywords.values())
    elif isinstance(obj, _MODELS):
        return  # what a model holds is its own affair: one crossing, one check
    elif isinstance(obj, (Runnable, VectorStore, Embeddings)) or type(obj).__module__.startswith(
        _FRAMEWORK
    ):
        yield from _fields(obj)


def _fields(obj: object) -> Iterator[object]:
    yield from getattr(obj, "__dict__", {}).values()
    for kind in type(obj).__mro__:
        slots: object = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else cast("tuple[str, ...]", slots):
            if not name.startswith("__") and hasattr(obj, name):
                yield getattr(obj, name)


def _of_function(function: FunctionType) -> Iterator[object]:
    """Cells and defaults of a function, and the globals that it names."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # an empty cell
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        own = isinstance(value, FunctionType) and value.__module__ == function.__module__
        if own or isinstance(value, Runnable):
            yield value
