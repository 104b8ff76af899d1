"""Vaults: who remembers the values behind pseudonyms. In memory, in a SQLite file, in Redis."""

from hauberk_pii.vault._base import Held, Value, Vault, VaultFullError, VaultStore, written
from hauberk_pii.vault._memory import MemoryVault, MemoryVaults
from hauberk_pii.vault._open import open_vaults
from hauberk_pii.vault._redis import RedisVaults
from hauberk_pii.vault._seal import Keeping
from hauberk_pii.vault._sqlite import SqliteVaults

__all__ = [
    "Held",
    "Keeping",
    "MemoryVault",
    "MemoryVaults",
    "RedisVaults",
    "SqliteVaults",
    "Value",
    "Vault",
    "VaultFullError",
    "VaultStore",
    "open_vaults",
    "written",
]
