"""`protect`: the door of this package."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, TypeVar, cast

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
from hauberk_llama_index._nodes import (
    HauberkNodePostprocessor,
    postprocessor_methods,
    retriever_methods,
)
from hauberk_llama_index._runs import engine_methods, index_door, run_door
from hauberk_llama_index._swap import Door, guard_of, require_free, swap, unswap
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
_CLASSES = 4096
"""Classes of which it is kept what they are."""


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
    """Guard what an object holds now, where there is something to guard.

    Goes on only where something may be new: at each run of an agent, so it must cost little.
    """
    for one, door in list(_reach(obj, stop=guard)):
        swap(one, guard, door)


_RUN: Door = run_door(_attach)
_INDEX: Door = index_door(_attach)
_DOORS: tuple[tuple[type, Door | None], ...] = (
    (StructuredLLM, None),  # only a shape around the model in it, which is guarded
    (LLM, model_methods),
    (BaseTool, tool_methods),
    (BaseRetriever, retriever_methods),
    (HauberkNodePostprocessor, None),
    (BaseNodePostprocessor, postprocessor_methods),
    (BaseIndex, _INDEX),
    (BaseQueryEngine, engine_methods),
    (BaseChatEngine, engine_methods),
    (Workflow, _RUN),
)
_CONTAINERS = (Mapping, list, tuple)


class _Kind(NamedTuple):
    """What is known of a class."""

    door: Door | None
    holds: bool
    """Whether its objects may hold something that has a door."""
    runs: bool
    """Whether its objects are looked into at each run."""


@lru_cache(maxsize=_CLASSES)
def _kind(cls: Any) -> _Kind:
    door = next((door for kind, door in _DOORS if issubclass(cls, kind)), None)
    holds = issubclass(cls, (*_HOLDERS, *_CONTAINERS)) and not issubclass(cls, BaseNode)
    return _Kind(door, holds, issubclass(cls, (Workflow, *_CONTAINERS)))


def _kind_of(obj: object) -> _Kind:
    return _kind(cast("Any", type(obj)))


def _reach(obj: object, *, stop: Guard | None = None) -> Iterator[tuple[object, Door]]:
    """Everything reachable from `obj` that has a door, each once, `obj` first.

    Does not look into what `stop` guards already, runs excepted.
    """
    seen: dict[int, object] = {}
    waiting = deque([obj])
    while waiting:
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen[id(one)] = one  # kept alive, so that its id stays its own
        kind = _kind_of(one)
        if kind.door is not None:
            yield one, kind.door
        if kind.runs or stop is None or guard_of(one) is not stop:
            # Copied first: another thread may be adding to a list just now.
            waiting += [inner for inner in list(_held(one)) if _kind_of(inner).holds]


def _held(obj: object) -> Iterable[object]:
    """What an object holds."""
    if isinstance(obj, (list, tuple)):
        return cast("Sequence[object]", obj)
    if isinstance(obj, Mapping):
        return cast("Mapping[object, object]", obj).values()
    if not _kind_of(obj).holds:
        return ()
    private = obj.__pydantic_private__ if isinstance(obj, BaseModel) else None
    return chain(getattr(obj, "__dict__", {}).values(), (private or {}).values())
