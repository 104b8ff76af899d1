"""Fields of a tool's output that may not be seen, left out of both its forms.

A tool's output has the tool's own value (`raw_output`), and what the model reads (`blocks`), which
LlamaIndex writes with `str`: no fields can be told apart in that.

Rules:
* A content that only repeats the raw value is written anew from what may be seen of it.
* Any other content is minimised block by block: each text holds a document, or may not be seen.
  Pictures and files have no fields and are left out.
* A raw value that has no fields beside such a content is left out.
"""

from __future__ import annotations

from typing import cast

from llama_index.core.base.llms.types import ContentBlock, TextBlock
from llama_index.core.tools import ToolOutput

from hauberk import BlockedError
from hauberk.plugin import Select


def minimised_output(output: ToolOutput, select: Select) -> ToolOutput:
    """A copy of an output with every structured part passed through `select`.

    Raises:
        BlockedError: Nothing of it may be seen.
    """
    raw = cast("object", output.raw_output)
    if _repeats(output, raw):
        shown = select(raw)
        blocks: list[ContentBlock] = [TextBlock(text=_written(raw, shown))]
    else:
        blocks = [
            TextBlock(text=cast("str", select(block.text)))
            for block in output.blocks
            if isinstance(block, TextBlock)
        ]
        shown = blocks if raw is output.blocks else _optional(raw, select)
    new = output.model_copy(update={"blocks": blocks, "raw_output": shown})
    new._exception = None  # noqa: SLF001 - its message may hold what was left out
    return new


def _repeats(output: ToolOutput, raw: object) -> bool:
    if raw is None or raw is output.blocks:
        return False
    return all(isinstance(b, TextBlock) for b in output.blocks) and output.content == str(raw)


def _written(raw: object, shown: object) -> str:
    return str(raw) if shown is raw else str(shown)


def _optional(raw: object, select: Select) -> object:
    if raw is None:
        return None
    try:
        return select(raw)
    except BlockedError:
        return None
