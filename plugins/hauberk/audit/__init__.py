"""The audit trail: one record per decision, chained by keyed hashes so that changes are found.

Rules:
* A record holds no text and no argument value: names, places, lengths, reasons and keyed digests.
* What `record` has returned for survives the death of the process.
* A trail that was changed, shortened or reordered by somebody without its key is found out, and
  the report says which record.

What a verified trail proves, and what it does not, is in README.md beside this file.
"""

from __future__ import annotations

from hauberk.audit._chain import Head, Keys, Row
from hauberk.audit._check import Problem, ProblemKind
from hauberk.audit._record import Record
from hauberk.audit._sqlite import SqliteStore
from hauberk.audit._store import AuditStore, MemoryStore
from hauberk.audit._trail import AuditTrail, Selection, read_records
from hauberk.audit._verify import VerifyReport, verify_trail

__all__ = [
    "AuditStore",
    "AuditTrail",
    "Head",
    "Keys",
    "MemoryStore",
    "Problem",
    "ProblemKind",
    "Record",
    "Row",
    "Selection",
    "SqliteStore",
    "VerifyReport",
    "read_records",
    "verify_trail",
]
