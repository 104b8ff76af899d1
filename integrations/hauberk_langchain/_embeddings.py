"""Embedding models: what happens between their callers and their provider.

Rules:
* Documents cross `ingest` (they are about to enter an index), and then, like a query, `prompt` and
  `completion`: an embedding model is a model, and its provider sees what it is sent.
* The provider gets copies. What the store keeps, and the vectors, are the application's.
* An embedding model that asks another one (a cache) is one crossing.
* What is no text was not read: it is not sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from langchain_core.embeddings import Embeddings

from hauberk import Event, Guard, Segment, Session, Stage, Usage
from hauberk.flows import arun_model, run_model
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._objects import model_name, named_like
from hauberk_langchain._run import crossing, pending, session_of

T = TypeVar("T")

METHODS = ("embed_documents", "embed_query", "aembed_documents", "aembed_query")
"""The methods that a provider's class overrides."""


class _Embedding:
    """Whatever embedding models call within themselves belongs to one crossing of this."""


_EMBEDDING = _Embedding()


class _Vectors:
    """Vectors are no text."""

    def read(self, answer: object) -> tuple[tuple[Segment, ...], Usage | None]:  # noqa: ARG002 - the Protocol's
        return (), None

    def write(self, answer: T, segments: tuple[Segment, ...]) -> T:  # noqa: ARG002 - the Protocol's
        return answer


_CODEC = _Vectors()


def embed(guards: tuple[Guard, ...], model: object, given: Any, work: Callable[[Any], Any]) -> Any:
    """One call of an embedding model: a text (a query) or a list of texts (documents).

    Raises:
        RunBlockedError: A text is refused.
    """
    if not guards:
        return work(given)
    guard = guards[0]
    with hard_stops:
        event = _event(guard, model, given)
        if event.stage is Stage.INGEST:
            event = _prompt(guard.require(event))

        def ask(sent: Event) -> Any:
            with crossing(_EMBEDDING, guards[:1]):
                return embed(guards[1:], model, _texts(given, sent), work)

        return run_model(guard, event, ask, _CODEC)


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
        event = _event(guard, model, given)
        if event.stage is Stage.INGEST:
            event = _prompt(await guard.arequire(event))

        async def ask(sent: Event) -> Any:
            with crossing(_EMBEDDING, guards[:1]):
                return await aembed(guards[1:], model, _texts(given, sent), work)

        return await arun_model(guard, event, ask, _CODEC)


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
    session = session_of(guard)
    stage = Stage.PROMPT if isinstance(given, str) else Stage.INGEST
    try:
        segments = (
            (Segment.from_user(given, where="query"),)
            if isinstance(given, str)
            else tuple(_documents(given))
        )
    except Exception as error:  # noqa: BLE001 - what cannot be read must not be sent
        raise guard.refuse(Event(stage=stage, session=session), "adapter", error) from None
    return _at(stage, segments, session, model_name(model))


def _documents(given: Iterable[object]) -> Iterable[Segment]:
    for number, text in enumerate(given):
        if not isinstance(text, str):
            raise TypeError("what is to be embedded is no text")
        yield Segment.from_document(str(number), text, where=f"documents[{number}]")


def _prompt(ingested: Event) -> Event:
    """What may enter the index, on its way to the provider."""
    return _at(Stage.PROMPT, ingested.segments, ingested.session, ingested.model)


def _at(stage: Stage, segments: tuple[Segment, ...], session: Session, model: str | None) -> Event:
    return Event(stage=stage, segments=segments, session=session, model=model)


def _texts(given: Any, sent: Event) -> Any:
    if isinstance(given, str):
        return sent.segments[0].text
    return [segment.text for segment in sent.segments]
