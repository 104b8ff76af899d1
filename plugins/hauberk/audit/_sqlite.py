"""A trail in an SQLite file, shared by threads and processes.

Rules:
* Number, hash before it and new row are one transaction (`BEGIN IMMEDIATE`).
* A row that was acknowledged survives `kill -9`: it is in the write-ahead log, which the kernel has.
  A power cut may lose the last rows (`synchronous=NORMAL`); verifying then reports a cut tail.
* After an error the file is opened anew, so the trail goes on as soon as the cause is gone.
* A file that is moved, replaced or shortened while it is in use is an error, not a new trail.
* A fork closes the file first; parent and child open it anew: SQLite's connections survive none.

Write-ahead log: https://www.sqlite.org/wal.html (needs shared memory: not on a network file system).
Forks: https://www.sqlite.org/howtocorrupt.html section 2.6. Both read 2026-11.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Self
from weakref import WeakSet

from hauberk.audit._chain import Head, Keys, Row, authentic, genesis
from hauberk.audit._failures import EVIDENCE, is_busy, translated, unusable
from hauberk.audit._files import HeadFile, head_path, key_path, make_keys, read_head, read_keys
from hauberk.audit._sqlite_read import SCHEMA, SELECT, TABLE, as_row, file_size, read_rows
from hauberk.audit._store import Seal
from hauberk.errors import StoreError, TamperedError

BUSY_TIMEOUT_S = 3.0
"""Longest wait for other writers. A write takes 20 microseconds, a checkpoint some milliseconds."""

HEAD_TIMEOUT_S = 0.5
"""Longest wait for the lock of the head file, which is held for microseconds. Short, because the row
is written by then, and an event loop may be waiting."""

FIRST_PAUSE_S = 0.0005
"""First pause between two tries while others write; doubled up to `LONGEST_PAUSE_S`."""

LONGEST_PAUSE_S = 0.01

_INSERT = "INSERT INTO records (seq, body, prev, sums, hash) VALUES (?, ?, ?, ?, ?)"
_LAST = "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"


class SqliteStore:
    """The rows of one trail in a file, with its key and its head beside it.

    Does not promise to survive a power cut whole, nor to work on a network file system.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        """For `open`, which makes the files when they are missing."""
        self.path = path
        self.keys = keys
        self._newest = 0
        self._lock = Lock()
        self._held = False
        self._open: tuple[sqlite3.Connection, HeadFile] | None = None
        self._identity: tuple[int, int] | None = None
        _stores.add(self)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the trail at `path`; make it, with its key and its head, when there is none.

        Raises:
            TamperedError: It was changed (as far as that shows without reading it all).
            StoreError: It cannot be opened or made.
        """
        file = Path(path).absolute()
        keys = read_keys(file)
        if keys is None:
            if file_size(file):
                raise TamperedError(
                    "the key file of this trail is missing",
                    store=key_path(file),
                    remedy="Put it back: without it nothing can be proved or added.",
                )
            keys = make_keys(file)
        store = cls(file, keys)
        with store._lock:
            store._guarded_open()
        return store

    def append(self, make: Seal, *, wait_s: float) -> Head | None:
        """Add a row in one transaction. See `AuditStore.append`.

        Raises:
            TamperedError: The file was changed by somebody else.
            StoreError: It could not be written; says why, and what to do.
        """
        if not self._lock.acquire(timeout=wait_s):
            return None
        try:
            return self._append(make, time.monotonic() + wait_s)
        except sqlite3.Error as error:
            self._drop()
            raise translated(error, self.path) from None
        except StoreError:
            self._drop()
            raise
        finally:
            self._lock.release()

    def rows(self, *, newest_first: bool = False, lines: Sequence[bytes] = ()) -> Iterator[Row]:
        """The rows as of now, over a connection of their own: writers are not held up."""
        return read_rows(self.path, newest_first=newest_first, lines=lines)

    def head(self) -> Head | None:
        """What the head file names; None when it is missing."""
        return read_head(self.path, self.keys)

    def close(self) -> None:
        """Let go of the files. Used again, the store opens them again."""
        with self._lock:
            self._drop()

    def __del__(self) -> None:
        self._drop()

    # --- writing ----------------------------------------------------------------------------

    def _append(self, make: Seal, deadline: float) -> Head | None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                last, head = self._insert(make)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                if time.monotonic() >= deadline:
                    return None
            else:
                head.advance(last, wait_s=HEAD_TIMEOUT_S)
                self._newest = last.seq
                return last
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _insert(self, make: Seal) -> tuple[Head, HeadFile]:
        db, head = self._connected()
        db.execute("BEGIN IMMEDIATE")
        try:
            row = make(self._last(db))
            db.execute(_INSERT, row.row())
            db.execute("COMMIT")
        except BaseException:
            _roll_back(db)
            raise
        return Head(row.seq, row.hash), head

    def _last(self, db: sqlite3.Connection) -> Head:
        found: tuple[int, bytes] | None = db.execute(_LAST).fetchone()
        last = -1 if found is None else found[0]
        if found is None or last < self._newest:
            raise _cut(self.path, last, self._newest)
        return Head(*found)

    def _connected(self) -> tuple[sqlite3.Connection, HeadFile]:
        if self._open is None:
            self._open = self._opened()
            self._identity = _identity(self.path)
        elif _identity(self.path) != self._identity:
            raise StoreError(
                "the file was moved, replaced or deleted while it was in use",
                store=self.path,
                remedy="Put it back, or start a new trail at another path.",
            )
        return self._open

    def _guarded_open(self) -> None:
        try:
            self._connected()
        except sqlite3.Error as error:
            raise translated(error, self.path) from None

    def _opened(self) -> tuple[sqlite3.Connection, HeadFile]:
        if not file_size(self.path):
            self._refuse_to_begin_anew()
        try:
            # Made here and not by SQLite, so that only the owner can read it.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise unusable(self.path, "opened for writing", error) from None
        db = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("PRAGMA trusted_schema=OFF")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            head = self._prepared(db)
            db.execute("PRAGMA busy_timeout=0")  # waiting is done by `append`
        except BaseException:
            db.close()
            raise
        return db, head

    def _prepared(self, db: sqlite3.Connection) -> HeadFile:
        """Make the table, or check that it is this trail's."""
        db.execute("BEGIN IMMEDIATE")
        try:
            if not db.execute(SCHEMA).fetchall():
                return self._made(db)
            self._check(db, read_head(self.path, self.keys))
            db.execute("COMMIT")
            return HeadFile(self.path, self.keys)
        except BaseException:
            _roll_back(db)
            raise

    def _refuse_to_begin_anew(self) -> None:
        """Before SQLite makes a file: it would throw away the log of the one that is gone."""
        known = read_head(self.path, self.keys)
        log = file_size(self.path.with_name(self.path.name + "-wal"))
        if file_size(self.path):
            return  # another process made it just now, and head and log are its own
        if known is not None and known.seq > 0:
            raise _cut(self.path, -1, known.seq)
        if log:
            raise StoreError(
                "the log of another trail is beside it", store=self.path, remedy="Move it away."
            )

    def _made(self, db: sqlite3.Connection) -> HeadFile:
        head = HeadFile(self.path, self.keys)
        try:
            db.execute(TABLE)
            row = genesis(self.keys)
            db.execute(_INSERT, row.row())
            # Before the commit: whoever sees the table finds its head. A head of row 0 without a
            # table is a trail that was never opened.
            head.advance(Head(row.seq, row.hash), wait_s=BUSY_TIMEOUT_S)
            db.execute("COMMIT")
        except BaseException:
            head.close()
            raise
        return head

    def _check(self, db: sqlite3.Connection, known: Head | None) -> None:
        if db.execute(SCHEMA).fetchall() != [("table", "records", TABLE)]:
            raise TamperedError(
                "the database is not as it was made", store=self.path, remedy=EVIDENCE
            )
        first = db.execute(f"{SELECT} WHERE seq = 0").fetchone()
        if first is None or not authentic(self.keys, as_row(first)):
            raise TamperedError(
                "the key file belongs to another trail, or the first record was changed",
                store=self.path,
                remedy="Put the key file of this trail back.",
            )
        if known is None:
            raise TamperedError(
                "the head file is missing", store=head_path(self.path), remedy=EVIDENCE
            )
        last = db.execute(_LAST).fetchone()
        if last[0] < known.seq:
            raise _cut(self.path, last[0], known.seq)
        named = db.execute("SELECT hash FROM records WHERE seq = ?", (known.seq,)).fetchone()
        if named is None or named[0] != known.hash:
            raise TamperedError(
                f"record {known.seq} is not the one that was written",
                store=self.path,
                remedy=EVIDENCE,
            )

    def _drop(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            with suppress(sqlite3.Error):
                opened[0].close()
            opened[1].close()

    def _before_fork(self) -> None:
        # Waits for the row that is being written: in the child, SQLite would hold its lock for ever.
        self._held = self._lock.acquire(timeout=BUSY_TIMEOUT_S)
        if self._held:
            self._drop()

    def _after_fork(self) -> None:
        if self._held:
            self._lock.release()

    def _in_child(self) -> None:
        if self._open is not None:
            # A thread that the child does not have is stuck with it. Kept, and never closed.
            _orphans.append(self._open)
        self._lock, self._open = Lock(), None


_stores: WeakSet[SqliteStore] = WeakSet()
_orphans: list[object] = []


def _each(step: Callable[[SqliteStore], None]) -> Callable[[], None]:
    def run() -> None:
        for store in list(_stores):
            step(store)

    return run


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(SqliteStore._before_fork),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - this module's own
        after_in_parent=_each(SqliteStore._after_fork),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - ditto
        after_in_child=_each(SqliteStore._in_child),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - ditto
    )


def _cut(path: Path, last: int, newest: int) -> TamperedError:
    return TamperedError(
        f"records {last + 1} to {newest} were removed", store=path, remedy=EVIDENCE
    )


def _roll_back(db: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        db.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a quarter faster, and asked for each record
    except OSError:
        return None
    return found.st_dev, found.st_ino
