"""The seam: a guarded subclass for each class, put on an object without changing what it is.

Rules:
* The subclass has the name, module and qualified name of its base, so `isinstance`, serialisation,
  tracing and cache keys stay as they were. It overrides only what the base overrides.
* The guards are on the class: every copy, and every object that a framework builds from it, has them.
* An object that was pickled knows its guard by a token. Where the guard is not known, in another
  process, the object refuses everything until it is protected again.
* A view is a second object with the same state: it guards one call, and the application's object
  stays untouched.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakValueDictionary

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore

from hauberk import Decision, Event, Guard, Policy, Stage
from hauberk_langchain._cached import asked_methods, cache_methods
from hauberk_langchain._embeddings import embedding_methods
from hauberk_langchain._models import CHAT, TEXT, model_methods
from hauberk_langchain._objects import named_like
from hauberk_langchain._retrievers import retriever_methods
from hauberk_langchain._run import Closing, Scope, scope_of
from hauberk_langchain._tools import acall_tool, call_tool

T = TypeVar("T")

_GUARDS = "__hauberk_guards__"
_BASE = "__hauberk_base__"
_READY = "__hauberk_ready__"

_MAX_CLASSES = 1024
"""Guarded classes kept ready. One more than that is built again when it is needed: some ms."""

_tokens: WeakKeyDictionary[Guard, str] = WeakKeyDictionary()
_by_token: WeakValueDictionary[str, Guard] = WeakValueDictionary()

RUN_METHODS = (
    "invoke",
    "ainvoke",
    "batch",
    "abatch",
    "batch_as_completed",
    "abatch_as_completed",
    "stream",
    "astream",
    "transform",
    "atransform",
    "astream_log",
    "stream_events",
    "astream_events",
)
"""The methods that run a Runnable."""

_DERIVING = (
    "__or__",
    "__ror__",
    "assign",
    "bind",
    "bind_tools",
    "configurable_alternatives",
    "configurable_fields",
    "map",
    "pick",
    "pipe",
    "with_config",
    "with_fallbacks",
    "with_listeners",
    "with_retry",
    "with_structured_output",
    "with_types",
)
"""The methods that make another Runnable of one: it has the same guards."""


def guards_of(obj: object) -> tuple[Guard, ...]:
    """The guards that an object carries."""
    found: tuple[Guard, ...] = getattr(type(obj), _GUARDS, ())
    return found


def mark_unguarded(kind: type[Any]) -> None:
    """Say of a class of the framework that its objects carry no guard.

    What is not said at all is looked for by pydantic, in Python, at each call.
    """
    setattr(kind, _GUARDS, ())


def is_seam(kind: type[Any]) -> bool:
    """Whether a class is one of the guarded subclasses."""
    return _BASE in vars(kind)


def arm(obj: T, guard: Guard) -> T:
    """Give `obj` a guard, in place. Once is enough."""
    found = tuple(one for one in guards_of(obj) if not isinstance(one, _LostGuard))
    if guard not in found:
        # Past pydantic, which knows no assignment to __class__.
        object.__setattr__(obj, "__class__", _seam_class(_base(obj), (*found, guard), view=False))
    return obj


def view(obj: T, guards: tuple[Guard, ...]) -> T:
    """Another object with the state of `obj` and more guards. `obj` itself is left as it is."""
    own: Any = type(obj)
    kind = _view_class(own, guards)
    if kind is own:
        return obj
    other: T = object.__new__(kind)
    object.__setattr__(other, "__dict__", obj.__dict__)
    for slot in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        if hasattr(obj, slot):
            object.__setattr__(other, slot, getattr(obj, slot))
    return other


@lru_cache(maxsize=_MAX_CLASSES)
def _view_class(kind: Any, guards: tuple[Guard, ...]) -> Any:
    have: tuple[Guard, ...] = getattr(kind, _GUARDS, ())
    missing = tuple(guard for guard in guards if guard not in have)
    if not missing:
        return kind
    return _seam_class(getattr(kind, _BASE, kind), have + missing, view=True)


def _base(obj: object) -> Any:
    return getattr(type(obj), _BASE, type(obj))


@lru_cache(maxsize=_MAX_CLASSES)
def _seam_class(base: Any, guards: tuple[Guard, ...], *, view: bool) -> type[Any]:
    names: dict[str, Any] = {
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
        "__reduce_ex__": _reduce_ex,
        _GUARDS: guards,
        _BASE: base,
        **_methods(base),
    }
    if view and hasattr(base, "__del__"):
        names["__del__"] = lambda _self: None  # the state is not the view's to close
    made: type[Any] = _kind(cast("Any", type(base)))(base.__name__, (base,), names)
    for native in ("_stream_chat_model_events", "_astream_chat_model_events"):
        if hasattr(made, native):
            # Without them LangChain makes the same events of the guarded `_stream`. Set here:
            # pydantic would take the name for a private field.
            setattr(made, native, None)
    setattr(made, _READY, True)
    return made


@lru_cache(maxsize=_MAX_CLASSES)
def _kind(kind: Any) -> Any:
    """The metaclass of guarded classes: what an object writes to its class, its own class gets."""

    def write(cls: type[Any], name: str, value: object) -> None:
        foreign = _READY in vars(cls) and not name.startswith(("__", "_abc_"))
        kind.__setattr__(vars(cls)[_BASE] if foreign else cls, name, value)

    return type(kind.__name__, (kind,), {"__setattr__": write})


def _methods(base: type[Any]) -> dict[str, Any]:
    if issubclass(base, (BaseChatModel, BaseLLM)):
        form = CHAT if issubclass(base, BaseChatModel) else TEXT
        # What is asked when this model fails is asked the same thing.
        names = _known(base, tuple(name for name in _DERIVING if "_" in name.strip("_")))
        made = {name: _deriving(getattr(base, name)) for name in (*names, "bind")}
        cached = cache_methods(base, guards_of) if form is CHAT else asked_methods(base)
        return model_methods(form, base, guards_of) | cached | made
    if issubclass(base, BaseTool):
        return _tool_methods(base)
    if issubclass(base, BaseRetriever):
        return retriever_methods(base, guards_of)
    if issubclass(base, Embeddings):
        return embedding_methods(base, guards_of)
    if issubclass(base, VectorStore):
        return {"as_retriever": _deriving(base.as_retriever)}
    return _container_methods(base)


def _tool_methods(base: type[Any]) -> dict[str, Any]:
    run_, arun_ = base.run, base.arun

    def run(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        return call_tool(
            guards_of(self), self, tool_input, kwargs, lambda new: run_(self, new, *args, **kwargs)
        )

    async def arun(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        return await acall_tool(
            guards_of(self), self, tool_input, kwargs, lambda new: arun_(self, new, *args, **kwargs)
        )

    return {"run": run, "arun": arun}


def _container_methods(base: type[Any]) -> dict[str, Any]:
    def one(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prepared:
        return self, scope_of(config_of(args, kwargs), guards_of(self))

    def many(self: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> Prepared:
        return self, scope_of(None, guards_of(self), many=True)

    runs = {
        name: scoped(getattr(base, name), many if "batch" in name else one)
        for name in _known(base, RUN_METHODS)
    }
    return runs | {name: _deriving(getattr(base, name)) for name in _known(base, _DERIVING)}


def _known(base: type[Any], names: tuple[str, ...]) -> Iterator[str]:
    return (name for name in names if hasattr(base, name))


def _deriving(original: Any) -> Any:
    def derive(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        for guard in guards_of(self) if isinstance(made, Runnable) else ():
            arm(cast("object", made), guard)
        return made

    return named_like(original, derive)


Prepared = tuple[Any, Scope | None]
"""On which object a call runs, and within which scope."""

Prepare = Callable[[Any, tuple[Any, ...], dict[str, Any]], Prepared]


def config_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The config of a call `method(input, config)`."""
    return args[1] if len(args) > 1 else kwargs.get("config")


