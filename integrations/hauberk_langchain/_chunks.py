"""Streams: each chunk a copy that shows only what may be shown, and one more for what was held back.

Rules:
* Every text of a chunk is a piece of a channel: the content, each block of it, the arguments of each
  tool call. Pieces with the same index continue the same channel, as LangChain merges them.
* What was held back at the end goes out in one last chunk, which merges into the message like any
  other piece.
* Ids, metadata and usage stay on the chunk that brought them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk

from hauberk._stream import GuardStream, StreamEnd
from hauberk.events import Usage
from hauberk_langchain._leaves import JSON_KEYS, Path, change_blocks, dotted
from hauberk_langchain._messages import total_usage

C = TypeVar("C")

_FIRST_OWN_INDEX = 1_000_000
"""Tool call chunks that come whole have no index; ours start here, above any provider's."""


class ChunkFilter(Protocol[C]):
    """Puts the pieces of one streamed answer through a guard's stream."""

    @property
    def usage(self) -> Usage | None:
        """What the answer used, as far as the chunks said it."""
        ...

    def feed(self, chunk: C) -> C | None:
        """A copy of the chunk with what may be shown now; None when it is to wait for the tail."""
        ...

    def tail(self, end: StreamEnd) -> C | None:
        """The last chunk, with what was held back. None when nothing is left to say."""
        ...


class TextChunkFilter:
    """For string models: one channel."""

    def __init__(self, stream: GuardStream) -> None:
        self._stream = stream

    @property
    def usage(self) -> Usage | None:
        """Not known: string models do not say."""
        return None

    def feed(self, chunk: GenerationChunk) -> GenerationChunk:
        """A copy of the chunk with what may be shown now."""
        return GenerationChunk(
            text=self._stream.feed(chunk.text), generation_info=chunk.generation_info
        )

    def tail(self, end: StreamEnd) -> GenerationChunk | None:
        """What was held back."""
        text = "".join(end.tails.values())
        return GenerationChunk(text=text) if text else None


class ChatChunkFilter:
    """For chat models: a channel for each text of the message."""

    def __init__(self, stream: GuardStream) -> None:
        self._stream = stream
        self._homes: dict[str, tuple[Path, object]] = {}
        self._counts: list[Mapping[str, Any]] = []
        self._own_index = _FIRST_OWN_INDEX
        self._ident: str | None = None
        self._last: ChatGenerationChunk | None = None

    @property
    def usage(self) -> Usage | None:
        """What the answer used, as far as the chunks said it."""
        return total_usage(self._counts)

    def feed(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk | None:
        """A copy of the chunk with what may be shown now; None for one that says it is the last."""
        new = self._filtered(chunk)
        if self._last is not None:  # it was not the last
            new, self._last = self._last + new, None
        if isinstance(new.message, AIMessageChunk) and new.message.chunk_position == "last":
            self._last = new
            return None
        return new

    def _filtered(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        message: BaseMessage = chunk.message
        self._ident = message.id or self._ident
        update: dict[str, Any] = {
            "content": self._shown("content", message.content),
            "additional_kwargs": self._shown("additional_kwargs", message.additional_kwargs),
        }
        if isinstance(message, AIMessageChunk):
            update |= self._calls(message)
            if message.usage_metadata:
                self._counts.append(message.usage_metadata)
        new = message.model_copy(update=update)
        if isinstance(new, AIMessageChunk) and new.tool_call_chunks:
            new = cast("Any", new).init_tool_calls()
        return ChatGenerationChunk(
            message=cast("AIMessageChunk", new), generation_info=chunk.generation_info
        )

    def tail(self, end: StreamEnd) -> ChatGenerationChunk | None:
        """What was held back, in the chunk that said it was the last, or in one more."""
        rest = self._rest(end)
        if self._last is None or rest is None:
            return self._last or rest
        return self._last + rest

    def _rest(self, end: StreamEnd) -> ChatGenerationChunk | None:
        parts: dict[str, Any] = {"content": ""}
        for channel, text in end.tails.items():
            if text:
                path, value = self._homes[channel]
                field = str(path[0])
                part = skeleton(value, path[1:], text)
                parts[field] = _joined(parts.get(field), part)
        if len(parts) == 1 and not parts["content"]:
            return None
        chunks: Any = [{"name": None, "id": None, **c} for c in parts.pop("tool_call_chunks", [])]
        message = AIMessageChunk(
            id=self._ident, chunk_position="last", tool_call_chunks=chunks, **parts
        )
        return ChatGenerationChunk(message=message)

    def _calls(self, message: AIMessageChunk) -> dict[str, Any]:
        if not message.tool_call_chunks:
            return {}
        chunks = [
            chunk if chunk["index"] is not None else {**chunk, "index": self._next_index()}
            for chunk in message.tool_call_chunks
        ]
        shown = self._shown("tool_call_chunks", chunks)
        return {"tool_call_chunks": shown, "tool_calls": [], "invalid_tool_calls": []}

    def _next_index(self) -> int:
        self._own_index += 1
        return self._own_index

    def _shown(self, field: str, value: object) -> object:
        def feed(path: Path, text: str) -> str:
            channel = dotted(_stable(value, path))
            self._homes[channel] = (path, value)
            if not text:
                return text
            return self._stream.feed(text, channel=channel, json_string=path[-1] in JSON_KEYS)

        return change_blocks(value, feed, whole=False, path=(field,)) if value else value


def skeleton(value: object, path: Path, text: str) -> object:
    """Just enough of `value` around a text at `path` that LangChain merges it into its place.

    Example:
        >>> skeleton([{"type": "text", "text": "Hel", "index": 0, "id": "b"}], (0, "text"), "lo")
        [{'type': 'text', 'index': 0, 'text': 'lo'}]
    """
    if not path:
        return text
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        known = cast("Mapping[object, object]", value)
        kept: dict[object, object] = {k: known[k] for k in ("type", "index") if k in known}
        return kept | {step: skeleton(known[step], rest, text)}
    items = cast("Sequence[object]", value)
    return [skeleton(items[cast("int", step)], rest, text)]


def _stable(value: object, path: Path) -> Path:
    """`path` with the index of a block in place of its position in this chunk."""
    found: list[str | int] = [path[0]]
    for step in path[1:]:
        inner: object = cast("Any", value)[step]
        index = (
            cast("Mapping[str, object]", inner).get("index") if isinstance(inner, dict) else None
        )
        found.append(index if isinstance(step, int) and isinstance(index, (int, str)) else step)
        value = inner
    return tuple(found)


def _joined(old: object, new: object) -> object:
    """Two parts of one field. Lists follow each other; mappings (extra fields) are put together."""
    if not old:
        return new
    if isinstance(old, list):
        items = cast("list[object]", new if isinstance(new, list) else [new])
        return [*cast("list[object]", old), *items]
    if isinstance(old, dict) and isinstance(new, dict):
        merged = dict(cast("dict[str, object]", old))
        for key, value in cast("dict[str, object]", new).items():
            merged[key] = _joined(merged.get(key), value)
        return merged
    return f"{old}{new}"
