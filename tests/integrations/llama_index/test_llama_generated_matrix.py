"""Every door x surface x mode x attack, run; the page in the docs is what this run found.

To write the page anew: `python -m hauberk_llama_index.matrix --write docs/llama-index-matrix.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk import Guard, Policy
from hauberk.testing.matrix import Cell
from hauberk_llama_index import protect
from hauberk_llama_index.matrix import Matrix, run
from hauberk_llama_index.matrix._matrix import DOORS, REASONS, Stand, attacks_of, doors_of
from hauberk_llama_index.matrix._modes import MODES
from hauberk_llama_index.matrix._page import page
from hauberk_llama_index.matrix.surfaces import SURFACES, Parts
from hauberk_llama_index.matrix._world import RULES

PAGE = Path(__file__).parents[3] / "docs" / "llama-index-matrix.md"

# What the issue asks for, by name.
ATTACKS = {
    "direct injection",
    "injection in tool result",
    "injection in document",
    "injection in node metadata",
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
    "override of a partial parameter",
    "argument of a wrong type",
    "flow from untrusted result to outside effect",
    "call without approval",
    "call budget",
    "token budget",
    "money budget",
    "time budget",
    "swallowed refusal",
}


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    log = logging.getLogger("hauberk")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield run()
    finally:
        log.setLevel(level)


@pytest.mark.filterwarnings("ignore")  # LlamaIndex's own, of pydantic's deprecated attributes
def test_every_cell_holds_or_has_a_reason(
    matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print("\n" + page(matrix))  # noqa: T201 - the issue wants to see it
    assert matrix.broken == ()
    assert len(matrix.excused) < 0.03 * len(matrix.cells)


def test_every_attack_surface_mode_and_door_is_in_it(matrix: Matrix) -> None:
    assert {cell.attack for cell in matrix.cells} >= ATTACKS
    assert {cell.surface for cell in matrix.cells} == {surface.name for surface in SURFACES}
    assert {cell.mode for cell in matrix.cells} == {mode.name for mode in MODES}
    assert {cell.door for cell in matrix.cells} == set(DOORS)


def test_every_attack_of_a_surface_meets_every_door_that_leads_there(matrix: Matrix) -> None:
    met = {(cell.surface, cell.attack, cell.door) for cell in matrix.cells}
    missing = [
        (surface.name, attack, door)
        for surface in SURFACES
        for door in doors_of(surface)
        for attack in attacks_of(surface, door)
        if (surface.name, attack, door) not in met
    ]
    assert missing == []


def test_every_reason_is_needed_and_told_by_the_coverage(matrix: Matrix) -> None:
    assert all(any(reason.explains(cell) for cell in matrix.excused) for reason in REASONS)
    guard = Guard(Policy.model_validate({"version": 1, "capabilities": {"tools": dict(RULES)}}))
    surfaces = {surface.name: surface for surface in SURFACES}
    for reason in REASONS:
        obj = protect(surfaces[reason.surface].build(Parts(None)), guard)
        told = [row.reason for row in guard.coverage(obj).rows if row.reason]
        assert any("run it in a sandbox" in one for one in told)
        assert "run it in a sandbox" in reason.why


def test_the_page_says_what_the_run_found(matrix: Matrix) -> None:
    assert PAGE.read_text("utf-8") == page(matrix)


def test_a_cell_that_does_not_hold_is_told() -> None:
    bad = Cell("denied tool", "FunctionAgent", "async", "protect", holds=False)
    shown = page(Matrix((bad,), REASONS))
    assert "1 do not hold" in shown
    assert "✗" in shown
    assert Matrix((bad,), REASONS).broken == (bad,)


@pytest.mark.filterwarnings("ignore")  # as above
def test_without_a_door_nothing_holds_that_needs_one() -> None:
    """The matrix can tell."""
    surface = next(one for one in SURFACES if one.name == "FunctionAgent")
    cells = [cell for cell in Stand(surface, "none").cells() if cell.mode == "async"]
    held = {cell.attack for cell in cells if cell.holds}
    assert all(attack.startswith(("restore", "reservations")) for attack in held)
    assert len(cells) - len(held) > 10
