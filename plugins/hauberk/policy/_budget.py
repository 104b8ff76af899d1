"""The shape of `budget:`: what may be spent."""

from __future__ import annotations

from pydantic import Field

from hauberk.policy._base import Model, Section


class ModelPrice(Model):
    """What a model costs, in US dollars per million tokens."""

    input_usd: float = Field(ge=0)
    output_usd: float = Field(ge=0)


class BudgetPolicy(Section):
    """What one session may spend. `null` sets no limit."""

    model_calls: int | None = Field(default=100, ge=1)
    """Calls of a model."""
    tool_calls: int | None = Field(default=200, ge=1)
    """Calls of tools."""
    tokens: int | None = Field(default=2_000_000, ge=1)
    """Tokens in and out."""
    usd: float | None = Field(default=None, gt=0)
    """Money for models, in US dollars. A model of unknown price is refused when this is set."""
    wall_time_s: float | None = Field(default=3600, gt=0)
    """Time from the first event of the session, in seconds."""
    reserve_output_tokens: int = Field(default=1024, ge=1)
    """Tokens set aside for an answer when the application does not limit it."""
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    """Prices by model name; they go before the built-in price list."""
