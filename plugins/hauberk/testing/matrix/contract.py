"""What holds of every integration's matrix, as a test suite. Needs pytest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hauberk.testing.matrix._cells import Cell, Matrix, Reason
from hauberk.testing.matrix._stand import Stand, doors_of

COMMON_ATTACKS = frozenset(
    {
        "direct injection",
        "injection in tool result",
        "injection in document",
        "injection in history",
        "PII in user text",
        "PII in history",
        "PII in tool result",
        "PII in tool-call arguments of earlier turns",
        "PII in system prompt",
        "PII in multimodal text block",
        "PII in metadata that the prompt shows",
        "PII in document",
        "restore in tool arguments",
        "restore in nested arguments",
        "restore in answer",
        "restore in stream",
        "denied tool",
        "denied argument",
        "hidden tool called anyway",
        "flow from untrusted result to outside effect",
        "call budget",
        "token budget",
        "money budget",
        "time budget",
        "swallowed refusal",
    }
)
"""What every matrix must try."""
_MOST_EXCUSED = 0.03
"""Share of the cells that may have a reason for not holding."""
_FEWEST_BROKEN = 10
"""Attacks on an agent that a guard must be seen to hold off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A matrix, for `MatrixContract`."""

    run: Callable[[], Matrix]
    page: Callable[[Matrix], str]
    written: Path
    """Where the page is."""
    surfaces: Sequence[Any]
    modes: Sequence[Any]
    doors: Sequence[str]
    reasons: tuple[Reason, ...]
    stand: Callable[[Any, str], Stand[Any, Any, Any]]
    agent: tuple[str, str]
    """A surface with a model that calls tools, and a mode of it: they are run without a guard."""
    attacks: frozenset[str] = frozenset()
    """More attacks than `COMMON_ATTACKS`, by name."""


class MatrixContract:
    """Subclass it, give it a matrix, and pytest runs it once and these promises against it.

    The page in the docs must be what the run found: `python -m <matrix> --write <page>` writes it anew.
    """

    subject: ClassVar[Subject]

    @pytest.fixture(scope="class")
    def matrix(self) -> Iterator[Matrix]:
        """The whole matrix, run."""
        log = logging.getLogger("hauberk")
        level = log.level
        log.setLevel(logging.CRITICAL)
        try:
            yield self.subject.run()
        finally:
            log.setLevel(level)

    def test_every_cell_holds_or_has_a_reason(
        self, matrix: Matrix, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is printed too."""
        with capsys.disabled():
            print("\n" + self.subject.page(matrix))  # noqa: T201 - people want to see it
        assert matrix.broken == ()
        assert len(matrix.excused) < _MOST_EXCUSED * len(matrix.cells)

    def test_every_attack_surface_mode_and_door_is_in_it(self, matrix: Matrix) -> None:
        """None is left out in silence."""
        assert {cell.attack for cell in matrix.cells} >= COMMON_ATTACKS | self.subject.attacks
        assert {cell.surface for cell in matrix.cells} == {
            one.name for one in self.subject.surfaces
        }
        assert {cell.mode for cell in matrix.cells} == {mode.name for mode in self.subject.modes}
        assert {cell.door for cell in matrix.cells} == set(self.subject.doors)

    def test_every_attack_of_a_surface_meets_every_door_that_leads_there(
        self, matrix: Matrix
    ) -> None:
        """Scenes that take turns over the modes come all of them to their turn."""
        met = {(cell.surface, cell.attack, cell.door) for cell in matrix.cells}
        missing = [
            (surface.name, attack, door)
            for surface in self.subject.surfaces
            for door in doors_of(surface, self.subject.doors)
            for attack in self.subject.stand(surface, door).attacks
            if (surface.name, attack, door) not in met
        ]
        assert missing == []

    def test_every_reason_is_needed(self, matrix: Matrix) -> None:
        """A reason that explains nothing any more goes."""
        assert all(
            any(reason.explains(c) for c in matrix.excused) for reason in self.subject.reasons
        )

    def test_the_page_says_what_the_run_found(self, matrix: Matrix) -> None:
        """Nobody writes it by hand."""
        assert self.subject.written.read_text("utf-8") == self.subject.page(matrix)

    def test_a_cell_that_does_not_hold_is_told(self) -> None:
        """In the page and by the matrix."""
        bad = Cell("denied tool", *self.subject.agent, "protect", holds=False)
        shown = self.subject.page(Matrix((bad,), self.subject.reasons))
        assert "1 do not hold" in shown
        assert "✗" in shown
        assert Matrix((bad,), self.subject.reasons).broken == (bad,)

    def test_without_a_door_nothing_holds_that_needs_one(self) -> None:
        """The matrix can tell."""
        name, mode = self.subject.agent
        surface = next(one for one in self.subject.surfaces if one.name == name)
        cells = [cell for cell in self.subject.stand(surface, "none").cells() if cell.mode == mode]
        held = {cell.attack for cell in cells if cell.holds}
        assert all(attack.startswith(("restore", "reservations")) for attack in held)
        assert len(cells) - len(held) >= _FEWEST_BROKEN
