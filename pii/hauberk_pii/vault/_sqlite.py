"""Vaults in one SQLite file: for the processes of one machine, and for tomorrow.

Rules:
* Values lie sealed (`_seal.py`); the file, its log and its shared memory hold nothing in clear.
* A pseudonym is given out once, in one transaction, whoever asks at the same time. What was issued
  is on the disk (`synchronous=FULL`) when `issue` returns.
* Erasing overwrites (`secure_delete`) and empties the log.
* After a change of keys `rotate` seals the values anew. Sessions and users have marks that need their
  names: they are written anew when a session is opened next. Until then older marks are found too.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hauberk import Session, StoreError, TamperedError
from hauberk.keys import KeyRing
from hauberk_pii.vault._base import Held, Value, VaultFullError, written
from hauberk_pii.vault._seal import Clock, Keeping, Sealer

_BUSY_S = 10.0
_MANY = 500
"""Parameters in one statement; SQLite's own limit is higher."""
_LABEL = 16
"""Bytes of a vault's random name."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vault (
    id INTEGER PRIMARY KEY, label BLOB NOT NULL, scope BLOB NOT NULL UNIQUE, bond BLOB NOT NULL,
    user BLOB);
CREATE INDEX IF NOT EXISTS vault_user ON vault (user);
CREATE TABLE IF NOT EXISTS value (
    vault INTEGER NOT NULL, mark BLOB NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    sealed BLOB NOT NULL, expires REAL,
    PRIMARY KEY (vault, name)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS value_mark ON value (vault, mark);
CREATE INDEX IF NOT EXISTS value_anywhere ON value (mark);
CREATE INDEX IF NOT EXISTS value_expires ON value (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS counter (
    vault INTEGER NOT NULL, kind TEXT NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (vault, kind)) WITHOUT ROWID;
"""


class SqliteVaults:
    """A store of vaults in a file.

    Does not promise to keep a value from somebody who has the key and the file.

    Example:
        >>> store = SqliteVaults(":memory:", KeyRing([bytes(32)]))
        >>> store.vault(Session()).issue([Value("PERSON", "Ada Byron")])
        ['<PERSON_1>']
    """

    waits = True

    def __init__(
        self,
        path: str | Path,
        keys: KeyRing,
        keeping: Keeping | None = None,
        *,
        clock: Clock = time.time,
    ) -> None:
        """Open or make the file.

        Raises:
            StoreError: It cannot be opened.
        """
        self.sealer = Sealer(keys)
        self.keeping = keeping or Keeping()
        self.clock = clock
        self._path = Path(path)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._owner = 0
        with self._failing():
            self._connection()

    def __repr__(self) -> str:
        return f"SqliteVaults({str(self._path)!r})"

    @property
    def shortest_s(self) -> float | None:
        """The shortest time for which it keeps a value."""
        return self.keeping.shortest_s

    def vault(self, session: Session) -> SqliteVault:
        """The vault of a session."""
        return SqliteVault(self, session)

    def erase(self, subject: str) -> int:
        """Forget a person, in every session and in the file's log too.

        Raises:
            StoreError: The file cannot be written.
        """
        with self.transaction() as db:
            where, marks = self._about(subject)
            gone = db.execute(f"DELETE FROM value WHERE {where}", marks).rowcount  # noqa: S608 - ours
        with self._failing(), self._lock:
            self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def export(self, subject: str) -> list[Held]:
        """What is held about a person.

        Raises:
            StoreError: The file cannot be read.
            TamperedError: A value was changed by somebody else.
        """
        where, marks = self._about(subject)
        query = (
            "SELECT label, name, kind, sealed, expires "  # noqa: S608 - ours
            f"FROM value JOIN vault ON vault.id = vault WHERE {where}"
        )
        return [
            Held(
                session=label.hex(),
                pseudonym=name,
                type=kind,
                text=self.sealer.open(label, name, kind, sealed),
                expires=expires,
            )
            for label, name, kind, sealed, expires in self.read(query, marks)
            if expires is None or expires > self.clock()
        ]

    def purge(self) -> int:
        """Delete what has lapsed: how many values went. Lapsed values are never given back anyway.

        Raises:
            StoreError: The file cannot be written.
        """
        with self.transaction() as db:
            return db.execute("DELETE FROM value WHERE expires <= ?", (self.clock(),)).rowcount

    def rotate(self) -> int:
        """Seal everything with the first key of the ring: how many values were sealed anew.

        Keep an old key for as long as its sessions live: what a session is known by is written anew
        when it is opened next, and not here.

        Raises:
            StoreError: The file cannot be written, or a value needs a key that is not at hand.
            TamperedError: A value was changed by somebody else.
        """
        with self.transaction() as db:
            rows = db.execute(
                "SELECT value.vault, label, name, kind, sealed FROM value "
                "JOIN vault ON vault.id = value.vault"
            ).fetchall()
            old = [row for row in rows if not self.sealer.keys.is_current(row[4])]
            for vault, label, name, kind, sealed in old:
                text = self.sealer.open(label, name, kind, sealed)
                new = self.sealer.seal(label, name, Value(kind, text))
                db.execute(
                    "UPDATE value SET sealed = ?, mark = ? WHERE vault = ? AND name = ?",
                    (new, self.sealer.values(text)[0], vault, name),
                )
        return len(old)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None and self._owner == os.getpid():
                self._db.close()
            self._db = None

    def read(self, query: str, values: Sequence[object]) -> list[Any]:
        """Rows, without a transaction of its own."""
        with self._failing(), self._lock:
            return self._connection().execute(query, tuple(values)).fetchall()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """One step that nobody sees half of."""
        with self._failing(), self._lock:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _about(self, subject: str) -> tuple[str, list[bytes]]:
        values, users = self.sealer.values(subject), self.sealer.users(subject)
        of_users = f"SELECT id FROM vault WHERE user IN ({_places(users)})"  # noqa: S608 - ours
        return f"(mark IN ({_places(values)}) OR vault IN ({of_users}))", [*values, *users]

    def _connection(self) -> sqlite3.Connection:
        # A connection must not cross a fork: the child opens its own.
        if self._db is None or self._owner != os.getpid():
            if str(self._path) != ":memory:":
                self._path.touch(mode=0o600, exist_ok=True)
            self._db = _opened(str(self._path))
            self._owner = os.getpid()
        return self._db

    @contextmanager
    def _failing(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the vault cannot be used ({type(error).__name__})",
                store=self._path,
                remedy="Check the file, its folder, its rights and the room on the disk.",
            ) from None


