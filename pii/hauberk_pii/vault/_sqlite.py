"""Vaults in one SQLite file: for the processes of one machine, and for tomorrow.

Rules:
* Values lie sealed (`_seal.py`); the file, its log and its shared memory hold nothing in clear.
* A pseudonym is given out once, in one transaction, whoever asks at the same time. What was issued
  is on the disk (`synchronous=FULL`) when `issue` returns.
* Erasing overwrites (`secure_delete`) and empties the log.
* After a change of keys `rotate` seals everything anew, and marks sessions and users anew: an older
  key can go then. What only a key that is gone can tell is an error, never "nothing".
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hauberk import Session
from hauberk.keys import KeyRing
from hauberk.sqlite import SqliteFile
from hauberk_pii.vault._base import Held, Value
from hauberk_pii.vault._seal import Clock, Keeping, Owner, Sealer, keys_missing
from hauberk_pii.vault._sqlite_file import places, prepare
from hauberk_pii.vault._sqlite_session import SqliteVault


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
        self._file = SqliteFile(path, prepare, problem="the vault cannot be used")

    def __repr__(self) -> str:
        return f"SqliteVaults({str(self._file.path)!r})"

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
            StoreError: The file cannot be written; or there are sessions of which only a key that is
                not at hand tells whose they are: all others were looked at.
        """
        with self.transaction() as db:
            where, marks = self._about(subject)
            gone = db.execute(f"DELETE FROM value WHERE {where}", marks).rowcount  # noqa: S608 - ours
        self.read("PRAGMA wal_checkpoint(TRUNCATE)", ())
        self._check_owners(f"{gone} values were erased")
        return gone

    def export(self, subject: str) -> list[Held]:
        """What is held about a person.

        Raises:
            StoreError: The file cannot be read; or there are sessions of which only a key that is not
                at hand tells whose they are.
            TamperedError: A value was changed by somebody else.
        """
        self._check_owners("nothing was exported")
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

        What sessions and users are known by is written anew, too: an older key is not needed then.

        Raises:
            StoreError: The file cannot be written, or a value needs a key that is not at hand.
            TamperedError: A value was changed by somebody else.
        """
        with self.transaction() as db:
            self._mark_anew(db)
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

    def _mark_anew(self, db: sqlite3.Connection) -> None:
        """Marks of sessions and users under the first key."""
        query = "SELECT id, label, owner FROM vault WHERE owner IS NOT NULL"
        for ident, label, sealed in db.execute(query).fetchall():
            if not self.sealer.keys.is_current(sealed):
                scope, *others = self.marks(label, self.sealer.opened_owner(label, sealed))
                db.execute(
                    "UPDATE vault SET bond = ?, user = ?, owner = ? WHERE id = ?", (*others, ident)
                )
                # Its session may have begun anew under the new key: then it stays as it was.
                db.execute("UPDATE OR IGNORE vault SET scope = ? WHERE id = ?", (scope, ident))

    def marks(self, label: bytes, owner: Owner) -> tuple[bytes, bytes, bytes | None, bytes]:
        """What is written down of a session and its user, under the first key."""
        session = owner.session()
        return (
            self.sealer.scopes(session)[0],
            self.sealer.bonds(session, label)[0],
            self.sealer.users(owner.user)[0] if owner.user else None,
            self.sealer.sealed_owner(label, owner),
        )

    def _check_owners(self, so_far: str) -> None:
        sealed = self.read("SELECT owner FROM vault WHERE owner IS NOT NULL", ())
        missing = sum(not self.sealer.keys.can_open(owner) for (owner,) in sealed)
        if missing:
            raise keys_missing(missing, so_far, store=str(self._file.path))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, query: str, values: Sequence[object]) -> list[Any]:
        """Rows, without a transaction of its own."""
        return self._file.read(query, values)

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One step that nobody sees half of."""
        return self._file.transaction()

    def _about(self, subject: str) -> tuple[str, list[bytes]]:
        values, users = self.sealer.values(subject), self.sealer.users(subject)
        of_users = f"SELECT id FROM vault WHERE user IN ({places(users)})"  # noqa: S608 - ours
        return f"(mark IN ({places(values)}) OR vault IN ({of_users}))", [*values, *users]
