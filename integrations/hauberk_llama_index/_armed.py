"""Which guards a call obeys: those that its object carries, and those that are armed around it.

Armed are: the guard of the agent, engine or workflow whose run is under way here; the guard of a
`HauberkCallbackHandler` in the object's callback manager; the guard that is installed for the
process.

Rules:
* Every guard is asked once, the object's own first.
* A handler in the manager of a model arms the runs of the agents that hold the model: LlamaIndex
  tells handlers nothing of tools, and pseudonyms must mean the same in every call of a run.
* Where nothing is armed, asking costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from threading import Lock
from typing import Any, Self, cast

from llama_index.core.workflow import Workflow

from hauberk.guard import Guard
from hauberk.session import Session

Guards = tuple[Guard, ...]

_lock = Lock()
_around: ContextVar[Guards] = ContextVar("hauberk_llama_index_armed", default=())
_installed: Guards = ()
_handlers = False
"""Whether there ever was a handler: only then callback managers are looked into."""


def installed() -> Guards:
    """The process-wide guard, if there is one."""
    return _installed


def set_installed(guard: Guard | None) -> None:
    """Install a guard for the process, or take it away.

    Raises:
        RuntimeError: Another guard is installed.
    """
    global _installed  # noqa: PLW0603 - one for the process is the meaning of it
    with _lock:
        if guard is not None and _installed not in ((), (guard,)):
            raise RuntimeError("another guard is installed; uninstall() it first")
        _installed = () if guard is None else (guard,)


def expect_handlers() -> None:
    """From now on, look into callback managers."""
    global _handlers  # noqa: PLW0603 - once for the process
    _handlers = True


def guards_for(obj: object, own: Guards) -> Guards:
    """The guards that a call of `obj` obeys, each once."""
    around = _around.get()
    if not (_handlers or _installed) and (not around or around == own):
        return own
    found = (*own, *around, *(attached(obj) if _handlers else ()), *_installed)
    return found if len(found) == 1 else tuple(dict.fromkeys(found))


def attached(obj: object) -> Iterator[Guard]:
    """The guards of the handlers among an object's callbacks; of its models', for a workflow."""
    yield from _of_manager(obj)
    if isinstance(obj, Workflow):
        agents: object = getattr(obj, "agents", None)
        inner = cast("Mapping[str, object]", agents) if isinstance(agents, Mapping) else {}
        for holder in (obj, *inner.values()):
            for part in list(getattr(holder, "__dict__", {}).values()):
                yield from _of_manager(part)


def _of_manager(obj: object) -> Iterator[Guard]:
    held: Mapping[str, Any] = getattr(obj, "__dict__", {})
    manager = held.get("callback_manager") or held.get("_callback_manager")
    for handler in getattr(manager, "handlers", ()):
        guard = getattr(handler, "hauberk_guard", None)
        if isinstance(guard, Guard):
            yield guard


class Scope:
    """A stretch of code that belongs to a session, and in which a guard is armed for every call."""

    __slots__ = ("_guard", "_outer", "_session")

    def __init__(self, guard: Guard, session: Session | None = None) -> None:
        self._guard = guard
        self._session = (session or Session.current() or Session()).active()
        self._outer: Guards = ()

    @property
    def session(self) -> Session:
        """The session: the one that is open here, or a new one."""
        return self._session.session

    def __enter__(self) -> Self:
        self._session.__enter__()
        self._outer = _around.get()
        if self._guard not in self._outer:
            _around.set((*self._outer, self._guard))
        return self

    def __exit__(self, *_: object) -> None:
        _around.set(self._outer)
        self._session.__exit__()
