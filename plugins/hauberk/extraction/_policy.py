"""The shape of the plugin's configuration: `plugins: [{use: extraction, config: {...}}]`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from hauberk.policy._base import Model

MAX_HISTORY = 4096
"""Most queries of one caller that may be compared with each new one."""


class Reaction(StrEnum):
    """What happens to a query that passes a limit."""

    FLAG = "flag"
    """It is recorded, and goes on."""
    THROTTLE = "throttle"
    """It is refused, and the refusal says when to ask again. It does not count."""
    DENY = "deny"
    """It is refused, and the session ends. New sessions of the caller are refused for as long."""


class Volume(Model):
    """Most queries of one caller in a sliding stretch of time."""

    queries: int = Field(ge=1)
    seconds: float = Field(gt=0, le=31 * 86_400)
    action: Reaction = Reaction.THROTTLE


class Watch(Model):
    """Most queries of one kind, by one caller, within `window_s`."""

    queries: int = Field(ge=1)
    action: Reaction = Reaction.THROTTLE


class ExtractionPolicy(Model):
    """When the queries of one caller look as if the model were being copied.

    The defaults are far above what people do in a chat; an application whose users send forms or
    batches wants limits of its own.
    """

    volume: tuple[Volume, ...] = (
        Volume(queries=60, seconds=60),
        Volume(queries=1000, seconds=3600),
        Volume(queries=6000, seconds=86_400),
    )
    """How much one caller may ask."""
    window_s: float = Field(default=3600.0, gt=0, le=31 * 86_400)
    """For the four kinds below: the stretch of time, in seconds."""
    sweep: Watch | Literal[False] = Watch(queries=60)
    """Queries that are nearly the same and differ: one sentence with a slot that is varied."""
    repeats: Watch | Literal[False] = Watch(queries=60)
    """The very same query again: sampling what the model may answer."""
    short: Watch | Literal[False] = Watch(queries=240)
    """Short queries, all different: word by word over everything there is to ask."""
    scores: Watch | Literal[False] = Watch(queries=30)
    """Queries that ask for probabilities, logits or the scores of all labels: worth many others."""
    near: float = Field(default=0.5, gt=0, lt=1)
    """From which share of common words and pairs of words two queries are nearly the same."""
    short_words: int = Field(default=5, ge=1)
    """A query of so many words or fewer is short."""
    history: int = Field(default=512, ge=2, le=MAX_HISTORY)
    """Newest queries of a caller that each new one is compared with."""
    store: str = Field(default="memory:", pattern=r"^(memory:|sqlite:.+)$")
    """`memory:` (this process), or `sqlite:PATH` (the processes of one machine)."""

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        for name in ("sweep", "repeats", "short", "scores"):
            watch: Watch | Literal[False] = getattr(self, name)
            if watch is not False and watch.queries >= self.history:
                raise ValueError(f"{name}.queries must be below history, or it can never be passed")
        seconds = [one.seconds for one in self.volume]
        if len(set(seconds)) < len(seconds):
            raise ValueError("volume names a stretch of time twice")
        return self
