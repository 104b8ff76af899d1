"""Callers in one SQLite file: for the processes of one machine, and for tomorrow.

Rules:
* A query is counted in one transaction, whoever asks at the same time.
* The file holds no text and no name: callers are digests, queries are sketches.
* Callers that have been silent for longer than the longest stretch of time are deleted.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hauberk.errors import StoreError
from hauberk.extraction._policy import ExtractionPolicy
from hauberk.extraction._query import Query
from hauberk.extraction._rules import Breach, History, judge
from hauberk.sqlite import SqliteFile

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
        self._file = SqliteFile(path, _prepare, problem="callers cannot be remembered")
        self._until_purge = _PURGE_EVERY

    def __repr__(self) -> str:
        return f"SqliteCallers({str(self._file.path)!r})"

    def admit(
        self, caller: bytes, query: Query, now: float, policy: ExtractionPolicy
    ) -> tuple[Breach, ...]:
        """Count a query, unless it is refused.

        Raises:
            StoreError: The file cannot be written, or holds something else.
        """
        with self._file.transaction() as db:
            found = db.execute("SELECT history FROM caller WHERE id = ?", (caller,)).fetchone()
            old = self._read(found[0]) if found else History()
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
        self._file.close()

    def _read(self, stored: bytes) -> History:
        try:
            return History.from_bytes(stored)
        except ValueError:
            raise StoreError(
                "a caller's history cannot be read",
                store=self._file.path,
                remedy="Something else wrote into the file. Put it away; a new one is made.",
            ) from None


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    # After a power cut the last few queries may be missing: nobody minds.
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(_TABLE)


def _purge(db: sqlite3.Connection, now: float, policy: ExtractionPolicy) -> None:
    # What counts of a stretch fades in the next one.
    longest = max([policy.window_s, *(2 * one.seconds for one in policy.volume)])
    db.execute("DELETE FROM caller WHERE seen < ?", (now - longest,))
