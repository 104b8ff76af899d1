"""Prices: the policy's, then the list's; whole billionths, rounded up."""

from __future__ import annotations

import subprocess
import sys
from decimal import ROUND_CEILING, Decimal

from genai_prices import Usage, calc_price, data_snapshot
from hypothesis import given
from hypothesis import strategies as st

from hauberk.budget._prices import NANO_USD, PriceList
from hauberk.policy import ModelPrice

USD = st.floats(0, 1000, allow_nan=False)
COUNT = st.integers(0, 10_000_000)


@given(input_usd=USD, output_usd=USD, tokens_in=COUNT, tokens_out=COUNT)
def test_a_cost_is_the_exact_one_rounded_up(
    input_usd: float, output_usd: float, tokens_in: int, tokens_out: int
) -> None:
    prices = PriceList(
        {"m": ModelPrice(input_usd=input_usd, output_usd=output_usd)}, built_in=False
    )
    cost = prices.cost("m", tokens_in, tokens_out)
    each = Decimal(str(input_usd)) * tokens_in + Decimal(str(output_usd)) * tokens_out
    exact = each * NANO_USD / 1_000_000
    assert cost is not None
    assert exact <= cost <= exact + 1 + Decimal("1e-6") * (tokens_in + tokens_out)


def test_every_model_of_the_list_costs_what_the_list_says() -> None:
    """Fixed prices are kept after the first look, tiers and dates are not: both must be right."""
    prices = PriceList({}, built_in=True)
    usage = Usage(input_tokens=212_345, output_tokens=678)
    priced = 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            cost = prices.cost(f"{provider.id}:{model.id}", 212_345, 678)
            if cost is not None:
                listed = calc_price(usage, model.id, provider_id=provider.id).total_price
                assert cost == int((listed * NANO_USD).to_integral_value(ROUND_CEILING)), model.id
                priced += 1
    assert priced > 1000


def test_a_model_that_is_not_billed_by_tokens_has_no_price() -> None:
    prices = PriceList({}, built_in=True)
    unpriced = [
        f"{provider.id}:{model.id}"
        for provider in data_snapshot.get_snapshot().providers
        for model in provider.models
        if not isinstance(model.prices, list) and model.prices.input_mtok is None
    ]
    assert unpriced
    assert all(prices.cost(name, 1000, 1000) is None for name in unpriced)


def test_the_list_is_not_loaded_without_a_need() -> None:
    """It takes a fifth of a second to import."""
    code = (
        "import sys; from hauberk.budget import BudgetPlugin; from hauberk.policy import *;"
        "from hauberk import *;"
        "p = BudgetPlugin(BudgetPolicy(usd=1, prices={'m': ModelPrice(input_usd=1, output_usd=1)}));"
        "assert p.inspect(Event(stage=Stage.PROMPT, model='m')).passes;"
        "assert 'genai_prices' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
