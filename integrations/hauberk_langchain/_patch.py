"""The framework's own classes, taught once to look for a guard. Without one they work as before.

Rules:
* Applied when the first door is made, and never by an import. Idempotent.
* A call is guarded by those that are armed for it and that its object does not carry already: by the
  run it belongs to, by a handler among its callbacks, or process-wide.
* The application's object is left as it is: the call runs on a view of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from threading import Lock
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackManager
from langchain_core.callbacks.manager import AsyncParentRunManager, ParentRunManager
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableSequence, RunnableWithFallbacks
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore

from hauberk import Guard
from hauberk_langchain._cached import judging_hits
from hauberk_langchain._embeddings import embedding_methods
from hauberk_langchain._objects import named_like
from hauberk_langchain._run import around, callbacks_of, noting_refusals, runs, scope_of
from hauberk_langchain._seam import (
    Prepared,
    config_of,
    guards_of,
    is_seam,
    mark_unguarded,
    scoped,
    view,
)
from hauberk_langchain._tools import (
    acall_stray,
    acall_tool,
    call_stray,
    call_tool,
)

_lock = Lock()
_done = False
_installed: tuple[Guard, ...] = ()

_GENERATE_PLACE = 2
"""Where `callbacks` stands in `generate(messages, stop, callbacks)`."""
_RUN_PLACE = 3
"""Where it stands in `run(tool_input, verbose, start_color, color, callbacks)`, past the input."""


def install(guard: Guard) -> None:
    """Guard every model, tool and retriever of this process.

    Undone by `uninstall`. What `_generate`, a tool's bare function or a provider's SDK do when they
    are called directly is not seen.

    Raises:
        RuntimeError: Another guard is installed.
    """
    global _installed  # noqa: PLW0603 - one per process is the meaning of it
    teach()
    with _lock:
        if _installed and guard not in _installed:
            raise RuntimeError("another guard is installed; uninstall() it first")
        _installed = (guard,)


def uninstall() -> None:
    """Take the process-wide guard away. Other doors stay as they are."""
    global _installed  # noqa: PLW0603 - see install
    with _lock:
        _installed = ()


def installed() -> tuple[Guard, ...]:
    """The guard of the whole process, if there is one."""
    return _installed


def teach() -> None:
    """Patch the framework's classes, once."""
    global _done  # noqa: PLW0603 - the framework's classes are global too
    with _lock:
        if _done:
            return
        for kind in (Runnable, Embeddings, VectorStore):
            mark_unguarded(kind)
        for model in (BaseChatModel, BaseLLM):
            _patch_models(model)
        _patch_chains()
        _patch_fallbacks()
        _patch_tools()
        _patch_tool_nodes()
        _patch_retrievers()
        _patch_text_events()
        _patch_trees()
        _patch_embeddings()
        _done = True


def wanted(obj: object, given: object) -> tuple[Guard, ...]:
    """The guards that are armed for a call of `obj` and that it does not carry.

    Args:
        obj: Model, tool or retriever.
        given: The callbacks (a manager, a list) or the config that the call was given.
    """
    found = (*around().armed, *_installed, *attached(given))
    found += attached(getattr(obj, "callbacks", None))
    if not found:
        return ()
    have = guards_of(obj)
    return tuple([guard for guard in dict.fromkeys(found) if guard not in have])


def attached(given: object) -> tuple[Guard, ...]:
    """The guards of the handlers among callbacks; a batch may bring a list for each of its items."""
    handlers: object = getattr(given, "handlers", given)
    if not isinstance(handlers, list):
        return ()
    found: tuple[Guard, ...] = ()
    for handler in cast("list[object]", handlers):
        guard: Guard | None = getattr(handler, "hauberk_guard", None)
        if guard is not None:
            found += (guard,)
        elif isinstance(handler, (list, BaseCallbackManager)):
            found += attached(cast("object", handler))
    return found


