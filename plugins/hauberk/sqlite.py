"""An SQLite file that several threads and processes share: what every small store needs of one.

Rules:
* One connection for each process: none crosses a fork, the child opens its own.
* A step is one transaction, whoever works on the file at the same time.
* The file is made readable for its owner only.
* What fails is a `StoreError`; a step that failed left nothing behind.

The audit trail has rules of its own for its file (`hauberk.audit`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from hauberk.errors import StoreError

BUSY_S = 10.0
"""Longest wait for other processes, in seconds. A step takes milliseconds at most."""


class SqliteFile:
    """One file, opened when it is first needed.

    Does not promise to work on a network file system.

    Example:
        >>> def prepare(db):
        ...     _ = db.execute("CREATE TABLE IF NOT EXISTS seen (name TEXT)")
        >>> file = SqliteFile(":memory:", prepare, problem="names cannot be kept")
        >>> with file.transaction() as db:
        ...     _ = db.execute("INSERT INTO seen VALUES ('Ada')")
        >>> file.read("SELECT name FROM seen")
        [('Ada',)]
    """

    def __init__(
        self, path: str | Path, prepare: Callable[[sqlite3.Connection], None], *, problem: str
    ) -> None:
        """Open or make the file.

        Args:
            path: Where it is; `:memory:` for none.
            prepare: Sets up each new connection: pragmas, tables.
            problem: What an error says: what cannot be done without the file.

        Raises:
            StoreError: It cannot be opened.
        """
        self.path = Path(path)
        self._prepare = prepare
        self._problem = problem
        self._lock = RLock()
        self._db: sqlite3.Connection | None = None
        self._owner = 0
        with self._failing():
            self._connection()

    def read(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Rows, without a transaction of its own.

        Raises:
            StoreError: They cannot be read.
        """
        with self._failing(), self._lock:
            return self._connection().execute(query, tuple(values)).fetchall()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """One step that nobody sees half of.

        Raises:
            StoreError: It cannot be done.
        """
        with self._failing(), self._lock:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def close(self) -> None:
        """Close the file. Used again, it is opened again."""
        with self._lock:
            if self._db is not None and self._owner == os.getpid():
                self._db.close()
            self._db = None

    def _connection(self) -> sqlite3.Connection:
        if self._db is None or self._owner != os.getpid():
            self._db, self._owner = self._opened(), os.getpid()
        return self._db

    def _opened(self) -> sqlite3.Connection:
        if str(self.path) != ":memory:":
            self.path.touch(mode=0o600, exist_ok=True)
        db = sqlite3.connect(
            self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _failing(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._problem} ({type(error).__name__})",
                store=self.path,
                remedy="Check the file, its folder, its rights and the room on the disk.",
            ) from None
