"""Flow rules: where values may go, by where they came from."""

from hauberk.capabilities.flow._flow import Flow
from hauberk.capabilities.flow._intent import Intent

__all__ = ["Flow", "Intent"]
