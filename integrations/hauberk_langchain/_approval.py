"""Questions to people, asked in LangGraph's own way: the run pauses, and goes on with the answer.

Rules:
* A run pauses only where it can go on: where a checkpointer remembers it. Elsewhere the application's
  approver is asked.
* What is stored with the pause is what the checkpoint has anyway: the arguments as they came, not
  those that the tool would get.
* An answer names its question, and a question the call it is about. Answers to other calls of the same
  step are left for them; every other answer is taken, and refused when it does not fit.
* When a step is repeated, a call that was answered and carried out is not carried out again: it gives
  what it gave. One that paused within itself goes on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from threading import Lock
from typing import Any, cast
from weakref import WeakKeyDictionary

from langchain_core.runnables.config import var_child_runnable_config

from hauberk import ApprovalRequest, Event, Guard
from hauberk.flows import Paused
from hauberk.session import Session

CHECKPOINTER = "__pregel_checkpointer"
"""Where a step's config holds the checkpointer, in subgraphs too (LangGraph 1.0 to 1.2)."""

SCRATCHPAD = "__pregel_scratchpad"
"""Where it holds what LangGraph knows of this attempt at the step: its questions and answers."""

MAX_DONE = 256
"""Results of answered calls that a session keeps, for steps that are repeated. One step of an agent
makes below ten calls."""

_MAX_NESTING = 4
"""Levels at which answers are looked for: a list of mappings by id, in a mapping."""

_TAG = 5
"""Bytes that name a step, or a call within it: 40 bits tell apart the handful there is."""


class Replayed(BaseException):
    """This call was carried out in an earlier attempt at the same step. `result` is what it gave."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


class Question:
    """What one guard may have to ask about one call of a tool, and the stretch in which it is made.

    Not for two calls.
    """

    __slots__ = ("_answer", "_call", "_event", "_final", "_guard")

    def __init__(
        self,
        guard: Guard,
        event: Event,
        call: str | None,
        final: Callable[[Mapping[str, Any]], Mapping[str, object]],
    ) -> None:
        """Make ready to ask. Costs next to nothing until somebody must be asked.

        Args:
            guard: Who wants to know.
            event: The call, as it came.
            call: The id that the model gave it; None for a call that code makes.
            final: Gives the final arguments of a call with the arguments that a person wrote.
        """
        self._guard, self._event, self._call, self._final = guard, event, call, final
        self._answer = ""

    def ask(self, request: ApprovalRequest) -> object:
        """The answer of a person; None where a run cannot pause.

        Raises:
            GraphInterrupt: The run pauses here, until there is an answer.
            Replayed: This very call was answered and made before.
        """
        config = (var_child_runnable_config.get() or {}).get("configurable") or {}
        if not config.get(CHECKPOINTER) or SCRATCHPAD not in config:
            return None
        tag = _tag(str(config.get("checkpoint_ns", ""))) + _tag(self._call or request.tool or "")
        given = self._event.arguments
        payload = request.payload(given) | {"id": f"{request.id}.{tag}", "call": self._call}
        answer = _attempt(config[SCRATCHPAD]).answer(payload, tag)
        self._answer = str(answer.get("id", "")) if isinstance(answer, Mapping) else ""
        done = _done(self._event.session).get((self._answer, self._call))
        if done is not None:
            raise Replayed(done[0])
        return self._read(answer)

    async def aask(self, request: ApprovalRequest) -> object:
        """The same, on an event loop: nothing here waits."""
        return self.ask(request)

    def __enter__(self) -> None:
        """The call itself begins."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Where the call paused, it is begun anew later: that is the same one.

        Raises:
            Paused: It did; with LangGraph's own error.
        """
        if error is None or not _is_pause(error):
            return
        if self._answer:
            self._guard.approvals.reopen(_sealed(self._answer))
        raise Paused(error)

    def keep(self, result: object) -> object:
        """Remember what an answered call gave, in case its step is repeated for another call."""
        if self._answer and not isinstance(result, Iterator):
            _done(self._event.session)[self._answer, self._call] = (result,)
        return result

    def _read(self, answer: object) -> object:
        """An answer in the words of `Answer.read`: LangChain's own `edited_action` is one too."""
        if not isinstance(answer, Mapping):
            return answer
        words = dict(cast("Mapping[str, object]", answer))
        words["id"] = _sealed(self._answer)
        action = words.pop("edited_action", None)
        if isinstance(action, Mapping):
            named = cast("Mapping[str, object]", action)
            if named.get("name", self._event.tool) != self._event.tool:
                return {"type": "an edit that calls another tool", "id": words["id"]}
            words["arguments"] = named.get("args")
        if isinstance(words.get("arguments"), Mapping):
            words["arguments"] = self._final(cast("Mapping[str, Any]", words["arguments"]))
        return words


