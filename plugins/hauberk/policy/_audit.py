"""The shape of `audit:`: where decisions are recorded."""

from __future__ import annotations

from hauberk.policy._base import Section


class AuditPolicy(Section):
    """The trail of decisions."""

    path: str | None = None
    """SQLite file of the trail; null keeps it in memory, for as long as the process lives."""
