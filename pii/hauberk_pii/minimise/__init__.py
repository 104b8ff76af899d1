"""Minimisation: of the result of a tool, an agent sees the fields that its policy and purpose name."""

from __future__ import annotations

from hauberk_pii.minimise._fields import NoFieldsError, minimised
from hauberk_pii.minimise._rules import Minimiser

__all__ = ["Minimiser", "NoFieldsError", "minimised"]
