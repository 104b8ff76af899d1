"""hauberk: security middleware for LangChain and LlamaIndex applications.

Put a `Guard` around what you have, through one of the doors in `hauberk_langchain` or
`hauberk_llama_index`. This package is the core: it knows no framework, and importing it loads no
plugin, no Presidio and no model.
"""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING

from hauberk._lazy import loaded

if TYPE_CHECKING:
    from hauberk.approval import Answer, ApprovalRequest
    from hauberk.coverage import Coverage
    from hauberk.decisions import Decision, Finding, Severity, Verdict
    from hauberk.errors import (
        ApprovalRequiredError,
        BlockedError,
        BudgetExceededError,
        HauberkError,
        MissingExtraError,
        PolicyError,
        StoreError,
        TamperedError,
    )
    from hauberk.events import Event, Segment, Stage, Trust, Usage
    from hauberk.guard import Guard
    from hauberk.plugin import Plugin
    from hauberk.policy import Policy, load_policy
    from hauberk.session import Session

_HOMES = {
    "approval": ("Answer", "ApprovalRequest"),
    "coverage": ("Coverage",),
    "decisions": ("Decision", "Finding", "Severity", "Verdict"),
    "errors": (
        "ApprovalRequiredError",
        "BlockedError",
        "BudgetExceededError",
        "HauberkError",
        "MissingExtraError",
        "PolicyError",
        "StoreError",
        "TamperedError",
    ),
    "events": ("Event", "Segment", "Stage", "Trust", "Usage"),
    "guard": ("Guard",),
    "plugin": ("Plugin",),
    "policy": ("Policy", "load_policy"),
    "session": ("Session",),
}

__version__ = _version("hauberk")

__all__ = [
    "Answer",
    "ApprovalRequest",
    "ApprovalRequiredError",
    "BlockedError",
    "BudgetExceededError",
    "Coverage",
    "Decision",
    "Event",
    "Finding",
    "Guard",
    "HauberkError",
    "MissingExtraError",
    "Plugin",
    "Policy",
    "PolicyError",
    "Segment",
    "Session",
    "Severity",
    "Stage",
    "StoreError",
    "TamperedError",
    "Trust",
    "Usage",
    "Verdict",
    "__version__",
    "load_policy",
]


def __getattr__(name: str) -> object:
    """Load a public name on first use: `import hauberk` stays fast."""
    return loaded(__name__, _HOMES, name)
