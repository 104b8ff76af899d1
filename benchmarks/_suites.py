"""Runs somebody else's tests without hauberk and with it, and says what differs.

Rules:
* Both runs are the same command in the same interpreter; only `install` differs.
* A test that ends differently is run again, alone, both ways: what does not differ then, or differs
  from itself, is no difference but a test that depends on time or order. It is counted and named.
* A difference that is not named with a reason makes the whole thing fail; so does a named one that is
  no longer there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
_OFFLINE = ("--disable-socket", "--allow-unix-socket")
"""pytest-socket: no test reaches the network; event loops may have their socket pairs."""
_OPTIONS = ("-q", "--tb=short", "-p", "_suite_plugin", "-p", "no:cacheprovider", *_OFFLINE)
MAX_RERUN = 200
"""Tests that are run again one by one. More differences than that are a broken run."""

Outcomes = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One folder of tests."""

    name: str
    root: Path
    """Where pytest is started: the folder with the `pyproject.toml`."""
    paths: tuple[str, ...] = ("tests",)
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    """Differences that are known, with the reason: by id of the test, or the start of ids that ends
    in `*`."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """How one suite went both ways."""

    suite: str
    version: str
    bare: Mapping[str, int]
    installed: Mapping[str, int]
    differences: Mapping[str, tuple[str, str]]
    """Ended one way without hauberk and another way with it, each time."""
    unsteady: Sequence[str]
    """Differed once and not again."""
    named: Mapping[str, str]
    """Those of `differences` that have a reason."""
    gone: Sequence[str]
    """Names of differences that were not met."""
    seconds: tuple[float, float]

    @property
    def unnamed(self) -> list[str]:
        """The differences that nobody gave a reason for."""
        return [test for test in self.differences if test not in self.named]

    @property
    def holds(self) -> bool:
        """Whether hauberk changed nothing that is not named."""
        return bool(self.bare) and not self.unnamed and not self.gone


Run = Callable[[str, Iterable[str]], Outcomes]
"""Runs the tests at some paths with a package's `install` (empty: without), and gives their ends."""


def compare(suite: Suite, package: str, run: Run, *, version: str) -> Report:
    """Run a suite both ways.

    Args:
        suite: What to run.
        package: The integration whose `install` is called.
        run: Runs it (see `runner`).
        version: Of the peer, for the report.

    Raises:
        RuntimeError: A run gave no results, or everything differs.
    """
    started = time.monotonic()
    bare = run("", suite.paths)
    middle = time.monotonic()
    installed = run(package, suite.paths)
    ended = time.monotonic()
    suspects = differing(bare, installed)
    if len(suspects) > MAX_RERUN:
        raise RuntimeError(f"{suite.name}: {len(suspects)} tests differ; the run is broken")
    real, unsteady = _again(run, package, suspects)
    known = {test: _reason(test, suite.named) for test in real}
    return Report(
        suite=suite.name,
        version=version,
        bare=Counter(bare.values()),
        installed=Counter(installed.values()),
        differences=real,
        unsteady=unsteady,
        named={test: reason for test, reason in known.items() if reason},
        gone=[name for name in suite.named if not any(_fits(test, name) for test in real)],
        seconds=(middle - started, ended - middle),
    )


def differing(bare: Outcomes, installed: Outcomes) -> dict[str, tuple[str, str]]:
    """The tests that ended differently, with both ends; `missing` where a test did not run.

    Example:
        >>> differing({"a": "passed", "b": "failed"}, {"a": "failed", "b": "failed"})
        {'a': ('passed', 'failed')}
    """
    tests = dict.fromkeys([*bare, *installed])
    pairs = {test: (bare.get(test, "missing"), installed.get(test, "missing")) for test in tests}
    return {test: pair for test, pair in pairs.items() if pair[0] != pair[1]}


