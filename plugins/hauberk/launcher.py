"""The launcher: runs a program with a guard around every framework that it uses, its code untouched.

Rules:
* The policy is read and the guard is built before the program starts: a program whose policy cannot be
  used does not run.
* A framework is guarded the moment it is imported, and no framework is imported for it. Each integration
  registers how (entry point group `hauberk.install`, named like the framework's package).
* The program sees its own arguments, its own folder first on the path, and its exit code goes out.

Does not promise to guard other processes that the program starts, or a provider's SDK used directly.
"""

# ruff: noqa: ARG002 - the import system asks for these parameters

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import cast

from hauberk.guard import Guard

GROUP = "hauberk.install"
"""Entry point group: package of a framework -> what puts a guard around the whole of it."""


def run(program: str, arguments: Sequence[str], guard: Guard, *, as_module: bool = False) -> None:
    """Run a program as `python PROGRAM` would, guarded.

    Args:
        program: Path of a script; or, with `as_module`, a module's name.
        arguments: What the program gets after its own name.
        guard: What to ask.
        as_module: As `python -m` does it.

    Raises:
        SystemExit: The program ended itself; with its code.
    """
    with guard, guarded_imports(guard), _argv([program, *arguments]):
        if as_module:
            sys.path.insert(0, "")
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(Path(program).resolve().parent))
            runpy.run_path(program, run_name="__main__")


@contextmanager
def guarded_imports(guard: Guard) -> Generator[None]:
    """While this is open, every framework that is loaded, or will be, has `guard` around it."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    for name in [name for name in found if name in sys.modules]:
        _install(found.pop(name), guard)
    finder = _Finder(found, guard)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _install(entry: EntryPoint, guard: Guard) -> None:
    cast("Callable[[Guard], object]", entry.load())(guard)


class _Finder(MetaPathFinder):
    """Finds the frameworks as everybody does, and has them guarded once they are loaded."""

    def __init__(self, wanted: dict[str, EntryPoint], guard: Guard) -> None:
        self._wanted = wanted
        self._guard = guard

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The framework's own spec with a loader that installs the guard afterwards."""
        entry = self._wanted.pop(fullname, None)  # popped: the search below comes by here again
        if entry is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, lambda: _install(entry, self._guard))
        return spec


class _Loader(Loader):
    """A loader, and what is to be done when it is through."""

    def __init__(self, inner: Loader, done: Callable[[], None]) -> None:
        self._inner = inner
        self._done = done

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the inner one does."""
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the inner one does; then the framework is guarded, before anybody has it."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        self._done()


@contextmanager
def _argv(argv: list[str]) -> Generator[None]:
    before, path = sys.argv, list(sys.path)
    sys.argv = argv
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before, path
