"""Running a matrix: every surface behind every door that leads to it, in every mode.

An integration says what its surfaces and modes are, how an application is built and guarded, and how
it is run; which scenes are played, how often, and how they are judged where that is the same, is here.

Rules:
* What is built for a scene is used in all modes.
* Scenes that need a run of their own take turns over the modes.
* What a scene leaves behind is cleared before the next.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from hauberk.errors import BlockedError, BudgetExceededError
from hauberk.testing.matrix._cells import Cell, Matrix, Reason
from hauberk.testing.matrix._judge import LEFT_BEHIND, RECORDED, SWALLOWED
from hauberk.testing.matrix._world import BUDGETS, ORDER, Mimic, Swallowed, Trace, Watch

SEVERAL = "several"
"""All the doors that lead to a surface, at once."""
_THREADS = 3


class Surface(Protocol):
    """One kind of application."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def attacks(self) -> frozenset[str]:
        """What can be tried on it."""
        ...

    @property
    def doors(self) -> frozenset[str]:
        """The doors that lead to it."""
        ...


class Mode(Protocol):
    """One way to run an application."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def whole(self) -> bool:
        """Whether its runs come to their end."""
        ...


@dataclass
class CommonParts:
    """What an application is built of, whatever the framework."""

    brain: Any
    trace: Trace = field(default_factory=Trace)
    swallows: bool = False
    """The agent has a tool that swallows a refusal."""

    @property
    def provider_saw(self) -> str:
        """Everything that any provider got."""
        return "\n".join(self.trace.prompts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the reader of a run got."""

    shown: str
    """Everything that was shown, pieces of one text joined."""


S = TypeVar("S", bound=Surface)
M = TypeVar("M", bound=Mode)
P = TypeVar("P", bound=CommonParts)
Scene = tuple[str, Callable[[M], bool]]
"""An attack, and the run that says whether it is held off."""


def run_matrix(
    surfaces: Iterable[S],
    doors: Sequence[str],
    stand: Callable[[S, str], Stand[S, Any, Any]],
    *,
    reasons: tuple[Reason, ...],
    progress: Callable[[str], None] | None = None,
) -> Matrix:
    """Run everything.

    Args:
        surfaces: Which surfaces.
        doors: The framework's doors.
        stand: Makes the stand of one surface behind one door.
        reasons: Why some cells cannot hold.
        progress: Told the name of each surface before it runs.
    """
    cells: list[Cell] = []
    for surface in surfaces:
        if progress is not None:
            progress(surface.name)
        for door in doors_of(surface, doors):
            cells += stand(surface, door).cells()
    return Matrix(tuple(cells), reasons)


def doors_of(surface: Surface, doors: Iterable[str]) -> Iterator[str]:
    """Those of a framework's doors that lead to a surface."""
    return (door for door in doors if door in surface.doors or door == SEVERAL)


