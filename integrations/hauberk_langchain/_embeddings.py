"""Embedding models: what happens between their callers and their provider.

Rules:
* How texts cross is `hauberk.embedding`'s: documents at ingest and prompt, queries at prompt.
* An embedding model that asks another one (a cache) is one crossing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.embeddings import Embeddings

from hauberk import Event, Guard
from hauberk.embedding import arun_embedding, embedding_event, run_embedding
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._objects import model_name, named_like
from hauberk_langchain._run import crossing, pending, session_of

METHODS = ("embed_documents", "embed_query", "aembed_documents", "aembed_query")
"""The methods that a provider's class overrides."""


class _Embedding:
    """Whatever embedding models call within themselves belongs to one crossing of this."""


_EMBEDDING = _Embedding()


def embed(guards: tuple[Guard, ...], model: object, given: Any, work: Callable[[Any], Any]) -> Any:
    """One call of an embedding model: a text (a query) or a list of texts (documents).

    Raises:
        RunBlockedError: A text is refused.
    """
    if not guards:
        return work(given)
    guard = guards[0]
    with hard_stops:

        def ask(texts: list[str]) -> Any:
            with crossing(_EMBEDDING, guards[:1]):
                return embed(guards[1:], model, _like(given, texts), work)

        return run_embedding(guard, _event(guard, model, given), ask)


async def aembed(
    guards: tuple[Guard, ...], model: object, given: Any, work: Callable[[Any], Awaitable[Any]]
) -> Any:
    """The same, on an event loop.

    Raises:
        RunBlockedError: A text is refused.
    """
    if not guards:
        return await work(given)
    guard = guards[0]
    with hard_stops:

        async def ask(texts: list[str]) -> Any:
            with crossing(_EMBEDDING, guards[:1]):
                return await aembed(guards[1:], model, _like(given, texts), work)

        return await arun_embedding(guard, _event(guard, model, given), ask)


def embedding_methods(
    base: type[Any], guards_of: Callable[[Any], tuple[Guard, ...]], *, own: bool = False
) -> dict[str, Any]:
    """The guarded methods of a class of embedding models.

    Args:
        base: The class.
        guards_of: Gives the guards of an object of it.
        own: Only methods that the class itself defines; else those it inherits too.
    """
    found: dict[str, Any] = {}
    for name in METHODS:
        method = vars(base).get(name) if own else getattr(base, name)
        if method is not None and method is not getattr(Embeddings, name):
            found[name] = _guarded(method, guards_of)
    return found


def _guarded(original: Any, guards_of: Callable[[Any], tuple[Guard, ...]]) -> Any:
    if inspect.iscoroutinefunction(original):

        async def acall(self: Any, given: Any, *args: Any, **kwargs: Any) -> Any:
            guards = pending(_EMBEDDING, guards_of(self))
            return await aembed(
                guards, self, given, lambda sent: original(self, sent, *args, **kwargs)
            )

        return named_like(original, acall)

    def call(self: Any, given: Any, *args: Any, **kwargs: Any) -> Any:
        guards = pending(_EMBEDDING, guards_of(self))
        return embed(guards, self, given, lambda sent: original(self, sent, *args, **kwargs))

    return named_like(original, call)


def _event(guard: Guard, model: object, given: Any) -> Event:
    query = isinstance(given, str)
    return embedding_event(
        guard,
        [given] if query else given,
        query=query,
        model=model_name(model),
        session=session_of(guard),
    )


def _like(given: object, texts: list[str]) -> object:
    """One text for one, a list for several."""
    return texts[0] if isinstance(given, str) else texts
