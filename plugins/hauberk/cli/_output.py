"""Where output goes: people's on a console that fits itself to the terminal, data as plain JSON."""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text


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
