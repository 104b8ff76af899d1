"""Several processes, a process that is killed, a process that forks: nothing acknowledged is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hauberk.audit import AuditTrail, SqliteStore, verify_trail
from hauberk.plugin import Entry

WRITER = """
import sys
from hauberk import Decision, Event, Segment, Stage
from hauberk.audit import AuditTrail, SqliteStore
from hauberk.plugin import Entry
from hauberk.session import Session

trail = AuditTrail(SqliteStore.open(sys.argv[1]), wait_s=30)
session = Session(ident=sys.argv[2])
for number in range(int(sys.argv[3])):
    event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("x"),), session=session, call=str(number))
    trail.record(Entry(event=event, decision=Decision.allow(), elapsed_s=0, time=0))
    print(number, flush=True)
"""


def write(path: Path, session: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), session, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_process_loses_no_acknowledged_record(path: Path, seed: int) -> None:
    """It prints each number after `record` returned; `kill -9` comes at a random one."""
    last = random.Random(seed).randrange(1, 400)  # noqa: S311 - a moment, not a secret
    process = write(path, "killed", 1_000_000)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(last)]
    process.send_signal(signal.SIGKILL)
    # What it had printed by then was acknowledged too.
    acknowledged += [int(line) for line in process.stdout.read().split()]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    report = verify_trail(path)
    assert report.intact, report.problems
    with_trail = AuditTrail(SqliteStore.open(path))
    kept = [int(record.call) for record in with_trail.records(session="killed")]
    assert kept[: len(acknowledged)] == acknowledged
    # At most one more: written, and killed before it was acknowledged.
    assert len(kept) - len(acknowledged) in (0, 1)


def test_killed_again_and_again_the_trail_goes_on(path: Path) -> None:
    for session in ("a", "b", "c", "d"):
        process = write(path, session, 1_000_000)
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.kill()
        process.communicate()
        assert verify_trail(path).intact
    sessions = [record.session for record in AuditTrail(SqliteStore.open(path)).records()]
    assert sorted(set(sessions)) == ["a", "b", "c", "d"]


def test_processes_that_write_at_once_make_one_chain(path: Path) -> None:
    """They also race for making the trail, its key and its head."""
    writers = [write(path, f"w{number}", 200) for number in range(4)]
    for process in writers:
        process.communicate(timeout=120)
        assert process.returncode == 0
    report = verify_trail(path)
    assert report.intact, report.problems
    assert report.records == 800
    trail = AuditTrail(SqliteStore.open(path))
    for number in range(4):
        calls = [int(record.call) for record in trail.records(session=f"w{number}")]
        assert calls == list(range(200))


def test_a_trail_verifies_while_it_is_written_to(path: Path) -> None:
    """The head is read first, the rows at one moment after it: they are never behind."""
    process = write(path, "writer", 100_000)
    assert process.stdout is not None
    reports = [verify_trail(path) for _ in range(20) if process.stdout.readline()]
    process.kill()
    process.communicate()
    assert [report.problems for report in reports if not report.intact] == []
    assert reports[-1].records > reports[0].records


def test_the_head_is_the_newest_record_however_many_wrote(path: Path) -> None:
    for process in [write(path, f"w{number}", 100) for number in range(3)]:
        process.communicate(timeout=120)
    head = SqliteStore.open(path).head()
    assert head is not None
    assert head.seq == 300


def _child(count: int, trail: AuditTrail, make_entry: Callable[..., Entry]) -> None:
    for _ in range(count):
        trail.record(make_entry())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_may_go_on_recording(path: Path, make_entry: Callable[..., Entry]) -> None:
    """Parent and children share the trail object; a thread of the parent writes all the while."""
    trail = AuditTrail(SqliteStore.open(path), wait_s=30)
    trail.record(make_entry())
    fork = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_child, 500, trail, make_entry)
        children = [fork.Process(target=_child, args=(50, trail, make_entry)) for _ in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
            assert child.exitcode == 0
        writing.result()
    trail.record(make_entry())
    report = verify_trail(path)
    assert report.intact, report.problems
    assert report.records == 1 + 500 + 150 + 1
