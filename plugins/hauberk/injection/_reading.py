"""How suspicious a text is, said by whatever scores texts.

Rules:
* A score is a number from 0 to 1. What it means is the scorer's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """Who speaks: what is normal from one is odd from the other.

    Example:
        >>> Channel.of("tool")
        <Channel.DATA: 'data'>
    """

    USER = "user"
    """What a user says: orders are normal."""
    DATA = "data"
    """What tools return and documents hold: an order is odd."""

    @classmethod
    def of(cls, kind: str) -> Channel:
        """The channel of a kind of origin: `user` is one, all others are data."""
        return cls.USER if kind == "user" else cls.DATA


@dataclass(frozen=True, slots=True)
class Reading:
    """A score, and the stretch of the text that it is about."""

    score: float
    """0 to 1."""
    start: int = 0
    """First character of the most suspicious stretch."""
    end: int = 0
    """First character after it."""


CLEAN = Reading(0.0)
"""Nothing to suspect."""


class Reader(Protocol):
    """Scores folded texts: the classifier."""

    def read(self, folded: str, channel: Channel) -> Reading:
        """The reading of one folded text."""
        ...
