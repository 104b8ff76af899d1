"""Verifying finds what was done to a trail, and says to which record."""

# ruff: noqa: S608 - a hand that tampers writes what it wants

from __future__ import annotations

import shutil
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.audit import (
    AuditTrail,
    ProblemKind,
    SqliteStore,
    VerifyReport,
    read_records,
    verify_trail,
)
from hauberk.errors import HauberkError, TamperedError
from hauberk.plugin import Entry


def kinds(report: VerifyReport) -> list[tuple[ProblemKind, int | None, int | None]]:
    return [(problem.kind, problem.first, problem.last) for problem in report.problems]


def swap(path: Path, one: int, other: int, columns: str) -> None:
    """Exchange the contents of two rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        pick = f"SELECT {columns} FROM records WHERE seq = ?"
        first, second = (db.execute(pick, (seq,)).fetchone() for seq in (one, other))
        put = ", ".join(f"{column.strip()} = ?" for column in columns.split(","))
        db.execute(f"UPDATE records SET {put} WHERE seq = ?", (*second, one))
        db.execute(f"UPDATE records SET {put} WHERE seq = ?", (*first, other))


def test_an_untouched_trail_is_intact(written: Path) -> None:
    report = verify_trail(written)
    assert report.intact
    assert report.records == 10


def test_verifying_changes_nothing(written: Path) -> None:
    before = {
        file.name: file.read_bytes() for file in written.parent.iterdir() if "-" not in file.name
    }
    verify_trail(written)
    after = {name: (written.parent / name).read_bytes() for name in before}
    assert after == before


@pytest.mark.parametrize("seq", [1, 5, 10])
def test_a_changed_byte_is_found_with_its_record_and_its_field(
    written: Path, seq: int, tamper: Callable[..., None]
) -> None:
    tamper(
        written,
        f"""UPDATE records SET body = CAST(replace(body, '"verdict":"allow"', '"verdict":"ellow"') AS BLOB)
        WHERE seq = {seq}""",
    )
    (problem,) = verify_trail(written).problems
    assert (problem.kind, problem.first, problem.fields) == (ProblemKind.CHANGED, seq, ("verdict",))


def test_changed_fields_are_all_named(written: Path, tamper: Callable[..., None]) -> None:
    tamper(
        written,
        """UPDATE records SET body = CAST(replace(replace(body, '"allow"', '"deny"'), 'r.4', 'r.9') AS BLOB)
        WHERE seq = 5""",
    )
    (problem,) = verify_trail(written).problems
    assert problem.fields == ("verdict", "findings")


@pytest.mark.parametrize("column", ["hash", "prev", "sums"])
def test_a_change_outside_the_body_is_named_too(
    written: Path, column: str, tamper: Callable[..., None]
) -> None:
    tamper(written, f"UPDATE records SET {column} = zeroblob(length({column})) WHERE seq = 5")
    (problem,) = verify_trail(written).problems
    assert (problem.kind, problem.first, problem.fields) == (ProblemKind.CHANGED, 5, (column,))


@pytest.mark.parametrize("value", ["''", "'text'", "7", "zeroblob(3)", "x'7b22736571223a'"])
@pytest.mark.parametrize("column", ["body", "prev", "sums", "hash"])
def test_any_value_in_any_column_is_a_finding_and_not_a_crash(
    written: Path, column: str, value: str, tamper: Callable[..., None]
) -> None:
    tamper(written, f"UPDATE records SET {column} = {value} WHERE seq = 5")
    assert kinds(verify_trail(written)) == [(ProblemKind.CHANGED, 5, 5)]


def test_every_single_byte_of_a_row_counts(written: Path) -> None:
    with closing(sqlite3.connect(written)) as db:
        size = db.execute("SELECT length(body) FROM records WHERE seq = 3").fetchone()[0]
    for at in range(0, size, 7):
        copy = written.with_name(f"copy{at}.db")
        for end in ("", ".key", ".head"):
            shutil.copy(str(written) + end, str(copy) + end)
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            body = bytearray(db.execute("SELECT body FROM records WHERE seq = 3").fetchone()[0])
            body[at] ^= 1
            db.execute("UPDATE records SET body = ? WHERE seq = 3", (bytes(body),))
        report = verify_trail(copy)
        assert kinds(report) == [(ProblemKind.CHANGED, 3, 3)]
        assert len(report.problems[0].fields) == 1 or body[at] == 11  # a newline joins two lines


def test_a_removed_record_is_found(written: Path, tamper: Callable[..., None]) -> None:
    tamper(written, "DELETE FROM records WHERE seq = 4")
    assert kinds(verify_trail(written)) == [(ProblemKind.MISSING, 4, 4)]


def test_a_removed_record_is_found_when_the_rest_moves_up(
    written: Path, tamper: Callable[..., None]
) -> None:
    tamper(
        written,
        "DELETE FROM records WHERE seq = 4",
        "UPDATE records SET seq = seq - 1 WHERE seq > 4",
    )
    assert kinds(verify_trail(written)) == [
        (ProblemKind.MISSING, 4, 4),
        (ProblemKind.MOVED, 5, 10),
    ]


def test_several_removed_records_are_all_named(written: Path, tamper: Callable[..., None]) -> None:
    tamper(written, "DELETE FROM records WHERE seq IN (2, 5, 6, 7)")
    assert kinds(verify_trail(written)) == [
        (ProblemKind.MISSING, 2, 2),
        (ProblemKind.MISSING, 5, 7),
    ]


@pytest.mark.parametrize(("one", "other"), [(3, 7), (5, 6), (1, 10), (9, 10)])
def test_two_swapped_records_are_found(written: Path, one: int, other: int) -> None:
    swap(written, one, other, "body, prev, sums, hash")
    assert kinds(verify_trail(written)) == [(ProblemKind.SWAPPED, one, other)]


def test_swapped_bodies_are_found(written: Path) -> None:
    swap(written, 3, 7, "body, sums")
    assert kinds(verify_trail(written)) == [
        (ProblemKind.CHANGED, 3, 3),
        (ProblemKind.CHANGED, 7, 7),
    ]


@pytest.mark.parametrize("left", [9, 5, 1, 0])
def test_a_cut_tail_is_found(written: Path, left: int, tamper: Callable[..., None]) -> None:
    tamper(written, f"DELETE FROM records WHERE seq > {left}")
    assert kinds(verify_trail(written)) == [(ProblemKind.CUT, left + 1, 10)]


def test_an_emptied_trail_is_found(written: Path, tamper: Callable[..., None]) -> None:
    tamper(written, "DELETE FROM records")
    assert kinds(verify_trail(written)) == [(ProblemKind.CUT, 0, 10)]


def test_an_appended_record_is_found(written: Path, tamper: Callable[..., None]) -> None:
    tamper(
        written,
        """INSERT INTO records SELECT 11, CAST(replace(body, '"seq":10', '"seq":11') AS BLOB), hash, sums, hash
        FROM records WHERE seq = 10""",
    )
    assert kinds(verify_trail(written)) == [(ProblemKind.INSERTED, 11, 11)]


def test_a_copied_record_is_found(written: Path, tamper: Callable[..., None]) -> None:
    tamper(
        written, "INSERT INTO records SELECT 11, body, prev, sums, hash FROM records WHERE seq = 3"
    )
    assert kinds(verify_trail(written)) == [(ProblemKind.INSERTED, 11, 11)]


def test_a_record_put_in_the_middle_is_found(written: Path, tamper: Callable[..., None]) -> None:
    tamper(
        written,
        "UPDATE records SET seq = -seq WHERE seq > 4",
        "UPDATE records SET seq = 1 - seq WHERE seq < 0",
        "INSERT INTO records SELECT 5, x'7b7d', prev, sums, hash FROM records WHERE seq = 3",
    )
    assert kinds(verify_trail(written)) == [
        (ProblemKind.INSERTED, 5, 5),
        (ProblemKind.MOVED, 5, 10),
    ]


def test_a_record_at_a_foreign_number_is_found(written: Path, tamper: Callable[..., None]) -> None:
    tamper(written, "UPDATE records SET seq = -5 WHERE seq = 5")
    assert kinds(verify_trail(written)) == [(ProblemKind.MOVED, 5, 5)]


def test_two_histories_joined_are_found(
    written: Path, tmp_path: Path, make_entry: Callable[..., Entry], tamper: Callable[..., None]
) -> None:
    """A backup is put back, goes on differently, and its end is put into the first history."""
    other = tmp_path / "other.db"
    for end in ("", ".key", ".head"):
        shutil.copy(str(written) + end, str(other) + end)
    for path in (written, other):
        trail = AuditTrail(SqliteStore.open(path))
        for _ in range(3):
            trail.record(make_entry())
        trail.close()
    tamper(
        written,
        f"ATTACH '{other}' AS other",
        "DELETE FROM records WHERE seq = 12",
        "INSERT INTO records SELECT * FROM other.records WHERE seq = 12",
    )
    assert kinds(verify_trail(written)) == [
        (ProblemKind.SPLICED, 12, 12),
        (ProblemKind.SPLICED, 13, 13),
    ]


def test_a_missing_key_is_said(written: Path) -> None:
    Path(f"{written}.key").unlink()
    assert kinds(verify_trail(written)) == [(ProblemKind.KEY, None, None)]
    with pytest.raises(TamperedError, match="key file of this trail is missing"):
        SqliteStore.open(written)


def test_the_key_of_another_trail_is_said(written: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    SqliteStore.open(other).close()
    shutil.copy(f"{other}.key", f"{written}.key")
    assert kinds(verify_trail(written)) == [(ProblemKind.KEY, None, None)]
    with pytest.raises(TamperedError):
        SqliteStore.open(written)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"00", b"zz" * 32])
def test_a_key_file_that_is_none_is_said(written: Path, content: bytes) -> None:
    Path(f"{written}.key").write_bytes(content)
    assert not verify_trail(written).intact
    with pytest.raises(TamperedError, match="not a key file"):
        SqliteStore.open(written)


def test_a_missing_head_is_said(written: Path) -> None:
    Path(f"{written}.head").unlink()
    assert kinds(verify_trail(written)) == [(ProblemKind.HEAD, None, None)]
    with pytest.raises(TamperedError, match="head file is missing"):
        SqliteStore.open(written)


def test_a_changed_head_is_said(written: Path) -> None:
    head = Path(f"{written}.head")
    head.write_bytes(head.read_bytes().replace(b"00010 ", b"00009 "))
    assert kinds(verify_trail(written)) == [(ProblemKind.HEAD, None, None)]
    with pytest.raises(TamperedError, match="head file was changed"):
        SqliteStore.open(written)


def test_a_trail_behind_its_head_does_not_open(written: Path, tamper: Callable[..., None]) -> None:
    tamper(written, "DELETE FROM records WHERE seq > 7")
    with pytest.raises(TamperedError, match="records 8 to 10 were removed"):
        SqliteStore.open(written)


def test_a_removed_trail_is_not_silently_begun_anew(written: Path) -> None:
    written.unlink()
    with pytest.raises(TamperedError, match="records 0 to 10 were removed"):
        SqliteStore.open(written)


def test_a_trail_may_be_ahead_of_its_head(written: Path, make_entry: Callable[..., Entry]) -> None:
    """Its process died between the record and the head: every record still chains."""
    old = Path(f"{written}.head").read_bytes()
    trail = AuditTrail(SqliteStore.open(written))
    trail.record(make_entry())
    trail.close()
    Path(f"{written}.head").write_bytes(old)
    report = verify_trail(written)
    assert report.intact
    assert report.records == 11
    SqliteStore.open(written).close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records WHERE seq = NEW.seq; END",
        "CREATE TABLE more (x)",
        "CREATE INDEX i ON records (hash)",
    ],
)
def test_a_schema_that_was_added_to_is_said(
    written: Path, statement: str, tamper: Callable[..., None]
) -> None:
    tamper(written, statement)
    assert [problem.kind for problem in verify_trail(written).problems] == [ProblemKind.SCHEMA]
    with pytest.raises(TamperedError, match="not as it was made"):
        SqliteStore.open(written)


def test_a_truncated_file_is_said(written: Path) -> None:
    raw = written.read_bytes()
    for size in (len(raw) - 4096, 4096, 100, 7):
        written.write_bytes(raw[:size])
        for end in ("-wal", "-shm"):
            Path(f"{written}{end}").unlink(missing_ok=True)
        report = verify_trail(written)
        assert not report.intact
        with pytest.raises(TamperedError):
            SqliteStore.open(written)
    written.write_bytes(b"")
    with pytest.raises(TamperedError, match="were removed"):
        SqliteStore.open(written)


def test_a_file_of_noise_is_said(written: Path) -> None:
    written.write_bytes(b"\0" * 8192)
    assert [problem.kind for problem in verify_trail(written).problems] == [ProblemKind.DAMAGED]


def test_an_anchor_kept_elsewhere_is_found_or_missed(
    written: Path, tmp_path: Path, make_entry: Callable[..., Entry]
) -> None:
    """The answer to somebody who has the key too: he cannot remake a hash that is kept elsewhere."""
    anchor = verify_trail(written).head
    assert anchor is not None
    trail = AuditTrail(SqliteStore.open(written))
    trail.record(make_entry())
    trail.close()
    assert verify_trail(written, expect_head=anchor).anchored == 10
    forged = tmp_path / "forged.db"
    shutil.copy(f"{written}.key", f"{forged}.key")
    trail = AuditTrail(SqliteStore.open(forged))
    for _ in range(11):
        trail.record(make_entry())
    trail.close()
    assert verify_trail(forged).intact
    assert kinds(verify_trail(forged, expect_head=anchor)) == [(ProblemKind.ANCHOR, None, None)]


def test_what_is_listed_is_bounded(
    path: Path, make_entry: Callable[..., Entry], tamper: Callable[..., None]
) -> None:
    trail = AuditTrail(SqliteStore.open(path))
    for _ in range(2_500):
        trail.record(make_entry())
    trail.close()
    tamper(path, "UPDATE records SET hash = x'00' WHERE seq % 2")
    report = verify_trail(path)
    assert len(report.problems) == 1_000
    assert report.more


def test_no_problem_quotes_a_record(written: Path, tamper: Callable[..., None]) -> None:
    tamper(written, "UPDATE records SET body = CAST('secret ' || body AS BLOB) WHERE seq = 5")
    assert "secret" not in repr(verify_trail(written))


@given(data=st.data())
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_no_damage_to_the_file_makes_anything_but_our_errors(
    whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes changed anywhere, pages' headers most of all, or the end cut off: found, or harmless."""
    path = tmp_path_factory.mktemp("damaged") / "trail.db"
    for end, content in whole.items():
        Path(f"{path}{end}").write_bytes(content)
    raw = bytearray(whole[""])
    at = st.integers(0, len(raw) - 1) | st.integers(0, 200) | st.integers(4096, 4200)
    for where, value in data.draw(st.lists(st.tuples(at, st.integers(0, 255)), max_size=6)):
        raw[where] = value
    path.write_bytes(raw[: data.draw(st.just(len(raw)) | st.integers(0, len(raw)))])
    with suppress(HauberkError):
        report = verify_trail(path)
        assert not report.intact or [r.verdict for r in read_records(path)] == ["allow"] * 10
    with suppress(HauberkError):
        deque(read_records(path), maxlen=0)
    with suppress(HauberkError):
        SqliteStore.open(path).close()


@pytest.fixture
def whole(written: Path) -> dict[str, bytes]:
    return {end: Path(f"{written}{end}").read_bytes() for end in ("", ".key", ".head")}
