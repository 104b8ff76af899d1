"""Guarded methods: what lies around a method of LlamaIndex, for each guard that a call obeys.

A door names the methods of a kind of object and gives each a layer: the code that asks one guard
around one call. Layers know nothing of how they got there: `_swap` puts them on one object, `_patch`
on LlamaIndex's classes.

Rules:
* Several guards are asked one around the other, the first one outermost.
* A method that was async stays async.
* A guarded method looks like the one below it: name, signature, what makes it a step of a workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import WRAPPER_ASSIGNMENTS
from inspect import iscoroutinefunction
from typing import Any

from hauberk.guard import Guard
from hauberk_llama_index._armed import Guards, guards_for

Run = Callable[..., Any]
"""The method below, bound to its object."""
Layer = Callable[[Guard, Any, Run, tuple[Any, ...], dict[str, Any]], Any]
"""One call as one guard lets it happen: guard, object, method below, arguments."""
Layers = Mapping[str, Layer]
Door = Callable[[type], Layers]
"""The layers for the objects of a class, by name of the method."""
Below = Callable[[Any], Run]
"""The method below a guarded one, for an object."""


def method_of(layer: Layer, below: Below, own: Guards) -> Callable[..., Any]:
    """A method that runs `layer` for each guard that its call obeys.

    Args:
        layer: What to do around a call.
        below: Gives the method as it was.
        own: The guards that the objects of this class carry.
    """
    if iscoroutinefunction(layer):

        async def amethod(self: Any, *args: Any, **kwargs: Any) -> Any:
            guards, run = guards_for(self, own), below(self)
            if not guards:
                return await run(*args, **kwargs)
            first = guards[0]
            if len(guards) > 1:
                run = _around(guards[1:], layer, self, run)
            return await layer(first, self, run, args, kwargs)

        return amethod

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        guards, run = guards_for(self, own), below(self)
        if not guards:
            return run(*args, **kwargs)
        first = guards[0]
        if len(guards) > 1:
            run = _around(guards[1:], layer, self, run)
        return layer(first, self, run, args, kwargs)

    return method


class Argument:
    """The argument that a guard looks at, wherever it stands among those of a call.

    Raises:
        ValueError: It is missing. (LlamaIndex's own kind of error.)
    """

    __slots__ = ("_args", "_kwargs", "name", "value")

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not args and name not in kwargs:
            raise ValueError(f"{name} is missing")
        self.name = name
        self._args, self._kwargs = args, kwargs
        self.value: Any = args[0] if args else kwargs[name]

    def call(self, run: Run, new: object) -> Any:
        """Call with `new` in its place."""
        if self._args:
            return run(new, *self._args[1:], **self._kwargs)
        return run(**{**self._kwargs, self.name: new})


def _around(guards: Sequence[Guard], layer: Layer, obj: Any, run: Run) -> Run:
    """`run` with the layer of each of these guards around it."""
    for guard in reversed(guards):
        run = _one(guard, layer, obj, run)
    return run


def _one(guard: Guard, layer: Layer, obj: Any, run: Run) -> Run:
    return lambda *args, **kwargs: layer(guard, obj, run, args, kwargs)


def dressed(method: Callable[..., Any], like: Any) -> Callable[..., Any]:
    """`method`, looking like another one.

    `functools.wraps` would also copy a `__wrapped__` that LlamaIndex uses as a mark of its own.
    """
    for name in WRAPPER_ASSIGNMENTS:
        if hasattr(like, name):
            setattr(method, name, getattr(like, name))
    method.__dict__.update({k: v for k, v in vars(like).items() if k != "__wrapped__"})
    return method
