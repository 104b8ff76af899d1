"""Capabilities: which tools an agent may call, and with which arguments.

Detection can be fooled; what an agent is able to do cannot be talked out of.
"""

from hauberk.capabilities._changes import dotted
from hauberk.capabilities._explanation import Explanation, ValueOrigin
from hauberk.capabilities._learn import learned
from hauberk.capabilities._plugin import CapabilitiesPlugin
from hauberk.capabilities._rights import Rights, delegated
from hauberk.capabilities._schema import ArgumentSchema, SchemaProblemError, Violation
from hauberk.capabilities._trace import Call, CallProblemError, TraceRecorder, read_trace
from hauberk.capabilities.kinds import open_beneath

__all__ = [
    "ArgumentSchema",
    "Call",
    "CallProblemError",
    "CapabilitiesPlugin",
    "Explanation",
    "Rights",
    "SchemaProblemError",
    "TraceRecorder",
    "ValueOrigin",
    "Violation",
    "delegated",
    "dotted",
    "learned",
    "open_beneath",
    "read_trace",
]
