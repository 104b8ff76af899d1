"""The vault in memory keeps the contract of vaults."""

from __future__ import annotations

from hauberk_pii import MemoryVault, Vault
from hauberk_pii.testing import VaultContract


class TestMemoryVault(VaultContract):
    def make(self, max_values: int) -> Vault:
        return MemoryVault(max_values=max_values)
