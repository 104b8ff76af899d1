"""Verifying: is a trail whole, and if not, which records were touched.

Rules:
* Verifying changes nothing.
* The head is read before the rows, so that a trail may be verified while it is written to.
* Whatever is wrong with the trail's files is in the report. Only what cannot be looked at at all
  (no such file, not permitted, locked) is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from hauberk.audit._chain import Head, Keys, Row, authentic
from hauberk.audit._check import Checker, Problem, ProblemKind
from hauberk.audit._files import key_path, read_head, read_keys
from hauberk.audit._sqlite import SqliteStore
from hauberk.audit._sqlite_read import foreign_objects, read_rows
from hauberk.audit._store import AuditStore
from hauberk.errors import TamperedError

PROGRESS_EVERY = 1_000
"""Rows between two reports of progress."""

_SAMPLE = 100
"""Rows that are tried before a key is said to belong to another trail."""

Progress = Callable[[int], None]
"""Called with the number of rows read so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What verifying found."""

    trail: str
    records: int
    """Records that were read."""
    head: str | None = None
    """Hash of the newest record: keep it elsewhere as an anchor."""
    anchored: int | None = None
    """Number of the record that has the expected hash."""
    problems: tuple[Problem, ...] = ()
    more: bool = False
    """There are more problems than are listed."""

    @property
    def intact(self) -> bool:
        """True when nothing was found."""
        return not self.problems

    def as_json(self) -> dict[str, object]:
        """Plain values for `json.dumps`."""
        return {"intact": self.intact, **asdict(self)}


def verify_trail(
    path: str | Path, *, expect_head: str | None = None, progress: Progress | None = None
) -> VerifyReport:
    """Prove that the trail at `path` is whole.

    Args:
        path: The SQLite file; its key and head files lie beside it.
        expect_head: A hash that was kept elsewhere: one of the records must have it.
        progress: Told how many rows were read, every `PROGRESS_EVERY` rows.

    Raises:
        StoreError: The trail cannot be looked at.
    """
    file = Path(path)
    try:
        foreign = foreign_objects(file)
        keys = read_keys(file)
        if keys is None:
            problem = _key_problem(f"the key file {key_path(file).name} is missing")
            return VerifyReport(trail=str(file), records=0, problems=(problem,))
        head, problems = _head(file, keys)
    except TamperedError as error:
        problem = Problem(kind=ProblemKind.DAMAGED, text=str(error))
        return VerifyReport(trail=str(file), records=0, problems=(problem,))
    if head is None and not any(authentic(keys, row) for row in _sample(file)):
        problem = _key_problem("the key file belongs to another trail")
        return VerifyReport(trail=str(file), records=0, problems=(problem,))
    problems += [
        Problem(kind=ProblemKind.SCHEMA, text=f"hauberk did not make {name}") for name in foreign
    ]
    checker = Checker(keys, head, anchor=expect_head)
    problems += _read(checker, read_rows(file), progress)
    return _report(str(file), checker, problems)


def verify_store(store: AuditStore, *, expect_head: str | None = None) -> VerifyReport:
    """Prove that the rows of a store are whole.

    Raises:
        StoreError: They cannot be read.
    """
    if isinstance(store, SqliteStore):
        return verify_trail(store.path, expect_head=expect_head)
    checker = Checker(store.keys, store.head(), anchor=expect_head)
    rows = list(store.rows())
    checker.begin_at(rows[0].seq if rows else 0)
    return _report(type(store).__name__, checker, _read(checker, rows, None))


def _head(file: Path, keys: Keys) -> tuple[Head | None, list[Problem]]:
    try:
        head = read_head(file, keys)
    except TamperedError:
        return None, [Problem(kind=ProblemKind.HEAD, text="the head file was changed")]
    if head is not None:
        return head, []
    text = "the head file is missing: a cut tail would not be seen"
    return None, [Problem(kind=ProblemKind.HEAD, text=text)]


def _sample(file: Path) -> list[Row]:
    try:
        return list(islice(read_rows(file), _SAMPLE))
    except TamperedError:
        return []


def _read(checker: Checker, rows: Iterable[Row], progress: Progress | None) -> list[Problem]:
    try:
        for row in rows:
            checker.take(row)
            if progress is not None and checker.rows % PROGRESS_EVERY == 0:
                progress(checker.rows)
    except TamperedError as error:
        last = -1 if checker.last is None else checker.last.seq
        text = f"{error.problem}: unreadable after record {last}"
        return [Problem(kind=ProblemKind.DAMAGED, text=text, first=last + 1)]
    return []


def _report(trail: str, checker: Checker, problems: list[Problem]) -> VerifyReport:
    found = (*problems, *checker.problems())
    return VerifyReport(
        trail=trail,
        # Row 0 opens the trail: it is no record.
        records=max(checker.rows - 1, 0),
        head=None if checker.last is None else checker.last.hash.hex(),
        anchored=checker.anchored,
        problems=found,
        more=checker.more,
    )


def _key_problem(text: str) -> Problem:
    return Problem(
        kind=ProblemKind.KEY, text=f"{text}: nothing can be proved without the right one"
    )
