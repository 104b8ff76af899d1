"""What there is to guard: which layers belong to which kind of object, and what an object holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, cast

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.chat_engine.types import BaseChatEngine
from llama_index.core.indices.base import BaseIndex
from llama_index.core.ingestion import IngestionPipeline
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
from hauberk_llama_index._embeddings import embedding_layers
from hauberk_llama_index._ingest import insert_layers, pipeline_layers
from hauberk_llama_index._layers import Door, Layer, Layers, Run
from hauberk_llama_index._models import model_layers
from hauberk_llama_index._nodes import (
    HauberkNodePostprocessor,
    postprocessor_layers,
    retriever_layers,
)
from hauberk_llama_index._runs import engine_layers, run_door
from hauberk_llama_index._swap import guard_of, swap
from hauberk_llama_index._tools import tool_layers

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
    IngestionPipeline,
    PromptMixin,
    TransformComponent,
    Workflow,
)
"""What may hold a model, a retriever or a tool. Stores, nodes and messages hold none."""
_CLASSES = 4096
"""Classes of which it is kept what they are."""


def attach(obj: object, guard: Guard) -> None:
    """Guard what an object holds now, where there is something to guard.

    Goes on only where something may be new: at each run of an agent, so it must cost little.
    """
    for one, door in list(reach(obj, stop=guard)):
        swap(one, guard, door)


def _index_door(kind: type) -> Layers:
    """What an index makes is guarded, and so is what is put in."""

    def maker(
        guard: Guard, index: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        made = run(*args, **kwargs)
        if guard_of(index) is guard:
            attach(made, guard)
        return made

    names = ("as_retriever", "as_query_engine", "as_chat_engine")
    makers: dict[str, Layer] = {name: maker for name in names if hasattr(kind, name)}
    return {**makers, **insert_layers(kind)}


DOORS: Mapping[type, Door | None] = {
    StructuredLLM: None,  # only a shape around the model in it, which is guarded
    LLM: model_layers,
    BaseTool: tool_layers,
    BaseEmbedding: embedding_layers,
    BaseRetriever: retriever_layers,
    HauberkNodePostprocessor: None,
    BaseNodePostprocessor: postprocessor_layers,
    BaseIndex: _index_door,
    BaseQueryEngine: engine_layers,
    BaseChatEngine: engine_layers,
    IngestionPipeline: pipeline_layers,
    Workflow: run_door(attach),
}
"""The first kind that fits counts."""
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
    holds = issubclass(cls, (*_HOLDERS, *_CONTAINERS)) and not issubclass(cls, BaseNode)
    return _Kind(door_of(cls), holds, issubclass(cls, (Workflow, *_CONTAINERS)))


def door_of(cls: type) -> Door | None:
    """The door for objects of a class; None where there is nothing to guard."""
    return next((door for kind, door in DOORS.items() if issubclass(cls, kind)), None)


def _kind_of(obj: object) -> _Kind:
    return _kind(cast("Any", type(obj)))


def reach(obj: object, *, stop: Guard | None = None) -> Iterator[tuple[object, Door]]:
    """Everything reachable from `obj` that has a door, each once, `obj` first.

    Does not look into what `stop` guards already, runs excepted.
    """
    for one in walk(obj, stop=stop):
        door = _kind_of(one).door
        if door is not None:
            yield one, door


def walk(obj: object, *, stop: Guard | None = None) -> Iterator[object]:
    """`obj`, and every holder that is reachable from it, each once."""
    seen: dict[int, object] = {}
    waiting = deque([obj])
    while waiting:
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen[id(one)] = one  # kept alive, so that its id stays its own
        yield one
        if _kind_of(one).runs or stop is None or guard_of(one) is not stop:
            # Copied first: another thread may be adding to a list just now.
            waiting += [inner for inner in _shared(one) if _kind_of(inner).holds]


def _shared(holder: object) -> list[object]:
    """What an object holds and may call by itself.

    The embedding models of a pipeline are guarded while it runs, and not in place: with
    `num_workers` they go to processes in which the guard does not live.
    """
    found = list(held(holder))
    if isinstance(holder, IngestionPipeline):
        found = [one for one in found if one is not holder.transformations]
        found += [one for one in holder.transformations if not isinstance(one, BaseEmbedding)]
    return found


def holds(obj: object) -> bool:
    """Whether an object may hold something that has a door, or is it."""
    return _kind_of(obj).holds


def held(obj: object) -> Iterable[object]:
    """What an object holds."""
    if isinstance(obj, (list, tuple)):
        return cast("Sequence[object]", obj)
    if isinstance(obj, Mapping):
        return cast("Mapping[object, object]", obj).values()
    if not _kind_of(obj).holds:
        return ()
    private = obj.__pydantic_private__ if isinstance(obj, BaseModel) else None
    return chain(getattr(obj, "__dict__", {}).values(), (private or {}).values())
