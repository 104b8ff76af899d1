"""Streams of a model: rewritten piece by piece, checked whole at the end.

LlamaIndex's pieces carry the new text (`delta`) and all text so far (`message` or `text`). Both are
made anew, so that they agree.

Rules:
* What is shown, joined, is what a check of the whole answer gives; the tail is flushed at the end.
* Tool calls and whatever else is not running text are shown in the last piece, checked.
* A stream whose pieces carry no new text is held back whole.
* Where nobody looks at completions, the pieces are passed on as they are.
* Streams are real generators: LlamaIndex asks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    TextBlock,
)

from hauberk._stream import StreamEnd
from hauberk.events import Event, Segment, Stage, Usage
from hauberk.guard import Guard
from hauberk.structure import TooDeepError
from hauberk_llama_index._codecs import usage_of
from hauberk_llama_index._messages import in_message
from hauberk_llama_index._nesting import inside
from hauberk_llama_index._texts import read, write

Piece = Any
"""A `ChatResponse` or a `CompletionResponse`."""
_TEXT = "text"
_THINKING = "thinking_delta"


class Pieces(ABC):
    """One streaming answer on its way to its reader. Not thread-safe: a stream has one reader."""

    def __init__(self, guard: Guard, sent: Event) -> None:
        self._guard = guard
        self._sent = sent
        self._stream = guard.open_stream(sent)
        self._rewrites = guard.watches(Stage.COMPLETION)
        self._raw = ""
        self._shown = ""
        self._last: Piece | None = None
        self._usage: Usage | None = None

    def feed(self, piece: Piece) -> Piece | None:
        """Take the next piece; give what may be shown now, or None.

        Raises:
            BlockedError: A filter failed.
        """
        self._last = piece
        self._usage = usage_of(piece) or self._usage
        new = self._new_text(piece)
        self._raw += new
        text = self._stream.feed(new) if new else ""
        self._shown += text
        thinking = self._thinking(piece)
        if not self._rewrites:
            return piece
        if not text and not thinking:
            return None  # nothing to show yet
        if text == new and self._untouched(piece):
            return piece
        return self._with_thinking(self._shown_piece(piece, text, self._shown), thinking)

    def finish(self) -> Piece | None:
        """The model is done: the last piece, or None.

        Raises:
            BlockedError: The whole answer is refused, or a filter failed.
        """
        rest = self._feed_rest()
        return self._ended(rest, self._stream.finish(usage=self._usage))

    async def afinish(self) -> Piece | None:
        """The same, on an event loop.

        Raises:
            BlockedError: The whole answer is refused, or a filter failed.
        """
        rest = self._feed_rest()
        return self._ended(rest, await self._stream.afinish(usage=self._usage))

    def abandon(self) -> None:
        """The reader or the model went away."""
        self._stream.abandon(usage=self._usage)

    def _new_text(self, piece: Piece) -> str:
        """The text that this piece adds. Some models give only all the text so far."""
        if piece.delta:
            return str(piece.delta)
        whole = self._whole(piece)
        fresh = bool(self._raw) and whole.startswith(self._raw) and piece.delta is None
        return whole[len(self._raw) :] if fresh else ""

    def _thinking(self, piece: Piece) -> str:
        new = piece.additional_kwargs.get(_THINKING)
        return self._stream.feed(new, channel=_THINKING) if isinstance(new, str) and new else ""

    @staticmethod
    def _with_thinking(piece: Piece, thinking: str) -> Piece:
        if _THINKING not in piece.additional_kwargs:
            return piece
        extras = {**piece.additional_kwargs, _THINKING: thinking or None}
        return piece.model_copy(update={"additional_kwargs": extras})

    def _feed_rest(self) -> dict[str, str]:
        """Feed what was not streamed: what may be shown of each text, by channel."""
        if self._last is None:
            return {}
        try:
            rest = self._rest(self._last, everything=not self._raw)
        except TooDeepError as error:
            raise self._guard.refuse(self._sent.answered(()), "adapter", error) from None
        # Numbered: two places can have the same name.
        channels = {f"{index}:{one.where}": one.text for index, one in enumerate(rest)}
        return {name: self._stream.feed(text, channel=name) for name, text in channels.items()}

    def _ended(self, rest: dict[str, str], end: StreamEnd) -> Piece | None:
        if self._last is None or not self._rewrites:
            return None
        tail = end.tails.get(_TEXT, "")
        self._shown += tail
        texts = [text + end.tails[name] for name, text in rest.items()]
        last = self._last_piece(self._last, tail, self._shown if self._raw else None, texts)
        return self._with_thinking(last, end.tails.get(_THINKING, ""))

    def _untouched(self, piece: Piece) -> bool:
        """Whether a piece shows what may be shown, and nothing else: then no copy is needed."""
        if self._shown != self._raw or _THINKING in piece.additional_kwargs:
            return False
        return self._shows_only(piece, self._shown)

    @abstractmethod
    def _shows_only(self, piece: Piece, text: str) -> bool:
        """Whether a piece holds this text so far, and nothing beside it."""

    @abstractmethod
    def _whole(self, piece: Piece) -> str:
        """All the text so far."""

    @abstractmethod
    def _shown_piece(self, piece: Piece, delta: str, text: str) -> Piece:
        """A copy of a piece that shows this text and nothing else yet."""

    @abstractmethod
    def _rest(self, piece: Piece, *, everything: bool) -> tuple[Segment, ...]:
        """The texts of the last piece that were not streamed."""

    @abstractmethod
    def _last_piece(self, piece: Piece, delta: str, text: str | None, rest: list[str]) -> Piece:
        """A copy of the last piece with everything in it. `text` is None when none was streamed."""


class ChatPieces(Pieces):
    """The stream of a chat method."""

    def _whole(self, piece: ChatResponse) -> str:
        return piece.message.content or ""

    def _shows_only(self, piece: ChatResponse, text: str) -> bool:
        blocks = piece.message.blocks
        if len(blocks) != 1 or "tool_calls" in piece.message.additional_kwargs:
            return False
        # Of the very class: another kind of text block may hold more than its text.
        return type(blocks[0]) is TextBlock and blocks[0].text == text

    def _shown_piece(self, piece: ChatResponse, delta: str, text: str) -> ChatResponse:
        extras = {k: v for k, v in piece.message.additional_kwargs.items() if k != "tool_calls"}
        blocks = [TextBlock(text=text)] if text else []
        message = piece.message.model_copy(update={"blocks": blocks, "additional_kwargs": extras})
        return piece.model_copy(update={"message": message, "delta": delta})

    def _rest(self, piece: ChatResponse, *, everything: bool) -> tuple[Segment, ...]:
        message = piece.message if everything else _without_text(piece.message)
        return read(lambda visit: in_message(message, visit, "answer", "model"))

    def _last_piece(
        self, piece: ChatResponse, delta: str, text: str | None, rest: list[str]
    ) -> ChatResponse:
        old = piece.message if text is None else _without_text(piece.message)
        segments = [Segment.from_model(one) for one in rest]
        message = write(lambda visit: in_message(old, visit, "answer", "model"), segments)
        if text:
            message = _with_text(message, text, _text_place(piece.message))
        if text is None and piece.delta is None:
            return piece.model_copy(update={"message": message})
        return piece.model_copy(update={"message": message, "delta": delta})


def _text_place(message: ChatMessage) -> int:
    """How many blocks stand before the text: thoughts do, tool calls do not."""
    kinds = [isinstance(block, TextBlock) for block in message.blocks]
    return kinds.index(True) if True in kinds else 0


def _with_text(message: ChatMessage, text: str, place: int) -> ChatMessage:
    blocks = [*message.blocks[:place], TextBlock(text=text), *message.blocks[place:]]
    return message.model_copy(update={"blocks": blocks})


def _without_text(message: ChatMessage) -> ChatMessage:
    blocks = [block for block in message.blocks if not isinstance(block, TextBlock)]
    return message.model_copy(update={"blocks": blocks})


class CompletionPieces(Pieces):
    """The stream of a completion method."""

    def _whole(self, piece: CompletionResponse) -> str:
        return piece.text

    def _shows_only(self, piece: CompletionResponse, text: str) -> bool:
        return piece.text == text

    def _shown_piece(self, piece: CompletionResponse, delta: str, text: str) -> CompletionResponse:
        return piece.model_copy(update={"text": text, "delta": delta})

    def _rest(self, piece: CompletionResponse, *, everything: bool) -> tuple[Segment, ...]:
        return (Segment.from_model(piece.text, where="answer"),) if everything else ()

    def _last_piece(
        self, piece: CompletionResponse, delta: str, text: str | None, rest: list[str]
    ) -> CompletionResponse:
        whole = rest[0] if text is None else text
        if text is None and piece.delta is None:
            return piece.model_copy(update={"text": whole})
        return piece.model_copy(update={"text": whole, "delta": delta})


# --- the two colours ----------------------------------------------------------------------------


def pieces(owner: object, guard: Guard, inner: Any, answer: Pieces) -> Generator[Piece, None, None]:
    """A guarded stream over `inner`, which belongs to the model `owner`."""
    source = iter(inner)
    try:
        while True:
            with inside(owner, guard):
                try:
                    piece = next(source)
                except StopIteration:
                    break
            shown = answer.feed(piece)
            if shown is not None:
                yield shown
        last = answer.finish()
        if last is not None:
            yield last
    finally:
        answer.abandon()
        if isinstance(inner, Generator):
            inner.close()


async def apieces(
    owner: object, guard: Guard, inner: Any, answer: Pieces
) -> AsyncGenerator[Piece, None]:
    """A guarded stream over `inner`, on an event loop."""
    source = aiter(inner)
    try:
        while True:
            with inside(owner, guard):
                try:
                    piece = await anext(source)
                except StopAsyncIteration:
                    break
            shown = answer.feed(piece)
            if shown is not None:
                yield shown
        last = await answer.afinish()
        if last is not None:
            yield last
    finally:
        answer.abandon()
        if isinstance(inner, AsyncGenerator):
            await inner.aclose()
