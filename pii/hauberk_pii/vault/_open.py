"""From a policy to a store of vaults."""

from __future__ import annotations

from hauberk.keys import KeyRing
from hauberk.policy import VaultPolicy
from hauberk_pii.vault._base import VaultStore
from hauberk_pii.vault._memory import MemoryVaults
from hauberk_pii.vault._redis import RedisVaults
from hauberk_pii.vault._seal import Keeping
from hauberk_pii.vault._sqlite import SqliteVaults


def open_vaults(policy: VaultPolicy, *, max_values: int = 100_000) -> VaultStore:
    """The store of vaults that a policy asks for.

    Raises:
        PolicyError: A key cannot be read.
        MissingExtraError: The store needs an extra that is not installed.
        StoreError: The store cannot be opened.
    """
    if policy.url == "memory:":
        return MemoryVaults(max_values=max_values)
    keys = KeyRing.load(policy.keys)
    keeping = Keeping(max_values=max_values, ttl_s=policy.ttl_s or None)
    if policy.url.startswith("sqlite:"):
        return SqliteVaults(policy.url.removeprefix("sqlite:"), keys, keeping)
    return RedisVaults(policy.url, keys, keeping)
