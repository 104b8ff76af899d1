"""The frameworks' own unit tests, without hauberk and with `install(allow_all)`: what differs?

    python benchmarks/peer_suites.py langchain [--only langchain-core ...] [--work DIR] [--json FILE]

Fetches the published source archives of langchain, langchain-core, langgraph and langgraph-prebuilt in
the versions that are installed here, makes an environment with what their tests need, and runs their
unit tests both ways with sockets off. Exits 1 when a test ends differently and nobody named why.

The first run takes minutes to fetch and install; `--work` keeps that for the next one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from _suites import Report, Suite, compare, finish, runner

ROOT = Path(__file__).parents[1]
MAX_OLDER = 5
"""Older releases that are looked at when the archive of the installed one holds no tests."""
LIMIT_S = 3600.0
"""Seconds that one run of one suite may take; the longest takes about ten minutes on one core."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A package whose tests are run."""

    name: str
    paths: tuple[str, ...] = ("tests/unit_tests",)
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    named: Mapping[str, str] = field(default_factory=dict[str, str])


LANGCHAIN = (
    Peer(name="langchain"),
    Peer(name="langchain-core"),
    # Their tests ask for databases in containers unless they are told that there are none.
    Peer(name="langgraph-prebuilt", paths=("tests",), env={"NO_DOCKER": "true"}),
    Peer(name="langgraph", paths=("tests",), env={"NO_DOCKER": "true"}),
)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = parser.add_subparsers(dest="framework", required=True)
    langchain = kinds.add_parser("langchain")
    names = [peer.name for peer in LANGCHAIN]
    langchain.add_argument("--only", nargs="+", choices=names, default=names)
    langchain.add_argument("--work", type=Path, help="keep archives and environment here")
    for kind in kinds.choices.values():
        kind.add_argument("--json", type=Path, help="write the result here too")
    options = parser.parse_args()
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
        reports = run_langchain(options.work, options.only)
    else:
        with tempfile.TemporaryDirectory() as work:
            reports = run_langchain(Path(work), options.only)
    return finish(reports, options.json)


def run_langchain(work: Path, only: Sequence[str]) -> list[Report]:
    """LangChain's and LangGraph's suites."""
    peers = [peer for peer in LANGCHAIN if peer.name in only]
    fetched = {peer.name: fetch(peer.name, version(peer.name), work) for peer in peers}
    python = environment(work, [root for root, _ in fetched.values()])
    reports: list[Report] = []
    for peer in peers:
        root, found = fetched[peer.name]
        _say(f"{peer.name} {found}: running")
        suite = Suite(name=peer.name, root=root, paths=peer.paths, env=peer.env, named=peer.named)
        run = runner(suite, python, limit_s=LIMIT_S)
        reports.append(compare(suite, "hauberk_langchain", run, version=found))
    return reports


# --- archives -------------------------------------------------------------------------------------


def fetch(name: str, wanted: str, work: Path) -> tuple[Path, str]:
    """The unpacked source archive of a package, with its tests; and its version.

    Takes the newest older release where the archive of `wanted` holds no tests, and says so.

    Raises:
        RuntimeError: None of them holds tests.
    """
    spec = f"=={wanted}"
    for _ in range(MAX_OLDER):
        root = _unpacked(_archive(name, spec, work), work)
        found = root.name.rpartition("-")[2]
        if any(root.glob("tests/**/test_*.py")):
            if found != wanted:
                _say(f"{name}: {wanted} is published without tests; these are of {found}")
            return root, found
        spec = f"<{found}"
    raise RuntimeError(f"{name}: no release near {wanted} is published with its tests")


def _archive(name: str, spec: str, work: Path) -> Path:
    folder = work / "archives" / f"{name}{spec}"
    if not any(folder.glob("*.tar.gz")):
        folder.mkdir(parents=True, exist_ok=True)
        options = ("--no-binary", ":all:", "--no-deps", "--dest", str(folder))
        _call(sys.executable, "-m", "pip", "download", "--quiet", *options, f"{name}{spec}")
    return next(folder.glob("*.tar.gz"))


def _unpacked(archive: Path, work: Path) -> Path:
    root = work / "sources" / archive.name.removesuffix(".tar.gz")
    if not root.is_dir():
        with tarfile.open(archive) as tar:
            tar.extractall(root.parent, filter="data")
    return root


# --- environment ----------------------------------------------------------------------------------


def environment(work: Path, roots: Sequence[Path]) -> Path:
    """An interpreter with hauberk, the peers in the versions of this one, and what their tests need."""
    folder = work / "venv"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done = folder / "done"
    if not done.exists():
        _say("making an environment")
        _call(sys.executable, "-m", "venv", "--clear", str(folder))
        constraints = work / "constraints.txt"
        constraints.write_text("\n".join(_versions()), "utf-8")
        pip = (str(python), "-m", "pip", "install", "--quiet", "-c", str(constraints))
        _call(*pip, "pytest-socket", f"{ROOT}[langchain]")
        for root in roots:
            _install(pip, list(requirements(root)))
        done.touch()
    # Always as it is now, and without its dependencies: those are there.
    _call(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT))
    return python


def _versions() -> Iterator[str]:
    """The frameworks' packages as they are installed here."""
    for one in distributions():
        if one.name.startswith(("langchain", "langgraph")):
            yield f"{one.name}=={one.version}"


def _install(pip: tuple[str, ...], wanted: list[str]) -> None:
    """Everything at once; or, where that cannot be, whatever can, and the rest is named."""
    if _try(*pip, *wanted):
        return
    for one in wanted:
        if not _try(*pip, one):
            _say(f"cannot be installed: {one}; tests that need it fail both ways")


def requirements(root: Path) -> Iterator[str]:
    """What the tests of a source tree need: the group `test`, groups within it included.

    PEP 735, dependency groups.
    """
    groups = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    yield from _group(groups, "test")


def _group(groups: Mapping[str, Any], name: str) -> Iterator[str]:
    for item in groups.get(name, ()):
        if isinstance(item, str):
            yield item
        else:
            yield from _group(groups, item["include-group"])


def _call(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - pip and venv of this interpreter


def _try(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - the same


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
