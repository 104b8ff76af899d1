"""A pytest plugin for somebody else's tests: puts hauberk on, and writes down how each test ends.

Loaded with `-p _suite_plugin` into the interpreter that runs the peer's suite. Needs nothing but
pytest; hauberk only where it is to be put on.

    HAUBERK_SUITE_RESULTS   file: one JSON line for each test
    HAUBERK_SUITE_INSTALL   package whose `install` is called with an allow-all guard; empty: none
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

import pytest

_WORST = ("failed", "error", "skipped", "xfailed", "xpassed", "passed")


class Results:
    """How each test ended: the worst of its setup, its call and its teardown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test is over."""
        outcome = _outcome(report)
        known = self._outcomes.get(report.nodeid, "passed")
        self._outcomes[report.nodeid] = min(known, outcome, key=_WORST.index)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be collected counts as one test that cannot be run."""
        if report.failed:
            self._outcomes[report.nodeid] = "error"

    def pytest_sessionfinish(self) -> None:
        """All tests are over."""
        lines = (json.dumps(item) for item in self._outcomes.items())
        self._path.write_text("\n".join(lines), "utf-8")


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "skipped" if report.skipped else "passed"


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected: as an application that installs it at its start."""
    config.pluginmanager.register(Results(Path(os.environ["HAUBERK_SUITE_RESULTS"])))
    package = os.environ.get("HAUBERK_SUITE_INSTALL", "")
    if package:
        hauberk = import_module("hauberk")
        import_module(package).install(hauberk.Guard(hauberk.Policy.unsafe_allow_all()))
