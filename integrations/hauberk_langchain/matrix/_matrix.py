"""Every door x every surface x every mode x every attack, run and judged.

Rules:
* A cell is one attack, through one door, on one surface, in one mode. It holds, or it does not, or it
  does not apply there (a retriever calls no tools).
* One run is judged for several attacks, where they do not interfere.
* Attacks that need a run of their own (budgets; on agents orders of the user, in the history, a
  swallowed refusal) take turns over the modes, so that each meets every surface and every door.
* Whatever a run leaves behind is judged too: open reservations, records, values in records.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from typing_extensions import override

from hauberk import BlockedError
from hauberk.testing.matrix import (
    LEFT_BEHIND,
    ORDER,
    ORDERED,
    PSEUDONYM,
    SEVERAL,
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
from hauberk_langchain import HauberkCallbackHandler, install, protect, uninstall
from hauberk_langchain.matrix._modes import MODES, Mode, reached
from hauberk_langchain.matrix._surfaces import (
    SURFACES,
    Indexing,
    Parts,
    Surface,
)
from hauberk_langchain.matrix._world import conversation

DOORS = ("handler", "middleware", "protect", "install", SEVERAL)
"""Four doors, and several of them at once."""

REASONS: tuple[Reason, ...] = (
    Reason(
        why="LangChain keeps the stream of a fallback alive, in the traceback of the failure before "
        "it, when its reader goes away: the reservation is freed at the next garbage collection",
        surface="with_fallbacks",
        attacks=frozenset({LEFT_BEHIND}),
        modes=frozenset({"abandoned stream"}),
    ),
)
"""The cells that cannot hold, each with its reason."""


def run(
    surfaces: tuple[Surface, ...] = SURFACES, progress: Callable[[str], None] | None = None
) -> Matrix:
    """Run all of the matrix that the packages allow which are installed here.

    Args:
        surfaces: Which surfaces.
        progress: Told the name of each surface before it runs.
    """
    here = [one for one in surfaces if not one.needs or find_spec(one.needs) is not None]
    return run_matrix(here, DOORS, ChainStand, reasons=REASONS, progress=progress)


def modes_of(surface: Surface) -> Iterator[Mode]:
    """The modes that a surface has."""
    for mode in MODES:
        if surface.modes is not None and mode.name not in surface.modes:
            continue
        if mode.family == "all" or surface.graph or (mode.family == "events" and surface.chat):
            yield mode


class ChainStand(Stand[Surface, Mode, Parts]):
    """One surface behind one door."""

    talk = staticmethod(conversation)

    def __init__(self, surface: Surface, door: str) -> None:
        """Build nothing yet."""
        super().__init__(surface, door, surface.attacks, list(modes_of(surface)))

    @override
    def watch(self, budget: Mapping[str, Any] | None = None) -> Watch:
        return watch(budget)

    @override
    def spread(self, single: list[Scene[Mode]]) -> list[list[Scene[Mode]]]:
        return [single] if self.surface.graph else super().spread(single)

    @override
    def bought(self, mode: Mode) -> int:
        # A string model takes the two items of a batch as one call.
        return 2 if "batch" in mode.name else 1

    # --- scenes -----------------------------------------------------------------------------

    @override
    def data(self, mode: Mode) -> dict[str, bool]:
        """An honest task, with personal data in every place."""
        parts, target, watched = self.stage("data")
        parts.brain.calls_at_once = 3 if mode.name == "parallel tool calls" else 1
        with _no_collection():  # or it would depend on its time what is still open
            outcome, error = self.run(mode, parts, target, watched, conversation())
            left = left_behind(watched)
        saw = parts.provider_saw
        found = hidden(saw)
        if "injection in document" in self.surface.attacks:
            shown = outcome.shown if outcome else ""
            found["injection in document"] = ORDERED not in saw + shown
        found["PII in document"] = nobody_in(saw)
        found |= left
        if error is not None or not (parts.trace.prompts or parts.trace.ran):
            return dict.fromkeys(found, False)
        if mode.whole and outcome is not None:
            # What a sub-agent writes to its custom stream is its own.
            if outcome.shown or "custom" not in mode.name:
                found |= given_back(parts.trace, outcome.shown, streams=mode.streams)
        elif outcome is not None and mode.streams:
            found["restore in stream"] = not PSEUDONYM.search(outcome.shown)
        return found

    @override
    def poisoned(self, mode: Mode) -> bool:
        """An order stands in an earlier tool result."""
        parts, target, watched = self.stage("data")
        self.run(mode, parts, target, watched, conversation(poison=ORDER))
        return ORDERED not in parts.provider_saw

    @override
    def refused(self, mode: Mode) -> bool:
        """Code calls a tool with an argument that is denied."""
        parts, target, watched = self.stage("data")
        _, error = self.run(mode, parts, target, watched, conversation(ORDER))
        return isinstance(error, BlockedError) and not parts.trace.ran

    @override
    def turned(self, mode: Mode) -> dict[str, bool]:
        parts, target, watched = self.stage("turned", Turned)
        _, error = self.run(mode, parts, target, watched, conversation("Read my mail."))
        ran = {name for name, _ in parts.trace.ran}
        went_on = error is None and "read_mail" in ran
        return {
            "injection in tool result": went_on and ORDERED not in parts.provider_saw,
            "denied tool": went_on and "remove" not in ran,
            "denied argument": went_on and "send" not in ran,
            "unknown tool": went_on
            and any(e.event.tool == "format_disk" for e in watched.tape.entries),
            "hidden tool called anyway": went_on and "export" not in ran,
            "flow from untrusted result to outside effect": went_on and "post" not in ran,
        }

    # --- one run ----------------------------------------------------------------------------

    @override
    def make(self, brain: Any, watched: Watch, *, swallows: bool) -> tuple[Parts, Any]:
        parts = Parts(brain, swallows=swallows)
        if self.door in ("middleware", SEVERAL) and "middleware" in self.surface.doors:
            from hauberk_langchain import HauberkMiddleware  # noqa: PLC0415 - needs `langchain`

            parts.middleware.append(HauberkMiddleware(watched.guard))
        target = self.surface.build(parts)
        if self.door in ("protect", SEVERAL):
            protect(target.store if isinstance(target, Indexing) else target, watched.guard)
        return parts, target

    @override
    def run(
        self, mode: Mode, parts: Parts, target: Any, watched: Watch, talk: Any
    ) -> tuple[Outcome | None, BaseException | None]:
        config = dict(self.surface.config)
        for model in parts.models:
            model.waits = mode.name == "cancelled task"
        before = parts.trace.size
        reached.set(lambda: parts.trace.size > before)
        if self.door in ("handler", SEVERAL):
            config["callbacks"] = [HauberkCallbackHandler(watched.guard)]
        if self.door in ("install", SEVERAL):
            install(watched.guard)
        try:
            return mode.run(target, self.surface.give(talk), config), None
        except Exception as error:  # noqa: BLE001 - judged by the caller
            return None, error
        finally:
            uninstall()


@contextmanager
def _no_collection() -> Generator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