class SqliteVault:
    """One session's vault in a file."""

    def __init__(self, store: SqliteVaults, session: Session) -> None:
        self._store = store
        self._session = session
        self._scopes = store.sealer.scopes(session)
        self._row: _Row | None = None

    def __repr__(self) -> str:
        return f"SqliteVault({self._store!r})"

    def issue(self, values: Sequence[Value]) -> list[str]:
        """The pseudonyms of some values; new ones for values not yet known."""
        marks = {value.text: self._store.sealer.values(value.text) for value in values}
        known = self._known(marks)
        if any(value.text not in known for value in values):
            with self._store.transaction() as db:
                row = self._row or self._made(db)
                known = self._issued(db, row, values, marks)
            self._row = row
        return [known[value.text] for value in values]

    def lookup(self, pseudonyms: Iterable[str]) -> Mapping[str, str]:
        """The texts behind those pseudonyms that were issued here."""
        row, names = self._found(), list(dict.fromkeys(pseudonyms))
        if row is None:
            return {}
        now = self._store.clock()
        return {
            name: self._store.sealer.open(row.label, name, kind, sealed)
            for name, kind, sealed, expires in self._rows(
                row, "name, kind, sealed, expires", "name", names
            )
            if expires is None or expires > now
        }

    def knows(self, text: str) -> bool:
        """Whether a text is one of the values."""
        row = self._found()
        marks = self._store.sealer.values(text)
        return row is not None and any(True for _ in self._rows(row, "1", "mark", marks))

    def secret(self, purpose: str) -> bytes:
        """32 bytes of this session's own, under today's key."""
        return self._store.sealer.secret(self._session, purpose)

    def _known(self, marks: Mapping[str, list[bytes]]) -> dict[str, str]:
        """Pseudonyms of values that are known and stay so for a while."""
        row = self._found()
        if row is None:
            return {}
        texts = {mark: text for text, several in marks.items() for mark in several}
        now, known = self._store.clock(), dict[str, str]()
        for mark, name, kind, expires in self._rows(
            row, "mark, name, kind, expires", "mark", list(texts)
        ):
            keeps = self._store.keeping.seconds(kind)
            # Seen again: it is kept for its whole time from now on, written down now and then.
            if expires is None or (keeps and expires - now > keeps / 2):
                known[texts[mark]] = name
        return known

    def _rows(self, row: _Row, fields: str, key: str, wanted: Sequence[object]) -> Iterator[Any]:
        for at in range(0, len(wanted), _MANY):
            some = wanted[at : at + _MANY]
            query = f"SELECT {fields} FROM value WHERE vault = ? AND {key} IN ({_places(some)})"  # noqa: S608 - ours
            yield from self._store.read(query, (row.id, *some))

    def _issued(
        self,
        db: sqlite3.Connection,
        row: _Row,
        values: Sequence[Value],
        marks: Mapping[str, list[bytes]],
    ) -> dict[str, str]:
        keeping, now, known = self._store.keeping, self._store.clock(), dict[str, str]()
        db.execute("DELETE FROM value WHERE vault = ? AND expires <= ?", (row.id, now))
        for value in values:
            if value.text not in known:
                keeps = keeping.seconds(value.type)
                ends = None if keeps is None else now + keeps
                known[value.text] = self._seen(db, row, marks[value.text], ends) or self._new(
                    db, row, value, marks[value.text][0], ends
                )
        [count] = db.execute("SELECT count(*) FROM value WHERE vault = ?", (row.id,)).fetchone()
        if count > keeping.max_values:
            raise VaultFullError(keeping.max_values)
        return known

    def _seen(
        self, db: sqlite3.Connection, row: _Row, marks: list[bytes], ends: float | None
    ) -> str | None:
        """The pseudonym of a value that is known, kept from now on for its whole time."""
        found = db.execute(
            f"UPDATE value SET expires = ? WHERE vault = ? AND mark IN ({_places(marks)}) "  # noqa: S608 - ours
            "RETURNING name",
            (ends, row.id, *marks),
        ).fetchone()
        return None if found is None else found[0]

    def _new(
        self, db: sqlite3.Connection, row: _Row, value: Value, mark: bytes, ends: float | None
    ) -> str:
        [number] = db.execute(
            "INSERT INTO counter VALUES (?, ?, 1) "
            "ON CONFLICT (vault, kind) DO UPDATE SET last = last + 1 RETURNING last",
            (row.id, value.type),
        ).fetchone()
        name = written(value.type, number)
        sealed = self._store.sealer.seal(row.label, name, value)
        db.execute(
            "INSERT INTO value (vault, mark, name, kind, sealed, expires) VALUES (?, ?, ?, ?, ?, ?)",
            (row.id, mark, name, value.type, sealed, ends),
        )
        return name

    def _found(self) -> _Row | None:
        """Where this session's vault is; None before its first value."""
        if self._row is None:
            rows = self._store.read(
                f"SELECT id, label, scope, bond, user FROM vault WHERE scope IN ({_places(self._scopes)})",  # noqa: S608 - ours
                self._scopes,
            )
            self._row = self._checked(*rows[0]) if rows else None
        return self._row

    def _checked(self, ident: int, label: bytes, scope: bytes, bond: bytes, user: bytes) -> _Row:
        bonds, whose = self._store.sealer.bonds(self._session, label), self._user()
        if bond not in bonds:
            raise TamperedError(
                "a session was given the vault of another one",
                store=str(self._store),
                remedy="Restore the file from a backup.",
            )
        if (scope, bond) != (self._scopes[0], bonds[0]) or (whose and user != whose):
            with self._store.transaction() as db:
                db.execute(
                    "UPDATE vault SET scope = ?, bond = ?, user = ? WHERE id = ?",
                    (self._scopes[0], bonds[0], whose or user, ident),
                )
        return _Row(ident, label)

    def _made(self, db: sqlite3.Connection) -> _Row:
        """A vault for this session; that of whoever was faster, when somebody was."""
        label = secrets.token_bytes(_LABEL)
        bond = self._store.sealer.bonds(self._session, label)[0]
        db.execute(
            "INSERT OR IGNORE INTO vault (label, scope, bond, user) VALUES (?, ?, ?, ?)",
            (label, self._scopes[0], bond, self._user()),
        )
        query = "SELECT id, label FROM vault WHERE scope = ?"
        return _Row(*db.execute(query, (self._scopes[0],)).fetchone())

    def _user(self) -> bytes | None:
        user = self._session.user
        return self._store.sealer.users(user)[0] if user else None


class _Row(NamedTuple):
    id: int
    label: bytes


def _places(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _opened(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
