"""Every door x surface x mode x attack, run; the page in the docs is what this run found.

To write the page anew: `python -m hauberk_langchain.matrix --write docs/langchain-matrix.md`.
"""

from pathlib import Path

import pytest

from hauberk.testing.matrix.contract import MatrixContract, Subject
from hauberk_langchain.matrix import DOORS, run
from hauberk_langchain.matrix._matrix import REASONS, ChainStand
from hauberk_langchain.matrix._modes import MODES
from hauberk_langchain.matrix._page import page
from hauberk_langchain.matrix._surfaces import SURFACES


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")  # LangChain's betas and deprecations: v3, classic agents
class TestLangChain(MatrixContract):
    subject = Subject(
        run=run,
        page=page,
        written=Path(__file__).parents[3] / "docs" / "langchain-matrix.md",
        surfaces=SURFACES,
        modes=MODES,
        doors=DOORS,
        reasons=REASONS,
        stand=ChainStand,
        agent=("create_agent", "invoke"),
        attacks=frozenset({"unknown tool"}),
    )
