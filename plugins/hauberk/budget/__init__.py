"""Budgets: what a session may spend, in model calls, tool calls, tokens, money and time."""

from hauberk.budget._plugin import BudgetPlugin, Spent
from hauberk.budget._prices import NANO_USD, PriceList
from hauberk.budget._store import (
    Amounts,
    Balance,
    BudgetStore,
    Limits,
    MemoryBudgetStore,
    Shortage,
)

__all__ = [
    "NANO_USD",
    "Amounts",
    "Balance",
    "BudgetPlugin",
    "BudgetStore",
    "Limits",
    "MemoryBudgetStore",
    "PriceList",
    "Shortage",
    "Spent",
]
