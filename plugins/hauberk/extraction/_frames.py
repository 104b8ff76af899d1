"""Openings and endings that many callers share: those are the application's words, not a caller's.

Rules:
* An opening or ending that three callers used makes queries alike for nobody. (Whoever copies a model under
  three names, with a slot that is longer than its frame, is then found by volume alone.)
* Bounded: what was not seen for longest is forgotten first. Each process learns for itself.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from hauberk.extraction._query import Query

SHARED = 3
"""Callers from whom on an opening or ending is the application's."""

MAX_FRAMES = 20_000
"""Openings and endings that are remembered, each with at most `SHARED` callers."""


class Frames:
    """Who used which openings and endings. Thread-safe.

    Example:
        >>> frames, query = Frames(), Query.of("Answer from the context below only: why?")
        >>> [frames.own(query, caller).opening == 0 for caller in (b"ada", b"bob", b"cy")]
        [False, False, True]
    """

    def __init__(self, *, most: int = MAX_FRAMES) -> None:
        """Remember at most so many."""
        self._most = most
        self._lock = Lock()
        self._callers: OrderedDict[int, frozenset[bytes]] = OrderedDict()

    def own(self, query: Query, caller: bytes) -> Query:
        """The query without an opening and an ending that are the application's."""
        if not query.opening:
            return query
        with self._lock:
            opening, ending = (
                self._shared(query.opening, caller),
                self._shared(query.ending, caller),
            )
        if not (opening or ending):
            return query
        return replace(
            query,
            opening=0 if opening else query.opening,
            ending=0 if ending else query.ending,
        )

    def _shared(self, frame: int, caller: bytes) -> bool:
        known = self._callers.pop(frame, frozenset[bytes]())
        if len(known) < SHARED:
            known |= {caller}
        self._callers[frame] = known
        if len(self._callers) > self._most:
            self._callers.popitem(last=False)
        return len(known) >= SHARED
