"""Approvals: a question to a person about exactly one call, and the answer to it.

Rules:
* A question is bound to what it asks about: the session, the stage, the tool, the final arguments
  and the texts. An answer that belongs to another question is refused.
* An answer counts once, and only for as long as the policy says. When the clock stands before the
  time of the question, nothing counts.
* A question carries its own seal, so that it can be answered in another process, after a restart.
* A call that the person edited is judged anew: the person answered the question, not the rules.
* Nobody there to ask is a refusal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, cast

from hauberk.decisions import Decision, Finding, Severity
from hauberk.events import Event

if TYPE_CHECKING:
    from hauberk.policy import ApprovalPolicy

_TIMES = struct.Struct(">dd")
_NONCE = 12
_SEAL = 16
"""Bytes: HMAC-SHA256 cut to 128 bits (RFC 2104, section 5)."""
CLOCK_SKEW_S = 5.0
"""Seconds that the clocks of two processes may differ."""


class Choice(StrEnum):
    """What a person can answer."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """One question to a person: may this happen, exactly like this?"""

    id: str
    """Names the question and seals it. The answer must carry it, unless it is given on the spot."""
    stage: str
    tool: str | None
    arguments: Mapping[str, object] | None = field(default=None, repr=False)
    """The final arguments, in clear: what the tool would get."""
    reason: str
    """Why a person is asked, in one sentence. Holds no secret."""
    findings: tuple[Finding, ...] = ()
    session: str
    agent: str
    user: str | None
    expires: float
    """When the question lapses, in seconds since the epoch."""

    def payload(self, arguments: Mapping[str, object] | None = None) -> dict[str, object]:
        """The question in plain JSON values, for a queue, a page or an interrupt.

        Args:
            arguments: Show these instead of the final ones: whoever stores the payload may not be
                allowed to hold what the tool would get.
        """
        return {
            "type": "hauberk.approval",
            "id": self.id,
            "tool": self.tool,
            "arguments": dict(arguments if arguments is not None else self.arguments or {}),
            "reason": self.reason,
            "agent": self.agent,
            "user": self.user,
            "expires": self.expires,
            "answers": [choice.value for choice in Choice],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person answered.

    Example:
        >>> Answer.read({"type": "reject", "message": "not today", "id": "x"}).choice.value
        'reject'
    """

    choice: Choice
    id: str = ""
    """The question that this answers. Empty for an answer given on the spot, by a function."""
    arguments: Mapping[str, object] | None = field(default=None, repr=False)
    """With `edit`: the arguments to use instead."""
    message: str = ""
    """With `reject`: what the agent is told."""
    by: str = ""
    """Who answered."""

    def __post_init__(self) -> None:
        """Refuse an edit that edits nothing."""
        if (self.choice is Choice.EDIT) != (self.arguments is not None):
            raise ValueError("`edit`, and nothing else, brings new arguments")

    @classmethod
    def read(cls, raw: object) -> Answer:
        """An answer as applications write it.

        Args:
            raw: An `Answer`; a bool; `approve` or `reject`; or a mapping
                `{"type": "approve" | "edit" | "reject", "id": ..., "arguments": {...},
                "message": ..., "by": ...}`.

        Raises:
            ValueError: It is none of these. The message never repeats the answer.
        """
        match raw:
            case Answer():
                return raw
            case bool():
                return cls(choice=Choice.APPROVE if raw else Choice.REJECT)
            case str():
                return cls(choice=_choice(raw))
            case Mapping():
                return _mapped(cast("Mapping[str, object]", raw))
            case _:
                raise ValueError("an answer is a bool, a word or a mapping with `type`")


