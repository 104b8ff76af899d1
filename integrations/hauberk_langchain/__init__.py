"""hauberk for LangChain: doors that put a guard around models, tools, retrievers and agents."""

from __future__ import annotations

from hauberk.errors import MissingExtraError

try:
    import langchain_core as _langchain_core  # noqa: F401 - only to see that it is there
except ImportError as _error:
    raise MissingExtraError("langchain", needed_for="hauberk_langchain") from _error
