"""The command line: exit codes, clear errors, pure JSON. Run as users run it: as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from hauberk import Decision, Event, Finding, Segment, Stage, __version__
from hauberk.audit import AuditTrail, SqliteStore, verify_trail
from hauberk.plugin import Entry
from hauberk.session import Session

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        code = "from hauberk.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "100"} | environment,
        )

    return call


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Six records: two sessions, a refusal with a finding in each."""
    path = tmp_path / "trail.db"
    kept = AuditTrail(SqliteStore.open(path))
    for number in range(6):
        event = Event(
            stage=list(Stage)[number % 3],
            segments=(Segment.from_user("x"),),
            session=Session(ident=f"s{number % 2}"),
            tool="tool\x1b[31m" if number == 5 else None,
        )
        found = Finding(rule="r.1", category="pii", segment=0, start=0, end=1)
        decision = Decision.deny("[bold]no[/bold]", findings=[found])
        kept.record(
            Entry(
                event=event,
                decision=Decision.allow() if number % 2 else decision,
                elapsed_s=0,
                time=number,
            )
        )
    kept.close()
    return path


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_help_names_every_command_and_loads_no_room(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in ("audit", "policy", "demo", "version"):
        assert name in done.stdout
    code = (
        "import sys, hauberk.cli; "
        "print([m for m in sys.modules if m in ('pydantic', 'yaml', 'sqlite3', 'numpy', 're2')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_version(run: Run) -> None:
    assert run("version").stdout == f"hauberk {__version__}\n"
    assert lines(run("version", "--json").stdout) == [{"version": __version__}]


def test_an_unknown_command_is_an_error(run: Run) -> None:
    done = run("adit")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_verify_says_intact_and_gives_the_head(run: Run, trail: Path) -> None:
    done = run("audit", "verify", str(trail))
    assert done.returncode == 0
    assert "intact: 6 records" in done.stdout
    head = verify_trail(trail).head
    assert head is not None
    assert f"head {head}" in done.stdout


def test_verify_says_what_was_changed_and_exits_with_1(run: Run, trail: Path) -> None:
    import sqlite3

    db = sqlite3.connect(trail, isolation_level=None)
    db.execute(
        """UPDATE records SET body = CAST(replace(body, '"deny"', '"allow"') AS BLOB) WHERE seq = 3"""
    )
    db.execute("DELETE FROM records WHERE seq = 5")
    db.close()
    done = run("audit", "verify", str(trail))
    assert done.returncode == 1
    assert "TAMPERED" in done.stdout
    assert "changed: record 3 was changed (verdict)" in done.stdout
    assert "missing: record 5 is missing" in done.stdout
    (report,) = lines(run("audit", "verify", "--json", str(trail)).stdout)
    assert report["intact"] is False
    problems = report["problems"]
    assert isinstance(problems, list)
    assert [(p["kind"], p["first"], p["fields"]) for p in problems] == [
        ("changed", 3, ["verdict"]),
        ("missing", 5, []),
    ]


def test_verify_takes_an_anchor(run: Run, trail: Path) -> None:
    head = verify_trail(trail).head or ""
    done = run("audit", "verify", str(trail), "--expect-head", head.upper())
    assert done.returncode == 0
    assert "the expected hash is record 6" in done.stdout
    assert run("audit", "verify", str(trail), "--expect-head", "0" * 64).returncode == 1
    wrong = run("audit", "verify", str(trail), "--expect-head", "abc")
    assert wrong.returncode == 2
    assert "64 hexadecimal digits" in wrong.stderr


@pytest.mark.parametrize("command", ["verify", "show"])
def test_what_cannot_be_read_is_one_line_and_exit_2(run: Run, tmp_path: Path, command: str) -> None:
    done = run("audit", command, str(tmp_path / "missing.db"))
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "no such file" in line


def test_show_is_a_table_of_the_newest(run: Run, trail: Path) -> None:
    done = run("audit", "show", str(trail), "--last", "2")
    assert done.returncode == 0
    assert "2 records" in done.stdout
    assert "completion" in done.stdout


def test_names_and_reasons_are_data_and_move_no_cursor(run: Run, trail: Path) -> None:
    done = run("audit", "show", str(trail), FORCE_COLOR="1", NO_COLOR="1")
    assert "[bold]no[/bold]" in done.stdout
    assert "\x1b[31m" not in done.stdout
    assert "tool\ufffd[31m" in done.stdout.replace("\n", "")


def test_no_color_and_narrow_terminals(run: Run, trail: Path) -> None:
    plain = run("audit", "show", str(trail), FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[3" not in plain.stdout
    coloured = run("audit", "show", str(trail), FORCE_COLOR="1", NO_COLOR="")
    assert "\x1b[3" in coloured.stdout
    narrow = run("audit", "show", str(trail), COLUMNS="40")
    assert narrow.returncode == 0
    assert max(map(len, narrow.stdout.splitlines())) <= 40


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        ((), [1, 2, 3, 4, 5, 6]),
        (("--session", "s1"), [2, 4, 6]),
        (("--stage", "prompt"), [1, 4]),
        (("--verdict", "deny"), [1, 3, 5]),
        (("--verdict", "deny", "--last", "1"), [5]),
        (("--session", "nobody"), []),
    ],
)
def test_show_as_lines_of_json(
    run: Run, trail: Path, options: tuple[str, ...], seqs: list[int]
) -> None:
    done = run("audit", "show", str(trail), "--json", *options)
    assert [line["seq"] for line in lines(done.stdout)] == seqs
    assert done.stderr == ""


def test_a_filter_that_cannot_match_is_an_error(run: Run, trail: Path) -> None:
    for option in ("--stage", "--verdict"):
        done = run("audit", "show", str(trail), option, "nope")
        assert done.returncode == 2
        assert "must be one of" in done.stderr


def test_the_schema_is_a_json_schema(run: Run) -> None:
    schema = json.loads(run("policy", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"version": 1}, schema)


def test_a_good_policy_is_ok_and_what_is_unwise_is_said(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("version: 1\npii: off\nbudget:\n  on_error: allow\n")
    done = run("policy", "check", "p.yaml")
    assert done.returncode == 0
    assert "p.yaml: ok (policy): injection on, pii OFF" in done.stdout
    for part in ("pii is off", "audit.path is not set", "budget has on_error: allow"):
        assert part in done.stdout
    (found,) = lines(run("policy", "check", "p.yaml", "--json").stdout)
    assert found["rooms"] == {
        "injection": True,
        "pii": False,
        "capabilities": True,
        "budget": True,
        "audit": True,
    }


def test_a_bad_policy_says_file_line_and_field(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\npii:\n  treshold: 0.5\n")
    done = run("policy", "check", "p.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "error: p.yaml:3: pii.treshold: unknown key 'treshold'. Did you mean 'threshold'?\n"
    )
