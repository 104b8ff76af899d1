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
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from hauberk import BlockedError, BudgetExceededError
from hauberk.testing.matrix import (
    BUDGETS,
    FRESH,
    LEFT_BEHIND,
    ORDER,
    ORDERED,
    PEOPLE,
    PSEUDONYM,
    RECORDED,
    SWALLOWED,
    Cell,
    Matrix,
    Mimic,
    Reason,
    Swallowed,
    Turned,
    Watch,
    given_back,
    left_behind,
    watch,
)
from hauberk_langchain import HauberkCallbackHandler, install, protect, uninstall
from hauberk_langchain.matrix._modes import MODES, Mode, Outcome, reached
from hauberk_langchain.matrix._surfaces import (
    SURFACES,
    Indexing,
    Parts,
    Surface,
)
from hauberk_langchain.matrix._world import conversation

DOORS = ("handler", "middleware", "protect", "install", "several")
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
    """Run everything that the installed packages allow.

    Args:
        surfaces: Which surfaces.
        progress: Told the name of each surface before it runs.
    """
    cells: list[Cell] = []
    for surface in surfaces:
        if surface.needs and find_spec(surface.needs) is None:
            continue
        if progress is not None:
            progress(surface.name)
        for door in doors_of(surface):
            cells += _Stand(surface, door).cells()
    return Matrix(tuple(cells), REASONS)


def doors_of(surface: Surface) -> Iterator[str]:
    """The doors that lead to a surface."""
    return (door for door in DOORS if door in surface.doors or door == "several")


def modes_of(surface: Surface) -> Iterator[Mode]:
    """The modes that a surface has."""
    for mode in MODES:
        if surface.modes is not None and mode.name not in surface.modes:
            continue
        if mode.family == "all" or surface.graph or (mode.family == "events" and surface.chat):
            yield mode


Scene = tuple[str, Callable[[Mode], bool]]
"""An attack, and the run that says whether it is held off."""


