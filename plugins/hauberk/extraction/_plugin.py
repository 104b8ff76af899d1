"""Watching for model extraction as a plugin.

Rules:
* A query is a prompt that ends with words of the user. Steps of an agent, which end with what a tool
  returned, are none; the history that comes along does not count again.
* A caller is a user of a tenant; where no user is known, a session.
* All sessions of a guard share what is remembered; with `store: sqlite:PATH` all processes do.
* A store that fails refuses the query, unless the policy says `on_error: allow`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from hashlib import blake2b
from itertools import takewhile

from pydantic import ValidationError

from hauberk.decisions import Decision, Finding, Severity
from hauberk.errors import PolicyError
from hauberk.events import Event, Stage
from hauberk.extraction._frames import Frames
from hauberk.extraction._policy import ExtractionPolicy, Reaction
from hauberk.extraction._query import Query
from hauberk.extraction._rules import Breach
from hauberk.extraction._sqlite import SqliteCallers
from hauberk.extraction._store import CallerStore, MemoryCallers
from hauberk.session import Session

_PASS = Decision.allow()

_SEVERITY = {
    Reaction.FLAG: Severity.LOW,
    Reaction.THROTTLE: Severity.MEDIUM,
    Reaction.DENY: Severity.HIGH,
}

_WHAT = {
    "volume": "queries",
    "sweep": "queries that are nearly the same",
    "repeats": "times the same query",
    "short": "short queries, all different",
    "scores": "queries for probabilities or scores",
}


class ExtractionPlugin:
    """Slows down or refuses callers who ask as one asks to copy a model.

    It does not promise to find who copies slowly, under many names, or with the words of ordinary
    users: such queries look like anybody's. It sees texts; parameters of a call (`logprobs`,
    `logit_bias`) are the application's to set.

    Example:
        >>> from hauberk.events import Segment
        >>> from hauberk.extraction import Volume
        >>> policy = ExtractionPolicy(volume=(Volume(queries=1, seconds=60),))
        >>> plugin = ExtractionPlugin(policy, clock=lambda: 1000.0)
        >>> event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("Is it a cat?"),))
        >>> plugin.inspect(event).passes, plugin.inspect(event).passes
        (True, False)
    """

    name = "extraction"
    stages = frozenset({Stage.PROMPT})

    def __init__(
        self,
        policy: ExtractionPolicy | None = None,
        *,
        store: CallerStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the store that the policy names.

        Args:
            policy: The limits.
            store: Another store than that.
            clock: Seconds; the same for all who share a store.

        Raises:
            StoreError: The store cannot be opened.
        """
        self._policy = policy or ExtractionPolicy()
        self._store = store or _opened(self._policy.store)
        self._clock = clock
        self._frames = Frames()

    def inspect(self, event: Event) -> Decision:
        """Decide on one prompt.

        Raises:
            StoreError: It cannot be counted.
        """
        text = asked(event)
        if text is None:
            return _PASS
        caller = caller_of(event.session)
        query = self._frames.own(Query.of(text), caller)
        found = self._store.admit(caller, query, self._clock(), self._policy)
        return _decided(found, _place(event)) if found else _PASS

    async def ainspect(self, event: Event) -> Decision:
        """The same, without waiting on the event loop for a disk."""
        if self._store.waits:
            return await asyncio.to_thread(self.inspect, event)
        return self.inspect(event)


def build_plugin(config: object) -> ExtractionPlugin:
    """The plugin for its part of a policy (entry point).

    Raises:
        PolicyError: The configuration is not of this shape.
        StoreError: The store cannot be opened.
    """
    try:
        policy = ExtractionPolicy.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(str(part) for part in ("plugins", "extraction", *first["loc"]))
        problem = first["msg"].removeprefix("Value error, ")
        raise PolicyError(problem, field=at) from None
    return ExtractionPlugin(policy)


def asked(event: Event) -> str | None:
    """What the user asks with a prompt: the words that it ends with. None: it ends otherwise."""
    last = [*takewhile(lambda segment: segment.kind == "user", reversed(event.segments))]
    return "\n".join(segment.text for segment in reversed(last)) if last else None


def caller_of(session: Session) -> bytes:
    """Who asks, as a digest: names do not get into a store."""
    who = ("session", session.ident) if session.user is None else ("user", session.user)
    named = "\0".join((session.tenant or "", *who))
    return blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _opened(url: str) -> CallerStore:
    if url == "memory:":
        return MemoryCallers()
    return SqliteCallers(url.removeprefix("sqlite:"))


def _place(event: Event) -> int:
    return len(event.segments) - 1


def _decided(found: tuple[Breach, ...], place: int) -> Decision:
    findings = [_finding(breach, place) for breach in found]
    refusing = [breach for breach in found if breach.action is not Reaction.FLAG]
    if not refusing:
        return Decision.allow(findings=findings)
    wait_s = max(breach.retry_after_s for breach in refusing)
    stop = any(breach.action is Reaction.DENY for breach in refusing)
    reason = f"too many queries of one kind: ask again in {math.ceil(wait_s)} s"
    return Decision.deny(reason, findings=findings, stop=stop, retry_after_s=wait_s)


def _finding(breach: Breach, place: int) -> Finding:
    what = _WHAT[breach.kind]
    return Finding(
        rule=f"ext.{breach.kind}",
        category="model-extraction",
        severity=_SEVERITY[breach.action],
        explanation=f"{breach.count} {what} in {breach.seconds:g} s (limit {breach.limit})",
        segment=place,
    )
