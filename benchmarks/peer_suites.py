"""The frameworks' own unit tests, without hauberk and with `install(allow_all)`: what differs?

    python benchmarks/peer_suites.py langchain [--only langchain-core ...] [--work DIR] [--json FILE]
    python benchmarks/peer_suites.py llama-index --tests DIR [--only ...] [--work DIR] [--json FILE]

Makes an environment with the frameworks in the versions that are installed here and what their tests
need, and runs their unit tests both ways with sockets off. Exits 1 when a test ends differently and
nobody named why.

LangChain's tests are fetched: langchain, langchain-core, langgraph and langgraph-prebuilt publish them in
their source archives. LlamaIndex does not: DIR holds checkouts of run-llama/llama_index and
run-llama/workflows-py, or one of them, at tags near the installed versions.

The first run takes minutes to fetch and install; `--work` keeps that for the next one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from _suites import Report, Suite, compare, finish, runner

ROOT = Path(__file__).parents[1]
MAX_OLDER = 5
"""Older releases that are looked at when the archive of the installed one holds no tests."""
_NAME = re.compile(r"[\w.-]+(\[[^\]]*\])?")
"""The name of a requirement, with its extras."""
LIMIT_S = 3600.0
"""Seconds that one run of one suite may take; the longest takes about ten minutes on one core."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A package whose tests are run."""

    name: str
    paths: tuple[str, ...] = ("tests",)
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    named: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Framework:
    """What the suites of one framework need."""

    extra: str
    """Of hauberk."""
    prefixes: tuple[str, ...]
    """How the names of its packages begin."""
    group: str
    """Of dependencies, in its `pyproject.toml` files."""
    peers: tuple[Peer, ...]
    unneeded: frozenset[str] = frozenset()
    """What is in the group and no test needs."""
    pinned: bool = True
    """Whether the versions in the group are kept."""


_UNITS = ("tests/unit_tests",)
LANGCHAIN = Framework(
    extra="langchain",
    prefixes=("langchain", "langgraph"),
    group="test",
    peers=(
        Peer(name="langchain", paths=_UNITS),
        Peer(name="langchain-core", paths=_UNITS),
        # Their tests ask for databases in containers unless they are told that there are none.
        Peer(name="langgraph-prebuilt", env={"NO_DOCKER": "true"}),
        Peer(name="langgraph", env={"NO_DOCKER": "true"}),
    ),
)
_ALL = ("--continue-on-collection-errors", "--timeout=60")
_TOOLS = "black boto3 botocore codespell diff-cover llama-cloud mypy pre-commit pylint ruff"
LLAMA_INDEX = Framework(
    extra="llama-index",
    prefixes=("llama-index",),
    group="dev",
    peers=(
        # Tests of another version may import what is not there any more, or wait for it.
        Peer(name="llama-index-core", args=_ALL),
        Peer(name="llama-index-workflows", args=_ALL),
        Peer(name="llama-index-instrumentation"),
    ),
    unneeded=frozenset(_TOOLS.split()),
    pinned=False,  # each package pins another pytest
)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = parser.add_subparsers(dest="framework", required=True)
    for kind, framework in (("langchain", LANGCHAIN), ("llama-index", LLAMA_INDEX)):
        names = [peer.name for peer in framework.peers]
        options = kinds.add_parser(kind)
        options.add_argument("--only", nargs="+", choices=names, default=names)
        options.add_argument("--work", type=Path, help="keep archives and environment here")
        options.add_argument("--json", type=Path, help="write the result here too")
        if framework is LLAMA_INDEX:
            options.add_argument("--tests", type=Path, required=True, help="checkouts of its tests")
    given = parser.parse_args()
    with _folder(given.work) as work:
        if given.framework == "langchain":
            reports = run_langchain(work, given.only)
        else:
            reports = run_llama_index(work, given.only, given.tests)
    return finish(reports, given.json)


@contextmanager
def _folder(kept: Path | None) -> Generator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()


def run_langchain(work: Path, only: Sequence[str]) -> list[Report]:
    """LangChain's and LangGraph's suites."""
    fetched = {
        peer.name: fetch(peer.name, version(peer.name), work)
        for peer in LANGCHAIN.peers
        if peer.name in only
    }
    return _run(LANGCHAIN, work, fetched)


