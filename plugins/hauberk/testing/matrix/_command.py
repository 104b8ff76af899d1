"""The command of a matrix: `python -m hauberk_langchain.matrix`, `python -m hauberk_llama_index.matrix`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hauberk.testing.matrix._cells import Matrix


class Run(Protocol):
    """Runs a whole matrix."""

    def __call__(self, *, progress: Callable[[str], None]) -> Matrix:
        """Tells the name of each surface before it runs."""
        ...


def command(module: str, run: Run, page: Callable[[Matrix], str]) -> int:
    """Run a matrix here, print it, or write it to a file.

    Args:
        module: Where the matrix is, as for `python -m`.
        run: Runs it.
        page: Shows it.

    Returns:
        The exit status: 1 when a cell does not hold and has no reason.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=run.__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file")
    given = parser.parse_args()
    logging.getLogger("hauberk").setLevel(logging.CRITICAL)  # refusals are what is looked for
    matrix = run(progress=lambda name: print(name, file=sys.stderr))  # noqa: T201 - a command
    text = page(matrix)
    if given.write is None:
        print(text)  # noqa: T201 - a command
    else:
        given.write.write_text(text, "utf-8")
    for cell in matrix.broken:
        print(f"does not hold: {cell}", file=sys.stderr)  # noqa: T201 - a command
    return 1 if matrix.broken else 0