def scoped(original: Any, prepare: Prepare) -> Any:
    """`original`, of whatever colour, run as `prepare` says for each call."""
    if inspect.isasyncgenfunction(original):
        return _scoped_asyncgen(original, prepare)
    if inspect.iscoroutinefunction(original):
        return _scoped_coroutine(original, prepare)
    if inspect.isgeneratorfunction(original):
        return _scoped_generator(original, prepare)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        me, here = prepare(self, args, kwargs)
        if here is None:
            return original(me, *args, **kwargs)
        with here:
            result = original(me, *args, **kwargs)
        if inspect.isgenerator(result):
            return here.each(result)
        if inspect.isasyncgen(result):
            return here.aeach(result)
        return here.finish(result) if inspect.iscoroutine(result) else result

    return named_like(original, call)


def _scoped_coroutine(original: Any, prepare: Prepare) -> Any:
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        me, here = prepare(self, args, kwargs)
        work = original(me, *args, **kwargs)
        return await (work if here is None else here.finish(work))

    return named_like(original, call)


def _scoped_generator(original: Any, prepare: Prepare) -> Any:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        me, here = prepare(self, args, kwargs)
        work = original(me, *args, **kwargs)
        yield from (work if here is None else here.each(work))

    return named_like(original, call)


def _scoped_asyncgen(original: Any, prepare: Prepare) -> Any:
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        me, here = prepare(self, args, kwargs)
        work = original(me, *args, **kwargs)
        async with Closing(work if here is None else here.aeach(work)) as items:
            async for item in items:
                yield item

    return named_like(original, call)


# --- pickling -------------------------------------------------------------------------------


def _reduce_ex(self: Any, protocol: Any) -> tuple[Any, ...]:
    base = _base(self)
    reduced: tuple[Any, ...] = base.__reduce_ex__(self, protocol)
    # (copyreg.__newobj__, (class, *args), state, ...): only the class is ours.
    build, (_, *rest), *more = reduced
    tokens = tuple(_token(guard) for guard in guards_of(self))
    return (_revive, (build, base, tokens, rest), *more)


def _revive(
    build: Callable[..., object], base: Any, tokens: tuple[str, ...], rest: list[Any]
) -> object:
    guards = tuple(_by_token.get(token) or _lost_guard() for token in tokens)
    return build(_seam_class(base, guards, view=False), *rest)


def _token(guard: Guard) -> str:
    token = _tokens.setdefault(guard, uuid4().hex)
    _by_token[token] = guard
    return token


class _LostGuard(Guard):
    """Stands for a guard of another process: refuses everything."""


class _Lost:
    name = "lost-guard"
    stages = frozenset(Stage)

    def inspect(self, event: Event) -> Decision:  # noqa: ARG002 - it does not matter which
        return Decision.deny(
            "this object was unpickled where its guard is not known; call protect(obj, guard) again"
        )


@lru_cache(maxsize=1)
def _lost_guard() -> Guard:
    return _LostGuard(Policy.unsafe_allow_all(), plugins=[_Lost()])
