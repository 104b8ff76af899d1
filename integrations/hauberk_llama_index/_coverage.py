"""Coverage: which stages of a LlamaIndex object a guard sees, by which door, and which it does not.

Rules:
* Every model, tool, retriever, index, pipeline and embedding model that the object holds is reported;
  `protect` finds them the same way.
* A door counts where it reaches: `protect` on a part for that part; any door on an agent, an engine,
  a workflow or a pipeline for what is in it, when it is called through that; a postprocessor for the retrievers
  of its engine; `install` for everything.
* A part that is reached in two ways is only as guarded as the weaker way.
* What a door cannot see is said beside the stage that it guards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from llama_index.core.agent.workflow import AgentWorkflow, BaseWorkflowAgent, CodeActAgent
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.chat_engine.types import BaseChatEngine
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.indices.base import BaseIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.multi_modal_llms import MultiModalLLM
from llama_index.core.tools import BaseTool
from llama_index.core.workflow import Workflow

from hauberk.coverage import Coverage, Covered
from hauberk.events import Stage
from hauberk.guard import Guard
from hauberk_llama_index._armed import attached, installed
from hauberk_llama_index._doors import door_of, held, holds
from hauberk_llama_index._ingest import HauberkIngestionTransform
from hauberk_llama_index._nodes import HauberkNodePostprocessor
from hauberk_llama_index._swap import guard_of
from hauberk_llama_index._tools import real_tool

_PROTECT, _HANDLER, _POST, _TRANSFORM = "protect", "handler", "postprocessor", "transform"
_INSTALL = "install"
_ORDER = (_PROTECT, _HANDLER, _INSTALL, _POST, _TRANSFORM)
"""The door that is named first, where several lead to one part."""
_ARMING = frozenset({_PROTECT, _HANDLER})
"""Doors on an agent, an engine, a workflow or a pipeline that hold for whatever it calls."""
_RUNS = (Workflow, BaseQueryEngine, BaseChatEngine, IngestionPipeline)

_REMEDY = "no door leads here: protect(obj, guard) or install(guard)"
_OTHER = "another guard protects it"
_NO_EVENTS = (
    "LlamaIndex tells callbacks nothing of tools and agents: protect(obj, guard), install(guard), or "
    "the handler in the manager of the agent's model"
)
_PICTURES = "texts only: pictures go to it as they are"
_CODE = "the code and its result are seen, not what the code does: run it in a sandbox"
_TABLES = (
    "what it reads goes to the model without a retriever: screened and masked there, as the user's "
    "words"
)
_STEPS = "a provider's own client, used in a step, goes around LlamaIndex"
_MULTI_MODAL = "a class of its own that no door reaches: use an LLM, which takes images in messages"
_UNSEEN = (
    (CodeActAgent, _CODE),
    (BaseWorkflowAgent, ""),
    (AgentWorkflow, ""),
    (Workflow, _STEPS),
    (MultiModalEmbedding, _PICTURES),
)
"""What a guard does not see of a part that it guards; the first kind that fits counts."""
_LATE = "not the first transformation: what comes before it sees, and may cache, the clear text"
_IDLE = "the policy looks at nothing here"
_DATA_ENGINES = ("struct_store", "jsonalyze", "pandas", "sql", "knowledge_graph", "polars")
"""Modules of engines that put data into a prompt without a retriever."""

_Doors = frozenset[str]


def coverage_of(guard: Guard, obj: object) -> Coverage | None:
    """The coverage of a LlamaIndex object (entry point `hauberk.coverage: llama_index.core`).

    Args:
        guard: Whose coverage.
        obj: A model, embedding model, tool, retriever, index, pipeline, engine, agent or workflow;
            or a list, tuple or mapping of them.

    Returns:
        One row for each stage of each part; None where nothing of LlamaIndex is in `obj`.
    """
    found: dict[int, tuple[object, _Doors]] = {}
    for part, doors in _parts(guard, obj):
        old = found.get(id(part), (part, doors))[1]
        found[id(part)] = (part, min(old, doors, key=len))
    rows = [row for part, doors in found.values() for row in _rows(guard, part, doors)]
    return Coverage(tuple(dict.fromkeys(rows))) if rows else None


def _parts(guard: Guard, obj: object) -> Iterator[tuple[object, _Doors]]:
    """Every part, with the doors on one way to it."""
    everywhere = frozenset([_INSTALL] if guard in installed() else [])
    waiting = deque([(obj, everywhere)])
    seen: dict[tuple[int, _Doors], object] = {}
    while waiting:
        part, around = waiting.popleft()
        doors = around | _own_doors(guard, part)
        if (id(part), doors) in seen:
            continue
        seen[id(part), doors] = part  # kept alive, so that its id stays its own
        yield part, doors
        inner = _handed_down(guard, part, around, doors)
        waiting += [(one, inner) for one in list(held(part)) if holds(one) or _is_foreign(one)]


def _own_doors(guard: Guard, part: object) -> _Doors:
    doors: set[str] = set()
    if guard_of(part) is guard:
        doors.add(_PROTECT)
    if guard in tuple(attached(part)):
        doors.add(_HANDLER)
    if isinstance(part, IngestionPipeline) and _transform(guard, part) is not None:
        doors.add(_TRANSFORM)
    return frozenset(doors)


def _handed_down(guard: Guard, part: object, around: _Doors, doors: _Doors) -> _Doors:
    """The doors that hold for what a part holds."""
    if isinstance(part, _RUNS):
        screens = any(
            isinstance(one, HauberkNodePostprocessor) and one.guard is guard
            for one in getattr(part, "_node_postprocessors", None) or ()
        )
        return around | (doors & _ARMING) | (frozenset([_POST]) if screens else frozenset())
    return around


def _transform(guard: Guard, pipeline: IngestionPipeline) -> int | None:
    """Where in a pipeline the guard looks at the nodes."""
    for place, one in enumerate(pipeline.transformations):
        if isinstance(one, HauberkIngestionTransform) and one.guard is guard:
            return place
    return None


def _is_foreign(part: object) -> bool:
    return isinstance(part, MultiModalLLM)


# --- rows -------------------------------------------------------------------------------------------

_MODEL = (Stage.PROMPT, Stage.COMPLETION)
_TOOL = (Stage.TOOL_CALL, Stage.TOOL_RESULT)


def _rows(guard: Guard, part: object, doors: _Doors) -> Iterator[Covered]:
    name, stages = _described(part)
    for stage in stages:
        door = _door(stage, part, doors)
        yield Covered(part=name, stage=stage, door=door, reason=_reason(guard, stage, part, door))


def _described(part: Any) -> tuple[str, tuple[Stage, ...]]:
    """What a part is called, and the stages that are crossed at it."""
    kind = type(part).__name__
    if isinstance(part, BaseTool):
        return f"tool {real_tool(part).metadata.name}", _TOOL
    if isinstance(part, (BaseWorkflowAgent, AgentWorkflow)):
        return f"agent {getattr(part, 'name', None) or kind}", (Stage.TOOL_CALL,)
    if isinstance(part, Workflow):
        return f"steps of {kind}", (Stage.PROMPT, Stage.TOOL_CALL)
    found: tuple[tuple[bool, str, tuple[Stage, ...]], ...] = (
        (isinstance(part, StructuredLLM), "", ()),  # only a shape around the model in it
        (isinstance(part, (BaseLLM, MultiModalLLM)), "model", _MODEL),
        (isinstance(part, BaseRetriever), "retriever", (Stage.RETRIEVAL,)),
        (isinstance(part, BaseIndex), "index", (Stage.RETRIEVAL, Stage.INGEST)),
        (isinstance(part, IngestionPipeline), "pipeline", (Stage.INGEST,)),
        (isinstance(part, BaseEmbedding), "embedding model", (Stage.INGEST, Stage.PROMPT)),
        (_reads_data(part), "engine", (Stage.RETRIEVAL,)),
    )
    return next(((f"{what} {kind}", stages) for fits, what, stages in found if fits), ("", ()))


def _reads_data(part: object) -> bool:
    module = type(part).__module__
    return isinstance(part, BaseQueryEngine) and any(word in module for word in _DATA_ENGINES)


def _door(stage: Stage, part: object, doors: _Doors) -> str:
    """The door by which the guard sees this stage of a part; empty when it does not."""
    if door_of(type(part)) is None or _reads_data(part):
        return ""
    if stage is not Stage.RETRIEVAL:
        doors -= {_POST}
    if isinstance(part, BaseIndex):
        doors -= {_HANDLER}  # it arms calls, and an index makes others
    if stage is Stage.INGEST and not isinstance(part, IngestionPipeline):
        doors -= {_TRANSFORM}
    return next((name for name in _ORDER if name in doors), "")


def _reason(guard: Guard, stage: Stage, part: object, door: str) -> str:
    """Why a stage is not guarded; or what its door cannot see."""
    if not door:
        return _why_not(guard, part)
    if not guard.watches(stage):
        return _IDLE
    if door == _TRANSFORM and isinstance(part, IngestionPipeline) and _transform(guard, part):
        return _LATE
    return next((reason for kind, reason in _UNSEEN if isinstance(part, kind)), "")


def _why_not(guard: Guard, part: object) -> str:
    if isinstance(part, MultiModalLLM) or (not isinstance(part, LLM) and isinstance(part, BaseLLM)):
        return _MULTI_MODAL
    if _reads_data(part):
        return _TABLES
    if guard_of(part) not in (None, guard):
        return _OTHER
    if isinstance(part, (BaseTool, Workflow)):
        return f"{_REMEDY}. {_NO_EVENTS}"
    return _REMEDY
