"""Where callers are remembered: one verb, one step."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Protocol

from hauberk.extraction._policy import ExtractionPolicy
from hauberk.extraction._query import Query
from hauberk.extraction._rules import Breach, History, judge

MAX_CALLERS = 20_000
"""Callers that are remembered. The one that was silent for longest is forgotten first."""

MAX_QUERIES = 400_000
"""Queries of all callers together: 40 MB."""


class CallerStore(Protocol):
    """Remembers what callers asked. Called from many threads at once."""

    @property
    def waits(self) -> bool:
        """Whether it may wait for a disk or a network."""
        ...

    def admit(
        self, caller: bytes, query: Query, now: float, policy: ExtractionPolicy
    ) -> tuple[Breach, ...]:
        """Count a query, unless it is refused: the limits that it passes. One atomic step.

        Raises:
            StoreError: It cannot be counted.
        """
        ...


class MemoryCallers:
    """Callers in memory, for all sessions of one process. Bounded.

    Example:
        >>> from hauberk.extraction import Volume
        >>> policy = ExtractionPolicy(volume=(Volume(queries=1, seconds=60),))
        >>> store, query = MemoryCallers(), Query.of("How are you?")
        >>> store.admit(b"ada", query, 0.0, policy)
        ()
        >>> store.admit(b"ada", query, 1.0, policy)[0].kind
        'volume'
    """

    waits = False

    def __init__(self, *, max_callers: int = MAX_CALLERS, max_queries: int = MAX_QUERIES) -> None:
        """Remember at most so many callers, and so many queries of all of them."""
        self._lock = Lock()
        self._callers: OrderedDict[bytes, History] = OrderedDict()
        self._max_callers, self._max_queries = max_callers, max_queries
        self._queries = 0

    def admit(
        self, caller: bytes, query: Query, now: float, policy: ExtractionPolicy
    ) -> tuple[Breach, ...]:
        """Count a query, unless it is refused."""
        with self._lock:
            old = self._callers.get(caller) or History()
            new, breaches = judge(old, query, now, policy)
            self._callers[caller] = new
            self._callers.move_to_end(caller)
            self._queries += len(new.rows) - len(old.rows)
            self._forget()
            return breaches

    def _forget(self) -> None:
        while len(self._callers) > 1 and (
            len(self._callers) > self._max_callers or self._queries > self._max_queries
        ):
            _, gone = self._callers.popitem(last=False)
            self._queries -= len(gone.rows)
