"""Traces: recorded tool calls, for learning a policy from runs that went well.

Rules:
* A line of a trace is one call that was let through and gave a result: tool, arguments, session.
* It holds the arguments in clear, which the audit trail never does. So nothing is recorded unless
  the owner asks for it, the file can be read by its owner alone, and it is deleted once learnt from.
* A call that cannot be recorded is refused, as everywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from hauberk.capabilities._values import Opaque, plain
from hauberk.decisions import Decision
from hauberk.errors import StoreError
from hauberk.events import Event, Stage
from hauberk.session import Session

MAX_LINE = 4 * 1024 * 1024
"""Longest line that is read, in bytes: the largest event that a guard looks at by default."""

_ABOUT = ("agent", "user", "purpose", "tenant", "environment")


class TraceRecorder:
    """A plugin that writes each call that ran into a file of JSON lines.

    The file holds personal data in clear: record in a test environment, and delete it afterwards.

    Example:
        guard = Guard(policy, plugins=[TraceRecorder("benign.jsonl")])
        ...                                     # runs that went well
        # hauberk policy learn benign.jsonl
    """

    name = "trace"
    stages = frozenset({Stage.TOOL_RESULT})

    def __init__(self, path: str | Path) -> None:
        """Append to `path`; it is made when the first call is recorded."""
        self._path = Path(path)
        self._lock = Lock()

    def inspect(self, event: Event) -> Decision:
        """Record the call of a result. Always allows.

        Raises:
            OSError: It could not be written; the guard refuses then.
        """
        if event.stage is Stage.TOOL_RESULT:
            line = (json.dumps(_line(event), ensure_ascii=True) + "\n").encode()
            with self._lock:
                _append(self._path, line)
        return Decision.allow()


def _append(path: Path, line: bytes) -> None:
    # One write with O_APPEND: lines of several processes do not mix.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _line(event: Event) -> dict[str, object]:
    session = event.session
    about: dict[str, object] = {name: getattr(session, name) for name in _ABOUT}
    about["roles"] = None if session.roles is None else sorted(session.roles)
    return {
        "tool": event.tool,
        "arguments": _jsonable(plain(event.arguments or {})),
        "session": {name: value for name, value in about.items() if value is not None},
    }


def _jsonable(value: object) -> object:
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return {name: _jsonable(inner) for name, inner in named.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in cast("list[object]", value)]
    if isinstance(value, Decimal):
        return str(value)
    return f"({value.kind})" if isinstance(value, Opaque) else value


# --- reading ------------------------------------------------------------------------------------


class CallProblemError(ValueError):
    """What stands in a file is no call. Its message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One recorded (or written) call."""

    tool: str
    arguments: Mapping[str, object] = field(repr=False)
    session: Mapping[str, object]

    @classmethod
    def read(cls, raw: object) -> Call:
        """A call as it stands in a file.

        Raises:
            CallProblemError: It is none; says why, and repeats nothing of it.
        """
        if not isinstance(raw, dict):
            raise CallProblemError("a call is a JSON object")
        data = cast("dict[str, object]", raw)
        tool, arguments = data.get("tool"), data.get("arguments", {})
        session = data.get("session", {})
        if not isinstance(tool, str) or not tool:
            raise CallProblemError("`tool` must be the name of the tool")
        if not isinstance(arguments, dict) or not isinstance(session, dict):
            raise CallProblemError("`arguments` and `session` must be JSON objects")
        about = cast("dict[str, object]", session)
        unknown = set(about) - {*_ABOUT, "roles"}
        if unknown:
            raise CallProblemError(f"`session` knows {', '.join(_ABOUT)} and roles")
        return cls(tool=tool, arguments=cast("dict[str, object]", arguments), session=about)

    def event(self, session: Session | None = None) -> Event:
        """The call as an event, in a session like the one that it was made in."""
        return Event(
            stage=Stage.TOOL_CALL,
            tool=self.tool,
            arguments=self.arguments,
            session=session or self.new_session(),
        )

    def new_session(self) -> Session:
        """A session like the one that the call was made in.

        Raises:
            CallProblemError: What the call says of its session are no names.
        """
        texts = {name: self.session.get(name) for name in _ABOUT}
        roles = self.session.get("roles")
        given = cast("list[object]", roles) if isinstance(roles, list) else None
        named = all(isinstance(word, str | None) for word in texts.values())
        if not named or not all(isinstance(role, str) for role in given or ()):
            raise CallProblemError("`session` holds names, and `roles` a list of them")
        known = cast("dict[str, str]", {n: text for n, text in texts.items() if text is not None})
        return Session(**known, roles=cast("list[str] | None", given))


def read_trace(paths: Iterable[str | Path]) -> Iterator[Call]:
    """The calls in files of JSON lines.

    Raises:
        StoreError: A file cannot be read, or a line is no call; says which.
    """
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                yield from _calls(file, path)
        except OSError as error:
            raise StoreError(f"cannot be read ({error.strerror})", store=path) from None


def _calls(file: BinaryIO, path: str | Path) -> Iterator[Call]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if line.strip():
            yield _call(line, f"line {number}", path)


def _call(line: bytes, where: str, path: str | Path) -> Call:
    if len(line) > MAX_LINE:
        raise StoreError(f"{where} is longer than a call can be", store=path)
    try:
        return Call.read(json.loads(line))
    except CallProblemError as error:
        raise StoreError(f"{where}: {error}", store=path) from None
    except (ValueError, RecursionError):
        raise StoreError(f"{where} is not JSON", store=path) from None
