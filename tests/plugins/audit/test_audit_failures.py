"""When the trail cannot be written: a clear error, a refusal, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hauberk import Decision, Event, Guard, Policy, Segment, Stage
from hauberk.audit import AuditTrail, ProblemKind, SqliteStore, verify_trail
from hauberk.audit._log import Log, log_path
from hauberk.audit._sqlite import LOOK_EVERY_S
from hauberk.errors import StoreError, TamperedError
from hauberk.plugin import Entry

WAIT_S = 0.2
"""What a test waits for a lock; the default is seconds."""


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another program holds the lock of the trail, and its database."""
    with closing(Log(path)) as log, locked_database(path):
        assert log.lock(0.0)
        yield


@contextmanager
def locked_database(path: Path) -> Generator[None]:
    """Another program holds the write lock of the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(path: Path, room: int = 3_000) -> Generator[None]:
    """No file of this process grows past that of the log and `room` bytes, as with a quota."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_path(path).stat().st_size + room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def event() -> Event:
    return Event(stage=Stage.PROMPT, segments=(Segment.from_user("What is 2 + 2?"),))


def guard(trail: AuditTrail) -> Guard:
    policy = Policy(version=1, pii=False, injection=False, capabilities=False, budget=False)
    return Guard(policy, recorder=trail)


def test_a_locked_file_is_an_error_in_time_and_then_works_again(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path), wait_s=WAIT_S)
    trail.record(make_entry())
    with locked(path), pytest.raises(StoreError, match="locked by another program"):
        trail.record(make_entry())
    trail.record(make_entry())
    assert verify_trail(path).records == 2


