"""Every door x surface x mode x attack, run; the page in the docs is what this run found.

To write the page anew: `python -m hauberk_llama_index.matrix --write docs/llama-index-matrix.md`.
"""

from pathlib import Path

import pytest

from hauberk import Guard, Policy
from hauberk.testing.matrix.contract import MatrixContract, Subject
from hauberk_llama_index import protect
from hauberk_llama_index.matrix import DOORS, run
from hauberk_llama_index.matrix._matrix import REASONS, LlamaStand
from hauberk_llama_index.matrix._modes import MODES
from hauberk_llama_index.matrix._page import page
from hauberk_llama_index.matrix._world import RULES
from hauberk_llama_index.matrix.surfaces import APPROVAL, MISFIT, PARTIAL, SURFACES, Parts


@pytest.mark.filterwarnings("ignore")  # LlamaIndex's own, of pydantic's deprecated attributes
class TestLlamaIndex(MatrixContract):
    subject = Subject(
        run=run,
        page=page,
        written=Path(__file__).parents[3] / "docs" / "llama-index-matrix.md",
        surfaces=SURFACES,
        modes=MODES,
        doors=DOORS,
        reasons=REASONS,
        stand=LlamaStand,
        agent=("FunctionAgent", "async"),
        attacks=frozenset({"injection in node metadata", PARTIAL, MISFIT, APPROVAL}),
    )

    def test_every_reason_is_told_by_the_coverage(self) -> None:
        guard = Guard(Policy.model_validate({"version": 1, "capabilities": {"tools": dict(RULES)}}))
        surfaces = {surface.name: surface for surface in SURFACES}
        for reason in REASONS:
            obj = protect(surfaces[reason.surface].build(Parts(None)), guard)
            told = [row.reason for row in guard.coverage(obj).rows if row.reason]
            assert any("run it in a sandbox" in one for one in told)
            assert "run it in a sandbox" in reason.why
