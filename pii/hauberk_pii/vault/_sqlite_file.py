"""The file of vaults in SQLite: its tables, and what each connection to it needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vault (
    id INTEGER PRIMARY KEY, label BLOB NOT NULL, scope BLOB NOT NULL UNIQUE, bond BLOB NOT NULL,
    user BLOB, owner BLOB);
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


def prepare(db: sqlite3.Connection) -> None:
    """Set up a new connection to the file."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(_SCHEMA)
    # Files that are older than this column.
    if "owner" not in [row[1] for row in db.execute("PRAGMA table_info(vault)")]:
        db.execute("ALTER TABLE vault ADD COLUMN owner BLOB")


def places(values: Sequence[object]) -> str:
    """Places for values in a statement."""
    return ",".join("?" * len(values))