def _mapped(raw: Mapping[str, object]) -> Answer:
    texts = {name: raw.get(name, "") for name in ("type", "id", "message", "by")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("`type`, `id`, `message` and `by` of an answer are texts")
    arguments = raw.get("arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise ValueError("`arguments` of an answer is a mapping")
    return Answer(
        choice=_choice(str(texts["type"])),
        id=str(texts["id"]),
        arguments=cast("Mapping[str, object] | None", arguments),
        message=str(texts["message"]),
        by=str(texts["by"]),
    )


def _choice(word: str) -> Choice:
    try:
        return Choice(word.strip().lower())
    except ValueError:
        raise ValueError("an answer is one of: approve, edit, reject") from None


Approver = Callable[[ApprovalRequest], "object | Awaitable[object]"]
"""How an application asks a person: gets the question, gives what `Answer.read` takes (a bool will
do). May be async; a sync one is called in a thread of its own on async paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A person's yes to one event, used up. `Guard.check` takes it as the answer to its question."""

    digest: str
    """Of the event as it stands at the end of the check; or, for an edited call, at its beginning."""
    arguments: Mapping[str, object] | None = field(default=None, repr=False)
    """What the person put in place of the arguments; None when nothing was edited."""
    by: str = ""

    def covers(self, first: Event, last: Event) -> bool:
        """Whether this is the yes to an event that came as `first` and would go on as `last`."""
        return hmac.compare_digest(self.digest, digest(last if self.arguments is None else first))

    @property
    def finding(self) -> Finding:
        """For the trail: a person said yes."""
        who = f" by {self.by}" if self.by else ""
        what = "approved" if self.arguments is None else "edited and approved"
        return Finding(
            rule="approval.granted",
            category="approval",
            severity=Severity.INFO,
            explanation=f"{what}{who}",
        )


class ApprovalStore(Protocol):
    """The key of the seals, and which answers were used. Called from many threads at once."""

    def key(self) -> bytes:
        """The key, the same one for everyone who shares this store."""
        ...

    def use(self, ident: str, *, expires: float, now: float) -> bool:
        """Mark a question as answered: True for the first caller, False for every other. Atomic."""
        ...

    def free(self, ident: str) -> None:
        """Forget that a question was answered. Does nothing when it was not."""
        ...


class Approvals:
    """Makes questions and takes answers. One for each guard."""

    def __init__(
        self,
        store: ApprovalStore,
        *,
        valid_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._valid_s = valid_s
        self._clock = clock

    @classmethod
    def open(cls, policy: ApprovalPolicy) -> Approvals:
        """What a policy asks for.

        Raises:
            StoreError: The file of approvals cannot be opened.
        """
        from hauberk._approvals import MemoryApprovals, SqliteApprovals  # noqa: PLC0415 - sqlite3

        store = MemoryApprovals() if policy.path is None else SqliteApprovals(policy.path)
        return cls(store, valid_s=policy.valid_s)

    def request(self, event: Event, decision: Decision) -> ApprovalRequest:
        """The question about `event`, which `decision` (an `ask`) wants answered.

        Raises:
            StoreError: The key of the seals cannot be read.
        """
        final = decision.apply(event)
        now = self._clock()
        head = secrets.token_bytes(_NONCE) + _TIMES.pack(now, now + self._valid_s)
        return ApprovalRequest(
            id=base64.urlsafe_b64encode(head + self._seal(head, digest(final))).decode(),
            stage=event.stage.value,
            tool=event.tool,
            arguments=final.arguments,
            reason=decision.reason,
            findings=decision.findings,
            session=event.session.ident,
            agent=event.session.agent,
            user=event.session.user,
            expires=now + self._valid_s,
        )

    def take(self, event: Event, decision: Decision, answer: Answer) -> Grant | Decision:
        """The yes that `answer` gives to the question about `event`; or a refusal that says why not.

        Args:
            event: The event as it came to the guard.
            decision: The `ask` about it.
            answer: With the `id` of the question.

        Raises:
            StoreError: The file of approvals cannot be read or written.
        """
        final = decision.apply(event)
        problem = self._problem(answer.id, digest(final))
        if problem:
            return _refusal("approval.invalid", problem)
        if answer.choice is Choice.REJECT:
            said = f": {answer.message}" if answer.message else ""
            return _refusal("approval.rejected", f"a person refused it{said}")
        if answer.choice is Choice.EDIT:
            edited = event.rewritten(None, answer.arguments)
            return Grant(digest=digest(edited), arguments=answer.arguments, by=answer.by)
        return Grant(digest=digest(final), by=answer.by)

    def reopen(self, ident: str) -> None:
        """The call that an answer allowed was left half-way and will be begun anew: let it count again.

        For adapters of frameworks that leave a run to wait for something, and then repeat the step
        that waits. Never for a call that was carried out.

        Raises:
            StoreError: The file of approvals cannot be written.
        """
        self._store.free(ident)

    def _problem(self, ident: str, wanted: str) -> str:
        """Why an answer to the question `ident` does not count; empty when it does (once)."""
        if not ident:
            return "the answer does not name its question; give it the `id` of that"
        head, seal = _unpacked(ident)
        if not head or not hmac.compare_digest(seal, self._seal(head, wanted)):
            return "the answer belongs to another question, or to other arguments"
        asked, expires = _TIMES.unpack(head[_NONCE:])
        now = self._clock()
        if now > expires:
            return "the answer came too late; ask again"
        if now < asked - CLOCK_SKEW_S:
            return "the clock stands before the time of the question; ask again"
        if not self._store.use(ident, expires=expires, now=now):
            return "the answer was used already; ask again"
        return ""

    def _seal(self, head: bytes, wanted: str) -> bytes:
        return hmac.digest(self._store.key(), head + wanted.encode(), "sha256")[:_SEAL]


def _unpacked(ident: str) -> tuple[bytes, bytes]:
    try:
        raw = base64.b64decode(ident, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b"", b""
    size = _NONCE + _TIMES.size
    # One spelling only: the last letter has bits that mean nothing, and each spelling of a question
    # would be answered once.
    if len(raw) != size + _SEAL or base64.urlsafe_b64encode(raw).decode() != ident:
        return b"", b""
    return raw[:size], raw[size:]


def digest(event: Event) -> str:
    """What a question is about, as one short text: session, stage, tool, arguments and texts.

    Values of other types than JSON's count by type and repr; when that repr is not the same each
    time (an object's address), an answer fits no call: it fails closed.
    """
    what = [
        event.session.ident,
        event.stage.value,
        event.tool,
        event.arguments,
        [segment.text for segment in event.segments],
    ]
    return hashlib.sha256(_JSON.encode(what).encode()).hexdigest()


def _typed(value: object) -> list[str]:
    return [type(value).__qualname__, repr(value)]


_JSON = json.JSONEncoder(sort_keys=True, default=_typed)


def _refusal(rule: str, reason: str) -> Decision:
    finding = Finding(rule=rule, category="approval", severity=Severity.MEDIUM, explanation=reason)
    return Decision.deny(reason, findings=[finding])
