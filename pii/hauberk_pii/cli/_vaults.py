"""`hauberk pii export | erase | rotate | purge`: what a vault holds about people.

Rules:
* The vault is the one that the policy names. One in memory ends with its process: that is said.
* A person may be named on stdin (`-`), so that no name stays in the shell's history.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hauberk_pii.vault import VaultStore

PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy file (YAML).")]
Subject = Annotated[
    str,
    typer.Argument(help="A user, or an exact value such as an address. `-`: read it from stdin."),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def export(subject: Subject, *, policy: PolicyFile) -> None:
    """Print what the vault holds about a person: one JSON document a line, values in clear."""
    from hauberk.cli._output import say_json  # noqa: PLC0415 - keeps --help fast

    with _store(policy) as store:
        for held in store.export(_read(subject)):
            say_json(asdict(held))


def erase(subject: Subject, *, policy: PolicyFile, as_json: AsJson = False) -> None:
    """Forget a person, in every session."""
    with _store(policy) as store:
        _tell("erased", store.erase(_read(subject)), as_json=as_json)


def rotate(*, policy: PolicyFile, as_json: AsJson = False) -> None:
    """Seal everything with the newest key. In Redis, keep an older key while its sessions live."""
    with _store(policy) as store:
        _tell("sealed anew", store.rotate(), as_json=as_json)


def purge(*, policy: PolicyFile, as_json: AsJson = False) -> None:
    """Delete what has lapsed."""
    with _store(policy) as store:
        _tell("purged", store.purge(), as_json=as_json)


@contextmanager
def _store(file: Path) -> Generator[VaultStore]:
    from hauberk import PolicyError  # noqa: PLC0415 - keeps --help fast
    from hauberk.policy import load_policy  # noqa: PLC0415 - pydantic is slow to load
    from hauberk_pii.vault import open_vaults  # noqa: PLC0415 - keeps --help fast

    policy = load_policy(file)
    if policy.pii is False or policy.pii.vault.url == "memory:":
        raise PolicyError(
            "the policy keeps no values outside a process",
            source=str(file),
            field="pii.vault.url",
            remedy="Name a vault: sqlite:PATH or redis://HOST:PORT/DB.",
        )
    store = open_vaults(policy.pii.vault, max_values=policy.pii.max_values)
    try:
        yield store
    finally:
        store.close()


def _read(subject: str) -> str:
    found = sys.stdin.readline().strip() if subject == "-" else subject
    if not found:
        raise typer.BadParameter("nobody is named", param_hint="SUBJECT")
    return found


def _tell(what: str, count: int, *, as_json: bool) -> None:
    from hauberk.cli._output import say, say_json  # noqa: PLC0415 - keeps --help fast

    if as_json:
        say_json({what.replace(" ", "_"): count})
    else:
        say(f"{what}: {count}")
