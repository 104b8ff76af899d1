"""The promises of a plugin and of a store, kept by the budget room."""

from __future__ import annotations

import pytest

from hauberk.budget import BudgetPlugin, BudgetStore, MemoryBudgetStore
from hauberk.plugin import Plugin
from hauberk.policy import BudgetPolicy
from hauberk.testing import BudgetStoreContract, PluginContract


class TestMemoryStore(BudgetStoreContract):
    @pytest.fixture
    def store(self) -> BudgetStore:
        return MemoryBudgetStore()


class TestBudgetPlugin(PluginContract):
    @pytest.fixture
    def plugin(self) -> Plugin:
        return BudgetPlugin(BudgetPolicy(tokens=3000, usd=0.02, wall_time_s=None))
