"""`hauberk screen`: which prompt injections are in files.

Rules:
* Findings say the rule and the place, and no text, unless `--show` asks for it.
* A file that cannot be read is said, and the others are screened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hauberk.injection import FileScreen, Found

EXIT_FOUND = 1
"""Something was found."""
EXIT_UNREADABLE = 2
"""A file could not be read."""
_SHOWN = 200
"""Rows of the table."""


class Origin(StrEnum):
    """Whose texts a file holds."""

    USER = "user"
    TOOL = "tool"
    DOCUMENT = "document"


class Least(StrEnum):
    """Severities, for the command line."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(slots=True)
class _Tally:
    """What was found so far. Bounded: rows beyond the table's are only counted."""

    rows: list[Found] = field(default_factory=list["Found"])
    rules: Counter[str] = field(default_factory=Counter[str])
    problems: list[str] = field(default_factory=list[str])

    def add(self, one: Found) -> None:
        self.rules[one.rule] += 1
        if len(self.rows) < _SHOWN:
            self.rows.append(one)


def screen(  # noqa: PLR0913 - the options of a command
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Text, Markdown, HTML, CSV, JSON, JSONL, PDF or docx.", metavar="FILE..."
        ),
    ],
    *,
    origin: Annotated[
        Origin, typer.Option(help="Who wrote it: an order is normal from a user.")
    ] = Origin.DOCUMENT,
    policy: Annotated[
        Path | None, typer.Option(help="Screen as this policy's `injection` section says.")
    ] = None,
    at: Annotated[Least, typer.Option(help="Least severity that is told.")] = Least.MEDIUM,
    show: Annotated[
        bool, typer.Option("--show", help="Show what was found, decoded, with the words around it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As lines of JSON.")] = False,
) -> None:
    """Say which prompt injections are in files, and where.

    Exit code 0: nothing found. 1: something found. 2: a file could not be read, or the policy.
    """
    tally = _screened(files, _screen(policy, origin, show=show), at, as_json=as_json)
    if not as_json:
        _say(tally, files, show=show)
    if tally.problems:
        from hauberk.cli._output import complain  # noqa: PLC0415 - keeps --help fast

        for problem in tally.problems:
            complain(problem)
        raise typer.Exit(EXIT_UNREADABLE)
    if tally.rules:
        raise typer.Exit(EXIT_FOUND)


def _screen(policy: Path | None, origin: Origin, *, show: bool) -> FileScreen:
    from hauberk.injection import FileScreen  # noqa: PLC0415 - a room
    from hauberk.policy import InjectionPolicy, load_policy  # noqa: PLC0415 - pydantic is slow

    wanted = InjectionPolicy() if policy is None else load_policy(policy).injection
    if wanted is False:
        raise typer.BadParameter("its `injection` section is off", param_hint="--policy")
    if getattr(wanted, origin.value).action == "off":
        raise typer.BadParameter(f"it does not screen `{origin.value}`", param_hint="--policy")
    return FileScreen(wanted, kind=origin.value, show=show)


def _screened(files: Sequence[Path], using: FileScreen, at: Least, *, as_json: bool) -> _Tally:
    from hauberk.cli._output import advance, file_progress, say_json  # noqa: PLC0415
    from hauberk.errors import HauberkError  # noqa: PLC0415 - keeps --help fast

    tally, order = _Tally(), list(Least)
    with file_progress(files) as bar:
        for file in files:
            try:
                for piece in using.pieces(file):
                    for one in piece.found:
                        if order.index(Least(one.severity)) < order.index(at):
                            continue
                        tally.add(one)
                        if as_json:
                            say_json({k: v for k, v in asdict(one).items() if v or k != "shown"})
                    advance(bar, piece.characters)
            except HauberkError as error:
                tally.problems.append(str(error))
    return tally


def _say(tally: _Tally, files: Sequence[Path], *, show: bool) -> None:
    from rich.table import Table  # noqa: PLC0415 - keeps --help fast
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from hauberk.cli._audit import clean  # noqa: PLC0415 - keeps --help fast
    from hauberk.cli._output import console, say  # noqa: PLC0415 - keeps --help fast

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("file", "where", "rule", "severity", "score", "found" if show else "why"):
        table.add_column(name, overflow="fold")
    for one in tally.rows:
        last = " ".join(one.shown.split()) if show else one.explanation
        cells = (one.file, one.where, one.rule, one.severity, f"{one.score:.2f}", last)
        table.add_row(*(Text(clean(cell)) for cell in cells))
    total = tally.rules.total()
    if total:
        console().print(table)
    if total > _SHOWN:
        say(f"... and {total - _SHOWN} more; --json lists all")
    counts = ", ".join(f"{rule} {count}" for rule, count in tally.rules.most_common(10))
    say(f"{total} findings in {len(files)} files" + (f": {counts}" if counts else ""))
