"""Fields of tools' results, in LlamaIndex: neither the text nor the raw value has the others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool, ToolOutput

from hauberk.testing.records import ROW, SECRET, forms, guard_of_fields
from hauberk_llama_index import protect


def output(**parts: Any) -> ToolOutput:
    return ToolOutput(tool_name="find", raw_input={}, **parts)


VALUES: dict[str, Any] = {
    **forms(),
    "block": TextBlock(text=json.dumps(ROW)),
    "blocks": [TextBlock(text=json.dumps(ROW)), ImageBlock(url="https://x.test/Byron.png")],
}


def find_tool(value: Any, **options: Any) -> FunctionTool:
    def find() -> Any:
        """Find it."""
        return value

    return FunctionTool.from_defaults(find, **options)


@pytest.mark.parametrize("wait", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", VALUES)
def test_neither_text_nor_raw_value_has_the_other_fields(kind: str, wait: bool) -> None:  # noqa: FBT001
    given = repr(VALUES[kind])
    made = protect(find_tool(VALUES[kind]), guard_of_fields("find"))
    found = asyncio.run(made.acall()) if wait else made.call()
    assert not found.is_error
    assert "7" in found.content
    assert SECRET not in f"{found!r} {found.content} {found.raw_output!r}"
    assert repr(VALUES[kind]) == given


def test_a_text_of_the_tools_own_is_minimised_beside_its_raw_value() -> None:
    made = find_tool(ROW, callback=json.dumps)
    found = protect(made, guard_of_fields("find")).call()
    assert json.loads(found.content) == {"id": 7}
    assert found.raw_output == {"id": 7}


@pytest.mark.parametrize("raw", [f"Dear {SECRET}", iter([ROW]), 5])
def test_what_has_no_fields_is_withheld(raw: Any) -> None:
    found = protect(find_tool(raw), guard_of_fields("find")).call()
    assert found.is_error
    assert "only some fields" in found.content
    assert SECRET not in repr(found)


def test_a_raw_value_without_fields_is_left_out_beside_a_text_that_has_them() -> None:
    made = find_tool(ROW, callback=lambda raw: output(content=json.dumps(raw), raw_output=object()))
    found = protect(made, guard_of_fields("find")).call()
    assert json.loads(found.content) == {"id": 7}
    assert found.raw_output is None
