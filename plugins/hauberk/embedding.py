"""Embedding models: how what they are sent goes through a guard. Both colours, every framework.

Rules:
* Documents cross `ingest` (they are about to enter an index), and then, like a query, `prompt` and
  `completion`: an embedding model is a model, and its provider sees what it is sent.
* Documents that the guard has let in already cross `prompt` and `completion` only.
* The provider gets copies. What the store keeps, and the vectors, are the application's.
* What is no text was not read: it is not sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from hauberk.events import Event, Segment, Stage, Usage
from hauberk.flows import arun_model, run_model
from hauberk.guard import Guard
from hauberk.session import Session

T = TypeVar("T")

_NO_ANSWER = 1
"""The fewest tokens that can be reserved for an answer: vectors are none."""


class _Vectors:
    """Vectors are no text."""

    def read(self, answer: object) -> tuple[tuple[Segment, ...], Usage | None]:  # noqa: ARG002 - the Protocol's
        return (), None

    def write(self, answer: T, segments: tuple[Segment, ...]) -> T:  # noqa: ARG002 - the Protocol's
        return answer


_CODEC = _Vectors()


def embedding_event(  # noqa: PLR0913 - what is sent, what it is, where to
    guard: Guard,
    texts: Iterable[object],
    *,
    query: bool,
    ingested: bool = False,
    model: str | None = None,
    session: Session | None = None,
) -> Event:
    """What is about to be embedded.

    Args:
        guard: What will be asked.
        texts: The texts, as the application gave them.
        query: Whether they are the user's words; else documents.
        ingested: Whether the guard has let these documents into an index already.
        model: Name of the embedding model: prices hang on it.
        session: Whose; that of the context by default.

    Raises:
        BlockedError: One of them is no text.
    """
    stage = Stage.PROMPT if query or ingested else Stage.INGEST
    session = session or Session.current() or Session()
    try:
        segments = tuple(_segment(text, at, query=query) for at, text in enumerate(texts))
    except Exception as error:  # noqa: BLE001 - what cannot be read must not be sent
        raise guard.refuse(Event(stage=stage, session=session), "adapter", error) from None
    return _at(stage, segments, session, model)


def run_embedding(guard: Guard, event: Event, call: Callable[[list[str]], T]) -> T:
    """One call of an embedding model.

    Args:
        guard: What to ask.
        event: What `embedding_event` gave.
        call: Embeds these texts instead of those that the application gave.

    Raises:
        BlockedError: A text is refused.
    """
    if event.stage is Stage.INGEST:
        event = _prompt(guard.require(event))
    return run_model(guard, event, lambda sent: call(_texts(sent)), _CODEC)


async def arun_embedding(
    guard: Guard, event: Event, call: Callable[[list[str]], Awaitable[T]]
) -> T:
    """The same, on an event loop.

    Raises:
        BlockedError: A text is refused.
    """
    if event.stage is Stage.INGEST:
        event = _prompt(await guard.arequire(event))
    return await arun_model(guard, event, lambda sent: call(_texts(sent)), _CODEC)


def _segment(text: object, at: int, *, query: bool) -> Segment:
    if not isinstance(text, str):
        raise TypeError("what is to be embedded is no text")
    if query:
        return Segment.from_user(text, where="query")
    return Segment.from_document(str(at), text, where=f"documents[{at}]")


def _prompt(ingested: Event) -> Event:
    """What may enter the index, on its way to the provider."""
    return _at(Stage.PROMPT, ingested.segments, ingested.session, ingested.model)


def _at(stage: Stage, segments: tuple[Segment, ...], session: Session, model: str | None) -> Event:
    return Event(
        stage=stage,
        segments=segments,
        session=session,
        model=model,
        max_output_tokens=_NO_ANSWER,
    )


def _texts(sent: Event) -> list[str]:
    return [segment.text for segment in sent.segments]
