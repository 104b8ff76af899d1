"""A trail in an SQLite file, with the log of its newest rows beside it; for threads and processes.

Rules:
* A row goes into the log, under a lock that holds for all processes: number, hash before it and row
  are one step. The database takes the log's rows when there are `FOLD_BYTES` of them, and on closing.
* A row that was acknowledged survives `kill -9`: the kernel has it. A power cut may lose the last rows
  (nothing is flushed row by row); verifying then reports a cut tail.
* A database that is locked or full does not stop the trail until the log has `MAX_LOG_BYTES`.
* After an error the files are opened anew, so the trail goes on as soon as the cause is gone.
* Files that are moved, replaced or shortened while they are in use are an error, not a new trail.
* A fork closes the files first; parent and child open them anew: SQLite's connections survive none.
* Where processes cannot lock each other out of a file there is no log: each row is a transaction.

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

from hauberk.audit._chain import Head, Keys, Row
from hauberk.audit._failures import is_busy, is_full, translated
from hauberk.audit._files import key_path, make_keys, read_head, read_keys
from hauberk.audit._log import CAN_LOCK, Found, Log
from hauberk.audit._sqlite_open import (
    BUSY_TIMEOUT_S,
    INSERT,
    Files,
    begun,
    cut_torn,
    newest,
    not_following,
    open_files,
    roll_back,
    take,
)
from hauberk.audit._sqlite_read import file_size, read_rows
from hauberk.audit._store import Seal
from hauberk.errors import StoreError, TamperedError

FOLD_BYTES = 128 * 1024
"""Size of the log, in bytes, at which the database takes its rows: about 150, in one millisecond."""

MAX_LOG_BYTES = 64 * 1024 * 1024
"""Size of the log past which a database that takes no rows is an error: it is read as a whole."""

LOOK_EVERY_S = 0.1
"""How often it is looked whether the files are where and what they were, in seconds. Until then a log
that was moved away goes on growing."""

FIRST_PAUSE_S = 0.0005
"""First pause between two tries while others write; doubled up to `LONGEST_PAUSE_S`."""

LONGEST_PAUSE_S = 0.01


class SqliteStore:
    """The rows of one trail in a file, with its key, its head and its log beside it.

    Does not promise to survive a power cut whole, nor to work on a network file system.
    """

    def __init__(self, path: Path, keys: Keys, *, logs: bool) -> None:
        """For `open`, which makes the files when they are missing."""
        self.path = path
        self.keys = keys
        self._logs = logs
        self._last = Head(-1, b"")
        """The newest row that this process has seen."""
        self._kept = -1
        """Number of the newest row that it has seen in the database."""
        self._lock = Lock()
        self._held = False
        self._open: Files | None = None
        self._identity: tuple[int, int] | None = None
        self._looked_s = 0.0
        self._fold_at = FOLD_BYTES
        _stores.add(self)

    @classmethod
    def open(cls, path: str | Path, *, logs: bool = CAN_LOCK) -> Self:
        """Open the trail at `path`; make it, with its key and its head, when there is none.

        Args:
            path: The SQLite file; the others lie beside it.
            logs: Keep the newest rows in a log. All who write to a trail must do the same.

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
        store = cls(file, keys, logs=logs)
        with store._lock:
            try:
                store._files()
            except sqlite3.Error as error:
                raise translated(error, file) from None
        return store

    def append(self, make: Seal, *, wait_s: float) -> Head | None:
        """Add a row in one step. See `AuditStore.append`.

        Raises:
            TamperedError: The files were changed by somebody else.
            StoreError: It could not be written; says why, and what to do.
        """
        if not self._lock.acquire(timeout=wait_s):
            return None
        try:
            now = time.monotonic()
            if now - self._looked_s > LOOK_EVERY_S:
                self._look(now)
            files = self._open or self._files()
            if files.log is None:
                return self._insert(files, make, now + wait_s)
            return self._append(make, now + wait_s)
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
        """Let the database take the log, and let go of the files. Used again, it opens them again."""
        with self._lock:
            try:
                # What cannot be taken now stays in the log, which is part of the trail.
                with suppress(sqlite3.Error, StoreError):
                    self._fold_all()
            finally:
                self._drop()

    def __del__(self) -> None:
        self._drop()

    # --- writing ----------------------------------------------------------------------------

    def _append(self, make: Seal, deadline: float) -> Head | None:
        while (log := self._locked(deadline)) is not None:
            try:
                if log.size >= self._fold_at and self._fold(log):
                    continue  # in the next log, then
                row = make(self._last)
                log.append(row)
                self._last = last = Head(row.seq, row.hash)
                (self._open or self._files()).head.write(last)
                return last
            finally:
                log.unlock()
        return None

    def _locked(self, deadline: float) -> Log | None:
        """The log, locked, after what others wrote was read; None when it stayed locked."""
        while (log := (self._open or self._files()).log) is not None:
            found = log.lock(deadline)
            if found is Found.SAME:
                return log
            if found is None:
                return None
            if found is not Found.GONE:
                try:
                    self._catch_up(log, found)
                except BaseException:
                    log.unlock()
                    raise
                return log
            self._begin_log(log)
        return None

    def _catch_up(self, log: Log, found: Found) -> None:
        """Read what others wrote."""
        if found is Found.SHORTER:
            log.size = 0
            self._last = newest(self.path, self._files().db, log.more(), at_least=self._last.seq)
        elif rows := log.more():
            if rows[0].prev != self._last.hash:
                raise not_following(log)
            self._last = Head(rows[-1].seq, rows[-1].hash)
        cut_torn(self.path, self.keys, log, self._last)

    def _begin_log(self, old: Log) -> None:
        """Open the log after one whose rows the database has. Whatever it has is read when locked."""
        files = self._files()
        self._open = files._replace(log=Log(self.path))
        old.close()
        self._fold_at = FOLD_BYTES
        self._last = newest(self.path, files.db, [], at_least=self._last.seq)

    def _fold(self, log: Log) -> bool:
        """Let the database take the rows of a locked log; False when it cannot now."""
        try:
            take(self._files().db, log)
        except sqlite3.Error as error:
            if not (is_busy(error) or is_full(error)) or log.size >= MAX_LOG_BYTES:
                raise
            self._fold_at = log.size + FOLD_BYTES
            return False
        self._kept = self._last.seq
        return True

    def _fold_all(self) -> None:
        if self._open is not None:
            log = self._locked(time.monotonic() + BUSY_TIMEOUT_S)
            if log is not None:
                self._fold(log)

    def _insert(self, files: Files, make: Seal, deadline: float) -> Head | None:
        """Without a log: a row in a transaction of its own."""
        pause = FIRST_PAUSE_S
        while not begun(files.db):
            if time.monotonic() >= deadline:
                return None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        try:
            last = newest(self.path, files.db, [], at_least=self._last.seq)
            row = make(last)
            files.db.execute(INSERT, row.row())
            files.db.execute("COMMIT")
        except BaseException:
            roll_back(files.db)
            raise
        self._last = Head(row.seq, row.hash)
        files.head.write(self._last)
        return self._last

    # --- opening ----------------------------------------------------------------------------

    def _files(self) -> Files:
        if self._open is None:
            self._open, self._last = open_files(self.path, self.keys, logs=self._logs)
            self._identity, self._looked_s = _identity(self.path), time.monotonic()
            self._fold_at = FOLD_BYTES
        return self._open

    def _look(self, now: float) -> None:
        """Whether the files are where they were."""
        files = self._open
        if files is not None and (
            _identity(self.path) != self._identity
            or (files.log is not None and files.log.is_elsewhere)
        ):
            raise StoreError(
                "the file was moved, replaced or deleted while it was in use",
                store=self.path,
                remedy="Put it back, or start a new trail at another path.",
            )
        if files is not None:
            self._kept = newest(self.path, files.db, [], at_least=self._kept).seq
        self._looked_s = now

    def _drop(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a quarter faster, and asked for each record
    except OSError:
        return None
    return found.st_dev, found.st_ino
