"""Flows: how one model call and one tool call go through a guard. Both colours, every framework.

Adapters bring the translation (read texts out of a framework's value, write new ones into a copy);
the order of checks, what happens on failure and what a refused tool call answers is here.

Rules:
* A prompt that was let through is settled or released, whatever happens to the call.
* A refused tool call answers with a sentence, so that the agent can go on and its history stays
  valid; a refusal that stops the run raises.
* Fields of a result that may not be seen are left out before anything else looks at it.
* What cannot be read, or cannot be written anew, was not checked: nobody gets it.
* A tool that runs out of time is no longer waited for. (Its thread cannot be killed: Python has no
  way to. What it still does, it does unseen.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from hauberk._asking import Ask, AsyncAsk
from hauberk._threads import (
    ToolTimeoutError,
    acall_apart,
    acall_within,
    call_within,
    time_limit,
)
from hauberk.decisions import Decision, Finding, Severity
from hauberk.errors import BlockedError, HauberkError
from hauberk.events import Event, Segment, Stage, Usage
from hauberk.guard import Guard, blocked
from hauberk.plugin import Select

__all__ = [
    "MinimisingCodec",
    "ModelCodec",
    "Paused",
    "Refused",
    "ReleasedOnFailure",
    "ToolCodec",
    "ToolTimeoutError",
    "acall_apart",
    "acall_within",
    "arun_model",
    "arun_tool",
    "call_within",
    "minimised",
    "refused",
    "run_model",
    "run_tool",
    "time_limit",
]

T = TypeVar("T")


class ModelCodec(Protocol[T]):
    """How an adapter reads a model's answer, and writes new texts into a copy of it."""

    def read(self, answer: T) -> tuple[tuple[Segment, ...], Usage | None]:
        """The texts of an answer (arguments of its tool calls included), and what it used."""
        ...

    def write(self, answer: T, segments: tuple[Segment, ...]) -> T:
        """A copy of the answer with these texts, in the order of `read`."""
        ...


class ToolCodec(Protocol):
    """How an adapter reads a tool's result, and writes new texts into a copy of it."""

    def read(self, value: object) -> tuple[Segment, ...]:
        """The texts of a result."""
        ...

    def write(self, value: object, segments: tuple[Segment, ...]) -> object:
        """A copy of the result with these texts, in the order of `read`."""
        ...


@runtime_checkable
class MinimisingCodec(ToolCodec, Protocol):
    """A codec for results that carry the tool's own value inside a message of the framework."""

    def minimise(self, value: object, select: Select) -> object:
        """A copy of the result with every structured part passed through `select`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What a refused tool call answers instead of a result."""

    text: str
    """For the model to read. Says why; holds no secret."""
    decision: Decision


class Paused(BaseException):
    """What an adapter raises out of a tool's work when the framework leaves the run to come back to it.

    No failure, and nothing is used up: the call is begun anew later.
    """

    def __init__(self, error: BaseException) -> None:
        """Keep the framework's own `error`, for the adapter to raise in its place."""
        super().__init__()
        self.error = error


def run_model(guard: Guard, prompt: Event, call: Callable[[Event], T], codec: ModelCodec[T]) -> T:
    """One model call: check the prompt, call, check the answer.

    Args:
        guard: What to ask.
        prompt: The prompt in clear.
        call: Calls the model with the prompt as it may be sent.
        codec: Reads and writes the model's answer.

    Raises:
        BlockedError: The guard refused the prompt or the answer.
    """
    sent = guard.require(prompt)
    with ReleasedOnFailure(guard, sent):
        answer = call(sent)
        with _FailureBlocks(guard, sent.answered(())):
            segments, usage = codec.read(answer)
        done = guard.require(sent.answered(segments, usage=usage))
        if done.segments == segments:
            return answer
        with _FailureBlocks(guard, done):
            return codec.write(answer, done.segments)


async def arun_model(
    guard: Guard, prompt: Event, call: Callable[[Event], Awaitable[T]], codec: ModelCodec[T]
) -> T:
    """The same, on an event loop.

    Raises:
        BlockedError: The guard refused the prompt or the answer.
    """
    sent = await guard.arequire(prompt)
    with ReleasedOnFailure(guard, sent):
        answer = await call(sent)
        with _FailureBlocks(guard, sent.answered(())):
            segments, usage = codec.read(answer)
        done = await guard.arequire(sent.answered(segments, usage=usage))
        if done.segments == segments:
            return answer
        with _FailureBlocks(guard, done):
            return codec.write(answer, done.segments)


class _FailureBlocks:
    """An answer that cannot be read or written was not checked: nobody gets it."""

    # Not a generator of `contextlib`: that takes three times as many calls, at each crossing.
    __slots__ = ("_answered", "_guard")

    def __init__(self, guard: Guard, answered: Event) -> None:
        self._guard, self._answered = guard, answered

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):  # whatever fails in a codec blocks
            raise self._guard.refuse(self._answered, "adapter", error) from None


def run_tool(
    guard: Guard,
    event: Event,
    call: Callable[[Mapping[str, object]], object],
    codec: ToolCodec,
    ask: Ask | None = None,
) -> object:
    """One tool call: check it, run it within its time, check the result.

    Args:
        guard: What to ask.
        event: The tool call, with its final arguments.
        call: Runs the tool with the arguments as they may be used.
        codec: Reads and writes the tool's result.
        ask: The framework's own way to ask a person, where it has one. About the call only: a framework
            that leaves a run to ask runs the tool again when it comes back, so about a result the
            application's approver is asked.

    Returns:
        The result as it may be seen, or `Refused`.

    Raises:
        BlockedError: The guard refused and stops the run.
    """
    event, decision = guard.decide(event, ask)
    if not decision.passes:
        return refused(event, decision)
    with ReleasedOnFailure(guard, event):
        try:
            if decision.timeout_s is None:  # without the two calls more: most tools have no limit
                value = call(event.arguments or {})
            else:
                value = call_within(decision.timeout_s, lambda: call(event.arguments or {}))
        except ToolTimeoutError as error:
            return _timed_out(guard, event, error)
        read = _read(guard, event, value, codec)
        if isinstance(read, Refused):
            return read
        value, done = read
        return _result(guard, value, done, guard.decide(done)[1], codec)


