"""Where output goes: people's on a console that fits itself to the terminal, data as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress


def console(*, stderr: bool = False) -> Console:
    """A console for people; obeys NO_COLOR, the width of the terminal, and pipes."""
    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def say(text: str) -> None:
    """One line for people on stdout, as it is: no markup, no wrapping."""
    console().print(Text(text), soft_wrap=True)


def say_json(value: object) -> None:
    """One JSON document on one line of stdout."""
    print(json.dumps(value, ensure_ascii=True, allow_nan=False))  # noqa: T201 - data, not prose


def complain(text: str) -> None:
    """One red line on stderr."""
    console(stderr=True).print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)


def file_progress(files: Iterable[Path]) -> AbstractContextManager[Progress | None]:
    """A bar on stderr for files that are read; None where nobody sees it.

    Bytes and characters differ: its total is a guess, and it says so by ending early.
    """
    from rich.progress import Progress  # noqa: PLC0415 - for some commands only

    on = console(stderr=True)
    if not on.is_terminal:
        return nullcontext()
    bar = Progress(console=on, transient=True)
    bar.add_task("reading", total=sum(file.stat().st_size for file in files if file.is_file()))
    return bar


def advance(bar: Progress | None, characters: int) -> None:
    """So many characters more are read."""
    if bar is not None:
        bar.advance(bar.task_ids[0], characters)
