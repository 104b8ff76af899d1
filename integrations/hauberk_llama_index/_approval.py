"""Questions to a person inside a workflow: an event on its stream, and an event that answers.

LlamaIndex's way to wait is to leave the step and to run it again from its beginning when the event
has come. So the same call of a tool comes here again, with the answer at hand.

Rules:
* One call, one question: it is published once, however often the step is run again, and each of
  several calls at the same time has its own, even where they are alike.
* Only an event that names the call resolves it. Whether its answer counts, the guard decides: it
  belongs to this call and these arguments, is in time, and was not used.
* An answer is used once. Where the tool then waits for an event of its own and the step is run
  again, it is still the same call, and the same answer.
* Where a step is run again after a call that was answered and made, that call is not made again: it
  gives what it gave.
* Nobody answered in time: refused.
* Outside a step there is nobody to ask here: the guard's approver is next.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b

from llama_index.core.workflow import HumanResponseEvent, InputRequiredEvent
from typing_extensions import override

from hauberk.approval import Answer, ApprovalRequest, Choice, digest
from hauberk.events import Event
from hauberk.guard import Guard
from hauberk_llama_index._events import Step, current_step

_FIELDS = ("type", "id", "arguments", "message", "by")
"""Of an answer."""
_TAG = 10
"""Bytes that name a call: 80 bits, against all the calls that wait at one time."""


MAX_MADE = 256
"""Results of answered calls that a session keeps, for steps that are run again."""


class Replayed(BaseException):
    """This call was answered and made when its step ran before. `result` is what it gave."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


class _Made(OrderedDict[str, object]):
    """Results by answer, the oldest forgotten first."""

    def __setitem__(self, key: str, value: object) -> None:
        super().__setitem__(key, value)
        while len(self) > MAX_MADE:
            self.popitem(last=False)


class Question:
    """What one guard may have to ask about one call. Costs next to nothing until it must."""

    __slots__ = ("_event", "_guard", "_used")

    def __init__(self, guard: Guard, event: Event) -> None:
        self._guard = guard
        self._event = event
        self._used = ""

    async def ask(self, request: ApprovalRequest) -> object:
        """The answer; None where no workflow runs.

        Raises:
            WaitingForEvent: There is none yet: the step is left, and run again when there is.
            Replayed: This very call was answered and made before.
        """
        step = current_step()
        if step is None:
            return None
        tag = _tag(self._event, step)
        ident = f"{request.id}.{tag}"
        question = {"prefix": request.reason, **request.payload(), "id": ident}
        try:
            answer = await step.context.wait_for_event(
                HumanResponseEvent,
                waiter_event=InputRequiredEvent(**question),
                waiter_id=tag,
                requirements={"id": _Names(tag)},
                timeout=max(request.expires - time.time(), 0.0),
            )
        except TimeoutError:
            return Answer(choice=Choice.REJECT, id=request.id, message="nobody answered in time")
        words = self._read(answer)
        made = self._made()
        if self._used in made:
            raise Replayed(made[self._used])
        return words

    def keep(self, result: object) -> object:
        """Remember what an answered call gave: its step may be run again for another call."""
        if self._used:
            self._made()[self._used] = result
        return result

    def _made(self) -> _Made:
        return self._event.session.state((self._guard, _Made), _Made)

    def reopen(self) -> None:
        """The call that was answered waits for something: it will be begun anew."""
        self._guard.release(self._event)
        if self._used:
            self._guard.approvals.reopen(self._used)

    def _read(self, event: HumanResponseEvent) -> object:
        words = {name: event.get(name) for name in _FIELDS if event.get(name) is not None}
        self._used = _sealed(str(words.get("id", "")))
        arguments = words.get("arguments")
        if isinstance(arguments, Mapping):
            words["arguments"] = dict(arguments)
        return words | {"id": self._used}


class _Names:
    """Equal to the id of every question about one call.

    The step is run again, also in another process, and would make another id: only the name of the
    call stays the same.
    """

    __slots__ = ("_tag",)

    def __init__(self, tag: str) -> None:
        self._tag = tag

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.rpartition(".")[2] == self._tag

    @override
    def __hash__(self) -> int:
        return hash(self._tag)


def _tag(event: Event, step: Step) -> str:
    """The name of a call: the same each time that its step is run again, and of no other call."""
    name = f"{digest(event)}:{step.work}".encode()
    tag = blake2b(name, digest_size=_TAG).hexdigest()
    # A step may make the same call twice: the answers that it has used so far were to the others.
    return f"{tag}-{step.answered(tag)}"


def _sealed(ident: str) -> str:
    """The id that the guard gave: without the name of the call."""
    return ident.partition(".")[0]
