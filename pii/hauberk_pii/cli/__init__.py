"""`hauberk pii`: find personal data in files, make keys, and serve the rights of the people in a vault."""

from __future__ import annotations

import typer

from hauberk_pii.cli._keys import key
from hauberk_pii.cli._scan import scan
from hauberk_pii.cli._vaults import erase, export, purge, rotate

commands = typer.Typer(help="Personal data: scan files, keys, vaults.", no_args_is_help=True)
commands.command("scan")(scan)
commands.command("key")(key)
commands.command("export")(export)
commands.command("erase")(erase)
commands.command("rotate")(rotate)
commands.command("purge")(purge)

__all__ = ["commands"]
