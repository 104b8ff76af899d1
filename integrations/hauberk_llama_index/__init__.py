"""hauberk for LlamaIndex: security around agents, tools, engines and indexes that already exist.

* `protect(obj, guard)`: what exists, in place; it stays the same object. `unprotect(obj)` undoes it.
* `install(guard)`, `uninstall()`: the whole process.
* `HauberkCallbackHandler(guard)`: what has it in its `CallbackManager`.
* `HauberkNodePostprocessor(guard)`: the retrieved nodes of one engine, and nothing else.
* `HauberkIngestionTransform(guard)`: what enters an index through a pipeline.

See the README of this folder for what each door covers and what stays outside.
"""

from __future__ import annotations

from importlib.util import find_spec

from hauberk.errors import MissingExtraError


def _require_llama_index() -> None:
    try:
        found = find_spec("llama_index.core")
    except ModuleNotFoundError:  # not even the namespace is there
        found = None
    if found is None:
        raise MissingExtraError("llama-index", needed_for="hauberk_llama_index")


_require_llama_index()

from hauberk.ingest import FileReport, IngestionReport  # noqa: E402 - after the check
from hauberk_llama_index._handler import HauberkCallbackHandler  # noqa: E402 - after the check
from hauberk_llama_index._ingest import HauberkIngestionTransform  # noqa: E402 - after the check
from hauberk_llama_index._nodes import HauberkNodePostprocessor  # noqa: E402 - after the check
from hauberk_llama_index._patch import install, uninstall  # noqa: E402 - after the check
from hauberk_llama_index._protect import protect, unprotect  # noqa: E402 - after the check

__all__ = [
    "FileReport",
    "HauberkCallbackHandler",
    "HauberkIngestionTransform",
    "HauberkNodePostprocessor",
    "IngestionReport",
    "install",
    "protect",
    "uninstall",
    "unprotect",
]
