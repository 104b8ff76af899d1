"""The shape of `when`: on whose behalf, what for, where and at what time a rule holds."""

from __future__ import annotations

from datetime import time
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hauberk.policy._base import Model
from hauberk.policy._constraints import OneOrMany

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class TimeWindow(Model):
    """Hours of a day, on certain days. A window over midnight belongs to the day it starts on."""

    start: time = Field(default=time(0), alias="from")
    """First minute, `HH:MM`."""
    end: time = Field(default=time(0), alias="to")
    """The minute after the last one; `00:00` is midnight."""
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    tz: str = "UTC"
    """IANA time zone, such as `Europe/Zurich`."""

    @field_validator("start", "end", mode="before")
    @classmethod
    def _clock(cls, value: object) -> object:
        # YAML 1.1 reads 08:30 as a number to the base of 60.
        if isinstance(value, int) and not isinstance(value, bool):
            hours, minutes = divmod(value, 60)
            return f"{hours:02}:{minutes:02}"
        return value

    @field_validator("tz")
    @classmethod
    def _zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - reads files

        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):
            raise ValueError(
                "no such time zone (on a system without them, install tzdata)"
            ) from None
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.days:
            raise ValueError("no day: it could never hold")
        if self.start == self.end != time(0):
            raise ValueError("starts when it ends: it could never hold")
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("name the zone in `tz`")
        return self


class When(Model):
    """Conditions on the session and the clock. All that are written must hold.

    A condition on something that the session does not say (no user, say) does not hold.
    """

    user: OneOrMany | None = None
    role: OneOrMany | None = None
    """The user must have one of these roles."""
    purpose: OneOrMany | None = None
    agent: OneOrMany | None = None
    tenant: OneOrMany | None = None
    environment: OneOrMany | None = None
    """Where the application runs, such as `production`: as the session says, or the policy."""
    time: TimeWindow | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("says nothing: leave `when` out")
        return self
