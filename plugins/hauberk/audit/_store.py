"""Stores: where the rows of a trail live.

Rules:
* A store is opened with its first row, number 0, which names the trail.
* `append` is one atomic step: the number, the hash before it and the new row. Two rows never get the
  same number, from however many threads and processes.
* When `append` returns a head, its row is kept as safely as the store promises.
* A store never waits longer than it was told to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Protocol

from hauberk.audit._chain import Head, Keys, Row, Sealed, genesis

MAX_IN_MEMORY = 100_000
"""Rows that a trail in memory keeps (about 100 MB); the oldest are forgotten."""

Seal = Callable[[Head], Sealed]
"""Makes the row that follows a head."""


class AuditStore(Protocol):
    """Where the rows of one trail live.

    Contract: `hauberk.testing.AuditStoreContract`.
    """

    @property
    def keys(self) -> Keys:
        """The keys of this trail."""
        ...

    def append(self, make: Seal, *, wait_s: float) -> Head | None:
        """Add the row that `make` gives for the newest row, as one atomic step.

        Args:
            make: Called with the newest row; perhaps again, when somebody else was faster.
            wait_s: The longest wait for others who write, in seconds. 0: do not wait.

        Returns:
            The new head, or None when others were writing for all of that time.

        Raises:
            StoreError: It could not be written.
        """
        ...

    def rows(self, *, newest_first: bool = False, lines: Sequence[bytes] = ()) -> Iterator[Row]:
        """The rows in order of their number, as of now; only those whose body has all `lines`.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    def head(self) -> Head | None:
        """The newest row, as it is remembered outside the rows; None when it is not.

        Raises:
            TamperedError: What remembers it was changed.
        """
        ...

    def close(self) -> None:
        """Let go of files. The store opens them again when it is used again."""
        ...


class MemoryStore:
    """Rows in memory, for as long as the process lives. Forgets the oldest past its limit."""

    def __init__(self, *, limit: int = MAX_IN_MEMORY) -> None:
        self.keys = Keys.random()
        self._rows = deque([genesis(self.keys)], maxlen=limit)
        self._lock = Lock()

    def append(self, make: Seal, *, wait_s: float) -> Head | None:  # noqa: ARG002 - the Protocol's
        """Add a row; never fails, and waits for microseconds only."""
        with self._lock:
            row = make(self._newest())
            self._rows.append(row)
            return Head(row.seq, row.hash)

    def rows(self, *, newest_first: bool = False, lines: Sequence[bytes] = ()) -> Iterator[Row]:
        """The rows that are still kept."""
        with self._lock:
            kept = list(self._rows)
        ordered = reversed(kept) if newest_first else kept
        return (row.row() for row in ordered if all(line in row.body for line in lines))

    def head(self) -> Head | None:
        """The newest row."""
        with self._lock:
            return self._newest()

    def close(self) -> None:
        """Nothing to let go of."""

    def _newest(self) -> Head:
        return Head(self._rows[-1].seq, self._rows[-1].hash)
