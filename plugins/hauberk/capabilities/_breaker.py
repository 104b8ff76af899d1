"""Circuit breakers: a tool that keeps failing is left alone for a while.

Rules:
* Closed: calls go through; so many failures within so many seconds open it.
* Open: calls are refused until the time is over.
* Half-open: one call goes through. Its success closes the breaker, its failure opens it again.
* One breaker for each tool, for all sessions of a guard. Only failures of the tool count: raised, or
  out of time. A refused or cancelled call says nothing of the tool, and gives its turn back.
* The monotonic clock counts; should it stand before the last failure, the breaker stays as it is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from hauberk.policy import Breaker


@dataclass(slots=True)
class _State:
    """One breaker's state."""

    failures: deque[float] = field(default_factory=deque[float])
    opened: float | None = None
    """When it opened; None when closed."""
    trying: str | None = None
    """The call that is let through while half-open."""


class Breakers:
    """The breakers of a guard. Thread-safe; each verb is one step.

    Example:
        >>> now = 0.0
        >>> rule = Breaker(failures=1, open_s=30)
        >>> breakers = Breakers(clock=lambda: now)
        >>> breakers.failed("fetch", "call-1", rule)
        >>> breakers.wait_s("fetch", "call-2", rule)
        30.0
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # Made by a failure: by tools that exist, never by a name that somebody made up.
        self._states: dict[str, _State] = {}

    def wait_s(self, tool: str, call: str, rule: Breaker) -> float | None:
        """None when the call may go through; else the seconds after which to try again."""
        state = self._states.get(tool)
        if state is None:
            return None
        with self._lock:
            if state.opened is None:
                return None
            left = state.opened + rule.open_s - self._clock()
            if left > 0:
                return left
            if state.trying is not None and state.trying != call:
                return rule.open_s
            state.trying = call
            return None

    def failed(self, tool: str, call: str, rule: Breaker) -> None:
        """The tool raised, or ran out of time."""
        with self._lock:
            state = self._states.setdefault(tool, _State())
            now = self._clock()
            state.failures.append(now)
            while state.failures and state.failures[0] < now - rule.within_s:
                state.failures.popleft()
            if state.trying == call or len(state.failures) >= rule.failures:
                state.opened = now
                state.trying = None
                state.failures.clear()

    def succeeded(self, tool: str, call: str) -> None:
        """The tool gave a result."""
        state = self._states.get(tool)
        if state is None:
            return
        with self._lock:
            if state.trying == call:
                state.opened = state.trying = None

    def left(self, tool: str, call: str) -> None:
        """The call ended without saying anything of the tool."""
        state = self._states.get(tool)
        if state is not None and state.trying == call:
            with self._lock:
                if state.trying == call:
                    state.trying = None
