"""Retrievers: what happens between the store that they search and everyone who reads what they find.

Rules:
* The guard sits at the methods that a retriever's class overrides, below callbacks: events show what
  may be seen. A class with an `invoke` of its own is guarded there too.
* Documents are changed on copies: the store keeps its own.
* What a retriever calls inside (an embedding model, a model that writes queries) is guarded, and of
  the same run.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from hauberk import Event, Guard, Stage
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._objects import named_like
from hauberk_langchain._results import DocumentCodec
from hauberk_langchain._run import crossing, pending, run_scope, session_of

_DOCUMENTS = DocumentCodec()
_INNER = ("_get_relevant_documents", "_aget_relevant_documents")
_OUTER = ("invoke", "ainvoke")


def retriever_methods(
    base: type[Any], guards_of: Callable[[object], tuple[Guard, ...]]
) -> dict[str, Any]:
    """The methods of a guarded subclass of `base`: those that `base` itself overrides."""
    return {
        name: _guarded(getattr(base, name), guards_of)
        for name in (*_INNER, *_OUTER)
        if getattr(base, name) is not getattr(BaseRetriever, name)
    }


def _guarded(original: Any, guards_of: Callable[[object], tuple[Guard, ...]]) -> Any:
    if inspect.iscoroutinefunction(original):

        async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
            guards = pending(self, guards_of(self))
            return await _aretrieve(guards, self, kwargs, lambda: original(self, *args, **kwargs))

        return named_like(original, acall)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        guards = pending(self, guards_of(self))
        return _retrieve(guards, self, kwargs, lambda: original(self, *args, **kwargs))

    return named_like(original, call)


def _retrieve(
    guards: tuple[Guard, ...],
    retriever: object,
    options: dict[str, Any],
    work: Callable[[], list[Document]],
) -> list[Document]:
    with run_scope(options.get("config"), guards):
        with crossing(retriever, guards):
            documents = work()
        with hard_stops:
            for guard in reversed(guards):
                event = _event(guard, options, documents)
                documents = _seen(guard.require(event), event, documents)
    return documents


async def _aretrieve(
    guards: tuple[Guard, ...],
    retriever: object,
    options: dict[str, Any],
    work: Callable[[], Awaitable[list[Document]]],
) -> list[Document]:
    with run_scope(options.get("config"), guards):
        with crossing(retriever, guards):
            documents = await work()
        with hard_stops:
            for guard in reversed(guards):
                event = _event(guard, options, documents)
                documents = _seen(await guard.arequire(event), event, documents)
    return documents


def _event(guard: Guard, options: dict[str, Any], documents: list[Document]) -> Event:
    metadata = getattr(options.get("run_manager"), "metadata", None)
    session = session_of(guard, metadata, config=options.get("config"))
    try:
        segments = _DOCUMENTS.read(documents)
    except Exception as error:  # noqa: BLE001 - what cannot be read must not be shown
        event = Event(stage=Stage.RETRIEVAL, session=session)
        raise guard.refuse(event, "langchain adapter", error) from None
    return Event(stage=Stage.RETRIEVAL, segments=segments, session=session)


def _seen(done: Event, event: Event, documents: list[Document]) -> list[Document]:
    same = done.segments == event.segments
    return documents if same else _DOCUMENTS.write(documents, done.segments)