class _Stand:
    """One surface behind one door: what is built is used for all modes."""

    def __init__(self, surface: Surface, door: str) -> None:
        self.surface, self.door = surface, door
        self._main = watch()
        self._built: dict[str, tuple[Parts, Any, Watch]] = {}

    def cells(self) -> Iterator[Cell]:
        """Every attack in every mode."""
        turns = self._turns()
        for number, mode in enumerate(modes_of(self.surface)):
            found = self._data(mode)
            if "denied tool" in self.surface.attacks and mode.whole:
                found |= self._turned(mode)
            for turn in turns:
                attack, scene = turn[number % len(turn)]
                found |= {attack: scene(mode)} if mode.whole or attack != SWALLOWED else {}
            for attack, holds in found.items():
                if attack in self.surface.attacks or attack in (LEFT_BEHIND, RECORDED):
                    yield Cell(attack, self.surface.name, mode.name, self.door, holds)

    def _turns(self) -> list[list[Scene]]:
        """The scenes with a run of their own: all of these lists are run, one of each list a mode."""
        budgets: list[Scene] = [(name, partial(self._budget, budget=name)) for name in BUDGETS]
        single: list[Scene] = [
            ("direct injection", self._told),
            ("injection in history", self._poisoned),
            (SWALLOWED, self._swallowed),
        ]
        if "denied tool" not in self.surface.attacks:
            single.append(("denied argument", self._refused))
        budgets = [one for one in budgets if one[0] in self.surface.attacks]
        single = [one for one in single if one[0] in self.surface.attacks]
        each = [single] if self.surface.graph else [[one] for one in single]
        few = len(list(modes_of(self.surface))) < len(budgets)
        spent = [[one] for one in budgets] if few else [budgets]
        return [turn for turn in (*spent, *each) if turn]

    # --- scenes -----------------------------------------------------------------------------

    def _data(self, mode: Mode) -> dict[str, bool]:
        """An honest task, with personal data in every place."""
        parts, target, watched = self._stage("data", Mimic, self._main)
        parts.brain.calls_at_once = 3 if mode.name == "parallel tool calls" else 1
        with _no_collection():  # or it would depend on its time what is still open
            outcome, error = self._run(mode, parts, target, watched, conversation())
            left = left_behind(watched)
        saw = parts.provider_saw
        found = {attack: value not in saw for attack, value in PEOPLE.items()}
        found["PII in tool result"] &= FRESH not in saw
        if "injection in document" in self.surface.attacks:
            shown = outcome.shown if outcome else ""
            found["injection in document"] = ORDERED not in saw + shown
        found["PII in document"] = not any(value in saw for value in PEOPLE.values())
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

    def _told(self, mode: Mode) -> bool:
        """The user gives an order that the policy refuses."""
        parts, target, watched = self._stage("data", Mimic, self._main)
        _, error = self._run(mode, parts, target, watched, conversation(ORDER))
        return isinstance(error, BlockedError) and not parts.trace.prompts

    def _poisoned(self, mode: Mode) -> bool:
        """An order stands in an earlier tool result."""
        parts, target, watched = self._stage("data", Mimic, self._main)
        self._run(mode, parts, target, watched, conversation(poison=ORDER))
        return ORDERED not in parts.provider_saw

    def _refused(self, mode: Mode) -> bool:
        """Code calls a tool with an argument that is denied."""
        parts, target, watched = self._stage("data", Mimic, self._main)
        _, error = self._run(mode, parts, target, watched, conversation(ORDER))
        return isinstance(error, BlockedError) and not parts.trace.ran

    def _swallowed(self, mode: Mode) -> bool:
        """A tool catches a refusal that ends the run: the next boundary refuses."""
        parts, target, watched = self._stage(SWALLOWED, Swallowed, self._main)
        _, error = self._run(mode, parts, target, watched, conversation())
        return isinstance(error, BlockedError)

    def _turned(self, mode: Mode) -> dict[str, bool]:
        parts, target, watched = self._stage("turned", Turned, self._main)
        _, error = self._run(mode, parts, target, watched, conversation("Read my mail."))
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

    def _budget(self, mode: Mode, budget: str) -> bool:
        """Two runs in one session, with a budget that not even one may pass."""
        parts, target, watched = self._stage(budget, Mimic, None)
        with watched.guard.session():
            self._run(mode, parts, target, watched, conversation())
            _, error = self._run(mode, parts, target, watched, conversation())
        # A string model takes the two items of a batch as one call.
        most = 2 if "batch" in mode.name else 1
        return isinstance(error, BudgetExceededError) and len(parts.trace.prompts) <= most

    # --- one run ----------------------------------------------------------------------------

    def _stage(
        self, scene: str, brain: Callable[[], Any], watched: Watch | None
    ) -> tuple[Parts, Any, Watch]:
        """The application of a scene, built and guarded once."""
        if scene not in self._built:
            seen = watched or watch(BUDGETS[scene])
            parts = Parts(brain(), swallows=scene == SWALLOWED)
            if self.door in ("middleware", "several") and "middleware" in self.surface.doors:
                from hauberk_langchain import HauberkMiddleware  # noqa: PLC0415 - needs `langchain`

                parts.middleware.append(HauberkMiddleware(seen.guard))
            target = self.surface.build(parts)
            if self.door in ("protect", "several"):
                self._protect(target, seen)
            self._built[scene] = parts, target, seen
        parts, target, seen = self._built[scene]
        parts.trace.clear()
        seen.tape.entries.clear()
        seen.meter.open.clear()
        return parts, target, seen

    @staticmethod
    def _protect(target: Any, watched: Watch) -> None:
        protect(target.store if isinstance(target, Indexing) else target, watched.guard)

    def _run(
        self, mode: Mode, parts: Parts, target: Any, watched: Watch, given: Any
    ) -> tuple[Outcome | None, BaseException | None]:
        config = dict(self.surface.config)
        for model in parts.models:
            model.waits = mode.name == "cancelled task"
        before = parts.trace.size
        reached.set(lambda: parts.trace.size > before)
        if self.door in ("handler", "several"):
            config["callbacks"] = [HauberkCallbackHandler(watched.guard)]
        if self.door in ("install", "several"):
            install(watched.guard)
        try:
            return mode.run(target, self.surface.give(given), config), None
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
