"""What SQLite and the file system say, in our words: what happened, and what to do (pure).

Rules:
* No message of SQLite's goes out: it may quote what was to be written.
* A file that can no longer be read as a database was changed: `TamperedError`.
"""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from hauberk.errors import StoreError, TamperedError

EVIDENCE = "Keep the files as evidence, find out who wrote to them, and start a new trail."

_PRIMARY = 0xFF
"""The lower byte of an extended result code: https://www.sqlite.org/rescode.html (2026-11)."""

_SAYINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "locked by another program",
        "End the program that holds it, or wait; then go on.",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space; then go on."),
    sqlite3.SQLITE_READONLY: (
        "it can only be read",
        "Give this user the right to write to the file and its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Check that the folder exists and that this user may write there.",
    ),
    sqlite3.SQLITE_IOERR: ("the disk failed", "Check the disk and its free space."),
    sqlite3.SQLITE_PERM: ("access is not permitted", "Give this user the right to write to it."),
    sqlite3.SQLITE_CORRUPT: ("the database is damaged", EVIDENCE),
    sqlite3.SQLITE_NOTADB: ("not a database, or damaged", EVIDENCE),
    sqlite3.SQLITE_CONSTRAINT: ("the database is not as it was made", EVIDENCE),
    sqlite3.SQLITE_ERROR: ("the database is not as it was made", EVIDENCE),
}
_SAYINGS[sqlite3.SQLITE_LOCKED] = _SAYINGS[sqlite3.SQLITE_BUSY]
_SAYINGS[sqlite3.SQLITE_PROTOCOL] = _SAYINGS[sqlite3.SQLITE_BUSY]

_CHANGED = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_ERROR,
)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def code(error: sqlite3.Error) -> int:
    """The primary result code of an error; `SQLITE_MISUSE` when it has none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & _PRIMARY


def is_busy(error: sqlite3.Error) -> bool:
    """True when somebody else is writing, and trying again may help."""
    return code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def is_full(error: sqlite3.Error) -> bool:
    """True when there is no room (a quota shows as a failing disk)."""
    return code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """The error to raise for one of SQLite's."""
    found = code(error)
    problem, remedy = _SAYINGS.get(found, (f"SQLite failed with code {found}", "Check the disk."))
    kind = TamperedError if found in _CHANGED else StoreError
    return kind(problem, store=path, remedy=remedy)


def unusable(file: Path, verb: str, error: OSError) -> StoreError:
    """The error to raise for one of the file system's."""
    if error.errno in _NO_ROOM:
        return StoreError("the disk is full", store=file, remedy="Free some space; then go on.")
    return StoreError(
        f"cannot be {verb} ({error.strerror or type(error).__name__})",
        store=file,
        remedy="Check that the folder exists, that this user may write there, and the free space.",
    )
