"""The trail: turns decisions into records and hands them to a store.

Rules:
* `record` returns when the record is safe, and raises when it is not; the guard then refuses.
* No wait is endless: a store that others hold is an error after `wait_s` seconds.
* On an event loop nothing waits for a lock: `arecord` writes at once (tens of microseconds) or
  sleeps on the loop and tries again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Self

from hauberk.audit._chain import Row, seal
from hauberk.audit._digest import Cache, Digester
from hauberk.audit._record import Record, encode, json_line
from hauberk.audit._sqlite import FIRST_PAUSE_S, LONGEST_PAUSE_S, SqliteStore
from hauberk.audit._sqlite_open import BUSY_TIMEOUT_S
from hauberk.audit._sqlite_read import read_rows
from hauberk.audit._store import AuditStore, MemoryStore, Seal
from hauberk.audit._verify import VerifyReport, verify_store
from hauberk.errors import StoreError, TamperedError
from hauberk.events import Event
from hauberk.plugin import Entry
from hauberk.policy import AuditPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records to read: those that fit everything that is given."""

    session: str | None = None
    """Ident of the session."""
    stage: str | None = None
    """Stage of the event."""
    verdict: str | None = None
    """What was decided."""
    since: datetime | None = None
    """Not older than this."""
    last: int | None = None
    """Only so many, the newest."""

    def lines(self) -> list[bytes]:
        """The lines that the body of such a record has."""
        wanted = {"session": self.session, "stage": self.stage, "verdict": self.verdict}
        return [json_line(key, str(value)) for key, value in wanted.items() if value is not None]


EVERYTHING = Selection()
"""Every record."""


class AuditTrail:
    """The trail of decisions of a guard: a `Recorder`.

    Does not promise to hold texts: it holds none. Does not promise that nobody with its key file
    forged it: anchor `head` elsewhere for that.

    Example:
        >>> from hauberk import Event, Guard, Policy, Segment, Stage
        >>> trail = AuditTrail()
        >>> guard = Guard(Policy(version=1, pii=False), recorder=trail)
        >>> _ = guard.check(Event(stage=Stage.PROMPT, segments=(Segment.from_user("Hello"),)))
        >>> [record.verdict.value for record in trail.records()]
        ['allow']
    """

    def __init__(self, store: AuditStore | None = None, *, wait_s: float = BUSY_TIMEOUT_S) -> None:
        """A trail in `store`.

        Args:
            store: Where the rows live; in memory by default.
            wait_s: Longest wait for others who write to the same store, in seconds.
        """
        self.store = MemoryStore() if store is None else store
        self._wait_s = wait_s
        self._digester = Digester(self.store.keys.digest)

    @classmethod
    def open(cls, policy: AuditPolicy) -> Self:
        """The trail that a policy asks for: in its file, or in memory when it names none.

        Raises:
            TamperedError: The file was changed (as far as that shows without reading it all).
            StoreError: The file cannot be opened.
        """
        return cls(None if policy.path is None else SqliteStore.open(policy.path))

    def __repr__(self) -> str:
        """Where it is."""
        return f"AuditTrail({str(self.path) if self.path else 'in memory'!r})"

    @property
    def path(self) -> Path | None:
        """The file; None when the trail is in memory."""
        return self.store.path if isinstance(self.store, SqliteStore) else None

    @property
    def head(self) -> str:
        """Hash of the newest record. Kept elsewhere, it proves everything up to it.

        Raises:
            StoreError: It cannot be read.
        """
        return next(self.store.rows(newest_first=True)).hash.hex()

    def record(self, entry: Entry) -> None:
        """Record one decision; it survives the process when this returns.

        Raises:
            TamperedError: Somebody changed the trail.
            StoreError: It could not be recorded.
        """
        if self.store.append(self._seal(entry), wait_s=self._wait_s) is None:
            raise self._locked()

    async def arecord(self, entry: Entry) -> None:
        """The same, on an event loop.

        Writes directly: that takes less than handing it to a thread would. Whenever somebody else
        is writing, it lets the loop go on instead of waiting.

        Raises:
            TamperedError: Somebody changed the trail.
            StoreError: It could not be recorded.
        """
        make = self._seal(entry)
        deadline = time.monotonic() + self._wait_s
        pause = FIRST_PAUSE_S
        while self.store.append(make, wait_s=0) is None:
            if time.monotonic() >= deadline:
                raise self._locked()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def close(self) -> None:
        """Let go of files. Every record is written already."""
        self.store.close()

    def records(
        self,
        *,
        session: str | None = None,
        stage: str | None = None,
        verdict: str | None = None,
        since: datetime | None = None,
        last: int | None = None,
    ) -> Iterator[Record]:
        """The records, oldest first; only those that fit every filter.

        Args:
            session: Ident of the session.
            stage: Stage of the event.
            verdict: What was decided.
            since: Not older than this.
            last: Only so many, the newest.

        Raises:
            TamperedError: A record cannot be read.
            StoreError: The trail cannot be read.
        """
        wanted = Selection(session=session, stage=stage, verdict=verdict, since=since, last=last)
        rows = self.store.rows(newest_first=last is not None, lines=wanted.lines())
        return _selected(rows, wanted)

    def digest(self, event: Event) -> str | None:
        """The digest that a record of this event has: to show which record a text belongs to."""
        return self._digester.event(event, Cache())

    def verify(self, *, expect_head: str | None = None) -> VerifyReport:
        """Prove that the trail is whole. See `verify_trail`.

        Raises:
            StoreError: The trail cannot be read.
        """
        return verify_store(self.store, expect_head=expect_head)

    def _repr_html_(self) -> str:
        from hauberk.notebook import trail_html  # noqa: PLC0415 - for notebooks only

        return trail_html(self)

    def _seal(self, entry: Entry) -> Seal:
        cache = entry.event.session.state(self, Cache)
        came, went = self._digester.both(entry.event, entry.decision, cache)
        rest = encode(entry, digest_in=came, digest_out=went)
        return partial(seal, self.store.keys, rest=rest)

    def _locked(self) -> StoreError:
        return StoreError(
            f"locked by another program for more than {self._wait_s:g} s",
            store=self.path or "audit trail",
            remedy="End the program that holds it, or wait; then go on.",
        )


def read_records(path: str | Path, selection: Selection = EVERYTHING) -> Iterator[Record]:
    """The records of a trail file, oldest first; needs no key and proves nothing.

    Raises:
        TamperedError: The file is no trail, or a record cannot be read.
        StoreError: It cannot be read.
    """
    newest_first = selection.last is not None
    rows = read_rows(Path(path), newest_first=newest_first, lines=selection.lines())
    return _selected(rows, selection)


def _selected(rows: Iterator[Row], selection: Selection) -> Iterator[Record]:
    found = _parsed(rows, selection.since)
    return found if selection.last is None else reversed(list(islice(found, selection.last)))


def _parsed(rows: Iterator[Row], since: datetime | None) -> Iterator[Record]:
    for row in rows:
        if row.seq == 0:
            continue
        record = _record(row)
        if since is None or datetime.fromisoformat(record.time) >= since.astimezone():
            yield record


def _record(row: Row) -> Record:
    try:
        return Record.from_body(row.body)
    except ValueError:
        raise TamperedError(
            f"record {row.seq} cannot be read",
            store="audit trail",
            remedy="`hauberk audit verify` says what was changed.",
        ) from None
