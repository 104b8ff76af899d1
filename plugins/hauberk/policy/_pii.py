"""The shape of `pii:`: which personal data is masked."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hauberk.policy._base import Model, Section


class VaultPolicy(Model):
    """Where the values behind pseudonyms are remembered."""

    url: str = "memory:"
    """`memory:` (as long as the session), `sqlite:PATH` (the processes of one machine), or
    `redis://HOST:PORT/DB` (a fleet)."""
    keys: tuple[str, ...] = ()
    """What values are sealed with outside memory, the newest first: `env:NAME`, `file:PATH` or
    `keyring:SERVICE/NAME`. Each holds 32 bytes in Base64."""
    ttl_s: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Seconds for which a value is kept after it was last seen, by entity type; `*` stands for every
    other type. What is not named is kept until it is erased."""

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.url == "memory:":
            if self.keys or self.ttl_s:
                raise ValueError(
                    "a vault in memory takes no keys and no ttl_s: it goes with its session"
                )
        elif not self.url.startswith(_VAULTS):
            raise ValueError(f"a vault's url starts with one of: memory: {' '.join(_VAULTS)}")
        elif not self.keys:
            raise ValueError("a vault outside memory needs keys, such as [env:HAUBERK_VAULT_KEY]")
        return self


_VAULTS = ("sqlite:", "redis://", "rediss://", "unix://")


class PiiPolicy(Section):
    """Masking of personal data before the model, restoring after it."""

    entities: tuple[str, ...] | None = None
    """Entity types to mask (Presidio's names); None: the default set."""
    threshold: float = Field(default=0.4, gt=0, le=1)
    """Least score of a finding, 0 to 1."""
    language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    """Language of the texts, ISO 639-1."""
    allow: tuple[str, ...] = ()
    """Values that are never masked, such as the company's own public address. Exact."""
    max_values: int = Field(default=100_000, ge=1)
    """Most values that one session remembers; one more is refused."""
    vault: VaultPolicy = VaultPolicy()
    """Where they are remembered."""
