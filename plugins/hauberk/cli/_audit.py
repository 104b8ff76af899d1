"""`hauberk audit`: prove that a trail is whole, and read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from hauberk.audit import Record, VerifyReport

EXIT_TAMPERED = 1
"""The trail is not as it was written."""

_SHOWN = 50
"""Records that `show` gives when it is not told how many."""

_COLOURS = {"allow": "green", "rewrite": "blue", "deny": "red", "ask": "yellow"}

audit = typer.Typer(help="The audit trail: verify it, read it.", no_args_is_help=True)

Trail = Annotated[Path, typer.Argument(help="The trail: an SQLite file.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@audit.command("verify")
def verify(
    path: Trail,
    *,
    expect_head: Annotated[
        str | None,
        typer.Option(help="A hash that was kept elsewhere: a record must have it.", metavar="HASH"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a trail is as it was written; say which records are not.

    Exit code 0: it is. 1: it is not. 2: it cannot be looked at.
    """
    from hauberk.audit import verify_trail  # noqa: PLC0415 - keeps --help fast
    from hauberk.cli._output import console, say_json  # noqa: PLC0415 - keeps --help fast

    on = console(stderr=True)
    watching: AbstractContextManager[Any] = nullcontext()
    if on.is_terminal and not as_json:
        watching = on.status("verifying ...")
    with watching as status:

        def progress(rows: int) -> None:
            if status is not None:
                status.update(f"verifying ... {rows:,} records")

        report = verify_trail(path, expect_head=_hash(expect_head), progress=progress)
    if as_json:
        say_json(report.as_json())
    else:
        _say_report(report)
    if not report.intact:
        raise typer.Exit(EXIT_TAMPERED)


@audit.command("show")
def show(  # noqa: PLR0913 - the options of a command
    path: Trail,
    *,
    session: Annotated[str | None, typer.Option(help="Only this session.")] = None,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Not older than this (local time).")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=1, help=f"So many, the newest. By default {_SHOWN}; with --json all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As lines of JSON.")] = False,
) -> None:
    """Read a trail. Reading proves nothing: `hauberk audit verify` does."""
    from hauberk.audit import Selection, read_records  # noqa: PLC0415 - keeps --help fast
    from hauberk.cli._output import console, say, say_json  # noqa: PLC0415 - keeps --help fast

    if last is None and not as_json:
        last = _SHOWN
    wanted = Selection(
        session=session, stage=_stage(stage), verdict=_verdict(verdict), since=since, last=last
    )
    records = read_records(path, wanted)
    if as_json:
        for record in records:
            say_json(record.as_json())
        return
    table, count = _table(records)
    if count:
        console().print(table)
    say(f"{count} records")


def _say_report(report: VerifyReport) -> None:
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from hauberk.cli._output import console, say  # noqa: PLC0415 - keeps --help fast

    if report.intact:
        at = "" if report.anchored is None else f", the expected hash is record {report.anchored}"
        console().print(
            Text.assemble(("intact", "bold green"), f": {report.records} records{at}"),
            soft_wrap=True,
        )
        say(f"head {report.head}")
        return
    title = Text.assemble(
        ("TAMPERED", "bold red"), f": {report.trail}, {report.records} records read"
    )
    console().print(title, soft_wrap=True)
    for problem in report.problems:
        say(f"  {problem.kind.value}: {problem.text}")
    if report.more:
        say("  ... and more than can be listed")


def _table(records: Iterator[Record]) -> tuple[Table, int]:
    from rich.table import Table  # noqa: PLC0415 - keeps --help fast

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("#", "time", "session", "stage", "tool / model", "verdict", "reason", "findings"):
        table.add_column(name, overflow="fold")
    count = 0
    for record in records:
        count += 1
        table.add_row(*_cells(record))
    return table, count


def _cells(record: Record) -> list[Any]:
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    rules = dict.fromkeys(found.rule for found in record.findings)
    plain = (
        str(record.seq),
        record.time.partition(".")[0],
        record.session[:8],
        record.stage.value,
        record.tool or record.model or "",
    )
    # Text, not markup: names and reasons are data.
    verdict = Text(record.verdict.value, style=_COLOURS[record.verdict.value])
    rest = (record.reason, ", ".join(rules))
    return [*(Text(clean(one)) for one in plain), verdict, *(Text(clean(one)) for one in rest)]


def clean(text: str) -> str:
    """The text without control characters: a name must not move the cursor of a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _hash(value: str | None) -> str | None:
    if value is None:
        return None
    found = value.strip().lower()
    if len(found) != 64 or not set(found) <= set("0123456789abcdef"):  # noqa: PLR2004 - SHA-256
        raise typer.BadParameter("a hash has 64 hexadecimal digits", param_hint="--expect-head")
    return found


def _stage(value: str | None) -> str | None:
    from hauberk.events import Stage  # noqa: PLC0415 - keeps --help fast

    return _one_of(value, [stage.value for stage in Stage], "--stage")


def _verdict(value: str | None) -> str | None:
    return _one_of(value, list(_COLOURS), "--verdict")


def _one_of(value: str | None, known: list[str], option: str) -> str | None:
    if value is not None and value not in known:
        raise typer.BadParameter(f"must be one of {', '.join(known)}", param_hint=option)
    return value