def runner(suite: Suite, python: Path, *, limit_s: float) -> Run:
    """How a suite is run.

    Args:
        suite: What to run.
        python: The interpreter that has what the suite needs, and hauberk.
        limit_s: Seconds that one run may take.
    """

    def run(package: str, paths: Iterable[str]) -> Outcomes:
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder) / "results"
            log = subprocess.run(  # noqa: S603 - the peer's own tests, on purpose
                [str(python), "-m", "pytest", *_OPTIONS, *suite.args, *paths],
                cwd=suite.root,
                env=_environment(suite, package, results),
                timeout=limit_s,
                check=False,
                capture_output=True,
                text=True,
            )
            if not results.exists():
                said = log.stdout[-2000:] + log.stderr[-2000:]
                raise RuntimeError(f"{suite.name}: no results\n{said}")
            return dict(json.loads(line) for line in results.read_text("utf-8").splitlines())

    return run


def _environment(suite: Suite, package: str, results: Path) -> dict[str, str]:
    """This process's, without what would make the frameworks trace to a service."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("LANG")}
    ours = {
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(HERE),
        "HAUBERK_SUITE_RESULTS": str(results),
        "HAUBERK_SUITE_INSTALL": package,
    }
    return {**inherited, **ours, **suite.env}


def _again(
    run: Run, package: str, suspects: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """The suspects that differ when each is run alone, and the others."""
    real: dict[str, tuple[str, str]] = {}
    for test in suspects:
        bare = {run("", [test]).get(test, "missing") for _ in range(2)}
        installed = {run(package, [test]).get(test, "missing") for _ in range(2)}
        if len(bare) == len(installed) == 1 and bare != installed:
            real[test] = (bare.pop(), installed.pop())
    return real, [test for test in suspects if test not in real]


def _reason(test: str, named: Mapping[str, str]) -> str:
    return next((reason for name, reason in named.items() if _fits(test, name)), "")


def _fits(test: str, name: str) -> bool:
    return test.startswith(name[:-1]) if name.endswith("*") else test == name


def table(reports: Sequence[Report]) -> str:
    """What people read."""
    rows: list[tuple[str, ...]] = [
        ("suite", "version", "bare", "installed", "differ", "named", "unsteady", "s")
    ]
    rows += [_row(one) for one in reports]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in [*lines, *_details(reports)])


def _row(one: Report) -> tuple[str, ...]:
    return (
        one.suite,
        one.version,
        _counts(one.bare),
        _counts(one.installed),
        str(len(one.differences)),
        str(len(one.named)),
        str(len(one.unsteady)),
        f"{one.seconds[0]:.0f} / {one.seconds[1]:.0f}",
    )


def _counts(counts: Mapping[str, int]) -> str:
    order = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
    return ", ".join(f"{counts[name]} {name}" for name in order if counts.get(name))


def _details(reports: Sequence[Report]) -> Iterable[str]:
    for one in reports:
        for test, (bare, installed) in one.differences.items():
            reason = one.named.get(test, "NO REASON")
            yield f"{one.suite}: {test}: {bare} -> {installed}: {reason}"
        for test in one.unsteady:
            yield f"{one.suite}: {test}: differed once, and not when it was run alone"
        for name in one.gone:
            yield f"{one.suite}: {name}: named as a difference, and is none"


def as_json(reports: Sequence[Report]) -> list[dict[str, object]]:
    """What programs read."""
    return [
        {
            "suite": one.suite,
            "version": one.version,
            "bare": dict(one.bare),
            "installed": dict(one.installed),
            "differences": {test: list(pair) for test, pair in one.differences.items()},
            "named": dict(one.named),
            "unnamed": one.unnamed,
            "unsteady": list(one.unsteady),
            "gone": list(one.gone),
            "seconds": list(one.seconds),
            "holds": one.holds,
        }
        for one in reports
    ]


def finish(reports: Sequence[Report], json_path: Path | None) -> int:
    """Print the table, write the JSON, and give the exit status: 1 for a difference without reason."""
    sys.stdout.write(table(reports) + "\n")
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(reports), indent=2) + "\n", "utf-8")
    return 0 if reports and all(one.holds for one in reports) else 1
