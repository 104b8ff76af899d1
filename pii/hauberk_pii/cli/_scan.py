"""`hauberk pii scan`: which personal data is in files, and copies without it.

Rules:
* Findings say the type and the place, never the value.
* A copy never takes the place of a file that was read.
* Text is searched, and hidden, while it is read: memory grows with neither the file nor its findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

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
    """Offset in characters: into the file where it is text, else into the value at `where`."""
    end: int


@dataclass(slots=True)
class Tally:
    """What is said of all findings in the end."""

    shown: list[Found] = field(default_factory=list)
    """The first ones."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many of each type."""

    def add(self, one: Found) -> None:
        """Count a finding."""
        self.counts[one.type] += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(one)


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
    if check and found.counts:
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
        strict=wanted.strict,
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
) -> Tally:
    from hauberk.cli._output import file_progress, say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.files import is_text  # noqa: PLC0415 - keeps --help fast

    tally = Tally()
    with file_progress(files) as bar:
        for file in files:
            search = _in_text if is_text(file) else _in_values
            for one in search(file, finder, copies.get(file), bar):
                tally.add(one)
                if as_json:
                    say_json(asdict(one))
    return tally


def _in_text(
    file: Path, finder: Finder, copy: Path | None, bar: Progress | None
) -> Iterator[Found]:
    """Findings in running text; a copy is written while it is read."""
    from hauberk.cli._output import advance  # noqa: PLC0415 - keeps --help fast
    from hauberk.files import TextFile  # noqa: PLC0415 - keeps --help fast
    from hauberk_pii._fields import redacted  # noqa: PLC0415 - keeps --help fast

    line = 1
    with (
        TextFile(file) as source,
        nullcontext() if copy is None else copy.open("w", encoding="utf-8", newline="") as target,
    ):
        for part in finder.parts(source):
            at = 0
            for span in part.spans:
                line += part.text.count("\n", at, span.start)
                at = span.start
                start, end = part.start + span.start, part.start + span.end
                yield Found(str(file), f"line {line}", span.type, span.score, start, end)
            line += part.text.count("\n", at)
            if target is not None:
                target.write(redacted(part.text, list(part.spans)))
            advance(bar, len(part.text))


def _in_values(
    file: Path, finder: Finder, copy: Path | None, bar: Progress | None
) -> Iterator[Found]:
    """Findings in the values of a file."""
    from hauberk.cli._output import advance  # noqa: PLC0415 - keeps --help fast
    from hauberk.files import units  # noqa: PLC0415 - keeps --help fast
    from hauberk_pii._fields import find_value, redacted  # noqa: PLC0415 - keeps --help fast
    from hauberk_pii.cli._masked import write_masked  # noqa: PLC0415 - keeps --help fast

    for unit in units(file):
        for span in find_value(finder, unit.text, unit.name):
            yield Found(str(file), unit.where, span.type, span.score, span.start, span.end)
        advance(bar, len(unit.text))
    if copy is not None:
        write_masked(file, copy, lambda text, name: redacted(text, find_value(finder, text, name)))


def _say(found: Tally, files: Sequence[Path]) -> None:
    from rich.table import Table  # noqa: PLC0415 - keeps --help fast
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    from hauberk.cli._audit import clean  # noqa: PLC0415 - keeps --help fast
    from hauberk.cli._output import console, say  # noqa: PLC0415 - keeps --help fast

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("file", "where", "type", "score"):
        table.add_column(name, overflow="fold")
    for one in found.shown:
        cells = (one.file, one.where, one.type, f"{one.score:.2f}")
        table.add_row(*(Text(clean(cell)) for cell in cells))
    total = found.counts.total()
    if total:
        console().print(table)
    if total > _SHOWN:
        say(f"... and {total - _SHOWN} more; --json lists all")
    counts = ", ".join(f"{kind} {n}" for kind, n in found.counts.most_common())
    say(f"{total} findings in {len(files)} files" + (f": {counts}" if counts else ""))
