"""Capabilities: which tools an agent may call, and with which arguments.

Detection can be fooled; what an agent is able to do cannot be talked out of.
"""

from hauberk.capabilities._plugin import CapabilitiesPlugin

__all__ = ["CapabilitiesPlugin"]
