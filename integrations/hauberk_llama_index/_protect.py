"""`protect`: the door of this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.chat_engine.types import BaseChatEngine
from llama_index.core.indices.base import BaseIndex
from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.memory import BaseMemory, BaseMemoryBlock
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.prompts.mixin import PromptMixin
from llama_index.core.schema import BaseNode, TransformComponent
from llama_index.core.tools import BaseTool
from llama_index.core.types import BasePydanticProgram
from llama_index.core.workflow import Workflow
from pydantic import BaseModel

from hauberk.guard import Guard
from hauberk_llama_index._models import model_methods
from hauberk_llama_index._nodes import retriever_methods
from hauberk_llama_index._runs import engine_methods, index_door, run_door
from hauberk_llama_index._swap import Door, require_free, swap, unswap
from hauberk_llama_index._tools import tool_methods

T = TypeVar("T")

_HOLDERS = (
    BaseIndex,
    BaseLLM,
    BaseMemory,
    BaseMemoryBlock,
    BaseNodePostprocessor,
    BasePydanticProgram,
    BaseQueryEngine,
    BaseChatEngine,
    BaseTool,
    PromptMixin,
    TransformComponent,
    Workflow,
)
"""What may hold a model, a retriever or a tool. Stores, nodes and messages hold none."""
_MAX_ITEMS = 10_000
"""Most items of one list or mapping that are looked into: agents have tens of tools."""


def protect(obj: T, guard: Guard) -> T:
    """Guard a LlamaIndex object in place, with everything in it that talks to the world.

    Takes models, tools, retrievers, indexes, query engines, chat engines, agents, `AgentWorkflow`,
    workflows, and lists, tuples and mappings of them. It stays the same object, so everything that
    holds it already is guarded too; a model that is shared with other agents is guarded for them as
    well. Protecting twice with the same guard changes nothing.

    Args:
        obj: What to guard.
        guard: What to ask.

    Returns:
        `obj` itself.

    Raises:
        TypeError: There is nothing in `obj` that could be guarded.
        ValueError: Something in it is protected by another guard; nothing was changed.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from hauberk_llama_index import protect
        >>> from hauberk_llama_index.testing import ScriptedLLM
        >>> llm = ScriptedLLM(replies=["Hello."])
        >>> protect(llm, Guard(Policy.unsafe_allow_all())) is llm
        True

    It does not promise to see what goes around LlamaIndex: `tool.fn` called directly, a provider's
    own client, code that a `CodeActAgent` executes.
    """
    found = list(_reach(obj))
    if not found:
        raise TypeError(
            f"nothing in this {type(obj).__name__} can be protected. Give a model, a tool (wrap "
            "functions in FunctionTool), a retriever, an index, an engine, an agent or a workflow."
        )
    for one, _ in found:
        require_free(one, guard)
    for one, door in found:
        swap(one, guard, door)
    return obj


def unprotect(obj: T) -> T:
    """Take the guard off an object and everything in it. Returns the object.

    For giving it another guard, or for comparing; it leaves the application unguarded.
    """
    for one, _ in list(_reach(obj)):
        unswap(one)
    return obj


# --- what there is to guard ---------------------------------------------------------------------


def _attach(obj: object, guard: Guard) -> None:
    """Guard what an object holds now, where there is something to guard."""
    for one, door in list(_reach(obj)):
        swap(one, guard, door)


_RUN: Door = run_door(_attach)
_INDEX: Door = index_door(_attach)
_DOORS: tuple[tuple[type, Door], ...] = (
    (LLM, model_methods),
    (BaseTool, tool_methods),
    (BaseRetriever, retriever_methods),
    (BaseIndex, _INDEX),
    (BaseQueryEngine, engine_methods),
    (BaseChatEngine, engine_methods),
    (Workflow, _RUN),
)


def _reach(obj: object) -> Iterator[tuple[object, Door]]:
    """Everything reachable from `obj` that has a door, each once, `obj` first."""
    seen: dict[int, object] = {}
    waiting: list[object] = [obj]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen[id(one)] = one  # kept alive, so that its id stays its own
        door = _door(one)
        if door is not None:
            yield one, door
        waiting += _held(one)


def _door(obj: object) -> Door | None:
    if isinstance(obj, StructuredLLM):
        return None  # only a shape around the model in it, which is guarded
    return next((door for kind, door in _DOORS if isinstance(obj, kind)), None)


def _held(obj: object) -> list[object]:
    """What an object holds that may have a door."""
    if isinstance(obj, Mapping):
        return _few(list(cast("Mapping[object, object]", obj).values()))
    if isinstance(obj, (list, tuple)):
        return _few(cast("Sequence[object]", obj))
    if not isinstance(obj, _HOLDERS):
        return []
    values: dict[str, Any] = dict(getattr(obj, "__dict__", {}))
    if isinstance(obj, BaseModel):
        values |= obj.__pydantic_private__ or {}
    return _few(list(values.values()))


def _few(items: Sequence[object]) -> list[object]:
    kinds = (*_HOLDERS, Mapping, list, tuple)
    return [
        item
        for item in items[:_MAX_ITEMS]
        if isinstance(item, kinds) and not isinstance(item, BaseNode)
    ]
