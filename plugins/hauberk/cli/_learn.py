"""`hauberk policy learn`: a least-privilege policy from recorded runs that went well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HEAD = """\
# Learnt from {calls} calls of {tools} tools. A proposal: read each line before you use it.
# Not seen in calls, so guessed or left out: what a tool can do (`access`, by its name), who may use
# it (`when`, `roles`), what a person must approve (`approval`), where values must come from (`flow`).
"""


def learn(
    traces: Annotated[list[Path], typer.Argument(help="Recorded calls (JSON lines).")],
    *,
    dialect: Annotated[
        str | None, typer.Option(help="Of the database (postgres, mysql ...): SQL is learnt too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Propose a least-privilege policy from recorded benign runs.

    A trace is what `hauberk.capabilities.TraceRecorder` writes: one JSON object a line, with "tool"
    and "arguments". The proposal goes to stdout, and every recorded call passes it.
    """
    from hauberk.capabilities import learned, read_trace  # noqa: PLC0415 - keeps --help fast
    from hauberk.cli._output import say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.errors import StoreError  # noqa: PLC0415 - keeps --help fast

    calls = list(read_trace(traces))
    try:
        found = {"version": 1, "capabilities": learned(calls, dialect=dialect)}
    except ValueError as error:
        raise StoreError(str(error), store=traces[0]) from None
    if as_json:
        say_json(found)
        return
    import yaml  # noqa: PLC0415 - keeps --help fast

    tools = len({call.tool for call in calls})
    text = yaml.safe_dump(found, sort_keys=False, allow_unicode=False)
    print(_HEAD.format(calls=len(calls), tools=tools) + text, end="")  # noqa: T201 - data, not prose
