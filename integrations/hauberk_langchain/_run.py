"""Surroundings of a call: which guards are armed, which run it belongs to, who is crossing.

Rules:
* A session is found in this order: the one open in this context (`guard.session(...)`); the thread
  id of the innermost config (`configurable`, then `metadata`), of the one around it, of the metadata
  that a call inherited, of the context of the graph; the run; a fresh one. The user likewise.
* One run is one outermost call of a graph, a chain, a model, a tool or a retriever; of anything else
  that hands its callbacks on (`AgentExecutor`, chains of langchain-classic) the whole tree below it.
* A generator sees its surroundings while it works, and its reader sees its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Generator,
    Iterator,
    Mapping,
)
from collections.abc import (
    Set as AbstractSet,
)
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from langchain_core.runnables.config import var_child_runnable_config

from hauberk import Guard, Session

T = TypeVar("T")

THREAD_KEYS = ("thread_id", "session_id", "conversation_id")
"""Where a config names the conversation, first found first."""

USER_KEYS = ("user_id", "langgraph_auth_user_id")
"""Where a config names the user."""


_RUNTIME = "__pregel_runtime"
"""Where LangGraph keeps the runtime of a graph in its config."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a config says of who acts."""

    thread: str | None = None
    user: str | None = None


NOBODY = Identity()


class Run:
    """One outermost call. Holds a session for each guard that meets it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sessions: dict[int, tuple[Guard, Session]] = {}

    def session(self, guard: Guard, user: str | None) -> Session:
        """The session of this run for `guard`, made on first use."""
        with self._lock:
            found = self._sessions.setdefault(id(guard), (guard, Session(user=user)))
            return found[1]


class Runs:
    """The runs that are known by the tree of callbacks only: of chains that are no seam of ours.

    Bounded: the one unused for longest is forgotten first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._known: OrderedDict[object, Run] = OrderedDict()

    def of(self, callbacks: object) -> Run:
        """The run that callbacks belong to; a fresh one where they have no parent."""
        parent: object = getattr(callbacks, "parent_run_id", None)
        return Run() if parent is None else self._at(parent)

    def inherit(self, run_id: object, parent: object) -> None:
        """What happens below `run_id` belongs to the run of its parent."""
        run = self._at(parent)
        with self._lock:
            self._known[run_id] = run

    def _at(self, ident: object) -> Run:
        with self._lock:
            run = self._known.setdefault(ident, Run())
            self._known.move_to_end(ident)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
            return run


MAX_RUNS = 10_000
"""Runs that are remembered by their callbacks: as many as sessions, and for as long."""

runs = Runs(MAX_RUNS)


@dataclass(slots=True)
class Surroundings:
    """What a call finds around it. Never changed: scopes replace it and put it back.

    Made anew at each call, so it is not frozen, and not made by `dataclasses.replace`: those take
    three and six times as long.
    """

    armed: tuple[Guard, ...] = ()
    run: Run | None = None
    identity: Identity = NOBODY
    crossing: AbstractSet[tuple[int, int]] = frozenset()
    """(object, guard) of the crossings under way: what they call within themselves passes."""
    refusals: list[Exception] | None = None
    """The refusals inside a runnable with fallbacks; None when there is none around."""


_NOTHING = Surroundings()
_around: ContextVar[Surroundings] = ContextVar("hauberk_langchain", default=_NOTHING)


def around() -> Surroundings:
    """What this code finds around it."""
    return _around.get()


async def closed(source: object) -> None:
    """Close a generator, unless it is being closed: a loop that ends closes all of them at once."""
    if not isinstance(source, AsyncGenerator):
        return
    try:
        await source.aclose()
    except RuntimeError:
        if not getattr(source, "ag_running", False):
            raise


