"""The conversation of a session, as it was read last: what is still the same is not read again.

LangChain sends all messages at each call of a model, and an agent calls it several times for each turn.

Rules:
* Each message is remembered at its place with a copy of all that it holds. It is read again unless its
  class and everything in it are equal to that: messages can be changed, their lists and dictionaries
  from within too. Where it has several texts, their order counts as well.
* The same message gives the same segments, the very objects: whoever comes next knows them again.
* Where only the words of a plain message change, its copy is made of what was read, and made anew each
  time: nobody finds in it what somebody else put there.
* Messages that hold anything but plain values, and results that their calls name, are read each time.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from operator import is_
from typing import Any, cast

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from hauberk import Segment
from hauberk_langchain._leaves import taking
from hauberk_langchain._messages import (
    change_message,
    is_plain,
    names_in,
    needs_names,
    read_message,
)

_fill = object.__setattr__

_PLAIN = (str, type(None), bool, int, float)

_MARSHAL = 2
"""The last version of the format that gives equal values equal bytes: later ones tell objects apart."""

_MAX_DEPTH = 16
"""Levels of a message that are copied. Deeper ones are not remembered: they are read each time."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A message, as it was read."""

    kind: type[BaseMessage]
    held: dict[str, Any] | None
    """A copy of all that it held, where its content is its only text."""
    print: bytes | None
    """All that it held, in order, where it has other texts. Without both it is read each time."""
    segments: tuple[Segment, ...]
    names: dict[str, str]
    """Names of the tools that it calls, by the call's id."""


class History:
    """The messages of one session that were read last. Thread-safe."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: list[_Known] = []

    def read(
        self, messages: Sequence[BaseMessage]
    ) -> tuple[tuple[Segment, ...], Callable[[Sequence[Segment]], list[BaseMessage]]]:
        """Every text of a conversation, and what writes it with other texts."""
        before, now = self._known[: len(messages)], list[_Known]()
        found: list[Segment] = []
        names: dict[str, str] = {}
        for number, message in enumerate(messages):
            known = before[number] if number < len(before) else None
            if known is None or not _same(message, known):
                known = _read(message, number, names)
            if known.names:
                names |= known.names
            found += known.segments
            now.append(known)
        # Each entry is whole by itself, so readers at the same time find one or another.
        self._known[: len(now)] = now
        return tuple(found), lambda segments: _written(messages, now, segments)


def _same(message: BaseMessage, known: _Known) -> bool:
    if type(message) is not known.kind:
        return False
    if known.held is None:
        return known.print is not None and _print(vars(message)) == known.print
    try:
        return vars(message) == known.held
    except Exception:  # noqa: BLE001 - foreign code in a comparison: the message is read anew
        return False


def _read(message: BaseMessage, number: int, names: dict[str, str]) -> _Known:
    # Copied before it is read: what somebody changes in between is found the next time.
    held, print_ = None, None
    if isinstance(message.content, str) and is_plain(message):
        held = None if needs_names(message) else _held(vars(message))
    else:
        print_ = _print(vars(message))
    named = names_in(message)
    segments = read_message(message, number, names | named)
    return _Known(type(message), held, print_, segments, named)


def _written(
    messages: Sequence[BaseMessage], known: Sequence[_Known], segments: Sequence[Segment]
) -> list[BaseMessage]:
    done: list[BaseMessage] = []
    at = 0
    for message, read in zip(messages, known, strict=True):
        before, at = at, at + len(read.segments)
        if read.held is not None:
            new = segments[before]
            same = new is read.segments[0]
            done.append(message if same else _with_content(message, read.held, new.text))
        elif all(map(is_, segments[before:at], read.segments)):
            done.append(message)
        else:
            done.append(change_message(message, taking(s.text for s in segments[before:at])))
    return done


def _with_content(message: BaseMessage, held: dict[str, Any], text: str) -> BaseMessage:
    """A copy of a message as it was read, with other words."""
    kind = type(message)
    if kind.__copy__ is not BaseModel.__copy__:
        new = copy(message)
        vars(new).update({**held, "content": text})
        return new
    # What pydantic's own `__copy__` does, in half the time: a history has many messages.
    new = object.__new__(kind)
    _fill(new, "__dict__", {**held, "content": text})
    _fill(new, "__pydantic_fields_set__", message.__pydantic_fields_set__ | {"content"})
    _fill(new, "__pydantic_extra__", copy(message.__pydantic_extra__))
    _fill(new, "__pydantic_private__", copy(message.__pydantic_private__))
    return new


def _print(fields: dict[str, Any]) -> bytes | None:
    """All that a message holds, in order; None when some of it is more than plain values."""
    try:
        return marshal.dumps(fields, _MARSHAL)
    except ValueError:
        return None


def _held(fields: dict[str, Any]) -> dict[str, Any] | None:
    """A copy of all that a message holds; None when some of it is more than plain values."""
    try:
        return cast("dict[str, Any]", _copied(fields, _MAX_DEPTH))
    except TypeError:
        return None


def _copied(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth and kind is dict:
        return {key: _copied(inner, depth - 1) for key, inner in value.items()}
    if depth and kind is list:
        return [_copied(inner, depth - 1) for inner in value]
    raise TypeError
