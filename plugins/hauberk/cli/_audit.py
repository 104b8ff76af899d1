"""`hauberk audit`: prove that a trail is whole, and read it."""

from __future__ import annotations

import typer

audit = typer.Typer(help="The audit trail: verify it, read it.", no_args_is_help=True)