class Closing(Generic[T]):
    """`async with`: a generator that is closed at the end; `aclosing`, silent at the end of a loop."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self._source = source

    async def __aenter__(self) -> AsyncIterator[T]:
        return self._source

    async def __aexit__(self, *_: object) -> None:
        await closed(self._source)


class Scope:
    """A stretch of code with other surroundings. Not for two stretches at the same time."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, inner: Surroundings) -> None:
        self._inner = inner
        self._outer = inner

    def __enter__(self) -> None:
        # Not token/reset: generators of async frameworks may be closed in another context.
        self._outer = _around.get()
        _around.set(self._inner)

    def __exit__(self, *_: object) -> None:
        _around.set(self._outer)

    def each(self, source: Iterator[T]) -> Generator[T, None, None]:
        """The items of `source`; its own code runs within this scope, its reader's does not."""
        source = iter(source)
        try:
            while True:
                with self:
                    try:
                        item = next(source)
                    except StopIteration:
                        return
                yield item
        finally:
            if isinstance(source, Generator):
                source.close()

    async def aeach(self, source: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        """The same, on an event loop."""
        source = aiter(source)
        try:
            while True:
                with self:
                    try:
                        item = await anext(source)
                    except StopAsyncIteration:
                        return
                yield item
        finally:
            await closed(source)

    async def finish(self, work: Awaitable[T]) -> T:
        """The result of `work`, done within this scope."""
        with self:
            return await work


def scope_of(config: object, armed: tuple[Guard, ...] = (), *, many: bool = False) -> Scope | None:
    """The scope for a call with this config; None when nothing is different inside.

    Args:
        config: What the call was given.
        armed: Guards for whatever is called inside.
        many: The call is a batch: each item of it is a run of its own.
    """
    now = _around.get()
    # A batch may have a list of configs: each item brings its own.
    one = cast("Mapping[str, Any]", config) if isinstance(config, Mapping) else None
    identity = identity_in(one) if one else NOBODY
    more = armed and tuple(guard for guard in armed if guard not in now.armed)
    run = now.run or (None if many else runs.of(callbacks_of(one)))
    same = identity in (NOBODY, now.identity) and not now.crossing
    if same and not more and now.run is run:
        return None
    return Scope(
        Surroundings(
            now.armed + more,
            run,
            now.identity if identity == NOBODY else identity,
            frozenset(),  # a public call from within a crossing is one of its own
            now.refusals,
        )
    )


def callbacks_of(config: object) -> object:
    """The callbacks of a config, or of the one around when it names none."""
    for one in (config, var_child_runnable_config.get()):
        if isinstance(one, Mapping):
            found: object = cast("Mapping[str, object]", one).get("callbacks")
            if found is not None:
                return found
    return None


def noting_refusals() -> Scope:
    """The scope of a runnable with fallbacks: refusals inside it are noted."""
    now = _around.get()
    refusals = [] if now.refusals is None else now.refusals
    return Scope(Surroundings(now.armed, now.run, now.identity, now.crossing, refusals))


def crossing(obj: object, guards: tuple[Guard, ...]) -> Scope:
    """The scope in which `obj` works for a crossing that is already guarded."""
    now = _around.get()
    key, inside = _key(obj), set(now.crossing)
    for guard in guards:
        inside.add((key, id(guard)))
    return Scope(Surroundings(now.armed, now.run, now.identity, inside, now.refusals))


def pending(obj: object, guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
    """Those of `guards` that have not seen this crossing of `obj` yet."""
    under_way = _around.get().crossing
    if not under_way:
        return guards
    return tuple(guard for guard in guards if (_key(obj), id(guard)) not in under_way)


def session_of(
    guard: Guard,
    metadata: Mapping[str, Any] | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    callbacks: object = None,
) -> Session:
    """The session that this call belongs to.

    Args:
        guard: Whose session it is.
        metadata: The metadata that the call was given, or inherited.
        config: The config that the call was given.
        callbacks: The callbacks that the call was given: their tree says which run it belongs to.
    """
    current = Session.current()
    if current is not None:
        return current
    now = _around.get()
    found = identity_in(config) if config else NOBODY
    if found.thread is None:
        found = _merged(found, now.identity)
    if found is NOBODY:
        found = identity_in(var_child_runnable_config.get() or {})
    if found.thread is None and metadata:
        found = _merged(found, _named(metadata))
    if found.user is None:
        found = _merged(found, _of_context())
    if found.thread is not None:
        return guard.session_for(found.thread, user=found.user)
    return (now.run or runs.of(callbacks or callbacks_of(config))).session(guard, found.user)


def _of_context() -> Identity:
    """Who acts, as the context says that a graph was given (`context=`); NOBODY outside one."""
    configurable = (var_child_runnable_config.get() or {}).get("configurable") or {}
    context: object = getattr(configurable.get(_RUNTIME), "context", None)
    if isinstance(context, Mapping):
        return _named(cast("Mapping[str, Any]", context))
    return _named({key: getattr(context, key, None) for key in (*THREAD_KEYS, *USER_KEYS)})


def identity_in(config: Mapping[str, Any]) -> Identity:
    """Who acts, as a config says: `configurable` goes before `metadata`."""
    return _merged(_named(config.get("configurable")), _named(config.get("metadata")))


def _merged(first: Identity, second: Identity) -> Identity:
    if first is NOBODY or second is NOBODY:
        return second if first is NOBODY else first
    return Identity(thread=first.thread or second.thread, user=first.user or second.user)


def _named(values: Mapping[str, Any] | None) -> Identity:
    if not values:
        return NOBODY
    thread, user = _first(values, THREAD_KEYS), _first(values, USER_KEYS)
    return NOBODY if thread is None and user is None else Identity(thread=thread, user=user)


def _first(values: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if values.get(key):
            return str(values[key])
    return None


def _key(obj: object) -> int:
    # A view shares the dictionary of its object: both are the same crossing.
    return id(obj.__dict__)


def run_scope(config: object, guards: tuple[Guard, ...]) -> Scope:
    """The scope of a call with this config, in which `guards` are armed for whatever is called."""
    return scope_of(config, guards) or Scope(_around.get())