async def test_a_locked_file_does_not_stop_the_loop(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    """Other tasks go on while `arecord` waits; then it is an error, too."""
    trail = AuditTrail(SqliteStore.open(path), wait_s=WAIT_S)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    with locked(path):
        ticking = asyncio.create_task(tick())
        with pytest.raises(StoreError, match="locked by another program"):
            await trail.arecord(make_entry())
        ticking.cancel()
    assert ticks > 5
    await trail.arecord(make_entry())
    assert verify_trail(path).records == 1


def test_opening_a_locked_file_is_an_error_in_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteStore.open(path).close()
    monkeypatch.setattr("hauberk.audit._sqlite_open.BUSY_TIMEOUT_S", WAIT_S)
    with locked(path), pytest.raises(StoreError, match="locked by another program"):
        SqliteStore.open(path)


def test_a_locked_database_does_not_stop_the_trail(
    path: Path, make_entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log takes the rows meanwhile; the database has them as soon as it can."""
    monkeypatch.setattr("hauberk.audit._sqlite.FOLD_BYTES", 2_000)
    trail = AuditTrail(SqliteStore.open(path), wait_s=WAIT_S)
    with locked_database(path):
        for _ in range(50):
            trail.record(make_entry())
        trail.close()
        assert verify_trail(path).records == 50
    for _ in range(50):
        trail.record(make_entry())
    assert log_path(path).stat().st_size < 4_000
    trail.close()
    assert not log_path(path).exists()
    report = verify_trail(path)
    assert report.intact, report.problems
    assert report.records == 100


def test_a_database_that_is_locked_for_too_long_is_an_error(
    path: Path, make_entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log does not grow for ever."""
    monkeypatch.setattr("hauberk.audit._sqlite.FOLD_BYTES", 2_000)
    monkeypatch.setattr("hauberk.audit._sqlite.MAX_LOG_BYTES", 10_000)
    trail = AuditTrail(SqliteStore.open(path), wait_s=WAIT_S)
    entries = iter(make_entry() for _ in range(100))
    with locked_database(path), pytest.raises(StoreError, match="locked by another program"):
        deque(map(trail.record, entries), maxlen=0)
    acknowledged = 99 - len(list(entries))
    trail.record(make_entry())
    assert verify_trail(path).records == acknowledged + 1


def test_a_full_disk_is_an_error_and_loses_nothing(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    entries = iter(make_entry() for _ in range(100))
    with full(path), pytest.raises(StoreError, match="the disk is full"):
        deque(map(trail.record, entries), maxlen=0)
    acknowledged = 1 + 99 - len(list(entries))
    trail.record(make_entry())
    report = verify_trail(path)
    assert report.intact
    assert report.records == acknowledged + 1


def test_a_guard_whose_trail_is_full_denies_and_then_goes_on(path: Path) -> None:
    """What cannot be recorded must not happen; what was recorded stays."""
    trail = AuditTrail(SqliteStore.open(path))
    keeper = guard(trail)
    allowed = 0
    with full(path):
        while (decision := keeper.check(event())).passes:
            allowed += 1
    assert decision.plugin == "audit"
    assert decision.reason == "audit failed"
    assert keeper.check(event()).passes
    report = verify_trail(path)
    assert report.intact
    assert report.records == allowed + 1


async def test_a_guard_whose_trail_is_locked_denies_in_both_colours(path: Path) -> None:
    keeper = guard(AuditTrail(SqliteStore.open(path), wait_s=WAIT_S))
    with locked(path):
        assert not keeper.check(event()).passes
        assert not (await keeper.acheck(event())).passes
    assert (await keeper.acheck(event())).passes


def test_a_file_that_can_only_be_read_is_an_error(
    bound_folder: Path, make_entry: Callable[..., Entry]
) -> None:
    path = bound_folder / "trail.db"
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    trail.close()
    path.chmod(0o400)
    with pytest.raises(StoreError, match="cannot be opened for writing") as caught:
        trail.record(make_entry())
    assert "Check that" in caught.value.remedy
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        SqliteStore.open(path)
    path.chmod(0o600)
    trail.record(make_entry())
    trail.close()
    assert verify_trail(path).records == 2


def test_a_folder_that_can_only_be_read_is_an_error(bound_folder: Path) -> None:
    bound_folder.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        SqliteStore.open(bound_folder / "trail.db")


def test_a_trail_in_a_folder_that_can_only_be_read_is_verified_all_the_same(
    bound_folder: Path, make_entry: Callable[..., Entry]
) -> None:
    path = bound_folder / "trail.db"
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    trail.close()
    bound_folder.chmod(0o500)
    assert verify_trail(path).intact


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        SqliteStore.open(tmp_path / "missing" / "trail.db")
    with pytest.raises(StoreError, match="no such file"):
        verify_trail(tmp_path / "trail.db")


def test_a_folder_is_no_trail(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteStore.open(tmp_path)
    with pytest.raises(StoreError):
        verify_trail(tmp_path)


def test_a_file_that_was_moved_away_is_an_error_and_not_a_new_trail(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    moved = path.with_name("moved.db")
    path.rename(moved)
    time.sleep(2 * LOOK_EVERY_S)
    with pytest.raises(StoreError, match="moved, replaced or deleted"):
        trail.record(make_entry())
    with pytest.raises(TamperedError, match="were removed"):
        trail.record(make_entry())
    assert not path.exists()
    moved.rename(path)
    trail.record(make_entry())
    assert verify_trail(path).records == 2


def test_records_that_are_removed_under_a_running_trail_are_noticed(
    path: Path, make_entry: Callable[..., Entry], tamper: Callable[..., None]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    for _ in range(5):
        trail.record(make_entry())
    SqliteStore.open(path).close()  # the database takes the log
    tamper(path, "DELETE FROM records WHERE seq > 3")
    with pytest.raises(TamperedError, match="records 4 to 5 were removed"):
        trail.record(make_entry())


@pytest.mark.parametrize("left", [0, 100, 1_000])
def test_a_log_that_is_cut_under_a_running_trail_is_noticed(
    path: Path, left: int, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    for _ in range(5):
        trail.record(make_entry())
    os.truncate(log_path(path), left)
    for _ in range(2):
        with pytest.raises(TamperedError, match="to 5 were removed"):
            trail.record(make_entry())
    assert ProblemKind.CUT in {problem.kind for problem in verify_trail(path).problems}


def test_a_log_that_is_removed_under_a_running_trail_is_noticed(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    for _ in range(5):
        trail.record(make_entry())
    log_path(path).unlink()
    for _ in range(2):
        with pytest.raises(TamperedError, match="records 1 to 5 were removed"):
            trail.record(make_entry())


def test_a_log_that_was_moved_away_is_noticed(path: Path, make_entry: Callable[..., Entry]) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    moved = path.with_name("moved.log")
    log_path(path).rename(moved)
    time.sleep(2 * LOOK_EVERY_S)
    with pytest.raises(StoreError, match="moved, replaced or deleted"):
        trail.record(make_entry())
    with pytest.raises(TamperedError, match="were removed"):
        trail.record(make_entry())
    log_path(path).unlink(missing_ok=True)
    moved.rename(log_path(path))
    trail.record(make_entry())
    assert verify_trail(path).records == 2


def test_rows_put_into_the_log_under_a_running_trail_are_noticed(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    raw = log_path(path).read_bytes()
    trail.record(make_entry())
    with log_path(path).open("ab") as file:
        file.write(raw)
    with pytest.raises(TamperedError, match="do not follow"):
        trail.record(make_entry())


def test_a_row_that_was_half_written_goes(path: Path, make_entry: Callable[..., Entry]) -> None:
    """Its process died within the write: it was never acknowledged."""
    trail = AuditTrail(SqliteStore.open(path))
    for _ in range(3):
        trail.record(make_entry())
    half = log_path(path).read_bytes()[:200]
    with log_path(path).open("ab") as file:
        file.write(half)
    assert verify_trail(path).records == 3
    trail.record(make_entry())
    assert verify_trail(path).records == 4
    with log_path(path).open("ab") as file:
        file.write(half)
    other = AuditTrail(SqliteStore.open(path))
    other.record(make_entry())
    trail.record(make_entry())
    report = verify_trail(path)
    assert report.intact, report.problems
    assert report.records == 6


def test_a_writer_that_dies_after_the_database_took_the_log_costs_nothing(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    """The rows are in both then, and count once."""
    trail = AuditTrail(SqliteStore.open(path))
    for _ in range(5):
        trail.record(make_entry())
    raw = log_path(path).read_bytes()
    trail.close()
    log_path(path).write_bytes(raw)
    assert [record.seq for record in trail.records()] == [1, 2, 3, 4, 5]
    assert [record.seq for record in trail.records(last=2)] == [4, 5]
    trail.record(make_entry())
    trail.close()
    report = verify_trail(path)
    assert report.intact, report.problems
    assert report.records == 6


def test_a_file_that_is_overwritten_under_a_running_trail_is_noticed(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    trail.record(make_entry())
    trail.close()
    with path.open("r+b") as file:
        file.write(b"\0" * 4096)
    with pytest.raises(TamperedError):
        trail.record(make_entry())


def test_no_error_quotes_what_was_to_be_written(path: Path) -> None:
    trail = AuditTrail(SqliteStore.open(path), wait_s=0.05)
    keeper = guard(trail)
    secret = Event(stage=Stage.PROMPT, segments=(Segment.from_user("4111 1111 1111 1111"),))
    with locked(path):
        decision = keeper.check(secret)
    assert "4111" not in repr(decision)


def test_a_stuck_thread_does_not_make_the_others_wait_for_ever(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    store = SqliteStore.open(path)
    trail = AuditTrail(store, wait_s=WAIT_S)
    with store._lock, pytest.raises(StoreError, match="locked"):
        trail.record(make_entry())
    trail.record(make_entry())


def test_an_entry_with_foreign_values_is_still_recorded(path: Path) -> None:
    """Arguments that are no JSON, and values nobody expects, cost their digest, not the record."""
    trail = AuditTrail(SqliteStore.open(path))
    keeper = guard(trail)
    loop: dict[str, object] = {}
    loop["again"] = loop
    for arguments in ({"x": b"bytes"}, {"x": {1, 2}}, {"x": float("nan")}, {1: 1, "1": 2}, loop):
        keeper.check(Event(stage=Stage.TOOL_CALL, tool="t", arguments=arguments))  # type: ignore[arg-type]  # on purpose
    records = list(trail.records())
    assert len(records) == 5
    assert records[0].input is None
    assert verify_trail(path).intact


def test_the_decision_on_a_text_of_surrogates_and_nul_is_recorded(path: Path) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    keeper = guard(trail)
    odd = "a\x00b\ud800\n\u202e"
    with keeper.session(ident=odd, user=odd, agent=odd):
        assert keeper.check(
            Event(stage=Stage.PROMPT, segments=(Segment.from_user(odd),), model=odd)
        ).passes
    (record,) = trail.records(session=odd)
    assert (record.session, record.user, record.agent, record.model) == (odd, odd, odd, odd)
    assert verify_trail(path).intact


def test_a_decision_is_not_asked_of_a_closed_trail_in_vain(
    path: Path, make_entry: Callable[..., Entry]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    trail.close()
    trail.record(make_entry(decision=Decision.deny("no")))
    assert [record.reason for record in trail.records()] == ["no"]
