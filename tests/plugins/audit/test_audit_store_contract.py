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
