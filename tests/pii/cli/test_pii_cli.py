"""`hauberk pii`: findings without values, copies that keep their form, keys, the rights of people."""

from __future__ import annotations

import csv
import json
import stat
import zipfile
from pathlib import Path

import pypdf
import pytest
from typer.testing import CliRunner, Result

from hauberk import Session
from hauberk.keys import KeyRing, new_key, read_key
from hauberk_pii import Value
from hauberk_pii._parts import BLOCK
from hauberk_pii.cli import commands
from hauberk_pii.vault import SqliteVaults

NAME, MAIL, CARD = "Ada Byron", "ada@example.com", "4111 1111 1111 1111"
WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
ROWS = {"patient": NAME, "card": 4111111111111111, "n": 5, "more": [{"mail": MAIL}]}


def run(*words: object, stdin: str = "") -> Result:
    return CliRunner().invoke(commands, [str(word) for word in words], input=stdin)


def docx(path: Path, *, head: str = "") -> None:
    runs = "".join(f"<w:r><w:t>{part}</w:t></w:r>" for part in ("write to ada@exam", "ple.com"))
    body = f'{head}<w:document xmlns:w="{WORDS}"><w:body><w:p>{runs}</w:p></w:body></w:document>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", body)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {kind: tmp_path / f"a.{kind}" for kind in ("txt", "csv", "json", "jsonl", "docx")}
    made["txt"].write_text(f"Dear {NAME},\nwrite to {MAIL}\ncard {CARD}\n")
    made["csv"].write_text(f"id;patient;card\n1;{NAME};4111111111111111\n")
    made["json"].write_text(json.dumps(ROWS))
    made["jsonl"].write_text(json.dumps(ROWS) + "\n" + json.dumps(ROWS) + "\n")
    docx(made["docx"])
    return made


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("txt", [("line 1", "PERSON"), ("line 2", "EMAIL_ADDRESS"), ("line 3", "CREDIT_CARD")]),
        ("csv", [("row 2 patient", "PERSON"), ("row 2 card", "CREDIT_CARD")]),
        (
            "json",
            [(".patient", "PERSON"), (".card", "CREDIT_CARD"), (".more[0].mail", "EMAIL_ADDRESS")],
        ),
        ("docx", [("document paragraph 1", "EMAIL_ADDRESS")]),
    ],
)
def test_findings_say_type_and_place_and_no_value(
    files: dict[str, Path], kind: str, expected: list[tuple[str, str]]
) -> None:
    done = run("scan", files[kind], "--json")
    assert done.exit_code == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["where"], one["type"]) for one in found] == expected
    assert not any(value in done.output for value in (NAME, MAIL, "4111"))


def test_a_table_and_its_sum_hold_no_value(files: dict[str, Path]) -> None:
    done = run("scan", *files.values())
    assert "findings in 5 files" in done.output
    assert not any(value in done.output for value in (NAME, MAIL, "4111"))


def test_check_answers_with_the_exit_code(files: dict[str, Path], tmp_path: Path) -> None:
    clean = tmp_path / "clean.txt"
    clean.write_text("nothing to see\n")
    assert run("scan", files["txt"], "--check").exit_code == 1
    assert run("scan", clean, "--check").exit_code == 0