class _Attempt:
    """The answers that one attempt at a step has got so far. Calls of a step may run in parallel."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: list[object] = []
        self._taken: set[int] = set()

    def answer(self, payload: Mapping[str, object], tag: str) -> object:
        """The answer for the call `tag`.

        Raises:
            GraphInterrupt: There is none yet.
        """
        from langgraph.types import interrupt  # noqa: PLC0415 - only where LangGraph runs

        with self._lock:
            while True:
                for place, answer in enumerate(self._answers):
                    if place not in self._taken and not _of_sibling(answer, tag):
                        self._taken.add(place)
                        return answer
                # LangGraph counts the questions of a step: each call of this gives the next answer
                # that it has, and leaves the run where it has none.
                self._answers += _answers(interrupt(dict(payload)))


_attempts: WeakKeyDictionary[Any, _Attempt] = WeakKeyDictionary()
_lock = Lock()


def _attempt(scratchpad: Any) -> _Attempt:
    """What is known of this attempt. The scratchpad cannot be a weak key; a function of its own can."""
    with _lock:
        return _attempts.setdefault(scratchpad.get_null_resume, _Attempt())


class _Done(OrderedDict[tuple[str, str | None], tuple[object]]):
    """Results by answer and call, the oldest forgotten first."""

    def __setitem__(self, key: tuple[str, str | None], value: tuple[object]) -> None:
        super().__setitem__(key, value)
        while len(self) > MAX_DONE:
            self.popitem(last=False)


def _done(session: Session) -> _Done:
    return session.state("hauberk_langchain.done", _Done)


def _answers(value: object, depth: int = _MAX_NESTING) -> list[object]:
    """The answers in what a run was resumed with: one, a list, `decisions`, or a mapping by id."""
    if isinstance(value, (list, tuple)) and depth > 0:
        items = cast("list[object]", value)
        return [answer for item in items for answer in _answers(item, depth - 1)] or [value]
    if not isinstance(value, Mapping) or "type" in value or depth <= 0:
        return [value]
    named = cast("Mapping[str, object]", value)
    decisions = named.get("decisions")
    if isinstance(decisions, (list, tuple)):
        shared = {"id": named["id"]} if "id" in named else {}
        items = cast("list[object]", decisions)
        return [_with(shared, item) for item in items] or [value]
    return [_with({"id": ident}, item) for ident, item in named.items()] or [value]


def _with(shared: Mapping[str, object], answer: object) -> object:
    if isinstance(answer, Mapping):
        return {**shared, **cast("Mapping[str, object]", answer)}
    if isinstance(answer, bool):
        answer = "approve" if answer else "reject"
    return {**shared, "type": answer}


def _of_sibling(answer: object, tag: str) -> bool:
    """Whether an answer belongs to another call of the same step."""
    ident = cast("Mapping[str, object]", answer).get("id") if isinstance(answer, Mapping) else None
    theirs = ident.rpartition(".")[2] if isinstance(ident, str) and "." in ident else ""
    step = len(tag) // 2
    return theirs != tag and len(theirs) == len(tag) and theirs[:step] == tag[:step]


def _sealed(ident: str) -> str:
    """The id that the guard gave: without the name of the call."""
    return ident.partition(".")[0]


def _tag(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_TAG).hexdigest()


def _is_pause(error: BaseException) -> bool:
    """Whether LangGraph leaves the run to come back to this step."""
    try:
        from langgraph.errors import GraphInterrupt  # noqa: PLC0415 - only where LangGraph runs
    except ImportError:
        return False
    return isinstance(error, GraphInterrupt)
