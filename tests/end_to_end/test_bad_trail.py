"""A trail that cannot be written or was touched: the guard refuses, and what was recorded stays."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hauberk import Guard, Policy, StoreError, TamperedError
from hauberk.audit import SqliteStore, read_records, verify_trail
from hauberk.audit._log import log_path
from hauberk.policy import AuditPolicy

pytestmark = pytest.mark.timeout(120)

ANSWER = "never said without a record"


@pytest.fixture
def bound() -> Iterator[Path]:
    """A folder of a user whom permissions bind (they bind no root)."""
    folder = Path(tempfile.mkdtemp(prefix="hauberk-e2e-"))
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    yield folder
    folder.chmod(0o700)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@contextmanager
def as_nobody() -> Generator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_no_guard_starts_with_a_trail_that_can_only_be_read(bound: Path) -> None:
    # The trail alone: a user with other permissions may not see what else is installed.
    trail = AuditPolicy(path=str(bound / "trail.db"))
    policy = Policy.unsafe_allow_all().model_copy(update={"audit": trail})
    Guard.from_policy(policy).close()  # loads what it needs as the user who may read it
    for file in bound.iterdir():
        file.unlink()
    with as_nobody():
        Guard.from_policy(policy).close()
        for file in bound.iterdir():
            file.chmod(0o400)
        bound.chmod(0o500)
        with pytest.raises(StoreError) as caught:
            Guard.from_policy(policy)
    assert caught.value.remedy
    assert verify_trail(bound / "trail.db").intact


def test_no_guard_starts_without_a_place_for_its_trail(tmp_path: Path, kit: Any) -> None:
    for path in (tmp_path / "no" / "such" / "folder.db", tmp_path, Path("/dev/null/x")):
        with pytest.raises(StoreError) as caught:
            Guard.from_policy(kit.policy(path))
        assert caught.value.remedy


@contextmanager
def full(world: Any) -> Generator[None]:
    """No file of this process grows by more than a few records, as with a quota."""
    log = log_path(world.guard.recorder.path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 9_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_refuses_then_goes_on(make: Any, door: str) -> None:
    world = make(door)
    told = 0
    with full(world):
        while not (outcome := world.run("Go", [ANSWER])).refused:
            told += 1
            assert told < 100
    assert world.run("Go", [ANSWER]).answer == ANSWER
    assert outcome.answer is None
    # Each answer that was given is on record, and so is its prompt.
    given = [r for r in world.records() if r.stage == "completion" and r.verdict == "allow"]
    assert len(given) == told + 1


QUOTA = """
import resource, sys
from hauberk import Guard, HauberkError
from hauberk_langchain import protect
from hauberk_langchain.testing import ScriptedChatModel

guard = Guard.from_policy({"version": 1, "audit": {"path": sys.argv[1]}})
model = protect(ScriptedChatModel(replies=["fine"]), guard)
model.invoke("warm")
told, refused = 1, 0
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
while not refused and told < 2_000:
    try:
        model.invoke("Go")
        told += 1
    except HauberkError as error:
        assert "audit" in str(error), error
        refused = 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
model.invoke("Go on")
print(told + 1, refused)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no quota for one process")
def test_a_quota_refuses_then_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "trail.db"
    done = subprocess.run(
        [sys.executable, "-c", QUOTA, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told, refused = map(int, done.stdout.split())
    assert refused
    assert verify_trail(path).intact
    given = [r for r in read_records(path) if r.stage == "completion" and r.verdict == "allow"]
    assert len(given) == told


HOLD = """
import fcntl, sys
log = open(sys.argv[1] + ".log", "a")
fcntl.flock(log, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another process holds the lock of the trail."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.write("\n")


def test_a_trail_that_another_process_holds_refuses_then_goes_on(make: Any, door: str) -> None:
    world = make(door)
    assert world.run("Go", [ANSWER]).answer == ANSWER
    before = len(world.records())
    world.guard.recorder._wait_s = 0.2  # what a test waits; the default is seconds
    with locked(world.path):
        outcome = world.run("Go", [ANSWER])
        assert outcome.refused
        assert outcome.seen == ""
    assert len(world.records()) == before
    assert world.run("Go", [ANSWER]).answer == ANSWER
    assert len(world.records()) == 2 * before


# --- changed by somebody while it is in use ---------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes looks at the files each time, not some times a second."""
    monkeypatch.setattr("hauberk.audit._sqlite.LOOK_EVERY_S", 0.0)


def _settled(path: Path) -> None:
    """The database has what is in the log."""
    SqliteStore.open(path).close()


def _sql(*statements: str) -> Callable[[Path], None]:
    def tamper(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    return tamper


def _checkpointed(tamper: Callable[[Path], None]) -> Callable[[Path], None]:
    def both(path: Path) -> None:
        _sql("PRAGMA wal_checkpoint(TRUNCATE)")(path)
        tamper(path)

    return both


def _half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _noise(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\x00noise" * 2_000)


def _replaced(path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    path.touch()


ENDS: dict[str, Callable[[Path], None]] = {
    "cut in half": _checkpointed(_half),
    "emptied": _checkpointed(_empty),
    "overwritten": _checkpointed(_noise),
    "replaced": _replaced,
    "removed": Path.unlink,
    "without its table": _sql("DROP TABLE records"),
    "without its rows": _sql("DELETE FROM records"),
    "without its last row": _sql("DELETE FROM records WHERE seq = (SELECT MAX(seq) FROM records)"),
}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("how", ENDS)
def test_a_trail_that_was_damaged_while_in_use_refuses(make: Any, door: str, how: str) -> None:
    world = make(door)
    for _ in range(5):
        assert world.run("Go", [ANSWER]).answer == ANSWER
    _settled(world.path)
    ENDS[how](world.path)
    outcome = world.run("Go", [ANSWER])
    assert outcome.refused, "the guard went on with a trail that was damaged"
    assert outcome.answer is None
    try:
        intact = verify_trail(world.path).intact
    except StoreError:
        intact = False
    assert not intact


CHANGES = {
    "a record": _sql("UPDATE records SET body = replace(body, 'allow', 'deny') WHERE seq = 2"),
    "a hash": _sql("UPDATE records SET hash = zeroblob(32) WHERE seq = 2"),
    "a removed record": _sql("DELETE FROM records WHERE seq = 2"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_while_in_use_is_found_and_named(make: Any, door: str, what: str) -> None:
    world = make(door)
    for _ in range(3):
        world.run("Go", [ANSWER])
    _settled(world.path)
    CHANGES[what](world.path)
    world.run("Go", [ANSWER])
    report = verify_trail(world.path)
    assert not report.intact
    assert 2 in {problem.first for problem in report.problems}


def test_no_guard_starts_with_a_forged_last_record(make: Any) -> None:
    world = make("langchain protect invoke")
    world.run("Go", [ANSWER])
    world.guard.close()
    _sql("UPDATE records SET hash = zeroblob(32) WHERE seq = (SELECT MAX(seq) FROM records)")(
        world.path
    )
    with pytest.raises(TamperedError):
        Guard.from_policy(world.guard.policy)
    assert not verify_trail(world.path).intact
