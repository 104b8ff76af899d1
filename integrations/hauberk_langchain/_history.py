"""The conversation of a session, as it was read last: what is still the same is not read again.

LangChain sends all messages at each call of a model, and an agent calls it several times for each turn.

Rules:
* Each message is remembered at its place with a copy of all that it holds. It is read again unless its
  class and everything in it are equal to that: messages can be changed, their lists and dictionaries
  from within too. Where it has several texts, their order counts as well.
* The same message gives the same segments, the very objects: whoever comes next knows them again.
* A copy with other words is used again for the same words, unless somebody changed it.
* Messages that hold anything but plain values, and results that their calls name, are read each time.
* What is the same is found by C code alone: a conversation may be long.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import and_, attrgetter, eq, is_
from typing import Any

from langchain_core.messages import BaseMessage

from hauberk import Segment
from hauberk_langchain._leaves import taking
from hauberk_langchain._messages import (
    CALL_FIELDS,
    change_message,
    is_plain,
    names_in,
    needs_names,
    read_message,
    with_content,
)

_PLAIN = frozenset({str, type(None), bool, int, float})

_MARSHAL = 2
"""The last version of the format that gives equal values equal bytes: later ones tell objects apart."""

_MAX_DEPTH = 16
"""Levels of a message that are copied. Deeper ones are not remembered: they are read each time."""

_READ = ("content", "name", "role", "additional_kwargs", *CALL_FIELDS)
"""The fields of messages that have texts, or say whose they are."""


@dataclass(slots=True)
class _Known:
    """A message, as it was read."""

    kind: type[BaseMessage]
    held: dict[str, Any] | None
    """A copy of all that it held, where its content is its only text."""
    print: bytes | None
    """All that is read of it, in order, where it has other texts. Without both it is read each time."""
    segments: tuple[Segment, ...]
    names: dict[str, str]
    """Names of the tools that it calls, by the call's id."""
    written: tuple[Segment, BaseMessage, dict[str, Any]] | None = None
    """The copy that was made of it last: its words, itself, and all that it held."""


_kind, _held, _segments = attrgetter("kind"), attrgetter("held"), attrgetter("segments")


class History:
    """The messages of one session that were read last. Thread-safe."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: list[_Known] = []

    def read(
        self, messages: Sequence[BaseMessage]
    ) -> tuple[tuple[Segment, ...], Callable[[Sequence[Segment]], list[BaseMessage]]]:
        """Every text of a conversation, and what writes it with other texts."""
        before = self._known
        now = before[: len(messages)]
        same = _same(messages, now)
        if not all(same) or len(same) < len(messages):
            for number in range(len(messages)):
                if number >= len(same) or not same[number]:
                    known = _again(messages[number], number, now)
                    now[number : number + 1] = [known]
        # Each entry is whole by itself, so readers at the same time find one or another.
        self._known = [*now, *before[len(now) :]]
        found = tuple(chain.from_iterable(map(_segments, now)))
        return found, lambda segments: _written(messages, now, segments)


def _same(messages: Sequence[BaseMessage], known: Sequence[_Known]) -> list[bool]:
    """For each message with a known one at its place: whether it is plain, and the same."""
    kinds = map(is_, map(type, messages), map(_kind, known))
    try:
        return list(map(and_, kinds, map(eq, map(vars, messages), map(_held, known))))
    except Exception:  # noqa: BLE001 - foreign code in a comparison: looked at one by one
        return []


def _again(message: BaseMessage, number: int, now: Sequence[_Known]) -> _Known:
    """A message that is not the very same: what was read of it may be, all the same."""
    known = now[number] if number < len(now) else None
    if known is not None and type(message) is known.kind:
        if known.print is not None and _print(message) == known.print:
            return known
        if known.held is not None and _is_read_alike(message, known.held):
            return _Known(known.kind, _copy_of(message), None, known.segments, known.names)
    return _read(message, number, now[:number])


def _is_read_alike(message: BaseMessage, held: dict[str, Any]) -> bool:
    mine: dict[str, Any] = vars(message)
    return (
        mine["content"] == held["content"]
        and mine["name"] == held["name"]
        and mine.get("role") == held.get("role")
        and is_plain(message)
    )


def _read(message: BaseMessage, number: int, before: Sequence[_Known]) -> _Known:
    # Copied before it is read: what somebody changes in between is found the next time.
    held, print_ = None, None
    names: dict[str, str] = {}
    if needs_names(message):
        for known in before:
            names |= known.names
    elif isinstance(message.content, str) and is_plain(message):
        held = _copy_of(message)
    else:
        print_ = _print(message)
    segments = read_message(message, number, names)
    return _Known(type(message), held, print_, segments, names_in(message))


def _written(
    messages: Sequence[BaseMessage], now: Sequence[_Known], segments: Sequence[Segment]
) -> list[BaseMessage]:
    done = list(messages)
    at = 0
    for number, known in enumerate(now):
        mine, before = known.segments, at
        at += len(mine)
        if known.held is None:
            if not all(map(is_, segments[before:at], mine)):
                change = taking(s.text for s in segments[before:at])
                done[number] = change_message(messages[number], change)
            continue
        new = segments[before]
        if new is mine[0]:
            continue
        written = known.written
        if written is None or written[0] is not new or not _is_as_made(written[1], written[2]):
            copy = with_content(messages[number], new.text)
            known.written = written = new, copy, dict(vars(copy))
        done[number] = written[1]
    return done


def _is_as_made(copy: BaseMessage, held: dict[str, Any]) -> bool:
    """Whether nobody changed a copy: a provider may do with it what it likes."""
    try:
        return vars(copy) == held
    except Exception:  # noqa: BLE001 - somebody put an object there that cannot be compared
        return False


def _print(message: BaseMessage) -> bytes | None:
    """All that is read of a message, in order; None when some of it is more than plain values."""
    held: dict[str, Any] = vars(message)
    try:
        return marshal.dumps([held.get(field) for field in _READ], _MARSHAL)
    except ValueError:
        return None


def _copy_of(message: BaseMessage) -> dict[str, Any] | None:
    """A copy of all that a message holds; None when some of it is more than plain values."""
    try:
        found: dict[str, Any] = _copied(vars(message), _MAX_DEPTH)
    except TypeError:
        return None
    return found


def _copied(value: Any, depth: int) -> Any:
    kind = type(value)
    if not depth or (kind is not dict and kind is not list):
        raise TypeError
    new: Any = kind(value)
    for key, inner in tuple(new.items()) if kind is dict else enumerate(value):
        if type(inner) not in _PLAIN:
            new[key] = _copied(inner, depth - 1)
    return new
