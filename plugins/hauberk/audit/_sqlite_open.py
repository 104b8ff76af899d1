"""Opening the files of an SQLite trail, and the steps on them that are one transaction.

Rules:
* Opening makes the files when they are missing, and begins nothing anew where a trail was.
* Opening holds the lock of the log: nobody writes meanwhile.
* What is opened is this trail's: its table, its first row, and the row that its head names.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hauberk.audit._chain import Head, Keys, Sealed, authentic, genesis
from hauberk.audit._failures import EVIDENCE, is_busy, unusable
from hauberk.audit._files import HeadFile, head_path, read_head
from hauberk.audit._log import Found, Log, log_path
from hauberk.audit._sqlite_read import SCHEMA, SELECT, TABLE, as_row, file_size
from hauberk.errors import StoreError, TamperedError

BUSY_TIMEOUT_S = 3.0
"""Longest wait for other writers. A write takes some microseconds, taking a log over some ms."""

INSERT = "INSERT INTO records (seq, body, prev, sums, hash) VALUES (?, ?, ?, ?, ?)"
_LAST = "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"


class Files(NamedTuple):
    """What is open."""

    db: sqlite3.Connection
    head: HeadFile
    log: Log | None

    def close(self) -> None:
        """Let go of everything."""
        with suppress(sqlite3.Error):
            self.db.close()
        self.head.close()
        if self.log is not None:
            self.log.close()


def open_files(path: Path, keys: Keys, *, logs: bool) -> tuple[Files, Head]:
    """The files of the trail at `path`, made when they are missing, and its newest row.

    Raises:
        TamperedError: They were changed.
        StoreError: They cannot be opened.
        sqlite3.Error: The same, as SQLite says it.
    """
    log = _held_log(path) if logs else None
    try:
        db = _connected(path, keys)
        try:
            found = _prepared(db, path, keys, log)
        except BaseException:
            db.close()
            raise
    except BaseException:
        if log is not None:
            log.discard()
        raise
    if log is not None:
        log.unlock()
    return found


def newest(path: Path, db: sqlite3.Connection, rows: list[Sealed], *, at_least: int) -> Head:
    """The newest of the database's rows and of these of the log.

    Raises:
        TamperedError: It is older than `at_least`, which was seen before.
    """
    found: tuple[int, bytes] | None = db.execute(_LAST).fetchone()
    last = Head(-1, b"") if found is None else Head(*found)
    if rows and rows[-1].seq > last.seq:
        last = Head(rows[-1].seq, rows[-1].hash)
    if last.seq < max(at_least, 0):
        raise _cut(path, last.seq, at_least)
    return last


def cut_torn(path: Path, keys: Keys, log: Log, last: Head) -> None:
    """A writer died half-way: what it had not acknowledged goes, and nothing else.

    Raises:
        TamperedError: The head names a row that is not there.
    """
    if log.found() is Found.LONGER:
        known = read_head(path, keys)
        if known is not None and known.seq > last.seq:
            raise _cut(path, last.seq, known.seq)
        log.cut()


def take(db: sqlite3.Connection, log: Log) -> None:
    """Put the rows of a locked log into the database, then remove the log.

    Raises:
        TamperedError: The rows do not follow those of the database.
        StoreError: The log cannot be removed.
        sqlite3.Error: The database cannot take them.
    """
    rows = log.rows()
    db.execute("BEGIN IMMEDIATE")
    try:
        last: int = db.execute(_LAST).fetchone()[0]
        # Others it has already: somebody died before the log was removed.
        new = [row.row() for row in rows if row.seq > last]
        _check_numbers(log, [row.seq for row in new], last + 1)
        db.executemany(INSERT, new)
        db.execute("COMMIT")
    except BaseException:
        roll_back(db)
        raise
    log.remove()


def begun(db: sqlite3.Connection) -> bool:
    """Begin to write; False when somebody else does.

    Raises:
        sqlite3.Error: Anything else.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        return False
    return True


def roll_back(db: sqlite3.Connection) -> None:
    """Leave a transaction, if there is one."""
    with suppress(sqlite3.Error):
        db.execute("ROLLBACK")


