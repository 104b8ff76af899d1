"""Fields of a tool's result that may not be seen: left out before LangChain makes a message of it.

LangChain turns a result into text inside of `BaseTool.run`: JSON, or what `str` gives. A model, a
dataclass or a table has no fields any more after that, and callbacks have seen it all. So what may
be seen is chosen where the message is made, for the calls that ask for it.

Rules:
* A message is minimised where it is made; one that the tool itself made, or a plain value, after it.
* Content blocks are minimised one by one: each holds a document, or may not be seen.
  Pictures and files have no fields and are left out.
* An artifact that has no fields is left out.
* Of a command, messages are minimised; its other updates are fields of the result.
* What fails here is kept for the flow, which refuses: nothing is shown.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from threading import Lock
from typing import Any, cast

from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.tools import base as _tools_base

from hauberk import BlockedError
from hauberk.plugin import Select

_making: ContextVar[tuple[Making, ...]] = ContextVar("hauberk_making", default=())
_lock = Lock()
_armed: list[str] = []


class Making:
    """The message that LangChain makes of one call's result."""

    def __init__(self, tool: str, select: Select) -> None:
        self.tool = tool
        self._select = select
        self._made: ToolMessage | None = None
        self._error: Exception | None = None

    def parts(self, content: Any, artifact: Any) -> tuple[Any, Any]:
        """What may go into the message; nothing when that cannot be told."""
        try:
            return in_content(content, self._select), _in_artifact(artifact, self._select)
        except Exception as error:  # noqa: BLE001 - raised by `has_made`, where the flow refuses
            self._error = error
            return "", None

    def make(self, message: ToolMessage) -> None:
        """Remember the message that was made."""
        self._made = message

    def has_made(self, value: object) -> bool:
        """Whether a value is that message: minimised already.

        Raises:
            Exception: What failed when it was made.
        """
        if self._error is not None:
            raise self._error
        return value is self._made


class making:  # noqa: N801 - used like a function, as those of `contextlib`
    """For the calls inside, in threads and tasks that inherit the context too."""

    __slots__ = ("_before", "_one")

    def __init__(self, one: Making | None) -> None:
        self._one = one
        self._before: tuple[Making, ...] = ()

    def __enter__(self) -> None:
        if self._one is not None:
            _arm()
            self._before = _making.get()
            _making.set((*self._before, self._one))

    def __exit__(self, *_: object) -> None:
        if self._one is not None:
            _making.set(self._before)


def in_result(value: Any, select: Select) -> Any:
    """A copy of a result with every structured part passed through `select`.

    An iterator is given as it is: its items are minimised when somebody reads them.

    Raises:
        BlockedError: Nothing of it may be seen.
    """
    if isinstance(value, ToolMessage):
        return _in_message(value, select)
    if _is_command(value):
        return _in_command(value, select)
    if isinstance(value, (Iterator, AsyncIterator)):
        return cast("object", value)
    if _is_outputs(value):
        return [in_result(one, select) for one in value]
    return select(value)


def in_content(content: Any, select: Select) -> Any:
    """The same for what becomes the content of a message."""
    blocks = _blocks(content)
    if blocks is None:
        return select(content)
    chosen = [_in_block(block, select) for block in blocks]
    return [block for block in chosen if block is not None]


def _blocks(content: Any) -> Sequence[Any] | None:
    """Content blocks, or None for a plain value."""
    if not isinstance(content, (list, tuple)) or not content:
        return None
    items = cast("Sequence[Any]", content)
    kinds = _tools_base.TOOL_MESSAGE_BLOCK_TYPES
    if all(isinstance(i, Mapping) and cast("Any", i).get("type") in kinds for i in items):
        return items
    return None


def _in_block(block: Mapping[str, Any], select: Select) -> Mapping[str, Any] | None:
    for key in ("text", "json"):
        if key in block:
            return {"type": block["type"], key: select(block[key])}
    return None


def _in_artifact(artifact: object, select: Select) -> object:
    if artifact is None:
        return None
    try:
        return select(artifact)
    except BlockedError:
        return None


def _in_message(message: ToolMessage, select: Select) -> ToolMessage:
    new = {
        "content": in_content(message.content, select),
        "artifact": _in_artifact(message.artifact, select),
        "additional_kwargs": select(message.additional_kwargs) if message.additional_kwargs else {},
    }
    return message.model_copy(update=new)


def _is_command(value: object) -> bool:
    graph: Any = sys.modules.get("langgraph.types")  # whoever holds one has imported it
    return graph is not None and isinstance(value, graph.Command)


def _in_command(command: Any, select: Select) -> Any:
    update: object = command.update
    if update is None:
        return command
    if not isinstance(update, dict):
        return replace(command, update=in_result(update, select))
    named = cast("dict[str, Any]", update)
    messages = named.get("messages")
    rest = {key: value for key, value in named.items() if key != "messages"}
    new = cast("dict[str, Any]", select(rest)) if rest else {}
    if messages is not None:
        several = isinstance(messages, (list, tuple))
        each = [in_result(m, select) for m in (messages if several else [messages])]
        new = {**new, "messages": each if several else each[0]}
    return replace(command, update=new)


def _is_outputs(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(one, ToolOutputMixin) for one in cast("list[object]", value))


def _arm() -> None:
    """Put our step before the one in which LangChain makes the message. Once; for good."""
    with _lock:
        if _armed:
            return
        plain: Any = _tools_base._format_output  # noqa: SLF001 - the only place for all tools

        @wraps(plain)
        def _format_output(
            content: Any, artifact: Any, tool_call_id: str | None, name: str, status: str
        ) -> Any:
            mine = [one for one in _making.get() if one.tool == name]
            made = tool_call_id is None or isinstance(content, ToolOutputMixin)
            if not mine or made or _is_outputs(content):
                return plain(content, artifact, tool_call_id, name, status)
            for one in reversed(mine):
                content, artifact = one.parts(content, artifact)
            message = plain(content, artifact, tool_call_id, name, status)
            for one in mine:
                one.make(message)
            return message

        _tools_base._format_output = _format_output  # noqa: SLF001 - see above
        _armed.append("tools")
