"""`when`: conditions on who, what for, where and at what time (pure, but for the clock).

Rules:
* To allow, every condition must hold; what the session does not say, does not hold.
* To deny, every condition must hold or be unknown.
* The clock never goes back: an hour that has passed does not come again when somebody sets it back.
"""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hauberk.policy import TimeWindow, When

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SteadyClock:
    """The time of day, which never goes back.

    It is the wall clock, or what the monotonic clock makes of the start when the wall clock stands
    before that. A clock that jumps ahead is believed, as it is after a machine slept.
    """

    def __init__(
        self,
        wall: Callable[[], float] = _time.time,
        monotonic: Callable[[], float] = _time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._start = wall() - monotonic()

    def __call__(self) -> datetime:
        """Now, in UTC."""
        seconds = max(self._wall(), self._start + self._monotonic())
        return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition can ask about."""

    user: str | None
    purpose: str | None
    agent: str | None
    tenant: str | None
    environment: str | None
    role: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that does not hold."""

    field: str
    wants: str
    needed: object = None


class Condition:
    """One compiled `when`."""

    def __init__(self, when: When, clock: Callable[[], datetime]) -> None:
        self._names = tuple(
            (field, frozenset(wanted))
            for field, wanted in (
                ("user", when.user),
                ("purpose", when.purpose),
                ("agent", when.agent),
                ("tenant", when.tenant),
                ("environment", when.environment),
            )
            if wanted is not None
        )
        self._roles = None if when.role is None else frozenset(when.role)
        self._window = None if when.time is None else Window(when.time)
        self._clock = clock

    def unmet(self, facts: Facts) -> Unmet | None:
        """The first condition that does not surely hold."""
        for field, wanted in self._names:
            value = getattr(facts, field)
            if value not in wanted:
                return Unmet(field, f"only for certain values of `{field}`", needed=value)
        if self._roles is not None and not self._roles & facts.role:
            return Unmet("role", "only for certain roles", needed=min(facts.role, default=None))
        if self._window is not None and not self._window.holds(self._clock()):
            return Unmet("time", f"only {self._window}")
        return None

    def may_hold(self, facts: Facts) -> bool:
        """Whether it holds, or could: what the session does not say may be anything."""
        for field, wanted in self._names:
            value = getattr(facts, field)
            if value is not None and value not in wanted:
                return False
        if self._roles is not None and facts.role and not self._roles & facts.role:
            return False
        return self._window is None or self._window.holds(self._clock())


class Window:
    """Hours of certain days, in a time zone."""

    def __init__(self, window: TimeWindow) -> None:
        self._start = window.start
        self._end = window.end
        self._days = frozenset(_DAYS.index(day) for day in window.days)
        self._zone = ZoneInfo(window.tz)
        self._text = (
            f"from {window.start:%H:%M} to {window.end:%H:%M} on {_shown(window.days)}, {window.tz}"
        )

    def __str__(self) -> str:
        """The hours and days, in words."""
        return self._text

    def holds(self, now: datetime) -> bool:
        """Whether `now` (aware) lies in it."""
        local = now.astimezone(self._zone)
        clock, today = local.time(), local.weekday()
        if self._end == time(0) or self._start < self._end:
            before_end = self._end == time(0) or clock < self._end
            return self._start <= clock and before_end and today in self._days
        if clock >= self._start:
            return today in self._days
        yesterday = (local - timedelta(days=1)).weekday()
        return clock < self._end and yesterday in self._days


def _shown(days: Iterable[str]) -> str:
    named = list(days)
    return "every day" if len(named) == len(_DAYS) else ", ".join(named)