def run_llama_index(work: Path, only: Sequence[str], tests: Path) -> list[Report]:
    """LlamaIndex's suites.

    Raises:
        RuntimeError: A suite is not in `tests`, or none of them is.
    """
    return _run(LLAMA_INDEX, work, dict(checkouts(tests, only)))


def _run(framework: Framework, work: Path, found: Mapping[str, tuple[Path, str]]) -> list[Report]:
    """Run the suites that were found: by name, the folder and the version of the tests."""
    python = environment(work, framework, [root for root, _ in found.values()])
    reports: list[Report] = []
    for peer in framework.peers:
        if peer.name not in found:
            continue
        root, tests = found[peer.name]
        _say(f"{peer.name}, tests of {tests}: running")
        suite = Suite(
            name=peer.name,
            root=root,
            paths=peer.paths,
            args=peer.args,
            env=peer.env,
            named=peer.named,
        )
        package = f"hauberk_{framework.extra.replace('-', '_')}"
        run = runner(suite, python, limit_s=LIMIT_S)
        reports.append(compare(suite, package, run, version=tests))
    return reports


# --- checkouts ------------------------------------------------------------------------------------

_PLACES = ("", "packages/", "*/", "*/packages/")
"""Where a package may be in a folder of checkouts."""


def checkouts(folder: Path, only: Sequence[str]) -> Iterator[tuple[str, tuple[Path, str]]]:
    """The packages whose tests lie in a folder, each with its place and its version.

    Raises:
        RuntimeError: None of them does.
    """
    none = True
    for name in only:
        places = (root for place in _PLACES for root in folder.resolve().glob(place + name))
        root = next((one for one in places if any(one.glob("tests/**/test_*.py"))), None)
        if root is None:
            _say(f"{name}: no tests of it in {folder}")
            continue
        none = False
        found = _pyproject(root)["project"]["version"]
        installed = version(name)
        if found != installed:
            _say(f"{name}: {installed} is installed; these tests are of {found}")
        yield name, (root, found)
    if none:
        raise RuntimeError(f"{folder} holds no tests of {', '.join(only)}")


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


def environment(work: Path, framework: Framework, roots: Sequence[Path]) -> Path:
    """An interpreter with hauberk, the peers in the versions of this one, and what their tests need."""
    folder = work / f"venv-{framework.extra}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done = folder / "done"
    if not done.exists():
        _say("making an environment")
        _call(sys.executable, "-m", "venv", "--clear", str(folder))
        constraints = work / "constraints.txt"
        constraints.write_text("\n".join(_versions(framework)), "utf-8")
        pip = (str(python), "-m", "pip", "install", "--quiet", "-c", str(constraints))
        _call(*pip, "pytest-socket", "pytest-timeout", f"{ROOT}[{framework.extra}]")
        for root in roots:
            _install(pip, list(needed(framework, root)))
        done.touch()
    # Always as it is now, and without its dependencies: those are there.
    _call(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT))
    return python


def _versions(framework: Framework) -> Iterator[str]:
    """The framework's packages as they are installed here."""
    for one in distributions():
        if one.name.startswith(framework.prefixes):
            yield f"{one.name}=={one.version}"


def _install(pip: tuple[str, ...], wanted: list[str]) -> None:
    """Everything at once; or, where that cannot be, whatever can, and the rest is named."""
    if _try(*pip, *wanted):
        return
    for one in wanted:
        if not _try(*pip, one):
            _say(f"cannot be installed: {one}; tests that need it fail both ways")


def needed(framework: Framework, root: Path) -> Iterator[str]:
    """What the tests of a source tree need, of what its group of dependencies names."""
    for one in requirements(root, framework.group):
        name = _NAME.match(one)
        if name is not None and name[0] not in framework.unneeded:
            yield one if framework.pinned else name[0]


def requirements(root: Path, group: str) -> Iterator[str]:
    """What a group of a source tree names, groups within it included.

    PEP 735, dependency groups.
    """
    yield from _group(_pyproject(root)["dependency-groups"], group)


def _pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


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
