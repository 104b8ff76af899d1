"""Completions that stream: rewritten piece by piece, checked whole at the end.

Rules:
* What comes out, joined, equals what a check of the whole completion would have given.
* A plugin that cannot rewrite in pieces makes the stream wait for its end.
* At the end the raw text goes through the guard once: budgets settle, the decision is recorded, and
  a refusal ends the stream with an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from hauberk.errors import BlockedError
from hauberk.events import Event, Segment, Usage, is_argument
from hauberk.plugin import StreamFilter, StreamingPlugin
from hauberk.structure import TooDeepError, leaves, replace_leaves

if TYPE_CHECKING:
    from hauberk.guard import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """What is left to show when a stream is over."""

    tails: Mapping[str, str]
    """By channel: the text that was still held back. May be empty."""
    event: Event
    """The completion as it may go on: whole texts, rewritten."""


class GuardStream:
    """The filter between one streaming model and its reader.

    A completion has channels: its text (`"text"`), and one for the arguments of each tool call.
    Feed each with its pieces; show what comes back. Not thread-safe: a stream has one reader.

    Example:
        >>> from hauberk import Event, Guard, Policy, Segment, Stage
        >>> guard = Guard(Policy(version=1, pii=False))
        >>> prompt = guard.require(Event(stage=Stage.PROMPT, segments=()))
        >>> stream = guard.open_stream(prompt)
        >>> text = stream.feed("Hello, ") + stream.feed("world")
        >>> text + stream.finish().tails["text"]
        'Hello, world'
    """

    def __init__(
        self, guard: Guard, prompt: Event, plugins: tuple[StreamingPlugin | None, ...]
    ) -> None:
        """Use `Guard.open_stream`.

        Args:
            guard: What is asked at the end.
            prompt: The prompt, as it was sent.
            plugins: Those for completions, in order; None for one that cannot rewrite in pieces.
        """
        self._guard = guard
        self._prompt = prompt
        self._plugins = plugins
        self._channels: dict[str, _Channel] = {}
        self._done = False

    def feed(self, text: str, *, channel: str = "text", json_string: bool = False) -> str:
        """Take the next piece of a channel; give what may be shown now.

        Args:
            text: The piece.
            channel: Which text of the completion it continues.
            json_string: The channel is a JSON document in pieces (arguments of a tool call).

        Raises:
            BlockedError: A filter failed.
        """
        try:
            found = self._channels.get(channel)
            if found is None:
                found = self._channels[channel] = self._open(channel, json_string=json_string)
            return found.feed(text)
        except Exception as error:  # noqa: BLE001 - whatever fails in a filter blocks
            raise self._failed(error) from None

    def finish(self, *, usage: Usage | None = None) -> StreamEnd:
        """The model is done: check the whole, settle, give what was held back.

        Raises:
            BlockedError: The whole completion is refused, or a filter failed.
        """
        return self._ended(self._guard.require(self._completion(usage)))

    async def afinish(self, *, usage: Usage | None = None) -> StreamEnd:
        """The same, on an event loop.

        Raises:
            BlockedError: The whole completion is refused, or a filter failed.
        """
        return self._ended(await self._guard.arequire(self._completion(usage)))

    def abandon(self, *, usage: Usage | None = None) -> None:
        """The reader or the model went away: settle what is known, free the rest. Idempotent.

        A stream of which nothing came is a call that failed; what came was bought.
        """
        if not self._done:
            sofar = self._completion(usage)
            failed = replace(self._prompt, usage=usage)
            self._guard.release(sofar if self._channels else failed)

    def _open(self, channel: str, *, json_string: bool) -> _Channel:
        argument = json_string or is_argument(channel)
        filters: list[StreamFilter] = []
        for plugin in self._plugins:
            if argument and not getattr(plugin, "rewrites_arguments", True):
                continue
            if plugin is None:
                return _Channel(json_string=json_string, filters=None)
            opened = plugin.open_stream(self._prompt, json_string=json_string)
            filters += [opened] if opened is not None else []
        return _Channel(json_string=json_string, filters=filters)

    def _completion(self, usage: Usage | None) -> Event:
        self._done = True
        segments = [s for name, channel in self._channels.items() for s in channel.segments(name)]
        return self._prompt.answered(segments, usage=usage)

    def _ended(self, event: Event) -> StreamEnd:
        rest = iter(event.segments)
        try:
            tails = {name: channel.finish(rest) for name, channel in self._channels.items()}
        except Exception as error:  # noqa: BLE001 - whatever fails in a filter blocks
            raise self._failed(error) from None
        return StreamEnd(tails=tails, event=event)

    def _failed(self, error: Exception) -> BlockedError:
        return self._guard.refuse(self._completion(None), "stream filter", error)


class _Channel:
    """One text of a streaming completion: what came in, and the filters that it goes through."""

    def __init__(self, *, json_string: bool, filters: list[StreamFilter] | None) -> None:
        self._json_string = json_string
        self._filters = filters
        self._raw: list[str] = []
        self._value: object = None

    def feed(self, text: str) -> str:
        """Through the filters; nothing while the stream waits for its end."""
        self._raw.append(text)
        if self._filters is None:
            return ""
        for one in self._filters:
            text = one.feed(text)
        return text

    def segments(self, name: str) -> list[Segment]:
        """The raw texts of the whole channel: one, or the leaves of a JSON document."""
        raw = "".join(self._raw)
        self._value = _parsed(raw) if self._json_string else raw
        try:
            texts = list(leaves(self._value, where=name))
        except TooDeepError:
            # Seen whole, then. The tool call that it is meant for is refused for its depth.
            self._value, texts = raw, [(name, raw)]
        return [Segment.from_model(text, where=at) for at, text in texts]

    def finish(self, rewritten: Iterator[Segment]) -> str:
        """What was held back. Takes this channel's segments off `rewritten`."""
        texts = {at: next(rewritten).text for at, _ in leaves(self._value, where="")}
        if self._filters is None:
            new = iter(texts.values())
            whole = replace_leaves(self._value, lambda _: next(new))
            return whole if isinstance(whole, str) else json.dumps(whole, ensure_ascii=False)
        tail = ""
        for one in self._filters:
            tail = (one.feed(tail) if tail else "") + one.finish()
        return tail


def _parsed(raw: str) -> object:
    """The JSON document, or the text itself where it is none (cut off, or a bare word)."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    return cast("object", value) if isinstance(value, (dict, list)) else raw
