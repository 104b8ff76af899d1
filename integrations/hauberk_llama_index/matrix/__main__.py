"""`python -m hauberk_llama_index.matrix`: run the matrix here, print it, or write it to a file."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from hauberk_llama_index.matrix._matrix import run
from hauberk_llama_index.matrix._page import page


def main(arguments: list[str] | None = None) -> int:
    """Run, print or write; 1 when a cell does not hold and has no reason."""
    parser = argparse.ArgumentParser(
        prog="python -m hauberk_llama_index.matrix", description=__doc__
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file")
    given = parser.parse_args(arguments)
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


if __name__ == "__main__":
    sys.exit(main())
