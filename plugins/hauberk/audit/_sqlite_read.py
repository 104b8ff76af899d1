"""Reading the rows of an SQLite trail: needs no key, and changes nothing.

Rules:
* A reader has a connection of its own and sees the trail as it is at one moment; writers go on.
* Rows of the log that the database does not have yet follow its own.
* A trail on a medium that cannot be written to is read all the same.
* Whatever SQLite says comes out as a `StoreError` with a remedy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from hauberk.audit._chain import Row
from hauberk.audit._failures import translated
from hauberk.audit._log import read_log
from hauberk.errors import StoreError, TamperedError

READ_TIMEOUT_S = 3.0
"""Longest wait for a writer that has the file for itself, which is rare with a write-ahead log."""

TABLE = (
    "CREATE TABLE records (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, prev BLOB NOT NULL, "
    "sums BLOB NOT NULL, hash BLOB NOT NULL)"
)
SELECT = "SELECT seq, body, prev, sums, hash FROM records"
SCHEMA = "SELECT type, name, sql FROM sqlite_master"


def read_rows(
    path: Path, *, newest_first: bool = False, lines: Sequence[bytes] = ()
) -> Iterator[Row]:
    """The rows of the trail at `path` in order of their number; needs no key and changes nothing.

    Args:
        path: The SQLite file.
        newest_first: From the end.
        lines: Only rows whose body has all of these.

    Raises:
        TamperedError: The file is no trail, or is damaged.
        StoreError: It cannot be read.
    """
    try:
        # The log first: what the database takes over in between is then in both.
        logged = [row.row() for row in read_log(path)]
        with closing(_open_to_read(path)) as db:
            db.execute("BEGIN")  # all that follows sees one moment
            last: int = db.execute("SELECT coalesce(max(seq), -1) FROM records").fetchone()[0]
            newer = (
                row for row in logged if row.seq > last and all(line in row.body for line in lines)
            )
            if newest_first:
                yield from reversed(list(newer))
            yield from _kept(db, newest_first, lines)
            if not newest_first:
                yield from newer
    except sqlite3.Error as error:
        raise translated(error, path) from None


def _kept(db: sqlite3.Connection, newest_first: bool, lines: Sequence[bytes]) -> Iterator[Row]:  # noqa: FBT001 - ours alone
    """The rows that the database has."""
    where = " AND ".join(["instr(body, ?)"] * len(lines)) or "1"
    order = "DESC" if newest_first else "ASC"
    for values in db.execute(f"{SELECT} WHERE {where} ORDER BY seq {order}", tuple(lines)):
        yield as_row(values)


def foreign_objects(path: Path) -> list[str]:
    """Names of tables, views, triggers and indexes that hauberk did not make as they are.

    Raises:
        TamperedError: The file is no database, or is damaged.
        StoreError: It cannot be read.
    """
    try:
        with closing(_open_to_read(path)) as db:
            found: list[tuple[str, str, str]] = db.execute(SCHEMA).fetchall()
    except sqlite3.Error as error:
        raise translated(error, path) from None
    if not any(name == "records" for _, name, _ in found):
        raise TamperedError("holds no trail", store=path, remedy="Check the path.")
    return [f"{kind} {name}" for kind, name, sql in found if (name, sql) != ("records", TABLE)]


def _open_to_read(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise StoreError("there is no such file", store=path, remedy="Check the path.")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=READ_TIMEOUT_S)
    try:
        db.execute(SCHEMA).fetchall()
    except sqlite3.OperationalError:
        db.close()
        if file_size(path.with_name(path.name + "-wal")):
            raise
        # A folder that cannot be written to: without a log there is nothing to share it for.
        db = sqlite3.connect(f"{uri}&immutable=1", uri=True, timeout=READ_TIMEOUT_S)
    except BaseException:
        db.close()
        raise
    db.execute("PRAGMA trusted_schema=OFF")
    return db


def as_row(values: Sequence[object]) -> Row:
    """The row in one line of the table."""
    seq, body, prev, sums, digest = values
    return Row(int(str(seq)), _bytes(body), _bytes(prev), _bytes(sums), _bytes(digest))


def _bytes(value: object) -> bytes:
    # SQLite stores any type in any column. What was not written as bytes was not written by us.
    return value if isinstance(value, bytes) else b"\0not bytes"


def file_size(path: Path) -> int:
    """Bytes in a file; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
