"""LlamaIndex's own classes, taught once to look for a guard. Without one they work as before.

Rules:
* Applied when the first door is made, and never by an import. Once.
* Every class that has a method of its own is taught, and so is every class that is made later: what
  a class inherits from somewhere else too.
* Which guards a call obeys is asked at each call: `_armed` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getattr_static
from threading import RLock
from typing import Any, cast
from weakref import WeakSet

from hauberk.guard import Guard
from hauberk_llama_index._armed import set_installed
from hauberk_llama_index._doors import DOORS, door_of
from hauberk_llama_index._layers import Layer, dressed, method_of

_lock = RLock()
_taught: WeakSet[Any] = WeakSet()
"""Our methods on LlamaIndex's classes."""
_done = False


def install(guard: Guard) -> None:
    """Guard every model, embedding model, tool, retriever, engine, agent and pipeline of this process.

    Also those of classes that are made later. Undone by `uninstall`. What goes around LlamaIndex is
    not seen: `tool.fn` called directly, a provider's own client.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from hauberk_llama_index import install, uninstall
        >>> install(Guard(Policy.unsafe_allow_all()))
        >>> uninstall()

    Raises:
        RuntimeError: Another guard is installed.
    """
    teach()
    set_installed(guard)


def uninstall() -> None:
    """Take the process-wide guard away. Other doors stay as they are."""
    set_installed(None)


def teach() -> None:
    """Teach the framework's classes, once."""
    global _done  # noqa: PLW0603 - the framework's classes are global too
    with _lock:
        if _done:
            return
        for root, door in DOORS.items():
            if door is not None:
                _watch(root)
                for kind in _family(root, set()):
                    _teach(kind)
        _done = True


def _family(root: type, seen: set[type]) -> Iterator[type]:
    """A class and everything that is made of it, the class first."""
    if root not in seen:
        seen.add(root)
        yield root
        made: list[type] = type.__subclasses__(root)
        for kind in made:
            yield from _family(kind, seen)


def _watch(root: type) -> None:
    """Teach what will be made of a class later."""

    def made(cls: type[Any], /, **kwargs: Any) -> None:
        super(cast("Any", root), cls).__init_subclass__(**kwargs)
        _teach(cls)

    setattr(root, "__init_subclass__", classmethod(made))  # noqa: B010 - mypy knows no such assignment


def _teach(kind: type) -> None:
    """Teach those methods of a class that it does not have from a class that was taught."""
    door = door_of(kind)
    for name, layer in (door(kind) if door is not None else {}).items():
        found: Any = getattr_static(kind, name)
        if found not in _taught and not getattr(found, "__isabstractmethod__", False):
            method = _method(found, layer)
            _taught.add(method)
            setattr(kind, name, method)


def _method(found: Any, layer: Layer) -> Any:
    def below(self: Any) -> Any:
        # Bound, as a call would find it: LlamaIndex's tracing is much slower unbound.
        return found.__get__(self, type(self))

    return dressed(method_of(layer, below, ()), found)
