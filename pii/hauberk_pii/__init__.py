"""hauberk_pii: personal data is found with Presidio, hidden from the model, and given back.

A guard loads this package when its policy masks personal data (it does by default). Importing it is
cheap; Presidio is loaded when the first finder is built.
"""

from __future__ import annotations

from importlib.util import find_spec

from hauberk import MissingExtraError

if find_spec("presidio_analyzer") is None:
    raise MissingExtraError("pii", needed_for="masking personal data")

from hauberk_pii._entities import DEFAULT_ENTITIES
from hauberk_pii._finder import Finder, finder_for
from hauberk_pii._limits import TooCostlyError
from hauberk_pii._plugin import PiiPlugin, build_plugin
from hauberk_pii._profile import Profile, profile
from hauberk_pii._show import Shown, show
from hauberk_pii._spans import Span
from hauberk_pii.vault import (
    Held,
    MemoryVault,
    MemoryVaults,
    Value,
    Vault,
    VaultFullError,
    VaultStore,
    open_vaults,
)

__all__ = [
    "DEFAULT_ENTITIES",
    "Finder",
    "Held",
    "MemoryVault",
    "MemoryVaults",
    "PiiPlugin",
    "Profile",
    "Shown",
    "Span",
    "TooCostlyError",
    "Value",
    "Vault",
    "VaultFullError",
    "VaultStore",
    "build_plugin",
    "finder_for",
    "open_vaults",
    "profile",
    "show",
]
