"""Who is asked: the framework's own way first, then the application's approver.

Rules:
* A way to ask that gives None does not exist here; then the next one is tried.
* What a framework's way raises is the framework's business (it leaves the run until there is an
  answer). An approver that fails is a refusal.
* An answer from elsewhere must carry the id of its question; one that is given on the spot need not.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hauberk._check import place_of
from hauberk._threads import acall_apart
from hauberk.approval import Answer, ApprovalRequest, Approvals, Approver, Grant
from hauberk.decisions import Decision
from hauberk.events import Event

_log = logging.getLogger("hauberk")

Ask = Callable[[ApprovalRequest], object]
"""A framework's way to ask: gives what `Answer.read` takes, or None where it has none; may raise to
leave the run."""
AsyncAsk = Callable[[ApprovalRequest], Awaitable[object]]
"""The same, on an event loop."""


class Asking:
    """Takes questions to people, and gives what came of them."""

    def __init__(self, approvals: Approvals, approver: Approver | None) -> None:
        self._approvals = approvals
        self._approver = approver

    def ask(self, event: Event, decision: Decision, ask: Ask | None) -> Grant | Decision | None:
        """A yes, a refusal, or None where nobody can be asked."""
        if ask is None and self._approver is None:
            return None
        try:
            request = self._approvals.request(event, decision)
        except Exception as error:  # noqa: BLE001 - whatever fails here refuses
            return _failed(error)
        raw = None if ask is None else ask(request)
        if raw is None and self._approver is not None:
            try:
                raw = _on_the_spot(_sync(self._approver(request)), request)
            except Exception as error:  # noqa: BLE001 - the application's code; fails closed
                return _failed(error)
        return self._taken(event, decision, raw)

    async def aask(
        self, event: Event, decision: Decision, ask: AsyncAsk | None
    ) -> Grant | Decision | None:
        """The same, on an event loop."""
        if ask is None and self._approver is None:
            return None
        try:
            request = self._approvals.request(event, decision)
        except Exception as error:  # noqa: BLE001 - whatever fails here refuses
            return _failed(error)
        raw = None if ask is None else await ask(request)
        if raw is None and self._approver is not None:
            try:
                raw = _on_the_spot(await _awaited(self._approver, request), request)
            except Exception as error:  # noqa: BLE001 - the application's code; fails closed
                return _failed(error)
        return self._taken(event, decision, raw)

    def _taken(self, event: Event, decision: Decision, raw: object) -> Grant | Decision | None:
        if raw is None:
            return None
        try:
            answer = Answer.read(raw)
        except ValueError as error:  # its words are ours, and never repeat the answer
            return replace(Decision.deny(f"the answer cannot be read: {error}"), plugin="approval")
        try:
            taken = self._approvals.take(event, decision, answer)
        except Exception as error:  # noqa: BLE001 - an answer that cannot be taken is no yes
            return _failed(error)
        return taken if isinstance(taken, Grant) else replace(taken, plugin="approval")


def _on_the_spot(raw: object, request: ApprovalRequest) -> Answer:
    """An answer that a function gave to the question it was called with."""
    answer = Answer.read(raw)
    return answer if answer.id else replace(answer, id=request.id)


def _sync(raw: object) -> object:
    if inspect.isawaitable(raw):
        if inspect.iscoroutine(raw):
            raw.close()
        raise TypeError("the approver is async and the call is not")
    return raw


async def _awaited(approver: Approver, request: ApprovalRequest) -> object:
    if inspect.iscoroutinefunction(approver):
        return await approver(request)
    raw = await acall_apart(lambda: approver(request))
    return await raw if inspect.isawaitable(raw) else raw


def _failed(error: Exception) -> Decision:
    _log.error("asking a person failed: %s", place_of(error))
    reason = f"a person must approve it, and asking failed ({type(error).__name__})"
    return replace(Decision.deny(reason), plugin="approval")
