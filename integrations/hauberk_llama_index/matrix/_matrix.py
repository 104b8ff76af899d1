"""Every door x every surface x every mode x every attack, run and judged.

Rules:
* A cell is one attack, through one door, on one surface, in one mode. It holds, or it does not, or it
  does not apply there (a retriever calls no tools).
* One run is judged for several attacks, where they do not interfere.
* Attacks that need a run of their own (budgets; on agents also orders of the user, orders in the
  history, a swallowed refusal, a question to a person) take turns over the modes, so that each meets
  every surface and every door.
* Whatever a run leaves behind is judged too: open reservations, records, values in records.
* A run that hangs does not hold.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from llama_index.core.workflow import HumanResponseEvent, InputRequiredEvent
from typing_extensions import override

from hauberk import BlockedError
from hauberk.testing import ToolCall
from hauberk.testing.matrix import (
    ORDER,
    ORDERED,
    PSEUDONYM,
    SEVERAL,
    SWALLOWED,
    Matrix,
    Outcome,
    Reason,
    Scene,
    Stand,
    Turned,
    Watch,
    given_back,
    hidden,
    left_behind,
    nobody_in,
    run_matrix,
    watch,
)
from hauberk_llama_index import (
    HauberkCallbackHandler,
    HauberkIngestionTransform,
    HauberkNodePostprocessor,
    install,
    protect,
    uninstall,
)
from hauberk_llama_index.matrix._modes import MODES, PATIENCE_S, Mode, Talk
from hauberk_llama_index.matrix._world import LI_ATTEMPTS, RULES, Once, conversation
from hauberk_llama_index.matrix.surfaces import (
    APPROVAL,
    MISFIT,
    PARTIAL,
    POISONED,
    SURFACES,
    Caller,
    Engines,
    Parts,
    Surface,
    start,
)

DOORS = ("handler", "protect", "install", "postprocessor", "transform", SEVERAL)
"""Five doors, and several of them at once."""
_PART = {"postprocessor": POISONED}
"""Doors that see one stage only, and what that holds off."""

CODE = (
    "The code and its result are seen, not what the code does: run it in a sandbox "
    "(`guard.coverage(agent)` says so)"
)
REASONS: tuple[Reason, ...] = (
    Reason(
        why=CODE,
        surface="CodeActAgent",
        attacks=frozenset(
            {
                "denied tool",
                "denied argument",
                "hidden tool called anyway",
                "flow from untrusted result to outside effect",
                MISFIT,
                APPROVAL,
            }
        ),
    ),
)
"""The cells that cannot hold, each with its reason."""


def run(
    surfaces: tuple[Surface, ...] = SURFACES, progress: Callable[[str], None] | None = None
) -> Matrix:
    """Run the matrix on the version of LlamaIndex that is installed here.

    Args:
        surfaces: Which surfaces.
        progress: Told the name of each surface before it runs.
    """
    return run_matrix(surfaces, DOORS, LlamaStand, reasons=REASONS, progress=progress)


def modes_of(surface: Surface) -> Iterator[Mode]:
    """The modes that a surface has."""
    for mode in MODES:
        lacks = (
            mode.way not in surface.calls,
            mode.parallel and not surface.agent,
            mode.waits and not surface.models,  # nothing to wait at
            mode.name == "threads" and not surface.threads,
        )
        if not any(lacks):
            yield mode


def attacks_of(surface: Surface, door: str) -> frozenset[str]:
    """The attacks that are tried on a surface through a door."""
    return surface.attacks & _PART.get(door, surface.attacks)


class LlamaStand(Stand[Surface, Mode, Parts]):
    """One surface behind one door."""

    talk = staticmethod(conversation)
    to_the_end = frozenset({SWALLOWED, APPROVAL, "call budget"})

    def __init__(self, surface: Surface, door: str) -> None:
        """Build nothing yet."""
        super().__init__(surface, door, attacks_of(surface, door), list(modes_of(surface)))

    @override
    def watch(self, budget: Mapping[str, Any] | None = None) -> Watch:
        return watch(budget, RULES)

    @override
    def more(self) -> list[Scene[Mode]]:
        return [(APPROVAL, self._approval)]

    @override
    def spread(self, single: list[Scene[Mode]]) -> list[list[Scene[Mode]]]:
        # Agents have five modes: two scenes of their own in each.
        return [single[::2], single[1::2]] if self.surface.agent else super().spread(single)

    # --- scenes -----------------------------------------------------------------------------

    @override
    def data(self, mode: Mode) -> dict[str, bool]:
        """An honest task, with personal data in every place."""
        parts, target, watched = self.stage("data")
        parts.brain.calls_at_once = 3 if mode.parallel else 1
        outcome, error = self.run(mode, parts, target, watched, conversation())
        if watched.meter.open:
            gc.collect()  # an abandoned stream may be part of a cycle
        shown, saw = outcome.shown if outcome else "", parts.provider_saw
        found = hidden(saw)
        found["PII in document"] = nobody_in(saw)
        found |= dict.fromkeys(sorted(POISONED), ORDERED not in saw + shown)
        found |= left_behind(watched)
        if error is not None or not (parts.trace.prompts or parts.trace.ran or shown):
            return dict.fromkeys(found, False)
        if mode.whole:
            found |= given_back(parts.trace, shown, streams=mode.streams)
        elif mode.streams:
            found["restore in stream"] = not PSEUDONYM.search(shown)
        return found

    @override
    def poisoned(self, mode: Mode) -> bool:
        """An order stands in an earlier tool result."""
        parts, target, watched = self.stage("data")
        self.run(mode, parts, target, watched, conversation(poison=ORDER))
        return bool(parts.trace.prompts) and ORDERED not in parts.provider_saw

    @override
    def refused(self, mode: Mode) -> bool:
        """Code calls a tool with an argument that is denied: the answer is an error, nothing runs."""
        parts, target, watched = self.stage("data")
        outcome, error = self.run(mode, parts, target, watched, conversation(ORDER))
        return (error is None or isinstance(error, BlockedError)) and not (
            parts.trace.ran or "Sent" in (outcome.shown if outcome else "")
        )

    def _approval(self, mode: Mode) -> bool:
        """A call that a person must approve: nobody, no, and yes."""
        brain = partial(Once, ToolCall(name="pay", arguments={"amount": "5"}))
        parts, target, watched = self.stage(APPROVAL, brain)
        ends: dict[str, tuple[int, int]] = {}
        for answer in ("reject", "approve"):
            parts.trace.clear()
            with _attached(self.door, watched):
                asked = asyncio.run(_answered(target, answer, streaming=mode.streams))
            ends[answer] = asked, len(parts.trace.ran)
        return ends == {"reject": (1, 0), "approve": (1, 1)}

    @override
    def turned(self, mode: Mode) -> dict[str, bool]:
        parts, target, watched = self.stage("turned", partial(Turned, LI_ATTEMPTS))
        _, error = self.run(mode, parts, target, watched, conversation("Read my mail."))
        ran = dict(parts.trace.ran)
        went_on = error is None and "read_mail" in ran
        return {
            "injection in tool result": went_on and ORDERED not in parts.provider_saw,
            "denied tool": went_on and "remove" not in ran,
            "denied argument": went_on and "send" not in ran,
            "hidden tool called anyway": went_on and "export" not in ran,
            "flow from untrusted result to outside effect": went_on and "post" not in ran,
            PARTIAL: went_on and ran.get("file", {}).get("tenant") != "evil",
            MISFIT: went_on and "note" not in ran,
        }

    # --- one run ----------------------------------------------------------------------------

    @override
    def make(self, brain: Any, watched: Watch, *, swallows: bool) -> tuple[Parts, Any]:
        parts = Parts(brain, swallows=swallows)
        leads = self.surface.doors if self.door == SEVERAL else {self.door}
        if "handler" in leads:
            parts.callbacks.append(HauberkCallbackHandler(watched.guard))
        if "postprocessor" in leads:
            parts.postprocessors.append(HauberkNodePostprocessor(watched.guard))
        if "transform" in leads:
            parts.transforms.append(HauberkIngestionTransform(watched.guard))
        target = self.surface.build(parts)
        if "protect" in leads:
            protect(guarded_part(target), watched.guard)
        return parts, target

    @override
    def run(
        self, mode: Mode, parts: Parts, target: Any, watched: Watch, talk: Talk
    ) -> tuple[Outcome | None, BaseException | None]:
        for model in parts.models:
            model.waits = mode.waits
        before = parts.trace.size
        call = self.surface.calls[mode.way]
        with _attached(self.door, watched):
            try:
                return mode.run(call, target, talk, lambda: parts.trace.size > before), None
            except Exception as error:  # noqa: BLE001 - judged by the caller
                return None, error


def guarded_part(target: Any) -> Any:
    """What is protected of a target: the objects of LlamaIndex in it."""
    match target:
        case Engines():
            return [target.whole, target.streaming]
        case Caller():
            return [target.llm, *target.tools]
        case _:
            return target


class _attached:  # noqa: N801 - read as a verb
    """With the guard installed, where the door is that."""

    def __init__(self, door: str, watched: Watch) -> None:
        self._guard = watched.guard if door in ("install", SEVERAL) else None

    def __enter__(self) -> None:
        if self._guard is not None:
            install(self._guard)

    def __exit__(self, *_: object) -> None:
        uninstall()


async def _answered(target: Any, answer: str, *, streaming: bool) -> int:
    """Run an agent with a person who answers; how often that one was asked."""
    handler = start(target, conversation(), streaming=streaming)
    asked = 0

    async def read() -> None:
        nonlocal asked
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                asked += 1
                human: dict[str, Any] = {"type": answer, "id": event.id}
                handler.ctx.send_event(HumanResponseEvent(**human))
        await handler

    await asyncio.wait_for(read(), PATIENCE_S)
    return asked
