"""Where approvals are remembered: in memory, or in a file that processes share."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

from hauberk.errors import StoreError

_KEY_BYTES = 32
_BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS approval_key (one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS used (ident TEXT PRIMARY KEY, expires REAL NOT NULL);
"""


class MemoryApprovals:
    """For one process. A question of another process, or of yesterday, cannot be answered."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._lock = Lock()
        self._used: dict[str, float] = {}

    def key(self) -> bytes:
        """The key of this process."""
        return self._key

    def use(self, ident: str, *, expires: float, now: float) -> bool:
        """Mark a question as answered; False when it was before."""
        with self._lock:
            # Whatever has lapsed is refused for that; nobody needs to remember it.
            self._used = {known: end for known, end in self._used.items() if end >= now}
            if ident in self._used:
                return False
            self._used[ident] = expires
            return True

    def free(self, ident: str) -> None:
        """Forget that a question was answered."""
        with self._lock:
            self._used.pop(ident, None)


class SqliteApprovals:
    """A file, for several processes. Readable by its owner only: its key makes answers count."""

    def __init__(self, path: str | Path) -> None:
        """Open or make the file.

        Raises:
            StoreError: It cannot be opened.
        """
        self._path = Path(path)
        with self._failing("opened"):
            self._path.touch(mode=0o600, exist_ok=True)
        with self._connection("opened") as db:
            db.executescript(_SCHEMA)
            fresh = secrets.token_bytes(_KEY_BYTES)
            db.execute("INSERT OR IGNORE INTO approval_key VALUES (1, ?)", (fresh,))
            self._key = bytes(db.execute("SELECT key FROM approval_key").fetchone()[0])

    def key(self) -> bytes:
        """The key of the file."""
        return self._key

    def use(self, ident: str, *, expires: float, now: float) -> bool:
        """Mark a question as answered; False when it was before, in any process.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._connection("written") as db:
            db.execute("DELETE FROM used WHERE expires < ?", (now,))
            done = db.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (ident, expires))
            return done.rowcount == 1

    def free(self, ident: str) -> None:
        """Forget that a question was answered.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._connection("written") as db:
            db.execute("DELETE FROM used WHERE ident = ?", (ident,))

    @contextmanager
    def _connection(self, verb: str) -> Generator[sqlite3.Connection]:
        with (
            self._failing(verb),
            closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as db,
            db,
        ):
            yield db

    @contextmanager
    def _failing(self, verb: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the file of approvals cannot be {verb} ({type(error).__name__})",
                store=self._path,
                remedy="Check that the folder exists and can be written.",
            ) from error
