"""Checking rows: which records of a trail were touched (pure).

Rules:
* The rows are looked at once, in order, in bounded memory.
* Rows may be ahead of the head (a process died between the two), never behind it.
* A row that no holder of the key wrote stands for the record with its number when that record is
  nowhere else (changed); otherwise it was inserted.
* Every problem names the records that it is about. At most `MAX_PROBLEMS` are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from hauberk.audit._chain import Head, Keys, Row, authentic, changed_fields, own_number

T = TypeVar("T")

MAX_PROBLEMS = 1_000
"""Most problems that are listed; a trail with more is not to be trusted anywhere."""


class ProblemKind(StrEnum):
    """What was done to a trail."""

    CHANGED = "changed"
    """A record is not as it was written."""
    MISSING = "missing"
    """Records were removed from the middle."""
    CUT = "cut"
    """Records were removed from the end."""
    SWAPPED = "swapped"
    """Two records have changed places."""
    MOVED = "moved"
    """Records stand at numbers that are not theirs."""
    INSERTED = "inserted"
    """A row that was never a record of this trail, or a copy of one."""
    SPLICED = "spliced"
    """A record does not follow the one before it: two histories of one trail were joined."""
    HEAD = "head"
    """The head file is missing, changed, or names a record that is not there."""
    KEY = "key"
    """The key file is missing or belongs to another trail."""
    SCHEMA = "schema"
    """The database has something in it that hauberk did not put there."""
    DAMAGED = "damaged"
    """The file cannot be read to its end."""
    ANCHOR = "anchor"
    """The hash that was kept elsewhere is not in this trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    kind: ProblemKind
    text: str
    """One sentence for people."""
    first: int | None = None
    """First record that it is about."""
    last: int | None = None
    """Last record that it is about."""
    fields: tuple[str, ...] = ()
    """For a changed record: what of it was changed, where that can be told."""


