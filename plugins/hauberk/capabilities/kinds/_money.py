"""Amounts of money, counted in decimals and in a currency (pure).

Rules:
* An amount is an integer, a `Decimal`, a float, or a text in plain decimals with a point. Thousands
  separators, commas, exponents and digits of other scripts are refused: they are read in two ways.
* A float counts as what it prints: 0.1 is 0.1. One with more decimals than money has is refused.
* With `currency`, the amount must say its currency, or `currency_in` names the argument that does.
"""

from __future__ import annotations

import re
from decimal import Decimal

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit, unreadable
from hauberk.policy._constraints import MoneyRule

_TEXT = re.compile(
    r"(?:(?P<before>[A-Z]{3}) ?)?(?P<sign>-?)(?P<amount>[0-9]{1,30}(?:\.[0-9]{1,30})?)"
    r"(?: ?(?P<after>[A-Z]{3}))?"
)
_DIGITS = 30
"""Most digits before the point. All the money there is has fifteen."""
_WANTS = "must be an amount in plain decimals, such as 12.50"


def money_kind(rule: MoneyRule) -> Kind:
    """A constraint on an amount."""

    def check(value: object, arguments: Arguments) -> Misfit | None:
        found = _amount(value)
        if found is None:
            return unreadable(_WANTS)
        amount, currency = found
        if amount != round(amount, rule.decimals):
            return unreadable(f"must have at most {rule.decimals} decimals")
        return _outside(rule, amount) or _wrong_currency(rule, currency, arguments)

    return Kind(name="money", check=check)


def _amount(value: object) -> tuple[Decimal, str | None] | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        number = Decimal(value)
        return (number, None) if number.is_finite() and number.adjusted() < _DIGITS else None
    if isinstance(value, float):
        return _amount(Decimal(float.__repr__(value)))
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found["before"] and found["after"]):
        return None
    return Decimal(found["sign"] + found["amount"]), found["before"] or found["after"]


def _outside(rule: MoneyRule, amount: Decimal) -> Misfit | None:
    if amount > rule.max:
        return Misfit(f"must be at most {rule.max}", field="max", needed=amount)
    if amount < rule.min:
        return Misfit(f"must be at least {rule.min}", field="min", needed=amount)
    return None


def _wrong_currency(rule: MoneyRule, currency: str | None, arguments: Arguments) -> Misfit | None:
    if rule.currency is None:
        return None if currency is None else Misfit("must not name a currency", field="currency")
    named: object = currency
    if rule.currency_in is not None:
        named = arguments.get(rule.currency_in)
        if not isinstance(named, str) or (currency is not None and currency != named):
            return unreadable(f"must have its currency in `{rule.currency_in}`")
    if named is None:
        return unreadable("must name its currency, such as `EUR 12.50`")
    if named in rule.currency:
        return None
    return Misfit("must be in a currency in `currency`", field="currency", needed=named)