def not_following(log: Log) -> TamperedError:
    """The error for a log whose rows do not follow those before them."""
    return TamperedError("its rows do not follow the trail's", store=log.file, remedy=EVIDENCE)


def _check_numbers(log: Log, found: list[int], first: int) -> None:
    if found != list(range(first, first + len(found))):
        raise not_following(log)


def _held_log(path: Path) -> Log:
    """The log of a trail, locked."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        log = Log(path)
        found = log.lock(deadline)
        if found is not None and found is not Found.GONE:
            return log
        log.close()
        if found is None:
            raise StoreError(
                "locked by another program",
                store=path,
                remedy="End the program that holds it, or wait; then go on.",
            )


def _connected(path: Path, keys: Keys) -> sqlite3.Connection:
    if not file_size(path):
        _refuse_to_begin_anew(path, keys)
    try:
        # Made here and not by SQLite, so that only the owner can read it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise unusable(path, "opened for writing", error) from None
    db = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def _prepared(
    db: sqlite3.Connection, path: Path, keys: Keys, log: Log | None
) -> tuple[Files, Head]:
    """Make the table, or check that it is this trail's."""
    rows = [] if log is None else log.more()
    db.execute("BEGIN IMMEDIATE")
    try:
        if not db.execute(SCHEMA).fetchall():
            head = _made(db, path, keys)
        else:
            _check(db, path, keys, rows)
            head = HeadFile(path, keys)
            db.execute("COMMIT")
    except BaseException:
        roll_back(db)
        raise
    try:
        last = newest(path, db, rows, at_least=0)
        if log is not None:
            cut_torn(path, keys, log, last)
        db.execute("PRAGMA busy_timeout=0")  # waiting is done by the store
    except BaseException:
        head.close()
        raise
    return Files(db, head, log), last


def _refuse_to_begin_anew(path: Path, keys: Keys) -> None:
    """Before SQLite makes a file: it would throw away the log of the one that is gone."""
    known = read_head(path, keys)
    logs = file_size(path.with_name(path.name + "-wal")) + file_size(log_path(path))
    if file_size(path):
        return  # another process made it just now, and head and log are its own
    if known is not None and known.seq > 0:
        raise _cut(path, -1, known.seq)
    if logs:
        raise StoreError(
            "the log of another trail is beside it", store=path, remedy="Move it away."
        )


def _made(db: sqlite3.Connection, path: Path, keys: Keys) -> HeadFile:
    head = HeadFile(path, keys)
    try:
        db.execute(TABLE)
        row = genesis(keys)
        db.execute(INSERT, row.row())
        # Before the commit: whoever sees the table finds its head. A head of row 0 without a table
        # is a trail that was never opened.
        head.write(Head(row.seq, row.hash))
        db.execute("COMMIT")
    except BaseException:
        head.close()
        raise
    return head


def _check(db: sqlite3.Connection, path: Path, keys: Keys, rows: list[Sealed]) -> None:
    known = read_head(path, keys)
    if db.execute(SCHEMA).fetchall() != [("table", "records", TABLE)]:
        raise TamperedError("the database is not as it was made", store=path, remedy=EVIDENCE)
    first = db.execute(f"{SELECT} WHERE seq = 0").fetchone()
    if first is None or not authentic(keys, as_row(first)):
        raise TamperedError(
            "the key file belongs to another trail, or the first record was changed",
            store=path,
            remedy="Put the key file of this trail back.",
        )
    if known is None:
        raise TamperedError("the head file is missing", store=head_path(path), remedy=EVIDENCE)
    newest(path, db, rows, at_least=known.seq)
    named = db.execute("SELECT hash FROM records WHERE seq = ?", (known.seq,)).fetchone()
    logged = {row.seq: row.hash for row in rows}
    if known.hash != (logged.get(known.seq) if named is None else named[0]):
        raise TamperedError(
            f"record {known.seq} is not the one that was written", store=path, remedy=EVIDENCE
        )


def _cut(path: Path, last: int, newest: int) -> TamperedError:
    return TamperedError(
        f"records {last + 1} to {newest} were removed", store=path, remedy=EVIDENCE
    )
