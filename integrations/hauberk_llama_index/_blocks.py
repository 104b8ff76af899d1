"""Where the texts of messages are: content blocks, and the free-form fields beside them.

Rules:
* Names and addresses (tool names, ids, types) are no texts, as long as they look like that: with a
  space or an @ in it, one is a text all the same.
* A document that is handed over as bytes, as a file or as a path is a text when its kind says so, or
  when it has none and can be read as one. Other bytes, pixels and sound are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from llama_index.core.base.llms.types import (
    AudioBlock,
    BaseContentBlock,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from pydantic import BaseModel

from hauberk.structure import MAX_DEPTH, TooDeepError
from hauberk_llama_index._copies import all_fields, each, updated
from hauberk_llama_index._documents import in_document_data
from hauberk_llama_index._texts import Visit, in_json, in_mapping, in_value, walked_by

ADDRESSES = frozenset({"id", "type", "index", "tool_call_id"})
"""Fields of a message's extras that are no texts, and must stay as they are."""
CALL_ADDRESSES = ADDRESSES | {"name", "tool_name", "tool_id"}
"""The same inside a tool call or on a tool's message, where `name` is the tool's."""
_SEALED = frozenset({"signature", "encrypted_content"})
"""Fields of a thinking block that the provider checks: a changed one makes the call fail."""
_TEXT_LIKE = re.compile(r"[\s@]")


def is_address(value: str) -> bool:
    """Whether a value looks like a name or an id, and not like words."""
    return _TEXT_LIKE.search(value) is None


@walked_by(BaseContentBlock)
def in_block(block: BaseContentBlock, visit: Visit, where: str, origin: str) -> BaseContentBlock:
    """Walk one content block. Media hold no text but their address; cache points none."""
    match block:
        case TextBlock():
            return updated(block, text=visit(block.text, where, origin))
        case ToolCallBlock():
            return _in_call(block, visit, where, origin)
        case ThinkingBlock():
            return _in_thinking(block, visit, where, origin)
        case CitableBlock() | CitationBlock() | DocumentBlock():
            # Material handed over inside a message is a document, whoever hands it over.
            return _in_document(block, visit, where, _document(where, origin))
        case ImageBlock() | AudioBlock() | VideoBlock():
            return updated(block, url=_in_url(block.url, visit, where, origin))
        case _:
            return block


def _in_call(block: ToolCallBlock, visit: Visit, where: str, origin: str) -> ToolCallBlock:
    named = {"tool_name": block.tool_name, "tool_call_id": block.tool_call_id}
    texts = {
        name: visit(text, f"{where}.{name}", origin)
        for name, text in named.items()
        if text is not None and not is_address(text)
    }
    arguments = in_json(block.tool_kwargs, visit, f"{where}.tool_kwargs", origin)
    return updated(block, tool_kwargs=arguments, **texts)


def _in_url(url: object, visit: Visit, where: str, origin: str) -> object:
    """Walk an address that a model is sent to. One that holds the medium itself is no text."""
    if url is None or str(url).startswith("data:"):
        return url
    new = visit(str(url), f"{where}.url", origin)
    return url if new == str(url) else new


def _document(where: str, origin: str) -> str:
    return f"document:{where}" if origin in ("user", "developer") else origin


def _in_thinking(block: ThinkingBlock, visit: Visit, where: str, origin: str) -> ThinkingBlock:
    extras = Extras(visit, origin)
    content = block.content
    return updated(
        block,
        content=content if content is None else visit(content, where, origin),
        additional_information=extras.walk(
            block.additional_information, where, ADDRESSES | _SEALED, MAX_DEPTH
        ),
    )


def _in_document(
    block: CitableBlock | CitationBlock | DocumentBlock, visit: Visit, where: str, origin: str
) -> BaseContentBlock:
    new: dict[str, object] = {}
    if block.title:
        new["title"] = visit(block.title, f"{where}.title", origin)
    if isinstance(block, DocumentBlock):
        new |= in_document_data(block, visit, where, origin)
    else:
        new["source"] = visit(block.source, f"{where}.source", origin)
    if isinstance(block, CitableBlock):
        inner = f"{where}.content"
        new["content"] = each(
            block.content, lambda at, b: in_block(b, visit, f"{inner}{at}", origin)
        )
    if isinstance(block, CitationBlock):
        new["cited_content"] = in_block(block.cited_content, visit, f"{where}.cited", origin)
    return updated(block, **new)


class Extras:
    """Walks the free-form fields of messages, in which addresses and JSON lie among the texts."""

    def __init__(self, visit: Visit, origin: str) -> None:
        self._visit = visit
        self._origin = origin

    def walk(self, value: Any, where: str, skip: frozenset[str], depth: int) -> Any:
        if depth <= 0:
            raise TooDeepError
        if isinstance(value, Mapping):
            named = cast("Mapping[str, object]", value)
            return in_mapping(
                named,
                lambda at, item: self._field(at[1:], item, where, skip, depth),
                lambda key: self._visit(key, f"{where}.*", self._origin),
            )
        if isinstance(value, (list, tuple)):
            items = cast("Sequence[object]", value)
            return each(items, lambda at, v: self.walk(v, f"{where}{at}", skip, depth - 1))
        if isinstance(value, BaseModel):
            return updated(
                value,
                **{
                    key: self._field(key, item, where, skip, depth)
                    for key, item in all_fields(value)
                },
            )
        return in_value(value, self._visit, where, self._origin, depth)

    def _field(self, key: str, value: Any, where: str, skip: frozenset[str], depth: int) -> Any:
        place = f"{where}.{key}"
        if key in skip and not (isinstance(value, str) and not is_address(value)):
            return value
        if key in ("arguments", "tool_kwargs"):
            return in_json(value, self._visit, place, self._origin)
        if key in ("function", "tool_calls", "function_call"):
            skip = skip | CALL_ADDRESSES
        return self.walk(value, place, skip, depth - 1)
