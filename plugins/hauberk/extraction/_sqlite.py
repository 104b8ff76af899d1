"""Callers in one SQLite file: for the processes of one machine, and for tomorrow.

Rules:
* A query is counted in one transaction, whoever asks at the same time.
* The file holds no text and no name: callers are digests, queries are sketches.
* Callers that have been silent for longer than the longest stretch of time are deleted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from hauberk.errors import StoreError
from hauberk.extraction._policy import ExtractionPolicy
from hauberk.extraction._query import Query
from hauberk.extraction._rules import Breach, History, judge

BUSY_S = 5.0
"""Longest wait for other processes. A step takes less than a millisecond."""

_PURGE_EVERY = 1000
"""Queries between two looks for callers that are gone."""

_TABLE = "CREATE TABLE IF NOT EXISTS caller (id BLOB PRIMARY KEY, seen REAL NOT NULL, history BLOB NOT NULL)"


class SqliteCallers:
    """Callers in a file, shared by all processes that open it.

    Example:
        >>> store = SqliteCallers(":memory:")
        >>> store.admit(b"ada", Query.of("How are you?"), 0.0, ExtractionPolicy())
        ()
    """

    waits = True

    def __init__(self, path: str | Path) -> None:
        """Open or make the file.

        Raises:
            StoreError: It cannot be opened.
        """
        self._path = Path(path)
        self._lock = RLock()
        self._db: sqlite3.Connection | None = None
        self._owner = 0
        self._until_purge = _PURGE_EVERY
        with self._failing():
            self._connection()

    def __repr__(self) -> str:
        return f"SqliteCallers({str(self._path)!r})"

    def admit(
        self, caller: bytes, query: Query, now: float, policy: ExtractionPolicy
    ) -> tuple[Breach, ...]:
        """Count a query, unless it is refused.

        Raises:
            StoreError: The file cannot be written, or holds something else.
        """
        with self._transaction() as db:
            found = db.execute("SELECT history FROM caller WHERE id = ?", (caller,)).fetchone()
            old = History.from_bytes(found[0]) if found else History()
            new, breaches = judge(old, query, now, policy)
            if new is not old:
                row = (caller, now, new.to_bytes())
                db.execute("INSERT OR REPLACE INTO caller VALUES (?, ?, ?)", row)
            self._until_purge -= 1
            if self._until_purge < 0:
                self._until_purge = _PURGE_EVERY
                _purge(db, now, policy)
        return breaches

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None and self._owner == os.getpid():
                self._db.close()
            self._db = None

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._failing(), self._lock:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        # A connection must not cross a fork: the child opens its own.
        if self._db is None or self._owner != os.getpid():
            if str(self._path) != ":memory:":
                self._path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(
                self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            # After a power cut the last few queries may be missing: nobody minds.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_TABLE)
            self._owner = os.getpid()
        return self._db

    @contextmanager
    def _failing(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise StoreError(
                f"callers cannot be remembered ({type(error).__name__})",
                store=self._path,
                remedy="Check the file, its folder, its rights and the room on the disk.",
            ) from None


def _purge(db: sqlite3.Connection, now: float, policy: ExtractionPolicy) -> None:
    # What counts of a stretch fades in the next one.
    longest = max([policy.window_s, *(2 * one.seconds for one in policy.volume)])
    db.execute("DELETE FROM caller WHERE seen < ?", (now - longest,))
