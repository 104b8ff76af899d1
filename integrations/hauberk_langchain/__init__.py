"""hauberk for LangChain: doors that put a guard around models, tools, retrievers and agents.

* `protect(obj, guard)`: what exists, in place.
* `HauberkCallbackHandler(guard)`: the runs that it is attached to.
* `HauberkMiddleware(guard)`: one agent of `create_agent`.
* `install(guard)`, `uninstall()`: the whole process.
* `HauberkDocumentTransformer(guard)`: documents on their way into a store.

`PseudonymisedSaver(saver, guard)`: a checkpointer that holds no personal data.
`HauberkStore(store, guard)`: a long-term memory that is screened when it is read.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hauberk.errors import MissingExtraError

if find_spec("langchain_core") is None:
    raise MissingExtraError("langchain", needed_for="hauberk_langchain")

from hauberk_langchain._errors import (
    RunApprovalRequiredError,
    RunBlockedError,
    RunBudgetExceededError,
)
from hauberk_langchain._handler import HauberkCallbackHandler
from hauberk_langchain._ingest import HauberkDocumentTransformer
from hauberk_langchain._patch import install, uninstall
from hauberk_langchain._protect import protect

if TYPE_CHECKING:
    from hauberk_langchain._checkpoint import PseudonymisedSaver
    from hauberk_langchain._middleware import HauberkMiddleware
    from hauberk_langchain._store import HauberkStore

__all__ = [
    "HauberkCallbackHandler",
    "HauberkDocumentTransformer",
    "HauberkMiddleware",
    "HauberkStore",
    "PseudonymisedSaver",
    "RunApprovalRequiredError",
    "RunBlockedError",
    "RunBudgetExceededError",
    "install",
    "protect",
    "uninstall",
]


_LATER = {
    "HauberkMiddleware": "_middleware",
    "HauberkStore": "_store",
    "PseudonymisedSaver": "_checkpoint",
}
"""Loaded on first use: they need `langchain` and `langgraph`, the rest only `langchain-core`."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'hauberk_langchain' has no attribute {name!r}")
    try:
        module = import_module(f"hauberk_langchain.{_LATER[name]}")
    except ImportError as error:
        raise MissingExtraError("langchain", needed_for=name) from error
    globals()[name] = getattr(module, name)
    return globals()[name]
