"""What a model call costs, in billionths of a US dollar (pure).

Rules:
* The policy's prices go first, by the exact name of the model; then the `genai-prices` package,
  from the data in its wheel. Nothing is fetched.
* An unknown price is unknown, not zero.
* Every cost is rounded up to a billionth: sums are never too low.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from hauberk.policy import ModelPrice

NANO_USD = 1_000_000_000
"""Billionths in a dollar."""

_SCALE = 1_000_000
"""Prices are dollars per million tokens; they are kept as whole 1e-15 dollars per token."""


class PriceList:
    """Costs by model name.

    Example:
        >>> prices = PriceList({"tiny": ModelPrice(input_usd=1, output_usd=2)}, built_in=False)
        >>> prices.cost("tiny", 10, 5), prices.cost("other", 10, 5)
        (20000, None)
    """

    def __init__(self, prices: Mapping[str, ModelPrice], *, built_in: bool) -> None:
        """Take the policy's prices.

        Args:
            prices: By exact model name.
            built_in: Look into `genai-prices` for the rest (180 ms for its import, at first use).
        """
        self._rates = {
            name: (_rate(price.input_usd), _rate(price.output_usd))
            for name, price in prices.items()
        }
        self._built_in = built_in

    def cost(self, model: str | None, input_tokens: int, output_tokens: int) -> int | None:
        """Cost of a call in billionths of a dollar, or None when no price is known."""
        if model is None:
            return None
        rates = self._rates.get(model)
        if rates is not None:
            # Ceiling division, in whole numbers.
            return -(-(input_tokens * rates[0] + output_tokens * rates[1]) // _SCALE)
        return _listed(model, input_tokens, output_tokens) if self._built_in else None


def _rate(usd_per_million: float) -> int:
    exact = Decimal(str(usd_per_million)) * NANO_USD
    return int(exact.to_integral_value(ROUND_CEILING))


def _listed(model: str, input_tokens: int, output_tokens: int) -> int | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - for budgets in money only

    # Names as frameworks write them: `openai:gpt-4o` (LangChain), `models/gemini-2.5-pro` (Google).
    provider, colon, rest = model.removeprefix("models/").partition(":")
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        if colon:
            price = calc_price(usage, rest, provider_id=provider)
        else:
            price = calc_price(usage, provider)
    except LookupError:
        return None
    return int((price.total_price * NANO_USD).to_integral_value(ROUND_CEILING))
