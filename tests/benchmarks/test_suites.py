"""Somebody else's tests, run both ways: what counts as a difference, and what it takes to fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import _suites as suites  # noqa: E402 - a folder of scripts, no package
import peer_suites  # noqa: E402 - the same

TESTS = """
import pytest

@pytest.fixture
def bad(): raise ValueError

def test_passes(): pass
def test_fails(): assert False
def test_cannot_start(bad): pass
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert False
@pytest.mark.xfail
def test_unexpected(): pass
def test_is_installed():
    from hauberk_langchain import _patch
    assert _patch._installed
"""


def test_each_end_of_a_test_is_written_down(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS, "utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", "utf-8")
    # This environment's plugins take seconds to load; sockets need theirs.
    env, args = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, ("-p", "pytest_socket")
    suite = suites.Suite(name="it", root=tmp_path, args=args, env=env)
    run = suites.runner(suite, Path(sys.executable), limit_s=60)
    ends = run("hauberk_langchain", ["test_it.py"])
    assert {test.rpartition("::")[2]: end for test, end in ends.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_cannot_start": "error",
        "test_skipped": "skipped",
        "test_expected": "xfailed",
        "test_unexpected": "xpassed",
        "test_is_installed": "passed",
    }


def _compared(ends: list[dict[str, str]], **named: str) -> suites.Report:
    """What is said of runs that end like this, one after the other."""
    suite = suites.Suite(name="it", root=Path(), named=named)
    runs = iter(ends)
    return suites.compare(suite, "package", lambda _package, _paths: next(runs), version="1")


def test_a_difference_without_a_reason_fails(tmp_path: Path) -> None:
    good, bad = {"a": "passed", "b": "failed"}, {"a": "failed", "b": "failed"}
    report = _compared([good, bad, good, good, bad, bad])
    assert report.differences == {"a": ("passed", "failed")}
    assert (report.bare["passed"], report.installed["passed"]) == (1, 0)
    assert report.unnamed == ["a"]
    assert suites.finish([report], tmp_path / "out.json") == 1
    (written,) = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert written["unnamed"] == ["a"]
    assert "NO REASON" in suites.table([report])


@pytest.mark.parametrize("again", [["passed"] * 4, ["passed", "failed", "failed", "failed"]])
def test_a_test_that_differs_from_itself_is_no_difference(again: list[str]) -> None:
    ends = [{"a": end} for end in ("passed", "failed", *again)]
    report = _compared(ends)
    assert (report.differences, report.unsteady, report.holds) == ({}, ["a"], True)


def test_a_named_difference_that_is_gone_fails() -> None:
    report = _compared([{"a": "passed"}, {"a": "passed"}], a="because")
    assert (report.gone, report.holds) == (["a"], False)


def test_a_broken_run_is_said_to_be_one() -> None:
    many = {str(n): "passed" for n in range(suites.MAX_RERUN + 1)}
    with pytest.raises(RuntimeError, match="broken"):
        _compared([many, {}])


def _report(**changes: object) -> suites.Report:
    plain: dict[str, object] = {
        "suite": "s",
        "version": "1",
        "bare": {"passed": 1},
        "installed": {"passed": 1},
        "differences": {},
        "unsteady": [],
        "named": {},
        "gone": [],
        "seconds": (0.0, 0.0),
    }
    return suites.Report(**{**plain, **changes})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a test's shorthand


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"differences": {"t": ("passed", "failed")}}, False),
        ({"differences": {"t": ("passed", "failed")}, "named": {"t": "why"}}, True),
        ({"gone": ["t"]}, False),
        ({"bare": {}, "installed": {}}, False),
    ],
)
def test_only_named_differences_are_accepted(changes: dict[str, object], *, holds: bool) -> None:
    assert _report(**changes).holds is holds


def test_no_suite_at_all_is_no_success(tmp_path: Path) -> None:
    assert suites.finish([], None) == 1


def test_a_test_that_did_not_run_is_a_difference() -> None:
    assert suites.differing({"a": "passed"}, {}) == {"a": ("passed", "missing")}


def test_what_a_suite_needs_includes_groups_within_groups(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[dependency-groups]\nbase = ["a"]\ntest = ["b", {include-group = "base"}]\n', "utf-8"
    )
    assert list(peer_suites.requirements(tmp_path, "test")) == ["b", "a"]
