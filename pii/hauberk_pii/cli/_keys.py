"""`hauberk pii key`: a fresh key for a vault."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def key(
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Write it to a new file that only you can read.", metavar="FILE"),
    ] = None,
) -> None:
    """Make a key for `pii.vault.keys`: 32 random bytes in Base64."""
    from hauberk.keys import new_key  # noqa: PLC0415 - keeps --help fast

    if out is None:
        print(new_key())  # noqa: T201 - data, not prose
        return
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        # An older key still opens what it sealed: it is never written over.
        raise typer.BadParameter(
            f"cannot be made ({type(error).__name__})", param_hint="--out"
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(new_key() + "\n")
