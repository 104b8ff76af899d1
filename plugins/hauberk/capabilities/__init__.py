"""Capabilities: which tools an agent may call, and with which arguments.

Detection can be fooled; what an agent is able to do cannot be talked out of.
"""

from hauberk.capabilities._explanation import Explanation, ValueOrigin
from hauberk.capabilities._plugin import CapabilitiesPlugin
from hauberk.capabilities._rights import Rights, delegated
from hauberk.capabilities._schema import ArgumentSchema, SchemaProblemError, Violation
from hauberk.capabilities.kinds import open_beneath

__all__ = [
    "ArgumentSchema",
    "CapabilitiesPlugin",
    "Explanation",
    "Rights",
    "SchemaProblemError",
    "ValueOrigin",
    "Violation",
    "delegated",
    "open_beneath",
]
