"""hauberk for LangChain: doors that put a guard around models, tools, retrievers and agents.

* `protect(obj, guard)`: what exists, in place.
* `HauberkCallbackHandler(guard)`: the runs that it is attached to.
* `HauberkMiddleware(guard)`: one agent of `create_agent`.
* `install(guard)`, `uninstall()`: the whole process.
"""

from __future__ import annotations

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
from hauberk_langchain._patch import install, uninstall
from hauberk_langchain._protect import protect

if TYPE_CHECKING:
    from hauberk_langchain._middleware import HauberkMiddleware

__all__ = [
    "HauberkCallbackHandler",
    "HauberkMiddleware",
    "RunApprovalRequiredError",
    "RunBlockedError",
    "RunBudgetExceededError",
    "install",
    "protect",
    "uninstall",
]


def __getattr__(name: str) -> object:
    """Load the middleware on first use: it needs `langchain`, the rest only `langchain-core`."""
    if name != "HauberkMiddleware":
        raise AttributeError(f"module 'hauberk_langchain' has no attribute {name!r}")
    try:
        from hauberk_langchain import _middleware  # noqa: PLC0415 - see above
    except ImportError as error:
        raise MissingExtraError("langchain", needed_for="HauberkMiddleware") from error
    globals()[name] = _middleware.HauberkMiddleware
    return _middleware.HauberkMiddleware