class Checker:
    """Takes the rows of one trail in order, then says what is wrong with them."""

    def __init__(self, keys: Keys, head: Head | None, *, anchor: str | None = None) -> None:
        """Begin.

        Args:
            keys: Keys of the trail.
            head: The newest row that must be there; None when nothing remembers it.
            anchor: A hash that one of the records must have, in hexadecimal.
        """
        self.rows = 0
        """Rows taken so far."""
        self.last: Head | None = None
        """The record with the highest number so far that is as it was written."""
        self.anchored: int | None = None
        """Number of the record that has the hash `anchor`."""
        self.more = False
        """There was more than can be listed."""
        self._keys, self._head, self._anchor = keys, head, anchor
        self._next = 0
        self._gaps: list[tuple[int, int]] = []
        self._strange: list[tuple[int, tuple[str, ...]]] = []
        self._moves: list[tuple[int, int, int]] = []
        self._found: list[Problem] = []
        self._hash_at_head: bytes | None = None
        self._before: bytes | None = None
        self._before_number: int | None = None

    def begin_at(self, seq: int) -> None:
        """The rows begin with this number: a store in memory forgets the oldest."""
        self._next = seq

    def take(self, row: Row) -> None:
        """Look at the next row."""
        self.rows += 1
        number = own_number(row) if authentic(self._keys, row) else None
        if number is None:
            self._keep(self._strange, (row.seq, changed_fields(self._keys, row, self._before)))
        else:
            self._known(row, number)
        self._before, self._before_number = row.hash, number

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the rows that were taken, in the order of the records."""
        for seq, fields in self._strange:
            self._found.append(self._judged(seq, fields))
        self._found += map(_missing, self._gaps)
        self._found += self._at_the_end()
        self._found += _moved(self._moves)
        self.more = self.more or len(self._found) > MAX_PROBLEMS
        in_order = sorted(self._found, key=lambda problem: problem.first or 0)
        return tuple(in_order[:MAX_PROBLEMS])

    def _known(self, row: Row, number: int) -> None:
        if not self._place(number):
            text = f"row {row.seq} is a copy of record {number}"
            self._keep(self._found, _problem(ProblemKind.INSERTED, text, row.seq))
        elif number != row.seq:
            self._move(row.seq, number)
        if self._before_number == number - 1 and self._before != row.prev:
            text = f"record {number} does not follow record {number - 1}: two histories were joined"
            self._keep(self._found, _problem(ProblemKind.SPLICED, text, number))
        if self._head is not None and number == self._head.seq:
            self._hash_at_head = row.hash
        if self._anchor is not None and row.hash.hex() == self._anchor:
            self.anchored = number
        if self.last is None or number > self.last.seq:
            self.last = Head(number, row.hash)

    def _place(self, number: int) -> bool:
        """Tick a number off; False when it was ticked off before."""
        if number >= self._next:
            if number > self._next:
                self._keep(self._gaps, (self._next, number - 1))
            self._next = number + 1
            return True
        for index, (first, last) in enumerate(self._gaps):
            if first <= number <= last:
                parts = [(first, number - 1), (number + 1, last)]
                self._gaps[index : index + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        return False

    def _move(self, row: int, number: int) -> None:
        if self._moves:
            first, last, shift = self._moves[-1]
            if last + 1 == row and shift == number - row:
                self._moves[-1] = (first, row, shift)
                return
        self._keep(self._moves, (row, row, number - row))

    def _keep(self, items: list[T], item: T) -> None:
        if len(items) < MAX_PROBLEMS:
            items.append(item)
        else:
            self.more = True

    def _judged(self, seq: int, fields: tuple[str, ...]) -> Problem:
        """A row that nobody with the key wrote: a record that was changed, or none at all."""
        beyond = self._head is not None and seq > self._head.seq
        if seq < 0 or beyond or not self._place(seq):
            text = f"row {seq} was not written by this trail"
            return _problem(ProblemKind.INSERTED, text, seq)
        what = f" ({', '.join(fields)})" if fields else ""
        text = f"record {seq} was changed{what}"
        return _problem(ProblemKind.CHANGED, text, seq, fields=fields)

    def _at_the_end(self) -> Iterator[Problem]:
        head = self._head
        if head is not None and self._next <= head.seq:
            text = f"records {self._next} to {head.seq} were cut off"
            yield _problem(ProblemKind.CUT, text, self._next, head.seq)
        elif head is not None and self._hash_at_head not in (None, head.hash):
            text = f"record {head.seq} is not the one that the head file names"
            yield _problem(ProblemKind.HEAD, text, head.seq)
        if self._anchor is not None and self.anchored is None:
            yield _problem(ProblemKind.ANCHOR, "no record has the expected hash", None)


def _problem(
    kind: ProblemKind,
    text: str,
    first: int | None,
    last: int | None = None,
    *,
    fields: tuple[str, ...] = (),
) -> Problem:
    end = first if last is None else last
    return Problem(kind=kind, text=text, first=first, last=end, fields=fields)


def _missing(gap: tuple[int, int]) -> Problem:
    first, last = gap
    text = (
        f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
    )
    return _problem(ProblemKind.MISSING, text, first, last)


def _moved(moves: list[tuple[int, int, int]]) -> Iterator[Problem]:
    """Pairs that changed places, and what else stands where it does not belong."""
    single = {first: first + shift for first, last, shift in moves if first == last}
    for first, last, shift in moves:
        here, there = first, first + shift
        if first == last and single.get(there) == here:
            if here < there:
                text = f"records {here} and {there} were swapped"
                yield _problem(ProblemKind.SWAPPED, text, here, there)
        elif first == last:
            yield _problem(ProblemKind.MOVED, f"record {there} stands at {here}", there)
        else:
            text = f"records {there} to {last + shift} stand at {here} to {last}"
            yield _problem(ProblemKind.MOVED, text, there, last + shift)
