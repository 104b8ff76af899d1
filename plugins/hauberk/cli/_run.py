"""`hauberk run`: a program with a guard around it, its code untouched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    program: Annotated[list[str], typer.Argument(help="The program, and its own arguments.")],
    *,
    policy: Annotated[Path, typer.Option(help="The policy file (YAML).")],
    module: Annotated[
        bool, typer.Option("--module", "-m", help="PROGRAM is a module's name, as in python -m.")
    ] = False,
) -> None:
    """Run a program with a guard around LangChain and LlamaIndex, without a change to its code.

    Example: hauberk run --policy policy.yaml app.py --port 8000
    """
    from hauberk import Guard, launcher  # noqa: PLC0415 - keeps --help fast

    name, *arguments = program
    if not module and not Path(name).is_file():
        raise typer.BadParameter(f"{name!r} is no file; use -m for a module", param_hint="PROGRAM")
    launcher.run(name, arguments, Guard.from_policy(policy), as_module=module)
