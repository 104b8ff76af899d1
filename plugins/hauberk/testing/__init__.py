"""For tests, the demo and the docs: contract suites, and model doubles that need no network.

* `PluginContract`, `BudgetStoreContract`, `AuditStoreContract`: subclass one in your test suite, give
  it your implementation, and pytest runs our promises against it. They need pytest (and the first
  two hypothesis): `pip install "hauberk[test]"`.
* `ScriptedBrain` and `GullibleBrain`: what a model double answers. The model classes themselves are in
  `hauberk_langchain.testing` and `hauberk_llama_index.testing`.

Names are loaded on first use: importing this package imports neither pytest nor hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hauberk._lazy import loaded

if TYPE_CHECKING:
    from hauberk.testing._audit_contract import AuditStoreContract
    from hauberk.testing._brain import (
        Brain,
        Reply,
        Role,
        ScriptedBrain,
        ToolCall,
        ToolSpec,
        Turn,
        count_tokens,
    )
    from hauberk.testing._budget_contract import BudgetStoreContract
    from hauberk.testing._gullible import GullibleBrain
    from hauberk.testing._plugin_contract import PluginContract

_HOMES = {
    "_audit_contract": ("AuditStoreContract",),
    "_brain": (
        "Brain",
        "Reply",
        "Role",
        "ScriptedBrain",
        "ToolCall",
        "ToolSpec",
        "Turn",
        "count_tokens",
    ),
    "_budget_contract": ("BudgetStoreContract",),
    "_gullible": ("GullibleBrain",),
    "_plugin_contract": ("PluginContract",),
}

__all__ = [
    "AuditStoreContract",
    "Brain",
    "BudgetStoreContract",
    "GullibleBrain",
    "PluginContract",
    "Reply",
    "Role",
    "ScriptedBrain",
    "ToolCall",
    "ToolSpec",
    "Turn",
    "count_tokens",
]


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that pytest is needed by contract suites only."""
    return loaded(__name__, _HOMES, name)