def test_copies_keep_their_form_and_lose_the_values(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = {kind: path.read_bytes() for kind, path in files.items()}
    assert run("scan", *files.values(), "--mask", out).exit_code == 0
    masked = {path.name: path.read_text() for path in out.iterdir()}
    assert sorted(masked) == ["a.csv", "a.docx.txt", "a.json", "a.jsonl", "a.txt"]
    assert not any(v in text for text in masked.values() for v in (NAME, MAIL, "4111"))
    assert json.loads(masked["a.json"])["n"] == 5
    assert next(csv.reader(masked["a.csv"].splitlines(), delimiter=";")) == [
        "id",
        "patient",
        "card",
    ]
    assert masked["a.txt"].startswith("Dear <PERSON>,\nwrite to <EMAIL_ADDRESS>\n")
    assert {kind: path.read_bytes() for kind, path in files.items()} == before


def test_a_copy_never_replaces_what_is_read(files: dict[str, Path]) -> None:
    before = files["txt"].read_bytes()
    assert run("scan", files["txt"], "--mask", files["txt"]).exit_code == 2
    assert run("scan", files["txt"], "--mask", files["txt"].parent).exit_code == 2
    assert files["txt"].read_bytes() == before


def test_a_long_text_is_read_in_parts_and_the_line_is_right(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    lines = 3 * BLOCK // 20
    path.write_text("nothing to see here\n" * lines + f"write to {MAIL}\n")
    done = run("scan", path, "--json")
    assert [json.loads(line)["where"] for line in done.stdout.splitlines()] == [f"line {lines + 1}"]


def test_a_value_across_the_pieces_of_a_file_is_found_and_hidden(tmp_path: Path) -> None:
    """No line ends, and a value wherever a piece could end."""
    path, copy = tmp_path / "long.txt", tmp_path / "copy.txt"
    path.write_text(f"write to {MAIL} or so, " * (2 * BLOCK // 30), newline="")
    done = run("scan", path, "--json", "--mask", copy)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    text = path.read_text()
    assert len(found) == text.count(MAIL)
    assert {text[one["start"] : one["end"]] for one in found} == {MAIL}
    assert copy.read_text() == text.replace(MAIL, "<EMAIL_ADDRESS>")


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    path = tmp_path / "empty.pdf"
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(path)
    assert run("scan", path, "--json").stdout == ""


@pytest.mark.parametrize("kind", ["txt", "json", "pdf", "docx"])
def test_what_cannot_be_read_names_the_file_only(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"bad.{kind}"
    path.write_bytes(b"\xff\xfe" + MAIL.encode())
    done = run("scan", path)
    assert "bad" in str(done.exception)
    assert MAIL not in f"{done.output} {done.exception}"


def test_a_docx_with_entities_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.docx"
    docx(path, head='<!DOCTYPE x [<!ENTITY a "aaaa">]>')
    assert "cannot be read" in str(run("scan", path).exception)


# --- keys and vaults -----------------------------------------------------------------------------


def test_a_key_is_fresh_and_its_file_is_never_written_over(tmp_path: Path) -> None:
    assert len(read_key(run("key").stdout)) == 32
    path = tmp_path / "vault.key"
    assert run("key", "--out", path).exit_code == 0
    first = path.read_text()
    assert len(read_key(first)) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("key", "--out", path).exit_code == 2
    assert path.read_text() == first


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy with a vault that holds two values of ada's."""
    key, path = tmp_path / "vault.key", tmp_path / "policy.yaml"
    key.write_text(new_key())
    store = SqliteVaults(tmp_path / "vault.db", KeyRing.load([f"file:{key}"]))
    store.vault(Session(ident="1", user="ada")).issue([Value("PERSON", NAME), Value("X", MAIL)])
    store.close()
    vault = {"url": f"sqlite:{tmp_path / 'vault.db'}", "keys": [f"file:{key}"]}
    path.write_text(json.dumps({"version": 1, "pii": {"vault": vault}}))
    return path


def test_a_person_gets_what_is_held_and_is_forgotten(policy: Path) -> None:
    held = run("export", "ada", "--policy", policy).stdout.splitlines()
    assert sorted(json.loads(line)["text"] for line in held) == [NAME, MAIL]
    assert json.loads(run("erase", "-", "--policy", policy, "--json", stdin="ada\n").stdout) == {
        "erased": 2
    }
    assert run("export", "ada", "--policy", policy).stdout == ""


def test_keys_are_rotated_and_lapsed_values_purged(policy: Path, tmp_path: Path) -> None:
    written = json.loads(policy.read_text())
    (tmp_path / "new.key").write_text(new_key())
    written["pii"]["vault"]["keys"].insert(0, f"file:{tmp_path / 'new.key'}")
    policy.write_text(json.dumps(written))
    assert json.loads(run("rotate", "--policy", policy, "--json").stdout)["sealed_anew"] >= 2
    assert json.loads(run("rotate", "--policy", policy, "--json").stdout) == {"sealed_anew": 0}
    assert len(run("export", "ada", "--policy", policy).stdout.splitlines()) == 2
    assert run("purge", "--policy", policy).stdout == "purged: 0\n"


def test_a_policy_without_a_vault_says_so(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\n")
    assert "outside a process" in str(run("purge", "--policy", path).exception)


def test_the_commands_are_part_of_hauberk() -> None:
    from hauberk.cli import app

    done = CliRunner().invoke(app, ["pii", "key"])
    assert len(read_key(done.stdout)) == 32
    assert "pii" in CliRunner().invoke(app, ["--help"]).output
