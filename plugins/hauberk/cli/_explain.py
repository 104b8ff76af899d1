"""`hauberk policy explain`: why a policy decides a call as it does, and what would allow it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from hauberk.capabilities import Explanation
    from hauberk.events import Event, Segment
    from hauberk.policy import Policy
    from hauberk.session import Session

EXIT_DENIED = 1
"""The call is denied."""

MAX_BYTES = 4 * 1024 * 1024
"""Largest file with a call: as large as the largest event that a guard looks at by default."""


def explain(
    call: Annotated[Path, typer.Argument(help="The call (JSON).")],
    *,
    policy: Annotated[Path, typer.Option(help="The policy file (YAML).")] = Path("policy.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say why a policy decides a tool call as it does, and the smallest change that would allow it.

    The call is an object {"tool": ..., "arguments": {...}}; with "session" (user, roles, purpose,
    agent, tenant, environment), and with "before": what was said and read before it, as objects
    {"origin": "user", "text": ...} or {"origin": "tool:NAME", "text": ..., "arguments": {...}}. A
    line of a recorded trace is such an object.

    Exit code 0: it passes, or a person would be asked. 1: it is denied. 2: it cannot be explained.

    Shows values of the call: mind who reads it.
    """
    from hauberk.cli._output import say, say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.decisions import Verdict  # noqa: PLC0415 - keeps --help fast
    from hauberk.policy import load_policy  # noqa: PLC0415 - pydantic is slow to load

    found = explained(load_policy(policy), _read(call), source=call)
    if as_json:
        say_json(as_plain(found))
    else:
        from hauberk.cli._audit import clean  # noqa: PLC0415 - keeps --help fast

        for sentence in found.sentences:
            say(clean(sentence))
    if found.decision.verdict is Verdict.DENY:
        raise typer.Exit(EXIT_DENIED)


def explained(policy: Policy, raw: object, *, source: str | Path = "call") -> Explanation:
    """The explanation of a call that stands in a file.

    Only the capabilities of the policy are asked: nothing is masked, spent or recorded.

    Raises:
        StoreError: What is in the file is no call.
        PolicyError: The policy switches `capabilities` off.
    """
    from hauberk.capabilities import Call, CallProblemError  # noqa: PLC0415 - a room
    from hauberk.errors import PolicyError, StoreError  # noqa: PLC0415 - keeps --help fast
    from hauberk.guard import Guard  # noqa: PLC0415 - keeps --help fast

    if policy.capabilities is False:
        raise PolicyError("is off: every call passes", field="capabilities")
    off = dict.fromkeys(("injection", "pii", "budget", "audit"), False)
    guard = Guard(policy.model_copy(update={**off, "plugins": ()}))
    try:
        call = Call.read(raw)
        session = call.new_session()
        for event in _before(cast("dict[str, object]", raw).get("before", []), session):
            guard.check(event)
    except CallProblemError as error:
        raise StoreError(str(error), store=source) from None
    return guard.explain(call.event(session))


def as_plain(found: Explanation) -> dict[str, Any]:
    """An explanation in plain JSON values."""
    from hauberk.capabilities import dotted  # noqa: PLC0415 - a room

    return {
        "tool": found.tool,
        "verdict": found.decision.verdict.value,
        "reason": found.decision.reason,
        "rules": list(found.rules),
        "arguments": list(found.arguments),
        "values": [{"where": one.where, "sentence": str(one)} for one in found.values],
        "changes": [
            {"at": dotted(c.at), "action": c.action, "value": _jsonable(c.value)}
            for c in found.changes
        ],
    }


def _jsonable(value: object) -> object:
    if isinstance(value, (str, int, float, list, dict, type(None))):
        return cast("object", value)
    return str(value)


def _read(path: Path) -> object:
    from hauberk.errors import StoreError  # noqa: PLC0415 - keeps --help fast

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot be read ({error.strerror})", store=path) from None
    if len(raw) > MAX_BYTES:
        raise StoreError(f"has more than {MAX_BYTES} bytes", store=path)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise StoreError("is not JSON", store=path) from None


def _before(raw: object, session: Session) -> Iterator[Event]:
    """What was said and read before the call, as events.

    Raises:
        CallProblemError: It is no list of texts with their origins.
    """
    from hauberk.capabilities import CallProblemError  # noqa: PLC0415 - a room

    if not isinstance(raw, list):
        raise CallProblemError("`before` is a list")
    for item in cast("list[object]", raw):
        if not isinstance(item, dict):
            raise CallProblemError("`before` is a list of objects")
        yield from _one_before(cast("dict[str, object]", item), session)


def _one_before(item: Mapping[str, object], session: Session) -> Iterator[Event]:
    from hauberk.capabilities import CallProblemError  # noqa: PLC0415 - a room
    from hauberk.events import Event, Segment, Stage  # noqa: PLC0415 - keeps --help fast

    origin, text = item.get("origin"), item.get("text")
    if not isinstance(origin, str) or not isinstance(text, str):
        raise CallProblemError("each of `before` has an `origin` and a `text`")
    kind, _, name = origin.partition(":")
    segment: Segment
    match kind:
        case "user":
            segment = Segment.from_user(text)
        case "developer":
            segment = Segment.from_developer(text)
        case "model":
            segment = Segment.from_model(text)
        case "document":
            segment = Segment.from_document(name, text)
        case "tool" if name:
            yield from _result(item, name, text, session)
            return
        case _:
            raise CallProblemError("an origin is user, developer, model, tool:NAME or document:ID")
    stage = Stage.RETRIEVAL if kind == "document" else Stage.PROMPT
    yield Event(stage=stage, segments=(segment,), session=session)


def _result(item: Mapping[str, object], name: str, text: str, session: Session) -> Iterator[Event]:
    from hauberk.capabilities import CallProblemError  # noqa: PLC0415 - a room
    from hauberk.events import Event, Segment, Stage  # noqa: PLC0415 - keeps --help fast

    arguments = item.get("arguments", {})
    if not isinstance(arguments, dict):
        raise CallProblemError("`arguments` is an object")
    made = cast("dict[str, object]", arguments)
    call = Event(stage=Stage.TOOL_CALL, tool=name, arguments=made, session=session)
    yield call
    yield call.returned((Segment.from_tool(name, text),))
