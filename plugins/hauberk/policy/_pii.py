"""The shape of `pii:`: which personal data is masked."""

from __future__ import annotations

from pydantic import Field

from hauberk.policy._base import Section


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
