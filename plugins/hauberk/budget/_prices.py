"""What a model call costs, in billionths of a US dollar (pure).

Rules:
* The policy's prices go first, by the exact name of the model; then the `genai-prices` package,
  from the data in its wheel. Nothing is fetched.
* An unknown price is unknown, not zero.
* Every cost is rounded up to a billionth: sums are never too low.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from hauberk.policy import ModelPrice

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

NANO_USD = 1_000_000_000
"""Billionths in a dollar."""

_SCALE = 1_000_000
"""Prices are dollars per million tokens; they are kept as whole 1e-15 dollars per token."""


Cost = Callable[[int, int], int]
"""From tokens in and out to billionths of a dollar."""


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
        self._named = {
            name: _flat(Decimal(str(price.input_usd)), Decimal(str(price.output_usd)))
            for name, price in prices.items()
        }
        self._built_in = built_in

    def cost(self, model: str | None, input_tokens: int, output_tokens: int) -> int | None:
        """Cost of a call in billionths of a dollar, or None when no price is known."""
        if model is None:
            return None
        found = self._named.get(model)
        if found is None and self._built_in:
            found = _listed(model)
        return None if found is None else found(input_tokens, output_tokens)


def _flat(input_usd: Decimal, output_usd: Decimal) -> Cost:
    """The cost at fixed prices per million tokens."""
    taken, given = _rounded_up(input_usd), _rounded_up(output_usd)
    # Ceiling division, in whole numbers.
    return lambda tokens_in, tokens_out: -(-(tokens_in * taken + tokens_out * given) // _SCALE)


def _rounded_up(usd: Decimal) -> int:
    return int((usd * NANO_USD).to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=1024)
def _listed(model: str) -> Cost | None:
    """The cost of a model in `genai-prices`; None for one that it has no token prices for."""
    try:
        price = _calculated(model, 1, 1)
    except LookupError:
        return None
    rates = price.model_price.input_mtok, price.model_price.output_mtok
    if None in rates:
        # Billed by the hour or the image: tokens would seem to be free.
        return None
    if all(isinstance(r, Decimal) for r in rates) and not isinstance(price.model.prices, list):
        fixed = _flat(*cast("tuple[Decimal, Decimal]", rates))
        if fixed(1, 1) == _rounded_up(price.total_price):
            return fixed
    # By tier, by date, or with a fee per request: asked each time.
    return lambda taken, given: _rounded_up(_calculated(model, taken, given).total_price)


def _calculated(model: str, tokens_in: int, tokens_out: int) -> PriceCalculation:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - for budgets in money only

    # Names as frameworks write them: `openai:gpt-4o` (LangChain), `models/gemini-2.5-pro` (Google).
    provider, colon, rest = model.removeprefix("models/").partition(":")
    usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out)
    if colon:
        return calc_price(usage, rest, provider_id=provider)
    return calc_price(usage, provider)