def _in_run(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prepared:
    return self, scope_of(config_of(args, kwargs))


def _wrap(kind: type[Any], name: str) -> None:
    """Each call of this method belongs to a run."""
    setattr(kind, name, scoped(getattr(kind, name), _in_run))


def _patch(kind: type[Any], name: str, place: int | None) -> None:
    """Each call of this method also runs on a view of its object, where a guard is wanted."""

    def prepare(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prepared:
        if place is None:
            config = config_of(args, kwargs)
            given, scope = callbacks_of(config), scope_of(config)
        else:
            given = args[place] if len(args) > place else kwargs.get("callbacks")
            scope = scope_of({"callbacks": given})
        guards = wanted(self, given)
        return (view(self, guards) if guards else self), scope

    setattr(kind, name, scoped(getattr(kind, name), prepare))


def _patch_models(kind: type[Any]) -> None:
    for name in ("invoke", "ainvoke"):
        _wrap(kind, name)
    for name in ("generate", "agenerate"):
        if kind is BaseLLM:
            setattr(kind, name, judging_hits(getattr(kind, name), guards_of))
        _patch(kind, name, _GENERATE_PLACE)
    for name in ("stream", "astream", "_chat_model_stream_v3", "_achat_model_stream_v3"):
        if hasattr(kind, name):
            _patch(kind, name, None)


def _patch_chains() -> None:
    for name in ("invoke", "ainvoke", "stream", "astream", "transform", "atransform"):
        _wrap(RunnableSequence, name)
    for graph in _graphs():
        for name in ("stream", "astream"):
            _wrap(graph, name)


def _patch_fallbacks() -> None:
    """A refusal is no failure that another model could mend: no fallback is asked after one."""
    original: Any = RunnableWithFallbacks.runnables

    def runnables(self: Any) -> Iterator[Any]:
        noted = around().refusals
        before = len(noted or ())
        for runnable in original.fget(self):
            if noted and len(noted) > before:
                raise noted[-1]
            yield runnable

    RunnableWithFallbacks.runnables = property(runnables)  # type: ignore[method-assign, assignment]
    for name in ("invoke", "ainvoke", "batch", "abatch", "stream", "astream"):
        method = getattr(RunnableWithFallbacks, name)
        setattr(RunnableWithFallbacks, name, scoped(method, lambda me, *_: (me, noting_refusals())))


def _patch_tools() -> None:
    run_, arun_ = BaseTool.run, BaseTool.arun

    def run(self: BaseTool, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        guards = wanted(self, _tool_callbacks(args, kwargs))
        return call_tool(
            guards, self, tool_input, kwargs, lambda new: run_(self, new, *args, **kwargs)
        )

    async def arun(self: BaseTool, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        guards = wanted(self, _tool_callbacks(args, kwargs))
        return await acall_tool(
            guards, self, tool_input, kwargs, lambda new: arun_(self, new, *args, **kwargs)
        )

    BaseTool.run = run  # type: ignore[method-assign]
    BaseTool.arun = arun  # type: ignore[method-assign]


def _patch_tool_nodes() -> None:
    """A call of a tool that does not exist is a call: it is judged by its name, and recorded."""
    node = _tool_node()
    if node is None:
        return
    sync_, async_ = node._execute_tool_sync, node._execute_tool_async  # noqa: SLF001 - see above

    def _execute_tool_sync(self: Any, request: Any, kind: Any, config: Any) -> Any:
        guards = () if request.tool is not None else _of_node(self, config)
        return call_stray(guards, request, config, lambda: sync_(self, request, kind, config))

    async def _execute_tool_async(self: Any, request: Any, kind: Any, config: Any) -> Any:
        guards = () if request.tool is not None else _of_node(self, config)
        return await acall_stray(
            guards, request, config, lambda: async_(self, request, kind, config)
        )

    node._execute_tool_sync = _execute_tool_sync  # noqa: SLF001 - see above
    node._execute_tool_async = _execute_tool_async  # noqa: SLF001 - see above


def _of_node(node: Any, config: object) -> tuple[Guard, ...]:
    """The guards of a tool node: those that are armed, and those that its tools carry."""
    found = [*around().armed, *_installed, *attached(callbacks_of(config))]
    for tool in node.tools_by_name.values():
        found += [*guards_of(tool), *attached(tool.callbacks)]
    return tuple(dict.fromkeys(found))


def _patch_retrievers() -> None:
    for name in ("invoke", "ainvoke"):
        _patch(BaseRetriever, name, None)


def _patch_text_events() -> None:
    """A handler that only marks a run must not mute the others.

    Where any handler is inline, LangChain tells nobody else that a string model starts (its issue
    39633), and their later events have no run to belong to.
    """
    original = AsyncCallbackManager.on_llm_start

    async def on_llm_start(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await original(_unmarked(self), *args, **kwargs)

    cast("Any", AsyncCallbackManager).on_llm_start = named_like(original, on_llm_start)


def _patch_trees() -> None:
    """Callbacks that are handed on say which run they belong to, where no chain of ours does."""
    for kind in (ParentRunManager, AsyncParentRunManager):
        _patch_children(kind)


def _patch_children(kind: type[Any]) -> None:
    original = kind.get_child

    def get_child(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.parent_run_id is not None and around().run is None:
            runs.inherit(self.run_id, self.parent_run_id)
        return original(self, *args, **kwargs)

    cast("Any", kind).get_child = named_like(original, get_child)


def _unmarked(manager: Any) -> Any:
    kept = [one for one in manager.handlers if not hasattr(one, "hauberk_guard")]
    if len(kept) == len(manager.handlers):
        return manager
    other = copy(manager)
    other.handlers = kept
    return other


def _patch_embeddings() -> None:
    """Each class defines its own methods, so each class is taught: those to come, too."""

    def teach_class(kind: type[Any]) -> None:
        for name, method in embedding_methods(kind, _for_embedding, own=True).items():
            setattr(kind, name, method)

    _each_subclass(Embeddings, teach_class)


def _for_embedding(model: object) -> tuple[Guard, ...]:
    return wanted(model, callbacks_of(None))


def _each_subclass(base: type[Any], teach_class: Callable[[type[Any]], None]) -> None:
    """Teach every subclass there is, and every one that is still to be written."""
    waiting = list(base.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not is_seam(kind):
            teach_class(kind)
    own: Any = vars(base).get("__init_subclass__")

    def taught(cls: type[Any], /, **kwargs: Any) -> None:
        if own is None:
            super(base, cls).__init_subclass__(**kwargs)
        else:
            own.__func__(cls, **kwargs)
        if not is_seam(cls):
            teach_class(cls)

    cast("Any", base).__init_subclass__ = classmethod(taught)


def _tool_callbacks(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
    return args[_RUN_PLACE] if len(args) > _RUN_PLACE else kwargs.get("callbacks")


def _graphs() -> Iterator[type[Any]]:
    try:
        from langgraph.pregel import Pregel  # noqa: PLC0415 - only where it is installed
    except ImportError:
        return
    yield Pregel


def _tool_node() -> Any:
    try:
        from langgraph.prebuilt import ToolNode  # noqa: PLC0415 - only where it is installed
    except ImportError:
        return None
    return ToolNode if hasattr(ToolNode, "_execute_tool_sync") else None
