"""Results of tools: texts read out of whatever a tool returns, new ones written into copies.

Rules:
* Strings, messages, commands, documents, mappings, sequences, models and dataclasses are entered;
  bytes, numbers and None are left alone.
* An iterator is not consumed here: it is screened item by item, when somebody reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import (
    AsyncIterator,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, cast

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, ToolMessage
from pydantic import BaseModel

from hauberk import BlockedError, Event, Guard, Segment
from hauberk.flows import minimised
from hauberk.plugin import Select
from hauberk.structure import MAX_DEPTH, TooDeepError
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._fields import Making, in_result
from hauberk_langchain._leaves import Change, Path, dotted, taking
from hauberk_langchain._messages import change_message, change_tool_message


def change_result(value: Any, change: Change, path: Path = (), depth: int = MAX_DEPTH) -> Any:
    """A copy of a result with every text passed through `change`; itself when none changed.

    Raises:
        TooDeepError: `value` is nested too deep.
    """
    if depth <= 0:
        raise TooDeepError
    if isinstance(value, str):
        return change(path, value)
    if isinstance(value, ToolMessage):
        return change_tool_message(value, change)
    if isinstance(value, BaseMessage):
        return change_message(value, change)
    if isinstance(value, Mapping):
        new = _changed(value, change, path, depth)
        return value if new is None else {**value, **new}
    if isinstance(value, (list, tuple, set, frozenset)):
        return _sequence(cast("Sequence[Any]", value), change, path, depth)
    return _record(value, change, path, depth)


def _sequence(value: Sequence[Any], change: Change, path: Path, depth: int) -> Any:
    new = [change_result(item, change, (*path, n), depth - 1) for n, item in enumerate(value)]
    if all(a is b for a, b in zip(new, value, strict=True)):
        return value
    if isinstance(value, tuple) and hasattr(value, "_make"):  # a named tuple
        return cast("Any", value)._make(new)
    return cast("Any", type(value))(new)


def _record(value: Any, change: Change, path: Path, depth: int) -> Any:
    if isinstance(value, BaseModel):
        new = _changed(dict(value), change, path, depth)
        return value if new is None else value.model_copy(update=new)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        new = _changed(fields, change, path, depth)
        return value if new is None else dataclasses.replace(value, **new)
    return value


def _changed(
    fields: Mapping[Any, Any], change: Change, path: Path, depth: int
) -> dict[Any, Any] | None:
    new = {
        key: change_result(inner, change, (*path, key), depth - 1) for key, inner in fields.items()
    }
    changed = {key: value for key, value in new.items() if value is not fields[key]}
    return changed or None


class ResultCodec:
    """How the result of one tool is read and written."""

    def __init__(self, tool: str, made: Making | None = None) -> None:
        self._tool = tool
        self._made = made

    def minimise(self, value: object, select: Select) -> object:
        """A copy of the result without what may not be seen."""
        if self._made is not None and self._made.has_made(value):
            return value
        return in_result(value, select)

    def read(self, value: object) -> tuple[Segment, ...]:
        """The texts of a result."""
        found: list[Segment] = []

        def keep(path: Path, text: str) -> str:
            found.append(Segment.from_tool(self._tool, text, where=dotted(path)))
            return text

        change_result(value, keep)
        return tuple(found)

    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        """A copy of the result with these texts."""
        return change_result(value, taking(segment.text for segment in segments))


class DocumentCodec:
    """How retrieved documents are read and written: words and metadata."""

    def read(self, documents: Sequence[Document]) -> tuple[Segment, ...]:
        """The texts of documents."""
        found: list[Segment] = []
        for number, document in enumerate(documents):
            ident = document_id(document, number)

            def keep(path: Path, text: str, ident: str = ident) -> str:
                found.append(Segment.from_document(ident, text, where=dotted(path)))
                return text

            _change_document(document, keep)
        return tuple(found)

    def write(self, documents: Sequence[Document], segments: tuple[Segment, ...]) -> list[Document]:
        """Copies of the documents with these texts."""
        change = taking(segment.text for segment in segments)
        return [_change_document(document, change) for document in documents]


def document_id(document: Document, number: int) -> str:
    """How a document is called in origins: its id, its source, or its place."""
    source: object = document.metadata.get("source")
    return document.id or (source if isinstance(source, str) and source else str(number))


def _change_document(document: Document, change: Change) -> Document:
    fields = {"page_content": document.page_content, "metadata": document.metadata}
    new = _changed(fields, change, (), MAX_DEPTH)
    return document if new is None else document.model_copy(update=new)


def screened(guard: Guard, event: Event, value: object) -> object:
    """`value` itself, or an iterator that lets the guard see each item before its reader does."""
    if isinstance(value, (str, ToolMessage)):
        return value  # by far the most; an abstract class takes its time to say no
    if isinstance(value, Iterator):
        return _each(guard, event, cast("Iterator[object]", value))
    if isinstance(value, AsyncIterator):
        return _aeach(guard, event, cast("AsyncIterator[object]", value))
    return value


def _each(guard: Guard, event: Event, source: Iterator[object]) -> Iterator[object]:
    codec = ResultCodec(event.tool or "")
    for item in source:
        with hard_stops:
            shown, segments = _item(guard, event, codec, item)
            done = guard.require(event.returned(segments)).segments
        yield shown if done == segments else codec.write(shown, done)


async def _aeach(
    guard: Guard, event: Event, source: AsyncIterator[object]
) -> AsyncIterator[object]:
    codec = ResultCodec(event.tool or "")
    async for item in source:
        with hard_stops:
            shown, segments = _item(guard, event, codec, item)
            done = (await guard.arequire(event.returned(segments))).segments
        yield shown if done == segments else codec.write(shown, done)


def _item(
    guard: Guard, event: Event, codec: ResultCodec, item: object
) -> tuple[object, tuple[Segment, ...]]:
    try:
        shown = minimised(guard, event, item, codec)
        return shown, codec.read(shown)
    except BlockedError as error:
        raise guard.deny(event.returned(()), error.decision) from None
    except Exception as error:  # noqa: BLE001 - what cannot be read must not be shown
        raise guard.refuse(event.returned(()), "langchain adapter", error) from None
