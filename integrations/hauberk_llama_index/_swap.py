"""Guarding an object in place: its class is exchanged for a subclass that asks the guard.

Identity, isinstance, fields, private attributes and every other holder of the object stay as they
are, because the object stays. The guard is bound to the class and not to the instance, so that
nothing a copy or a pickle could strip off holds the protection.

Rules:
* A copy (copy, deepcopy, model_copy) of a guarded object is guarded by the same guard.
* A pickle comes back guarded where its guard lives, and is refused everywhere else.
* One object has one guard. Another one is refused: silently replacing it could open what the first
  one closes.
* Overriding methods are set after the class was made: LlamaIndex would put a second tracing span
  around those that it finds while making it.
"""

from __future__ import annotations

import copyreg
from functools import lru_cache
from pickle import PicklingError, UnpicklingError
from threading import Lock
from typing import Any, cast
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakValueDictionary

from hauberk.guard import Guard
from hauberk_llama_index._layers import Door, dressed, method_of

_MARK = "__hauberk__"
_CLASSES = 512
"""Guarded classes kept for reuse; making one takes up to 1.2 ms."""

_swapping = Lock()
_names: WeakKeyDictionary[Guard, str] = WeakKeyDictionary()
_guards: WeakValueDictionary[str, Guard] = WeakValueDictionary()


def guard_of(obj: object) -> Guard | None:
    """The guard that an object is protected by, or None."""
    found = vars(type(obj)).get(_MARK)
    return found[1] if found is not None else None


def require_free(obj: object, guard: Guard) -> None:
    """Refuse an object that another guard protects.

    Raises:
        ValueError: Another guard protects it.
    """
    if guard_of(obj) not in (None, guard):
        raise ValueError(
            f"this {type(obj).__name__} is protected by another guard. "
            "Give each guard objects of its own, or call unprotect() first."
        )


def swap(obj: object, guard: Guard, door: Door) -> None:
    """Guard an object in place; nothing happens when this guard already does.

    Raises:
        ValueError: Another guard protects it.
        TypeError: Its class cannot be exchanged.
    """
    with _swapping:  # two threads must not put one coat over the other
        require_free(obj, guard)
        if guard_of(obj) is guard:
            return
        _swap(obj, guard, door)


def _swap(obj: object, guard: Guard, door: Door) -> None:
    try:
        object.__setattr__(obj, "__class__", _guarded(cast("Any", type(obj)), guard, door))
    except TypeError as error:
        raise TypeError(
            f"a {type(obj).__name__} cannot be guarded in place: its class is sealed ({error})"
        ) from None


def unswap(obj: object) -> None:
    """Give an object its own class back."""
    found = vars(type(obj)).get(_MARK)
    if found is not None:
        object.__setattr__(obj, "__class__", found[0])


@lru_cache(maxsize=_CLASSES)
def _guarded(base: type, guard: Guard, door: Door) -> type:
    names = ("__module__", "__qualname__", "__doc__")
    namespace = {name: getattr(base, name) for name in names}
    made: Any = type(base)(base.__name__, (base,), namespace)

    def reduce(self: object, protocol: int) -> tuple[object, ...]:
        bare = super(made, self).__reduce_ex__(protocol)
        return _reduced(made, base, guard, bare)

    # All that a guarded class inherits is looked up before anything is set.
    for name, layer in list(door(made).items()):

        def below(self: Any, name: str = name) -> Any:
            return getattr(super(made, self), name)

        method = dressed(method_of(layer, below, (guard,)), getattr(base, name))
        setattr(made, name, method)
    made.__reduce_ex__ = reduce
    setattr(made, _MARK, (base, guard, door))
    return cast("type", made)


# --- pickles ------------------------------------------------------------------------------------


def _reduced(made: type, base: type, guard: Guard, reduced: object) -> tuple[object, ...]:
    """The usual reduction, with a restorer that puts the guard back on.

    A class with a reduction of its own could come out bare, so it is refused.
    """
    if isinstance(reduced, tuple):
        maker, args, *rest = cast("tuple[object, tuple[object, ...], object]", reduced)
        if maker is getattr(copyreg, "__newobj__") and args[0] is made:  # noqa: B009 - not in the type stubs
            return (_restored, (base, name_of(guard), vars(made)[_MARK][2], *args[1:]), *rest)
    raise PicklingError(f"a protected {base.__name__} has its own pickling and cannot be copied so")


def name_of(guard: Guard) -> str:
    """What a guard is called in pickles. Known in this process only."""
    name = _names.setdefault(guard, uuid4().hex)
    _guards[name] = guard
    return name


def known_guard(name: str, kind: type) -> Guard:
    """The guard of a pickle.

    Raises:
        UnpicklingError: It does not live in this process.
    """
    guard = _guards.get(name)
    if guard is None:
        raise UnpicklingError(
            f"this {kind.__name__} was protected by a guard that does not live in this process. "
            "Pickle it unprotected, and protect it after loading."
        )
    return guard


def _restored(base: type, name: str, door: Door, *args: object) -> object:
    made = _guarded(base, known_guard(name, base), door)
    return made.__new__(made, *args)
