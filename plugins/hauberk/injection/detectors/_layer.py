"""A detector in its place: how long it is waited for, and how its scores are read.

Rules:
* A detector gets texts of one channel and gives one score from 0 to 1 for each, in order.
* Whatever else it does (raises, hangs, gives fewer scores, NaN) is a `Failure`, told without its
  words: they may hold the text.
* A detector of one colour serves both: a sync one is called in a thread of its own, an async one on
  a loop of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hauberk._threads import ToolTimeoutError, acall_apart, acall_within, call_within
from hauberk.injection._reading import Channel
from hauberk.policy import Levels, OnError

DEFAULT_TIMEOUT_S = 10.0
"""Longest answer, in seconds: a large classifier needs one or two for a long document."""


@runtime_checkable
class Detector(Protocol):
    """Scores texts for prompt injection. Ours and anyone's.

    Example:
        >>> class Shouting:
        ...     name = "shouting"
        ...     def score(self, texts, channel):
        ...         return [float(text.isupper()) for text in texts]
        >>> isinstance(Shouting(), Detector)
        True
    """

    @property
    def name(self) -> str:
        """Short name, as it appears in findings."""
        ...

    def score(self, texts: Sequence[str], channel: Channel) -> Sequence[float]:
        """How likely each text is an attack, 0 to 1. Called from many threads at once."""
        ...


@runtime_checkable
class AsyncDetector(Protocol):
    """The same for what waits: `ascore` alone will do, or beside `score`."""

    @property
    def name(self) -> str:
        """Short name, as it appears in findings."""
        ...

    async def ascore(self, texts: Sequence[str], channel: Channel) -> Sequence[float]:
        """The same scores as `score`, without blocking the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """No scores. `problem` says why, without anybody's words."""

    problem: str


Answer = tuple[float, ...] | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A detector with the policy for it."""

    detector: Detector | AsyncDetector = field(repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    """Longest answer, in seconds."""
    on_error: OnError = OnError.DENY
    """What happens to texts that it cannot judge."""
    levels: Levels = field(default_factory=Levels)
    """How its scores are read."""

    @property
    def name(self) -> str:
        """The detector's name."""
        return self.detector.name

    def score(self, texts: Sequence[str], channel: Channel) -> Answer:
        """Ask the detector."""
        try:
            scores = call_within(self.timeout_s, lambda: self._called(texts, channel))
        except ToolTimeoutError:
            return _late(self.timeout_s)
        except Exception as error:  # noqa: BLE001 - a foreign detector: it ends in refused
            return _raised(error)
        return _checked(scores, len(texts))

    async def ascore(self, texts: Sequence[str], channel: Channel) -> Answer:
        """Ask the detector without blocking the event loop."""
        detector = self.detector
        try:
            if isinstance(detector, AsyncDetector):
                asked = detector
                scores = await acall_within(self.timeout_s, lambda: asked.ascore(texts, channel))
            else:
                scores = await acall_within(
                    self.timeout_s, lambda: acall_apart(lambda: self._called(texts, channel))
                )
        except ToolTimeoutError:
            return _late(self.timeout_s)
        except Exception as error:  # noqa: BLE001 - a foreign detector: it ends in refused
            return _raised(error)
        return _checked(scores, len(texts))

    def _called(self, texts: Sequence[str], channel: Channel) -> Sequence[float]:
        detector = self.detector
        if isinstance(detector, Detector):
            return detector.score(texts, channel)
        asked = detector
        # This runs in a thread of its own, where no other loop is.
        return asyncio.run(_awaited(asked, texts, channel))


async def _awaited(
    detector: AsyncDetector, texts: Sequence[str], channel: Channel
) -> Sequence[float]:
    return await detector.ascore(texts, channel)


def _checked(scores: Sequence[float], count: int) -> Answer:
    try:
        numbers = tuple(float(score) for score in scores)
    except (TypeError, ValueError):
        return Failure("gave no numbers")
    if len(numbers) != count:
        return Failure(f"gave {len(numbers)} scores for {count} texts")
    if not all(0 <= number <= 1 for number in numbers):  # NaN is not
        return Failure("gave a score that is not between 0 and 1")
    return numbers


def _late(limit_s: float) -> Failure:
    return Failure(f"gave no answer within {limit_s:g} s")


def _raised(error: Exception) -> Failure:
    return Failure(f"failed ({type(error).__name__})")
