"""What the tests of the trail share: entries, trails in files, and hands that tamper."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hauberk.audit import AuditTrail, SqliteStore
from hauberk.decisions import Decision, Finding
from hauberk.events import Event, Segment, Stage
from hauberk.plugin import Entry
from hauberk.session import Session


def _entry(
    text: str = "hello",
    *,
    session: Session | None = None,
    decision: Decision | None = None,
    stage: Stage = Stage.PROMPT,
    **fields: object,
) -> Entry:
    event = Event(
        stage=stage,
        segments=(Segment.from_user(text),),
        session=session or Session(),
        **fields,  # type: ignore[arg-type]  # a test's own fields
    )
    return Entry(event=event, decision=decision or Decision.allow(), elapsed_s=0.001, time=1e9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trail.db"


@pytest.fixture
def trail(path: Path) -> Iterator[AuditTrail]:
    found = AuditTrail(SqliteStore.open(path))
    yield found
    found.close()


@pytest.fixture
def written(path: Path) -> Path:
    """A trail of ten records whose writer is gone."""
    trail = AuditTrail(SqliteStore.open(path))
    session = Session(ident="s1")
    for number in range(10):
        found = Finding(rule=f"r.{number}", category="pii", segment=0, start=0, end=3)
        trail.record(
            _entry(f"text {number}", session=session, decision=Decision.allow(findings=[found]))
        )
    trail.close()
    return path


def _tamper(path: Path, *statements: str) -> None:
    """What a hand with a database tool does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.fixture
def make_entry() -> Callable[..., Entry]:
    return _entry


@pytest.fixture
def tamper() -> Callable[..., None]:
    return _tamper


@pytest.fixture
def bound_folder() -> Iterator[Path]:
    """A folder, and a user whom file permissions bind: root is bound by none."""
    folder = Path(tempfile.mkdtemp(prefix="hauberk-test-"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for file in [folder, *folder.rglob("*")]:
            file.chmod(0o700)
        for file in folder.rglob("*"):
            file.unlink()
        folder.rmdir()
