"""Paths below a root, once `..` and symbolic links are resolved.

Rules:
* The path is judged as the file system reads it now, links followed; so are the roots.
* Signs that a shell, a library or another system would expand (`~`, `$`, `%2e`, backslashes, NUL and
  other control characters) make a path unreadable.
* `give: resolved` hands the tool the resolved path, in which there is no link left to change.

A race remains: whoever can write below the root may put a link in the way between the check and the
tool's `open`. `open_beneath` closes it for tools that use it: it follows no link at all.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit, unreadable
from hauberk.policy._constraints import PathRule

_EXPANDED = re.compile(r"[\x00-\x1f\x7f]|\\|\$|\A~|%(?:2e|2f|5c|00|25)", re.IGNORECASE)

MAX_CHARS = 4096
"""Longest path, Linux's PATH_MAX."""


def path_kind(rule: PathRule, *, deny: bool = False) -> Kind:
    """A constraint on a path. To deny, a relative path starts where the process is."""
    base = None if deny or rule.give == "given" else (rule.base or rule.below[0])

    def check(value: object, _: Arguments) -> Misfit | None:
        text = _text(value)
        if text is None:
            return unreadable("must be a plain path, without signs that something would expand")
        try:
            real = _resolved(text, base)
        except (OSError, ValueError, RuntimeError):  # a circle of links, a broken mount
            return unreadable("must be a path that can be resolved")
        if not any(_is_below(real, os.path.realpath(root)) for root in rule.below):
            parent = os.path.dirname(real)  # noqa: PTH120 - texts, as everything here
            return Misfit(
                "must lie below a root in `below`, links resolved", field="below", needed=parent
            )
        if rule.suffixes and not real.endswith(rule.suffixes):
            suffix = PurePath(real).suffix
            return Misfit("must end in one of `suffixes`", field="suffixes", needed=suffix)
        return None

    def give(value: object) -> object:
        real = _resolved(_text(value) or "", base)
        return Path(real) if isinstance(value, PurePath) else real

    return Kind(name="path", check=check, give=None if rule.give == "given" or deny else give)


def _text(value: object) -> str | None:
    if isinstance(value, PurePath):
        value = PurePath.__str__(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CHARS or _EXPANDED.search(value):
        return None
    return value


def _resolved(text: str, base: str | None) -> str:
    """The path without links. Raises OSError for one that cannot be followed: a circle, a file as a folder."""
    path = text if base is None else os.path.join(base, text)  # noqa: PTH118 - texts
    try:
        return os.path.realpath(path, strict=True)
    except FileNotFoundError:  # a file that is to be made
        return os.path.realpath(path)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def open_beneath(root: str | Path, path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a file below `root` without following any link: for the code inside a tool.

    Each step of the path is opened in the directory before it, so that nothing can be put in the way
    after a check. Needs a POSIX system.

    Args:
        root: The directory; links in its own path are followed.
        path: Below it; relative, or absolute and starting with the root.
        flags: As for `os.open`.

    Returns:
        A file descriptor, which the caller closes (`os.fdopen` does).

    Raises:
        PermissionError: The path leads out of the root.
        OSError: It cannot be opened; ELOOP or ENOTDIR when a step is a link.

    Example:
        >>> with os.fdopen(open_beneath("/srv/data", "report.csv")) as file:  # doctest: +SKIP
        ...     text = file.read()
    """
    top = os.path.realpath(root)
    steps = PurePath(os.path.relpath(path, top) if os.path.isabs(path) else path).parts  # noqa: PTH117 - texts
    if not steps or ".." in steps:
        raise PermissionError("the path leads out of its root")
    here = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps[:-1]:
            inner = os.open(step, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(steps[-1], flags | _NO_LINK, 0o600, dir_fd=here)
    finally:
        os.close(here)


_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
