"""What the queries of one caller, taken together, look like. Pure: no clock, no store.

Rules:
* One query says nothing; many of one caller do. A caller is judged by counts within stretches of
  time, and each limit is passed by the query after the last that it allows.
* A query that is refused does not count: who waits for as long as he is told is let in.
* Queries of fewer than three words are like no other.
* What is remembered of a caller is bounded, and so is the cost of a query.

Sources: that a copier is betrayed by how his queries lie to each other, and not by any one of them,
is PRADA (Juuti, Szyller, Marchal, Asokan: "PRADA: Protecting Against DNN Model Stealing Attacks",
IEEE EuroS&P 2019, https://arxiv.org/abs/1805.02628). PRADA tests whether distances are normally
distributed; those of short texts are not, for honest people neither, so pairs that are too alike are
counted by account, as in SEAT (Zhang, Chen, Wagner: "SEAT: Similarity Encoder by Adversarial Training
for Detecting Model Extraction Attack Queries", AISec 2021). Volume is a sliding window of two counters.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hauberk.extraction._policy import ExtractionPolicy, Reaction, Volume, Watch
from hauberk.extraction._query import MIN_WORDS, SKETCH, Query

_ROW = np.dtype(
    [
        ("time", "<f8"),
        ("digest", "<u8"),
        ("opening", "<u4"),
        ("ending", "<u4"),
        ("words", "<u2"),
        ("scores", "?"),
        ("sketch", "u1", (SKETCH,)),
    ]
)
Rows = npt.NDArray[np.void]
Mask = npt.NDArray[np.bool_]

_MAX_WORDS = 0xFFFF
_HEAD = struct.Struct("<4sH")
_COUNT = struct.Struct("<4d")
_FORMAT = b"hqx1"


class Count(NamedTuple):
    """Queries in the running stretch of time, and in the one before it."""

    start: float = 0.0
    now: float = 0
    before: float = 0

    def at(self, time: float, seconds: float) -> Count:
        """The same, with stretches that are over put behind."""
        passed = (time - self.start) // seconds
        if passed == 0:
            return self
        start = time - time % seconds
        return Count(start, 0, self.now if passed == 1 else 0)


def _no_rows() -> Rows:
    return np.empty(0, _ROW)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What is remembered of one caller."""

    counts: Mapping[float, Count] = field(default_factory=dict[float, Count])
    """By length of the stretch, in seconds."""
    rows: Rows = field(default_factory=_no_rows, repr=False)
    """Queries, the oldest first."""

    def to_bytes(self) -> bytes:
        """For a store."""
        counts = b"".join(_COUNT.pack(s, *count) for s, count in self.counts.items())
        return _HEAD.pack(_FORMAT, len(self.counts)) + counts + self.rows.tobytes()

    @classmethod
    def from_bytes(cls, raw: bytes) -> History:
        """Back from a store.

        Raises:
            ValueError: It was not made by `to_bytes` of this version.
        """
        if len(raw) < _HEAD.size or raw[:4] != _FORMAT:
            raise ValueError("no history")
        _, number = _HEAD.unpack_from(raw)
        end = _HEAD.size + number * _COUNT.size
        counts = {s: Count(*rest) for s, *rest in _COUNT.iter_unpack(raw[_HEAD.size : end])}
        return cls(counts, np.frombuffer(raw, _ROW, offset=end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that a query passes."""

    kind: str
    """`volume`, `sweep`, `repeats`, `short` or `scores`."""
    count: int
    """Queries of this kind, this one included."""
    limit: int
    seconds: float
    """Within which time."""
    action: Reaction
    retry_after_s: float
    """Seconds after which such a query would not pass the limit, if no other comes."""


class Judgement(NamedTuple):
    """What is to be remembered of a caller, and the limits that the query passes."""

    history: History
    breaches: tuple[Breach, ...]


def judge(history: History, query: Query, now: float, policy: ExtractionPolicy) -> Judgement:
    """Count a query, unless it is refused.

    Args:
        history: What the caller asked before.
        query: What is asked now.
        now: The clock, in seconds. One that runs backwards counts as standing still.
        policy: The limits.
    """
    rows = history.rows
    if len(rows):
        now = max(now, float(rows["time"][-1]))
    recent = rows[rows["time"] > now - policy.window_s]
    counts = {
        one.seconds: history.counts.get(one.seconds, Count()).at(now, one.seconds)
        for one in policy.volume
    }
    breaches = (*_volumes(counts, now, policy), *_kinds(recent, query, now, policy))
    if any(breach.action is not Reaction.FLAG for breach in breaches):
        return Judgement(history, breaches)
    more = {s: count._replace(now=count.now + 1) for s, count in counts.items()}
    kept = np.concatenate([recent[-policy.history + 1 :], _row(query, now)])
    return Judgement(History(more, kept), breaches)


def _volumes(
    counts: Mapping[float, Count], now: float, policy: ExtractionPolicy
) -> Iterator[Breach]:
    for one in policy.volume:
        count = counts[one.seconds]
        elapsed = now - count.start
        asked = count.now + 1 + count.before * (1 - elapsed / one.seconds)
        if asked > one.queries:
            yield Breach(
                kind="volume",
                count=int(asked),
                limit=one.queries,
                seconds=one.seconds,
                action=one.action,
                retry_after_s=_volume_wait(count, one, elapsed),
            )


def _volume_wait(count: Count, limit: Volume, elapsed: float) -> float:
    """Seconds until one more query fits: what counts of a stretch fades evenly in the next one."""
    room = limit.queries - 1 - count.now
    if room >= 0 and count.before:
        return max(0.0, limit.seconds * (1 - room / count.before) - elapsed)
    fades = 1 - (limit.queries - 1) / max(count.now, 1)
    return limit.seconds - elapsed + limit.seconds * max(0.0, fades)


def _kinds(rows: Rows, query: Query, now: float, policy: ExtractionPolicy) -> Iterator[Breach]:
    if query.words >= MIN_WORDS:
        same = rows["digest"] == np.uint64(query.digest)
        yield from _breach("repeats", policy.repeats, rows[same], now, policy)
        if policy.sweep is not False:
            near = _near(rows, query, policy.near) & ~same
            yield from _breach("sweep", policy.sweep, rows[near], now, policy)
    if query.words <= policy.short_words and policy.short is not False:
        short = rows[(rows["words"] <= policy.short_words) & (rows["words"] > 0)]
        _, first = np.unique(short["digest"], return_index=True)
        if query.words and np.uint64(query.digest) not in short["digest"]:
            yield from _breach("short", policy.short, short[np.sort(first)], now, policy)
    if query.asks_scores:
        yield from _breach("scores", policy.scores, rows[rows["scores"]], now, policy)


def _near(rows: Rows, query: Query, least: float) -> Mask:
    alike: Mask = (rows["sketch"] == query.sketch).sum(axis=1) >= least * SKETCH
    for frame in ("opening", "ending"):
        if getattr(query, frame):
            alike |= rows[frame] == getattr(query, frame)
    long: Mask = rows["words"] >= MIN_WORDS
    return alike & long


def _breach(
    kind: str, watch: Watch | Literal[False], like: Rows, now: float, policy: ExtractionPolicy
) -> Iterator[Breach]:
    if watch is False or len(like) < watch.queries:
        return
    # Once so many of the oldest are out of the window, one more fits.
    leaves = float(like["time"][len(like) - watch.queries]) + policy.window_s
    yield Breach(
        kind=kind,
        count=len(like) + 1,
        limit=watch.queries,
        seconds=policy.window_s,
        action=watch.action,
        retry_after_s=max(0.0, leaves - now),
    )


def _row(query: Query, now: float) -> Rows:
    words = min(query.words, _MAX_WORDS)
    row = (now, query.digest, query.opening, query.ending, words, query.asks_scores, query.sketch)
    return np.array([row], _ROW)
