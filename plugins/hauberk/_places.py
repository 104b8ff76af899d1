"""What was made of the text at each place of a conversation, kept for when it comes again.

Frameworks send the whole conversation at each turn. A part that asks here works on what is new.

Rules:
* A value is given again for the very segment that it was made of, at the same place: a segment is
  frozen, so whatever reads another text is another object, and its value is made anew.
* Segment and value lie in one pair. Threads that race make a value twice, and never mix two up.
* Kept: as many as the longest conversation had places, for as long as the session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from hauberk.events import Segment

T = TypeVar("T")


class Places(Generic[T]):
    """Values by place and segment. Thread-safe.

    Example:
        >>> places, said = Places[int](), [Segment.from_user("one"), Segment.from_user("two")]
        >>> places.values(said[:1], lambda _, segment: len(segment.text))
        [3]
        >>> places.new(said)
        [1]
    """

    __slots__ = ("_pairs",)

    def __init__(self) -> None:
        self._pairs: list[tuple[Segment, T]] = []

    def new(self, segments: Sequence[Segment]) -> list[int]:
        """The places whose value is still to be made."""
        return _new(self._pairs[: len(segments)], segments)

    def values(self, segments: Sequence[Segment], make: Callable[[int, Segment], T]) -> list[T]:
        """The value of each segment; `make` makes those that are not there. What it raises is raised."""
        pairs = self._pairs[: len(segments)]
        new = _new(pairs, segments)
        for index in new:
            pairs[index : index + 1] = [(segments[index], make(index, segments[index]))]
        if new:
            self._pairs[: len(pairs)] = pairs
        return [value for _, value in pairs]


def _new(pairs: Sequence[tuple[Segment, T]], segments: Sequence[Segment]) -> list[int]:
    found = [
        index
        for index, (pair, segment) in enumerate(zip(pairs, segments, strict=False))
        if pair[0] is not segment
    ]
    return [*found, *range(len(pairs), len(segments))]
