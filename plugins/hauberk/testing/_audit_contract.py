"""What every audit store must do, as a test suite.

Rules: those of `hauberk.audit._store`, against any implementation of `AuditStore`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from hauberk.audit import AuditStore, AuditTrail, Head
from hauberk.audit._chain import Sealed, authentic, own_number, seal
from hauberk.decisions import Decision
from hauberk.events import Event, Segment, Stage
from hauberk.plugin import Entry
from hauberk.session import Session

PARALLEL = 8
"""Writers at once."""

WAIT_S = 30.0
"""Long enough for a busy machine."""


class AuditStoreContract:
    """Subclass it, give a `store` fixture, and pytest runs these promises against your store.

    Needs `pip install "hauberk[test]"`.

    Example:
        class TestMyStore(AuditStoreContract):
            @pytest.fixture
            def store(self):
                return MyStore()
    """

    @pytest.fixture
    def store(self) -> AuditStore:
        """The store under test, newly opened. Give your own."""
        raise NotImplementedError("give a fixture `store` that makes your store")

    def test_a_new_store_holds_the_row_that_opens_the_trail(self, store: AuditStore) -> None:
        """Row 0, written with the store's own keys, and nothing else."""
        (row,) = store.rows()
        assert (row.seq, own_number(row)) == (0, 0)
        assert authentic(store.keys, row)

    def test_rows_are_numbered_and_chained(self, store: AuditStore) -> None:
        """Each row has the next number and the hash of the row before it."""
        for number in range(5):
            assert _append(store, b'{"n":%d}' % number) is not None
        rows = list(store.rows())
        assert [row.seq for row in rows] == list(range(6))
        assert all(after.prev == before.hash for before, after in pairwise(rows))
        assert all(authentic(store.keys, row) for row in rows)

    def test_what_was_appended_is_what_is_read(self, store: AuditStore) -> None:
        """Byte for byte."""
        made: list[Sealed] = []

        def make(last: Head) -> Sealed:
            made.append(seal(store.keys, last, b'{"text":"\\u0000\\ud800\\n"}'))
            return made[-1]

        assert store.append(make, wait_s=WAIT_S) is not None
        assert list(store.rows())[-1] == made[-1].row()

    def test_rows_can_be_read_from_the_end(self, store: AuditStore) -> None:
        """The newest first."""
        for number in range(3):
            _append(store, b'{"n":%d}' % number)
        assert [row.seq for row in store.rows(newest_first=True)] == [3, 2, 1, 0]

    def test_rows_can_be_chosen_by_their_lines(self, store: AuditStore) -> None:
        """Only those that have every line, in either order."""
        for number in range(6):
            _append(store, b'{"a":%d,\n"b":%d,\n"c":1}' % (number % 2, number % 3))
        lines = [b'\n"a":1,', b'\n"b":2,']
        assert [row.seq for row in store.rows(lines=lines)] == [6]
        assert [row.seq for row in store.rows(lines=lines[:1], newest_first=True)] == [6, 4, 2]

    def test_the_head_is_the_newest_row(self, store: AuditStore) -> None:
        """After every append."""
        for number in range(3):
            head = _append(store, b'{"n":%d}' % number)
            assert head is not None
            assert store.head() == head

    def test_reading_while_others_write_sees_whole_rows(self, store: AuditStore) -> None:
        """A reader that began before an append sees the trail as it was, or longer; never torn."""
        _append(store, b'{"n":0}')
        reader = store.rows()
        first = next(reader)
        _append(store, b'{"n":1}')
        rest = list(reader)
        assert all(authentic(store.keys, row) for row in (first, *rest))
        assert [row.seq for row in rest][:1] == [1]

    def test_writers_in_threads_never_get_the_same_number(self, store: AuditStore) -> None:
        """As many rows as appends, in one chain."""

        def write(writer: int) -> None:
            for number in range(20):
                assert _append(store, b'{"w":%d,\n"n":%d}' % (writer, number)) is not None

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(write, range(PARALLEL)))
        rows = list(store.rows())
        assert [row.seq for row in rows] == list(range(1 + 20 * PARALLEL))
        assert all(after.prev == before.hash for before, after in pairwise(rows))

    def test_a_row_that_cannot_be_made_leaves_nothing_behind(self, store: AuditStore) -> None:
        """The exception comes out, the trail is as before, and goes on."""

        def fail(_: Head) -> Sealed:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.append(fail, wait_s=WAIT_S)
        assert len(list(store.rows())) == 1
        row = _append(store, b'{"n":1}')
        assert row is not None
        assert row.seq == 1

    def test_a_closed_store_can_be_used_again(self, store: AuditStore) -> None:
        """Closing lets go of files; it ends nothing. Closing twice is closing once."""
        _append(store, b'{"n":1}')
        store.close()
        store.close()
        _append(store, b'{"n":2}')
        assert [row.seq for row in store.rows()] == [0, 1, 2]

    def test_a_trail_in_it_verifies(self, store: AuditStore) -> None:
        """Records of both colours, in one chain."""
        trail = AuditTrail(store, wait_s=WAIT_S)
        session = Session()
        for number in range(3):
            trail.record(_entry(session, f"text {number}"))

        async def several() -> None:
            await asyncio.gather(*(trail.arecord(_entry(session, "more")) for _ in range(PARALLEL)))

        asyncio.run(several())
        report = trail.verify()
        assert report.intact, report.problems
        assert report.records == len(list(trail.records())) == 3 + PARALLEL
        assert report.head == trail.head


def _append(store: AuditStore, rest: bytes) -> Head | None:
    return store.append(lambda last: seal(store.keys, last, rest), wait_s=WAIT_S)


def _entry(session: Session, text: str) -> Entry:
    event = Event(stage=Stage.PROMPT, segments=(Segment.from_user(text),), session=session)
    return Entry(event=event, decision=Decision.allow(), elapsed_s=0.0, time=0.0)
