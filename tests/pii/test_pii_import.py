"""Importing is cheap, needs no network, and says what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hauberk_pii


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_no_presidio() -> None:
    code = "import sys, hauberk_pii; print([m for m in ('presidio_analyzer', 'spacy', 're2') if m in sys.modules])"
    assert _run(code) == "[]"


def test_without_presidio_it_names_the_line_that_installs_it() -> None:
    code = (
        "import sys; sys.modules['presidio_analyzer'] = None\n"
        "try:\n import hauberk_pii\n"
        "except ImportError as error:\n print(type(error).__name__, error)"
    )
    printed = _run(code)
    assert printed.startswith("MissingExtraError")
    assert 'pip install "hauberk[pii]"' in printed


def test_finding_asks_no_network_and_no_download() -> None:
    """In a process of its own, where every socket and every download fails."""
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise SystemExit('network')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse\n"
        "from hauberk_pii import finder_for\n"
        "print(finder_for().find('ada@example.co.uk')[0].type)\n"
        "import spacy.cli, tldextract\n"
        "print(tldextract.extract.__module__)"
    )
    assert _run(code).split() == ["EMAIL_ADDRESS", "tldextract.tldextract"]


def test_all_names_what_there_is() -> None:
    assert sorted(hauberk_pii.__all__) == hauberk_pii.__all__
    assert all(hasattr(hauberk_pii, name) for name in hauberk_pii.__all__)


@pytest.mark.parametrize("name", ["_find", "nothing"])
def test_nothing_else_is_public(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(hauberk_pii, name)