async def arun_tool(
    guard: Guard,
    event: Event,
    call: Callable[[Mapping[str, object]], Awaitable[object]],
    codec: ToolCodec,
    ask: AsyncAsk | None = None,
) -> object:
    """The same, on an event loop.

    Raises:
        BlockedError: The guard refused and stops the run.
    """
    event, decision = await guard.adecide(event, ask)
    if not decision.passes:
        return refused(event, decision)
    with ReleasedOnFailure(guard, event):
        try:
            if decision.timeout_s is None:
                value = await call(event.arguments or {})
            else:
                value = await acall_within(decision.timeout_s, lambda: call(event.arguments or {}))
        except ToolTimeoutError as error:
            return _timed_out(guard, event, error)
        read = _read(guard, event, value, codec)
        if isinstance(read, Refused):
            return read
        value, done = read
        return _result(guard, value, done, (await guard.adecide(done))[1], codec)


def refused(event: Event, decision: Decision) -> Refused:
    """What a refused tool call answers.

    Raises:
        BlockedError: The refusal stops the run.
    """
    if decision.stop:
        raise blocked(event, decision)
    text = (
        f"The call of {event.tool} was refused by the security policy: {decision.reason}. "
        "It had no effect. Do not repeat it."
    )
    return _notice(event, text, decision)


def _notice(event: Event, text: str, decision: Decision) -> Refused:
    event.session.add_notice(text)
    return Refused(text=text, decision=decision)


class ReleasedOnFailure:
    """Free what `event` (a prompt or tool call that was let through) reserved, when the block raises.

    A model call that failed bought nothing. One that nobody waits for any more (cancelled) goes on
    at the provider, and a tool that raised has run: both are released as what they were about to
    become, a completion and a result.
    """

    __slots__ = ("_event", "_guard")

    def __init__(self, guard: Guard, event: Event) -> None:
        self._guard, self._event = guard, event

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            return
        guard, event = self._guard, self._event
        if isinstance(error, Paused):
            guard.release(event)
            return
        failed = isinstance(error, Exception) and event.stage is Stage.PROMPT
        if event.stage is Stage.TOOL_CALL and _is_failure(error):
            guard.failed(event.returned(()))
        guard.release(event if failed else _under_way(event))


def _is_failure(error: BaseException) -> bool:
    """Whether the tool itself failed: a refusal and a cancelled run say nothing of it."""
    return isinstance(error, Exception) and not isinstance(error, HauberkError)


def _under_way(event: Event) -> Event:
    match event.stage:
        case Stage.PROMPT:
            return event.answered(())
        case Stage.TOOL_CALL:
            return event.returned(())
        case _:
            return event


def _timed_out(guard: Guard, event: Event, error: ToolTimeoutError) -> Refused:
    finding = Finding(
        rule="capability.timeout",
        category="capability",
        severity=Severity.MEDIUM,
        explanation=str(error),
    )
    guard.failed(event.returned(()))
    decision = Decision.deny(f"the tool gave {error}", findings=[finding])
    denied = guard.deny(event.returned(()), decision)
    text = f"{event.tool} gave {error} and is no longer waited for. It may still have an effect."
    return _notice(event, text, denied.decision)


def _read(
    guard: Guard, event: Event, value: object, codec: ToolCodec
) -> tuple[object, Event] | Refused:
    """What may be seen of the result, and that as an event.

    A result that cannot be read (nested too deeply, say) is withheld.
    """
    try:
        value = minimised(guard, event, value, codec)
        return value, event.returned(codec.read(value))
    except BlockedError as error:
        return _withheld(event, guard.deny(event.returned(()), error.decision).decision)
    except Exception as error:  # noqa: BLE001 - what cannot be read was not checked
        return _withheld(event, guard.refuse(event.returned(()), "adapter", error).decision)


def minimised(guard: Guard, event: Event, value: object, codec: ToolCodec) -> object:
    """What may be seen of the result `value` of the tool call `event`.

    Raises:
        BlockedError: Nothing of it may be seen.
    """
    select = guard.minimiser(event)
    if select is None:
        return value
    if isinstance(codec, MinimisingCodec):
        return codec.minimise(value, select)
    return select(value)


def _result(
    guard: Guard, value: object, returned: Event, decision: Decision, codec: ToolCodec
) -> object:
    if not decision.passes:
        return _withheld(returned, decision)
    done = decision.apply(returned).segments
    if done == returned.segments:
        return value
    try:
        return codec.write(value, done)
    except Exception as error:  # noqa: BLE001 - what cannot be rewritten must not be seen as it is
        return _withheld(returned, guard.refuse(returned, "adapter", error).decision)


def _withheld(event: Event, decision: Decision) -> Refused:
    """What a tool call answers whose result nobody may see.

    Raises:
        BlockedError: The refusal stops the run.
    """
    if decision.stop:
        raise blocked(event, decision)
    text = f"The result of {event.tool} was withheld by the security policy: {decision.reason}."
    return _notice(event, text, decision)
