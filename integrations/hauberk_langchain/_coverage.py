"""Coverage: which stages of a LangChain object a guard sees, by which door, and which it does not.

Rules:
* Every model, tool, retriever and embedding model that the object holds is reported, as found in its
  fields and functions; `protect` finds them the same way.
* A part that is reached in two ways is only as guarded as the weaker way.
* A door counts where it reaches: one on a part for that part, one on a container for what is in it,
  a middleware for its own agent and not for models of other middleware, `install` for everything.
* What runs at the provider is never guarded, and says so.

Callbacks that are given with the call are not known here: `agent.with_config(callbacks=[handler])`
is the object to ask about.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore

from hauberk import Guard, Stage
from hauberk.coverage import Coverage, Covered
from hauberk_langchain._patch import attached, installed
from hauberk_langchain._protect import MAX_OBJECTS, inside
from hauberk_langchain._seam import guards_of

_MODELS = (BaseChatModel, BaseLLM)
_KNOWN = (Runnable, Embeddings, VectorStore, BaseCallbackHandler)
_PROTECT, _HANDLER, _MIDDLEWARE, _INSTALL = "protect", "handler", "middleware", "install"
_ORDER = (_PROTECT, _MIDDLEWARE, _HANDLER, _INSTALL)
"""The door that is named first, where several lead to one part."""

_REMEDY = (
    "no door leads here: protect(obj, guard), a HauberkCallbackHandler among its callbacks, "
    "or install(guard)"
)
_FOREIGN = (
    "a model of another middleware, called in a node of its own, past HauberkMiddleware: "
    "protect(agent, guard) or the callback handler see it"
)
_REMOTE = "runs at the provider, who decides on it: nothing of it passes this process"
_OWN_WAYS = (
    "{} of this class answers by itself and never comes to _generate or _stream: guard what it "
    "calls, or have the class override those"
)
_PUBLIC = ("invoke", "ainvoke", "generate", "agenerate", "stream", "astream")
_SEAM = frozenset({"super", "_generate", "_agenerate", "_stream", "_astream", *_PUBLIC})
"""What the code of a public method names when it comes to the seam."""
_EMBEDDING = "what is embedded; a vector store keeps its documents as they were given"

_Doors = frozenset[str]


def coverage_of(guard: Guard, obj: object) -> Coverage | None:
    """The coverage of a LangChain object (entry point `hauberk.coverage: langchain_core`).

    Args:
        guard: Whose coverage.
        obj: A model, tool, retriever, embedding model, vector store, chain, agent or graph; or a
            list, tuple or mapping of them.

    Returns:
        One row for each stage of each part; None where nothing of LangChain is in `obj`.
    """
    if not _is_known(obj):
        return None
    found: dict[int, tuple[object, list[tuple[_Doors, str]]]] = {}
    for part, doors, reason in _parts(guard, obj):
        found.setdefault(id(part), (part, []))[1].append((doors, reason))
    rows: list[Covered] = []
    for part, ways in found.values():
        rows += _rows(part, ways)
    return Coverage(tuple(dict.fromkeys(rows)))


def _is_known(obj: object) -> bool:
    if isinstance(obj, Mapping):
        return any(_is_known(item) for item in cast("Mapping[object, object]", obj).values())
    if isinstance(obj, (list, tuple)):
        return any(_is_known(item) for item in cast("Sequence[object]", obj))
    return isinstance(obj, _KNOWN)


def _parts(guard: Guard, obj: object) -> Iterator[tuple[object, _Doors, str]]:
    """Every part that crosses a stage, with the doors on one way to it."""
    everywhere: _Doors = frozenset([_INSTALL] if guard in installed() else [])
    waiting = deque([(obj, everywhere, "")])
    seen: set[tuple[int, _Doors]] = set()
    while waiting and len(seen) < MAX_OBJECTS:
        part, doors, reason = waiting.popleft()
        doors |= _own_doors(guard, part)
        if (id(part), doors) in seen:
            continue
        seen.add((id(part), doors))
        if _stages(part):
            yield part, doors, reason
        if _is_other_middleware(part) and _MIDDLEWARE in doors:
            doors, reason = doors - {_MIDDLEWARE}, _FOREIGN
        waiting += [(inner, doors, reason) for inner in inside(part)]


def _own_doors(guard: Guard, part: object) -> _Doors:
    doors: set[str] = set()
    if guard in guards_of(part):
        doors.add(_PROTECT)
    if isinstance(part, Runnable):
        # Not getattr: a model that is chosen later would be made to answer.
        config: object = vars(part).get("config")
        given = config.get("callbacks") if isinstance(config, dict) else None
        if guard in (*attached(given), *attached(vars(part).get("callbacks"))):
            doors.add(_HANDLER)
    if _is_graph(part) and guard in _of_middleware(part):
        doors.add(_MIDDLEWARE)
    return frozenset(doors)


def _of_middleware(graph: object) -> Iterator[Guard]:
    """The guards of the middleware of one agent; those of agents inside it are their own."""
    waiting, seen = deque(inside(graph)), {id(graph)}
    while waiting and len(seen) < MAX_OBJECTS:
        part = waiting.popleft()
        if id(part) in seen or _is_graph(part):
            continue
        seen.add(id(part))
        if _is_middleware(part):
            guard = vars(part).get("hauberk_guard")
            if guard is not None:
                yield guard
            continue
        waiting += inside(part)


def _is_graph(part: object) -> bool:
    return isinstance(part, Runnable) and any(k.__name__ == "Pregel" for k in type(part).__mro__)


def _is_middleware(part: object) -> bool:
    return any(kind.__name__ == "AgentMiddleware" for kind in type(part).__mro__)


def _is_other_middleware(part: object) -> bool:
    return _is_middleware(part) and "hauberk_guard" not in vars(part)


def _stages(part: object) -> tuple[Stage, ...]:
    if isinstance(part, _MODELS) or _is_chosen_later(part):
        return (Stage.PROMPT, Stage.COMPLETION)
    if isinstance(part, BaseTool):
        return (Stage.TOOL_CALL, Stage.TOOL_RESULT)
    if isinstance(part, BaseRetriever):
        return (Stage.RETRIEVAL,)
    if isinstance(part, Embeddings):
        return (Stage.INGEST,)
    return (Stage.TOOL_CALL, Stage.TOOL_RESULT) if _is_remote_tool(part) else ()


def _is_chosen_later(part: object) -> bool:
    """A model of `init_chat_model` that is made when it is called."""
    return isinstance(part, Runnable) and type(part).__name__ == "_ConfigurableModel"


def _is_remote_tool(part: object) -> bool:
    """A tool that is offered to the model and run by its provider: a dict with a type of its own."""
    if not isinstance(part, dict):
        return False
    kind: object = cast("dict[str, Any]", part).get("type")
    return isinstance(kind, str) and kind.startswith(_REMOTE_TOOLS)


_REMOTE_TOOLS = (
    "web_search",
    "web_fetch",
    "file_search",
    "code_interpreter",
    "code_execution",
    "computer_use",
    "image_generation",
    "mcp",
)
"""Types of tools that providers run themselves, by how they begin (OpenAI's and Anthropic's lists of
built-in tools, read 2026-11)."""


def _rows(part: object, ways: list[tuple[_Doors, str]]) -> Iterator[Covered]:
    """The rows of one part, for the weakest way to it."""
    doors, reason = min(ways, key=lambda way: len(way[0]) > 0)
    door = next((name for name in _ORDER if name in doors), "")
    if _is_remote_tool(part):
        door, reason = "", _REMOTE
    elif own := _own_ways(part):
        door, reason = "", _OWN_WAYS.format(", ".join(own))
    elif door:
        reason = _EMBEDDING if isinstance(part, Embeddings) else ""
    for stage in _stages(part):
        yield Covered(part=_name(part), stage=stage, door=door, reason=reason or _without(door))


def _own_ways(part: object) -> list[str]:
    """Methods with which a model's class answers by itself, as far as their code shows it."""
    if not isinstance(part, _MODELS):
        return []
    base = BaseChatModel if isinstance(part, BaseChatModel) else BaseLLM
    return [
        name
        for name in _PUBLIC
        if _code(type(part), name) is not _code(base, name)
        and not _SEAM.intersection(_code(type(part), name).co_names)
    ]


def _code(kind: type[Any], name: str) -> Any:
    """The code of a method as it was written, whoever has wrapped it since."""
    return inspect.unwrap(getattr(kind, name)).__code__


def _without(door: str) -> str:
    return "" if door else _REMEDY


def _name(part: object) -> str:
    if isinstance(part, BaseTool):
        return f"tool {part.name}"
    if _is_remote_tool(part):
        return f"provider's tool {cast('dict[str, Any]', part)['type']}"
    if _is_chosen_later(part):
        return "model (chosen when it is called)"
    if isinstance(part, BaseRetriever):
        return f"retriever {type(part).__name__}"
    kind = "embedding model" if isinstance(part, Embeddings) else "model"
    return f"{kind} {type(part).__name__}"
