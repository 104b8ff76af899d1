"""The matrix as a page: tables in Markdown, the same for the same cells."""

from __future__ import annotations

from hauberk.testing.matrix import Matrix
from hauberk.testing.matrix import page as shared
from hauberk_llama_index.matrix._matrix import DOORS

_HEAD = """\
# LlamaIndex: the matrix

Written by `python -m hauberk_llama_index.matrix --write docs/llama-index-matrix.md`; do not edit. The same
command without `--write` runs it on the version of LlamaIndex that you have installed.

Each cell is one attack, through one door, on one surface, in one mode: the application is built, run
and judged by what reached the provider, what the tools got, what the reader saw, what was recorded and
what was left open. A table shows how many of its cells hold. {total} cells, {held} hold, {excused} have
a reason ({share:.2f} %), {broken} do not hold.

Attacks that need a run of their own (budgets; on agents also orders of the user, orders in the
history, swallowed refusals and questions to a person) take turns over the modes. `postprocessor` sees
retrieved nodes and nothing else; `several`: all the doors that lead there, at once. Calls of tools that an
agent does not have are answered by LlamaIndex itself. Agents have no sync form.
"""


def page(matrix: Matrix) -> str:
    """The matrix as Markdown."""
    return shared(matrix, head=_HEAD, doors=DOORS)
