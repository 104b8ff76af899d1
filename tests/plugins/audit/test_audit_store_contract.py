"""Our stores keep the contract that we ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from hauberk.audit import AuditStore, MemoryStore, SqliteStore
from hauberk.testing import AuditStoreContract


class TestMemoryStore(AuditStoreContract):
    @pytest.fixture
    def store(self) -> AuditStore:
        return MemoryStore()


class TestSqliteStore(AuditStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> AuditStore:
        return SqliteStore.open(tmp_path / "trail.db")


class TestSqliteStoreThatFoldsOften(AuditStoreContract):
    """The database takes the log after every few rows."""

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AuditStore:
        monkeypatch.setattr("hauberk.audit._sqlite.FOLD_BYTES", 400)
        return SqliteStore.open(tmp_path / "trail.db")


class TestSqliteStoreWithoutLog(AuditStoreContract):
    """As where processes cannot lock each other out of a file."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> AuditStore:
        return SqliteStore.open(tmp_path / "trail.db", logs=False)