class Stand(ABC, Generic[S, M, P]):
    """One surface behind one door.

    Example:
        for cell in MyStand(surface, "protect").cells():
            print(cell)
    """

    talk: ClassVar[Callable[..., Any]]
    """The framework's conversation: `talk(asked, poison=...)`, both with a default."""
    to_the_end: ClassVar[frozenset[str]] = frozenset({SWALLOWED})
    """Attacks on runs that come to their end: what an abandoned one has reserved is given back."""

    def __init__(self, surface: S, door: str, attacks: frozenset[str], modes: Sequence[M]) -> None:
        """Build nothing yet."""
        self.surface, self.door = surface, door
        self.attacks, self.modes = attacks, modes
        self._built: dict[str, tuple[P, Any, Watch]] = {}

    @cached_property
    def _main(self) -> Watch:
        """The guard of all scenes but those of budgets."""
        return self.watch()

    def cells(self) -> Iterator[Cell]:
        """Every attack in every mode."""
        turns = self._turns()
        for number, mode in enumerate(self.modes):
            found = self.data(mode)
            if "denied tool" in self.attacks and mode.whole:
                found |= self.turned(mode)
            for turn in turns:
                attack, scene = turn[number % len(turn)]
                if mode.whole or attack not in self.to_the_end:
                    found[attack] = scene(mode)
            for attack, holds in found.items():
                if attack in self.attacks or attack in (LEFT_BEHIND, RECORDED):
                    yield Cell(attack, self.surface.name, mode.name, self.door, holds)

    def _turns(self) -> list[list[Scene[M]]]:
        """The scenes with a run of their own: one of each list is played in each mode."""
        budgets: list[Scene[M]] = [(name, partial(self._overspent, name)) for name in BUDGETS]
        single: list[Scene[M]] = [
            ("direct injection", self._told),
            ("injection in history", self.poisoned),
            (SWALLOWED, self._swallowed),
            *self.more(),
        ]
        if "denied tool" not in self.attacks:
            single.append(("denied argument", self.refused))
        budgets = [one for one in budgets if one[0] in self.attacks]
        single = [one for one in single if one[0] in self.attacks]
        spent = [[one] for one in budgets] if len(self.modes) < len(budgets) else [budgets]
        return [turn for turn in (*spent, *self.spread(single)) if turn]

    # --- what the framework says ------------------------------------------------------------

    @abstractmethod
    def watch(self, budget: Mapping[str, Any] | None = None) -> Watch:
        """A guard of the matrix's policy, with the framework's own rules in it."""

    @abstractmethod
    def make(self, brain: Any, watched: Watch, *, swallows: bool) -> tuple[P, Any]:
        """The parts of the surface's application, and the application, guarded."""

    @abstractmethod
    def run(
        self, mode: M, parts: P, target: Any, watched: Watch, talk: Any
    ) -> tuple[Outcome | None, BaseException | None]:
        """Run the application: what was shown, or the error."""

    @abstractmethod
    def data(self, mode: M) -> dict[str, bool]:
        """An honest task, with personal data in every place."""

    @abstractmethod
    def turned(self, mode: M) -> dict[str, bool]:
        """A model that reads an order in a mail, and obeys."""

    @abstractmethod
    def poisoned(self, mode: M) -> bool:
        """An order stands in an earlier tool result."""

    @abstractmethod
    def refused(self, mode: M) -> bool:
        """Code calls a tool with an argument that is denied."""

    def more(self) -> list[Scene[M]]:
        """Scenes that other frameworks do not have."""
        return []

    def spread(self, single: list[Scene[M]]) -> list[list[Scene[M]]]:
        """Which scenes take turns with each other, where a run costs much: none."""
        return [[one] for one in single]

    def bought(self, mode: M) -> int:  # noqa: ARG002 - some modes buy more
        """Calls of a model that a budget for one may let through."""
        return 1

    # --- scenes -----------------------------------------------------------------------------

    def stage(
        self, scene: str, brain: Callable[[], Any] = Mimic, budget: Mapping[str, Any] | None = None
    ) -> tuple[P, Any, Watch]:
        """The application of a scene, built and guarded once."""
        if scene not in self._built:
            watched = self._main if budget is None else self.watch(budget)
            parts, target = self.make(brain(), watched, swallows=scene == SWALLOWED)
            self._built[scene] = parts, target, watched
        parts, target, watched = self._built[scene]
        parts.trace.clear()
        watched.tape.entries.clear()
        watched.meter.open.clear()
        return parts, target, watched

    def _told(self, mode: M) -> bool:
        """The user gives an order that the policy refuses."""
        parts, target, watched = self.stage("data")
        _, error = self.run(mode, parts, target, watched, self.talk(ORDER))
        return isinstance(error, BlockedError) and not parts.trace.prompts

    def _swallowed(self, mode: M) -> bool:
        """A tool catches a refusal that ends the run: the next boundary refuses."""
        parts, target, watched = self.stage(SWALLOWED, Swallowed)
        _, error = self.run(mode, parts, target, watched, self.talk())
        return isinstance(error, BlockedError)

    def _overspent(self, budget: str, mode: M) -> bool:
        """Two runs in one session, with a budget that not even one may pass."""
        parts, target, watched = self.stage(budget, budget=BUDGETS[budget])
        with watched.guard.session():
            self.run(mode, parts, target, watched, self.talk())
            _, error = self.run(mode, parts, target, watched, self.talk())
        spent = len(parts.trace.prompts)
        return isinstance(error, BudgetExceededError) and spent <= self.bought(mode)


def in_threads(call: Callable[[], str]) -> Outcome:
    """What several threads got that made this call at once, each in a copy of this context.

    Raises:
        BaseException: What one of them raised.
    """
    shown: list[str] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            shown.append(call())
        except BaseException as error:  # noqa: BLE001 - told to the caller
            failed.append(error)

    # A thread that drops the context is in no session.
    threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return Outcome(" ".join(shown))
