"""Policies that cannot be used: one clear line from the library and from the command, and no guard."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hauberk import Guard, PolicyError

pytestmark = pytest.mark.timeout(120)

BAD: dict[str, tuple[bytes, str]] = {
    "a typo": (b"version: 1\nbugdet: {}\n", "Did you mean 'budget'?"),
    "a typo deep inside": (
        b"version: 1\ncapabilities:\n  tools:\n    send:\n      acces: read\n",
        "Did you mean 'access'?",
    ),
    "a wrong type": (b"version: 1\nbudget:\n  tokens: lots\n", ":3: budget.tokens"),
    "a cycle of anchors": (b"version: 1\nbudget: &a\n  prices: *a\n", "contains itself"),
    "ten megabytes": (b"version: 1\nname: " + b"x" * 10_000_000, "more than"),
    "not UTF-8": (b"version: 1\nname: \xff\xfe\n", "not UTF-8"),
    "UTF-16": ("version: 1\n".encode("utf-16"), "not UTF-8"),
    "nothing": (b"", "empty"),
    "a comment": (b"# version: 1\n", "empty"),
    "NUL": (b"version: 1\nname: \x00\n", "not allowed"),
    "no YAML": (b"version: [1\n", "not YAML"),
    "deep nesting": (b"version: 1\nname: " + b"[" * 10_000, "deeply nested"),
    "a list with a tag": (b"version: !!python/object/apply:os.system ['x']\n", "version"),
    "a tag": (b"version: 1\nname: !!python/name:os.system x\n", "cannot read a value"),
}


@pytest.fixture(params=BAD)
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    raw, says = BAD[request.param]
    path = tmp_path / "policy.yaml"
    path.write_bytes(raw)
    return path, says


def test_no_guard_starts_with_a_bad_policy(bad: tuple[Path, str]) -> None:
    path, says = bad
    started = time.monotonic()
    with pytest.raises(PolicyError) as caught:
        Guard.from_policy(path)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 1_000
    assert time.monotonic() - started < 60


def test_the_command_says_it_in_one_line(bad: tuple[Path, str]) -> None:
    path, says = bad
    code = "from hauberk.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "policy", "check", path.name],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=path.parent,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert says in " ".join(done.stderr.split())
    assert not done.stdout


def test_a_failed_start_leaves_no_trail(tmp_path: Path, kit: Any) -> None:
    with pytest.raises(PolicyError):
        Guard.from_policy(kit.policy(tmp_path / "trail.db", plugins=[{"use": "no-such-plugin"}]))
    assert not list(tmp_path.iterdir())
