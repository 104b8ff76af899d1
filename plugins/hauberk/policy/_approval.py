"""The shape of `approval:`: how long a person's answer counts, and where answers are remembered."""

from __future__ import annotations

from pydantic import Field

from hauberk.policy._base import Model


class ApprovalPolicy(Model):
    """Questions to people."""

    valid_s: float = Field(default=900, gt=0, le=604_800)
    """Seconds in which a question can be answered. A later answer is refused."""
    path: str | None = None
    """SQLite file with the key that seals questions and the answers that were used up: several
    processes, and a run that goes on tomorrow, know the same. null keeps both in memory: a question
    of another process cannot be answered then."""
