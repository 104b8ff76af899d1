"""One session's vault in a SQLite file: what `_sqlite.py` hands out.

Rules:
* What is known is read without a transaction; what is new is written in one.
* A row that says whose it is, and is another session's, is refused.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hauberk import Session, TamperedError
from hauberk_pii.vault._base import Value, VaultFullError, written
from hauberk_pii.vault._seal import Owner
from hauberk_pii.vault._sqlite_file import places

if TYPE_CHECKING:
    from hauberk_pii.vault._sqlite import SqliteVaults

_MANY = 500
"""Parameters in one statement; SQLite's own limit is higher."""
_LABEL = 16
"""Bytes of a vault's random name."""


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
            query = f"SELECT {fields} FROM value WHERE vault = ? AND {key} IN ({places(some)})"  # noqa: S608 - ours
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
            f"UPDATE value SET expires = ? WHERE vault = ? AND mark IN ({places(marks)}) "  # noqa: S608 - ours
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
                f"SELECT id, label, scope, bond, owner FROM vault WHERE scope IN ({places(self._scopes)})",  # noqa: S608 - ours
                self._scopes,
            )
            self._row = self._checked(*rows[0]) if rows else None
        return self._row

    def _checked(
        self, ident: int, label: bytes, scope: bytes, bond: bytes, owner: bytes | None
    ) -> _Row:
        store = self._store
        if bond not in store.sealer.bonds(self._session, label):
            raise TamperedError(
                "a session was given the vault of another one",
                store=str(store),
                remedy="Restore the file from a backup.",
            )
        known = store.sealer.opened_owner(label, owner) if owner else None
        now = Owner.of(self._session, known)
        if (
            scope != self._scopes[0]
            or now != known
            or not store.sealer.keys.is_current(owner or b"")
        ):
            with store.transaction() as db:
                db.execute(
                    "UPDATE vault SET scope = ?, bond = ?, user = ?, owner = ? WHERE id = ?",
                    (*store.marks(label, now), ident),
                )
        return _Row(ident, label)

    def _made(self, db: sqlite3.Connection) -> _Row:
        """A vault for this session; that of whoever was faster, when somebody was."""
        label = secrets.token_bytes(_LABEL)
        db.execute(
            "INSERT OR IGNORE INTO vault (scope, bond, user, owner, label) VALUES (?, ?, ?, ?, ?)",
            (*self._store.marks(label, Owner.of(self._session)), label),
        )
        query = "SELECT id, label FROM vault WHERE scope = ?"
        return _Row(*db.execute(query, (self._scopes[0],)).fetchone())


class _Row(NamedTuple):
    id: int
    label: bytes
