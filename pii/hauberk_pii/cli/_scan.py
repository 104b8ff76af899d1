"""`hauberk pii scan`: which personal data is in files, and copies without it.

Rules:
* Findings say the type and the place, never the value.
* A copy never takes the place of a file that was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hauberk_pii import Finder

EXIT_FOUND = 1
"""Something was found, and nothing should have been."""
_SHOWN = 200
"""Rows of the table."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding in a file."""

    file: str
    where: str
    type: str
    score: float
    start: int
    """Offset into the text at `where`, in characters."""
    end: int


def scan(
    files: Annotated[
        list[Path], typer.Argument(help="Text, CSV, JSON, JSONL, PDF or docx.", metavar="FILE...")
    ],
    *,
    policy: Annotated[
        Path | None, typer.Option(help="Find what this policy's `pii` section names.")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Write copies without personal data: a file, or a folder for several."),
    ] = None,
    check: Annotated[bool, typer.Option(help="Exit with 1 when anything is found.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As lines of JSON.")] = False,
) -> None:
    """Say which personal data is in files, and where. Values are not shown."""
    copies = _copies(files, mask)
    found = _scanned(files, _finder(policy), copies, as_json=as_json)
    if not as_json:
        _say(found, files)
    if check and found:
        raise typer.Exit(EXIT_FOUND)


def _finder(policy: Path | None) -> Finder:
    from hauberk.policy import PiiPolicy, load_policy  # noqa: PLC0415 - pydantic is slow to load
    from hauberk_pii import finder_for  # noqa: PLC0415 - keeps --help fast

    wanted = PiiPolicy() if policy is None else load_policy(policy).pii
    if wanted is False:
        raise typer.BadParameter("its `pii` section is off", param_hint="--policy")
    return finder_for(
        entities=wanted.entities,
        language=wanted.language,
        threshold=wanted.threshold,
        names=wanted.names,
    )


def _copies(files: Sequence[Path], mask: Path | None) -> dict[Path, Path]:
    """Where the copy of each file goes."""
    if mask is None:
        return {}
    folder = mask.is_dir() or len(files) > 1
    if folder:
        mask.mkdir(parents=True, exist_ok=True)
    copies = {file: _named(mask / file.name, file) if folder else mask for file in files}
    read = {file.resolve() for file in files}
    if len(set(copies.values())) < len(set(files)):
        raise typer.BadParameter("two files would have one copy", param_hint="--mask")
    if any(copy.resolve() in read for copy in copies.values()):
        raise typer.BadParameter("a copy would replace a file that is read", param_hint="--mask")
    return copies


def _named(copy: Path, file: Path) -> Path:
    # Of these only the words are written.
    words = file.suffix.lower() in (".pdf", ".docx")
    return copy.with_suffix(copy.suffix + ".txt") if words else copy


def _scanned(
    files: Sequence[Path], finder: Finder, copies: dict[Path, Path], *, as_json: bool
) -> list[Found]:
    from hauberk.cli._output import say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk_pii._fields import find_value, redacted  # noqa: PLC0415 - keeps --help fast
    from hauberk_pii.cli._masked import write_masked  # noqa: PLC0415 - keeps --help fast

    found: list[Found] = []
    with _progress(files) as bar:
        for file in files:
            for one in _findings(file, finder, bar):
                found.append(one)
                if as_json:
                    say_json(asdict(one))
            if file in copies:
                write_masked(
                    file,
                    copies[file],
                    lambda text, name: redacted(text, find_value(finder, text, name)),
                )
    return found


def _findings(file: Path, finder: Finder, bar: Any) -> Iterator[Found]:
    from hauberk_pii._fields import find_value  # noqa: PLC0415 - keeps --help fast
    from hauberk_pii.cli._files import units  # noqa: PLC0415 - keeps --help fast

    for unit in units(file):
        for span in find_value(finder, unit.text, unit.name):
            where = unit.place(span.start)
            yield Found(str(file), where, span.type, span.score, span.start, span.end)
        if bar is not None:
            bar.advance(bar.task_ids[0], len(unit.text))


def _progress(files: Sequence[Path]) -> AbstractContextManager[Any]:
    from rich.progress import Progress  # noqa: PLC0415 - keeps --help fast

    from hauberk.cli._output import console  # noqa: PLC0415 - keeps --help fast

    on = console(stderr=True)
    if not on.is_terminal:
        return nullcontext()
    bar = Progress(console=on, transient=True)
    # Bytes and characters differ: it is a guess, and says so by ending early.
    bar.add_task("scanning", total=sum(f.stat().st_size for f in files if f.is_file()))
    return bar


def _say(found: Sequence[Found], files: Sequence[Path]) -> None:
    from rich.table import Table  # noqa: PLC0415 - keeps --help fast
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from hauberk.cli._audit import clean  # noqa: PLC0415 - keeps --help fast
    from hauberk.cli._output import console, say  # noqa: PLC0415 - keeps --help fast

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("file", "where", "type", "score"):
        table.add_column(name, overflow="fold")
    for one in found[:_SHOWN]:
        cells = (one.file, one.where, one.type, f"{one.score:.2f}")
        table.add_row(*(Text(clean(cell)) for cell in cells))
    if found:
        console().print(table)
    if len(found) > _SHOWN:
        say(f"... and {len(found) - _SHOWN} more; --json lists all")
    counts = ", ".join(f"{kind} {n}" for kind, n in Counter(f.type for f in found).most_common())
    say(f"{len(found)} findings in {len(files)} files" + (f": {counts}" if counts else ""))
