"""The checker against any number of hands: whatever was done to the rows, it shows."""

from __future__ import annotations

import hmac
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hauberk.audit._chain import Head, Keys, Row, decode_head, encode_head, genesis, mac, seal
from hauberk.audit._check import Checker, ProblemKind

COUNT = 12
KEYS = Keys.derive(bytes(32))


def rows() -> list[Row]:
    made = [genesis(KEYS).row()]
    for number in range(COUNT):
        made.append(seal(KEYS, Head(made[-1].seq, made[-1].hash), b'{"n":%d}' % number).row())
    return made


WHOLE = rows()
HEAD = Head(WHOLE[-1].seq, WHOLE[-1].hash)


def check(found: list[Row], head: Head | None = HEAD) -> list[tuple[ProblemKind, int | None]]:
    checker = Checker(KEYS, head)
    for row in found:
        checker.take(row)
    return [(problem.kind, problem.first) for problem in checker.problems()]


@given(st.sets(st.integers(0, COUNT), min_size=1))
def test_every_removed_row_is_named(gone: set[int]) -> None:
    problems = check([row for row in WHOLE if row.seq not in gone])
    checker = Checker(KEYS, HEAD)
    for row in WHOLE:
        if row.seq not in gone:
            checker.take(row)
    named: set[int] = set()
    for problem in checker.problems():
        assert problem.kind in (ProblemKind.MISSING, ProblemKind.CUT)
        assert problem.first is not None
        assert problem.last is not None
        named |= set(range(problem.first, problem.last + 1))
    assert named == gone
    assert problems


@given(st.integers(0, COUNT), st.integers(0, COUNT))
def test_two_swapped_rows_are_named(one: int, other: int) -> None:
    found = list(WHOLE)
    found[one], found[other] = (
        found[other]._replace(seq=one),
        found[one]._replace(seq=other),
    )
    wanted = [] if one == other else [(ProblemKind.SWAPPED, min(one, other))]
    assert check(found) == wanted


@given(
    seq=st.integers(0, COUNT),
    column=st.sampled_from(["body", "prev", "sums", "hash"]),
    at=st.integers(0),
    bit=st.integers(0, 7),
)
def test_a_single_flipped_bit_is_found_and_placed(seq: int, column: str, at: int, bit: int) -> None:
    raw = bytearray(getattr(WHOLE[seq], column))
    raw[at % len(raw)] ^= 1 << bit
    found = list(WHOLE)
    changed: dict[str, Any] = found[seq]._asdict() | {column: bytes(raw)}
    found[seq] = Row(**changed)
    assert check(found) == [(ProblemKind.CHANGED, seq)]


@given(st.permutations(range(COUNT + 1)))
def test_no_other_order_passes(order: list[int]) -> None:
    found = [WHOLE[number]._replace(seq=place) for place, number in enumerate(order)]
    assert bool(check(found)) == (order != sorted(order))


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(-3, COUNT + 3))
def test_a_row_made_without_the_key_never_passes(body: bytes, digest: bytes, seq: int) -> None:
    forged = Row(seq, body, digest, digest, digest)
    kept = [row for row in WHOLE if row.seq != seq]
    assert check(sorted([*kept, forged])) != []


def test_a_row_of_another_trail_never_passes() -> None:
    other = Keys.random()
    foreign = seal(other, Head(WHOLE[4].seq, WHOLE[4].hash), b'{"n":4}').row()
    assert check([*WHOLE[:5], foreign, *WHOLE[6:]]) == [(ProblemKind.CHANGED, 5)]


def test_without_a_head_a_cut_tail_is_not_seen() -> None:
    """Which is why a missing head is a finding of its own."""
    assert check(WHOLE[:5], head=None) == []
    assert check(WHOLE[:5]) == [(ProblemKind.CUT, 5)]


@given(st.integers(0, 10**19), st.binary(min_size=32, max_size=32))
def test_a_head_file_holds_what_was_put_in(seq: int, digest: bytes) -> None:
    head = Head(seq, digest)
    assert decode_head(KEYS, encode_head(KEYS, head)) == head
    assert decode_head(Keys.random(), encode_head(KEYS, head)) is None


@given(st.integers(0, 165), st.integers(1, 255))
def test_no_changed_head_file_passes(at: int, flip: int) -> None:
    raw = bytearray(encode_head(KEYS, HEAD))
    raw[at % len(raw)] ^= flip
    assert decode_head(KEYS, bytes(raw)) is None


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_a_keyed_hash_is_hmac_sha256(key: bytes, message: bytes) -> None:
    assert mac(key, message) == mac(key, message) == hmac.digest(key, message, "sha256")
