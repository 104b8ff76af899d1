"""Long-term memory: what a LangGraph store gives back is screened before anyone reads it.

Whoever gets a sentence into an agent's memory speaks in every later conversation.

Rules:
* What comes back is of origin `memory`, by its namespace; it is untrusted, whoever wrote it.
* Items are changed on copies: the store keeps its own.
* What is written, and what is only counted or deleted, passes as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, cast

from langgraph.store.base import BaseStore, Item, Op, Result
from typing_extensions import override

from hauberk import Event, Guard, Segment, Stage
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._leaves import Change, Path, dotted, taking
from hauberk_langchain._results import change_result
from hauberk_langchain._run import session_of


class HauberkStore(BaseStore):
    """A store around another one, to be given to a graph or an agent in its place.

    It does not promise to see what is read from the other one directly.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from langgraph.store.memory import InMemoryStore
        >>> store = HauberkStore(InMemoryStore(), Guard(Policy.unsafe_allow_all()))
        >>> store.put(("notes",), "1", {"text": "Ada likes tea."})
        >>> store.get(("notes",), "1").value
        {'text': 'Ada likes tea.'}
    """

    def __init__(self, store: BaseStore, guard: Guard) -> None:
        """Screen what `store` gives back with `guard`."""
        self.store = store
        self.guard = guard
        self.supports_ttl = store.supports_ttl
        self.ttl_config = store.ttl_config

    @override
    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out operations; what they give back is screened.

        Raises:
            BlockedError: What came back is refused.
        """
        found = self.store.batch(ops)
        with hard_stops:
            event = self._event(found)
            return _written(found, event, self.guard.require(event)) if event.segments else found

    @override
    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same, on an event loop.

        Raises:
            BlockedError: What came back is refused.
        """
        found = await self.store.abatch(ops)
        with hard_stops:
            event = self._event(found)
            if not event.segments:
                return found
            return _written(found, event, await self.guard.arequire(event))

    def _event(self, found: list[Result]) -> Event:
        session = session_of(self.guard)
        try:
            segments = tuple(_segments(found))
        except Exception as error:  # noqa: BLE001 - what cannot be read must not be shown
            event = Event(stage=Stage.RETRIEVAL, session=session)
            raise self.guard.refuse(event, "langchain adapter", error) from None
        return Event(stage=Stage.RETRIEVAL, segments=segments, session=session)


def _segments(found: list[Result]) -> Iterator[Segment]:
    texts: list[tuple[Path, str]] = []

    def keep(path: Path, text: str) -> str:
        texts.append((path, text))
        return text

    for item in _items(found):
        change_result(item.value, keep)
        name = "/".join(item.namespace)
        yield from (Segment.from_memory(name, text, where=dotted(path)) for path, text in texts)
        texts.clear()


def _items(found: list[Result]) -> Iterator[Item]:
    for result in found:
        for one in result if isinstance(result, list) else (result,):
            if isinstance(one, Item):
                yield one


def _written(found: list[Result], event: Event, done: Event) -> list[Result]:
    if done.segments == event.segments:
        return found
    change = taking(segment.text for segment in done.segments)
    return [_changed(result, change) for result in found]


def _changed(result: Result, change: Change) -> Result:
    if isinstance(result, list):
        return cast("Result", [_changed_one(one, change) for one in cast("list[object]", result)])
    return cast("Result", _changed_one(result, change))


def _changed_one(one: object, change: Change) -> object:
    if not isinstance(one, Item):
        return one
    value: Any = change_result(one.value, change)
    if value is one.value:
        return one
    new = copy.copy(one)
    new.value = value
    return new
