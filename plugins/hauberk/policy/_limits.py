"""The shape of `limits:`: bounds on what a guard looks at."""

from __future__ import annotations

from pydantic import Field

from hauberk.policy._base import Model
from hauberk.structure import MAX_DEPTH


class LimitsPolicy(Model):
    """Bounds on what a guard looks at. What passes one is refused, not cut."""

    max_text_chars: int = Field(default=4_000_000, ge=1)
    """Most characters in all segments and arguments of one event."""
    max_segments: int = Field(default=20_000, ge=1)
    """Most segments in one event."""
    max_depth: int = Field(default=MAX_DEPTH, ge=1, le=MAX_DEPTH)
    """Deepest nesting of tool arguments."""
    check_timeout_s: float = Field(default=30.0, gt=0)
    """Longest check, in seconds: between two plugins an overdue check is refused."""
    max_sessions: int = Field(default=10_000, ge=1)
    """Sessions remembered by key; the one unused for longest is forgotten."""
