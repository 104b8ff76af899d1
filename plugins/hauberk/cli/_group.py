"""Commands of optional packages: found by name, loaded when they are asked for.

Rules:
* An entry point of the group `hauberk.commands` adds its `typer.Typer` under its name.
* What is built in goes before; a package that is half installed is left out of `--help`, and says
  what it lacks when its command is used.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import typer
from typer.core import TyperGroup

from hauberk.errors import MissingExtraError

GROUP = "hauberk.commands"
"""Entry point group: name of a command -> `typer.Typer`."""


class Commands(TyperGroup):
    """The built-in commands, and those of optional packages."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer's own copy of click's class
        """The names that `--help` lists."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(_found()) if name not in own and _loads(name))]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> object:  # type: ignore[override]  # the same
        """The command of a name, or None.

        Raises:
            MissingExtraError: Its package is there, and what it needs is not.
        """
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _found():
            return own
        command = typer.main.get_command(_found()[cmd_name].load())
        command.name = cmd_name
        return command


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _loads(name: str) -> bool:
    try:
        _found()[name].load()
    except MissingExtraError:
        return False
    return True
