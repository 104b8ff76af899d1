"""Capabilities: which tools an agent may call, and with which arguments.

Detection can be fooled; what an agent is able to do cannot be talked out of.
"""

from hauberk.capabilities._plugin import CapabilitiesPlugin
from hauberk.capabilities._schema import ArgumentSchema, SchemaProblemError, Violation

__all__ = ["ArgumentSchema", "CapabilitiesPlugin", "SchemaProblemError", "Violation"]
