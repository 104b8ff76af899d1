"""The promises of a plugin, kept by the capabilities room."""

from __future__ import annotations

import pytest

from hauberk.capabilities import CapabilitiesPlugin
from hauberk.plugin import Plugin
from hauberk.policy import Access, CapabilitiesPolicy, ToolRule
from hauberk.testing import PluginContract

POLICY = CapabilitiesPolicy(
    tools={
        "send_mail": ToolRule(
            access=Access.WRITE,
            timeout_s=5,
            args={
                "properties": {
                    "to": {"format": "email", "pattern": "@bank\\.example$"},
                    "amount": {"exclusiveMinimum": 0, "multipleOf": 0.01},
                    "tags": {"items": {"enum": ["a", "b"]}, "uniqueItems": True},
                    "meta": {"patternProperties": {"^x-": {"maxLength": 3}}},
                },
                "required": ["to"],
                "additionalProperties": False,
            },
        ),
        "read_*": ToolRule(),
        "*_calendar": ToolRule(approval=True, timeout_s=2),
    },
    deny=("read_keys",),
)


class TestCapabilitiesPlugin(PluginContract):
    texts = ("ada@bank.example",)
    tools = ("send_mail", "read_mail", "read_keys", "read_calendar")
    arguments = ("to", "amount", "tags", "meta")

    @pytest.fixture
    def plugin(self) -> Plugin:
        return CapabilitiesPlugin(POLICY)
