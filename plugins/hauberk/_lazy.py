"""Public names that are loaded on first use, so that importing a package stays fast."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module


def loaded(package: str, homes: Mapping[str, tuple[str, ...]], name: str) -> object:
    """The public `name` of `package`, kept in it from now on. For a module's `__getattr__`.

    Args:
        package: Full name of the package.
        homes: The names by the module of the package that defines them.
        name: What is asked for.

    Raises:
        AttributeError: The package has no such name.
    """
    for module, names in homes.items():
        if name in names:
            value: object = getattr(import_module(f"{package}.{module}"), name)
            setattr(sys.modules[package], name, value)
            return value
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
