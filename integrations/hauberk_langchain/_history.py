"""The conversation of a session, as it was read last: what is still the same is not read again.

LangChain sends all messages at each call of a model, and an agent calls it several times for each turn.

Rules:
* Each message is remembered at its place, with all that is read of it. It is read again unless that is
  equal now: messages can be changed, their lists and dictionaries from within too. Where it has several
  texts, their order counts as well.
* The same message gives the same segments, the very objects: whoever comes next knows them again.
* Texts beside values that are not plain, and results that their calls name, are read each time.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

from langchain_core.messages import BaseMessage, ChatMessage

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

_MARSHAL = 2
"""The last version of the format that gives equal values equal bytes: later ones tell objects apart."""

_READ = ("content", "name", "role", "additional_kwargs", *CALL_FIELDS)
"""The fields of messages that have texts, or say whose they are."""


@dataclass(slots=True)
class _Known:
    """A message, as it was read."""

    kind: type[BaseMessage]
    text: str | None
    """Its content, where that is its only text."""
    name: str | None
    print: bytes | None
    """All that was read of it, in order, where it has other texts. Without both it is read each time."""
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
    if known.text is None:
        return known.print is not None and _print(message) == known.print
    held = vars(message)
    return (
        held["content"] == known.text
        and held["name"] == known.name
        and not (
            held["additional_kwargs"] or held.get("tool_calls") or held.get("invalid_tool_calls")
        )
    )


def _read(message: BaseMessage, number: int, names: dict[str, str]) -> _Known:
    # Kept before it is read: what somebody changes in between is found the next time.
    text, print_, content = None, None, message.content
    if needs_names(message):
        pass
    elif isinstance(content, str) and is_plain(message) and not isinstance(message, ChatMessage):
        text = content
    else:
        print_ = _print(message)
    name, named = message.name, names_in(message)
    segments = read_message(message, number, names | named)
    return _Known(type(message), text, name, print_, segments, named)


def _written(
    messages: Sequence[BaseMessage], known: Sequence[_Known], segments: Sequence[Segment]
) -> list[BaseMessage]:
    done: list[BaseMessage] = []
    at = 0
    for message, read in zip(messages, known, strict=True):
        before, at = at, at + len(read.segments)
        if all(map(is_, segments[before:at], read.segments)):
            done.append(message)
        elif read.text is not None:
            done.append(with_content(message, segments[before].text))
        else:
            done.append(change_message(message, taking(s.text for s in segments[before:at])))
    return done


def _print(message: BaseMessage) -> bytes | None:
    """All that is read of a message, in order; None when some of it is more than plain values."""
    held: dict[str, Any] = vars(message)
    try:
        return marshal.dumps([held.get(field) for field in _READ], _MARSHAL)
    except ValueError:
        return None
