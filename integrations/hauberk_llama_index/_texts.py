"""Where the texts are in LlamaIndex's values, and how to put others in their place.

One walk serves reading and writing: it shows every text to a `Visit`, and what that answers takes
the text's place in a copy. So a text is written exactly where it was read.

Rules:
* The value that was given is never changed; whatever holds no new text is shared with the copy.
* Names and addresses (tool names, ids, roles) are no texts. Keys of mappings that read like the
  name of a field stay; others are texts.
* JSON inside a string is opened: its texts are shown one by one, and escaped again when written.
* Bytes, pixels, sound, generators and objects of unknown kind are left alone and never consumed.
* Nesting is bounded.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

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
from llama_index.core.schema import BaseNode, MetadataMode, Node, NodeWithScore, TextNode
from llama_index.core.tools import ToolOutput
from pydantic import BaseModel

from hauberk.events import Segment, Trust
from hauberk.structure import MAX_DEPTH, TooDeepError

Visit = Callable[[str, str, str], str]
"""Takes a text, its place and its origin; gives the text to put there."""
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

ADDRESSES = frozenset({"id", "type", "index", "tool_call_id"})
"""Fields of a message's extras that are no texts, and must stay as they are."""
CALL_ADDRESSES = ADDRESSES | {"name", "tool_name", "tool_id"}
"""The same inside a tool call or on a tool's message, where `name` is the tool's."""
_SEALED = frozenset({"signature", "encrypted_content"})
"""Fields of a thinking block that the provider checks: a changed one makes the call fail."""

_TEMPLATES = ("text_template", "metadata_template", "metadata_separator", "metadata_seperator")
"""Fields of nodes (one spelt as LlamaIndex spells it) with words around a text and its metadata."""


# --- reading and writing ------------------------------------------------------------------------


def read(walk: Callable[[Visit], object]) -> tuple[Segment, ...]:
    """Every text that a walk shows, as segments, in order.

    Raises:
        TooDeepError: The value is nested too deeply.
    """
    found: list[Segment] = []

    def visit(text: str, where: str, origin: str) -> str:
        found.append(segment(text, where, origin))
        return text

    walk(visit)
    return tuple(found)


def write(walk: Callable[[Visit], T], segments: Iterable[Segment]) -> T:
    """What the walk gives when these texts are put in, in the order of `read`."""
    texts = iter([one.text for one in segments])
    return walk(lambda _text, _where, _origin: next(texts))


def segment(text: str, where: str, origin: str) -> Segment:
    """A text with its origin: users and developers may give orders, nobody else."""
    trusted = origin in ("user", "developer")
    trust = Trust.TRUSTED if trusted else Trust.UNTRUSTED
    return Segment(text=text, origin=origin, trust=trust, where=where)


# --- blocks -------------------------------------------------------------------------------------


def in_block(block: BaseContentBlock, visit: Visit, where: str, origin: str) -> BaseContentBlock:
    """Walk one content block. Media hold no text but their address; cache points none."""
    match block:
        case TextBlock():
            return updated(block, text=visit(block.text, where, origin))
        case ToolCallBlock():
            arguments = in_json(block.tool_kwargs, visit, f"{where}.tool_kwargs", origin)
            return updated(block, tool_kwargs=arguments)
        case ThinkingBlock():
            return _in_thinking(block, visit, where, origin)
        case CitableBlock() | CitationBlock() | DocumentBlock():
            # Material handed over inside a message is a document, whoever hands it over.
            return _in_document(block, visit, where, _document(where, origin))
        case ImageBlock() | AudioBlock() | VideoBlock():
            return updated(block, url=_in_url(block.url, visit, where, origin))
        case _:
            return block


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
    if not isinstance(block, DocumentBlock):
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
            return _in_mapping(
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
                    for key, item in _all_fields(value)
                },
            )
        return in_value(value, self._visit, where, self._origin, depth)

    def _field(self, key: str, value: Any, where: str, skip: frozenset[str], depth: int) -> Any:
        place = f"{where}.{key}"
        if key in skip:
            return value
        if key in ("arguments", "tool_kwargs"):
            return in_json(value, self._visit, place, self._origin)
        if key in ("function", "tool_calls", "function_call"):
            skip = skip | CALL_ADDRESSES
        return self.walk(value, place, skip, depth - 1)


# --- values -------------------------------------------------------------------------------------


def in_json(value: T, visit: Visit, where: str, origin: str) -> T:
    """Walk the arguments of a tool call: a mapping, or a JSON string of one."""
    if not isinstance(value, str):
        return in_value(value, visit, where, origin)
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, (dict, list)):
        return cast("T", visit(value, where, origin))
    new = in_value(cast("object", parsed), visit, where, origin)
    return value if new is parsed else cast("T", json.dumps(new, ensure_ascii=False))


def in_value(value: T, visit: Visit, where: str, origin: str, depth: int = MAX_DEPTH) -> T:
    """Walk any value: strings, mappings, lists, LlamaIndex's own types, models and dataclasses."""
    return cast("T", _in_value(value, visit, where, origin, depth))


def _in_value(value: object, visit: Visit, where: str, origin: str, depth: int) -> object:
    if isinstance(value, str):
        return visit(value, where, origin)
    if depth <= 0:
        raise TooDeepError
    new: object

    def inside(at: str, inner: object) -> object:
        return _in_value(inner, visit, f"{where}{at}", origin, depth - 1)

    match value:
        case Mapping():
            named = cast("Mapping[object, object]", value)
            new = _in_mapping(named, inside, lambda key: visit(key, f"{where}.*", origin))
        case set() | frozenset():
            items = list(cast("Iterable[object]", value))
            found = each(items, inside)
            new = cast("object", value) if found is items else type(value)(found)
        case list() | tuple():
            new = each(cast("Sequence[object]", value), inside)
        case NodeWithScore() | BaseNode():
            new = in_node(value, visit, where, origin)
        case BaseContentBlock():
            new = in_block(value, visit, where, origin)
        case _:
            new = _in_object(value, inside)
    return new


def _in_mapping(
    named: Mapping[Any, Any], inside: Callable[[str, Any], Any], visit: Callable[[str], str]
) -> Mapping[Any, Any]:
    """Walk keys and values. Places do not repeat a key that is a text: it may be a personal one."""
    new = [
        (visit(key), inside(".*", value)) if _is_text(key) else (key, inside(f".{key}", value))
        for key, value in named.items()
    ]
    if same((key for key, _ in new), named.keys()) and same((v for _, v in new), named.values()):
        return named
    return dict(new)


def _is_text(key: object) -> bool:
    """Whether a key of a mapping is a text: an address or a sentence, not the name of a field."""
    return isinstance(key, str) and bool(key) and not key.isidentifier()


def _all_fields(model: BaseModel) -> Iterable[tuple[str, Any]]:
    """Declared fields and extra ones."""
    return [*vars(model).items(), *(model.model_extra or {}).items()]


def _in_object(value: object, inside: Callable[[str, object], object]) -> object:
    """Models and dataclasses are walked by field; whatever else is left alone."""
    if isinstance(value, BaseModel):
        return updated(value, **{k: inside(f".{k}", v) for k, v in _all_fields(value)})
    if not is_dataclass(value) or isinstance(value, type):
        return value
    old = {field.name: getattr(value, field.name) for field in fields(value)}
    new = {name: inside(f".{name}", inner) for name, inner in old.items()}
    if same(new.values(), old.values()):
        return value
    twin = copy.copy(value)
    for name, inner in new.items():
        object.__setattr__(twin, name, inner)  # frozen ones too
    return twin


# --- tools and nodes ----------------------------------------------------------------------------


def in_output(output: ToolOutput, visit: Visit, origin: str) -> ToolOutput:
    """Walk what a tool returned: its blocks, and the raw value behind them.

    A raw value that repeats the content is the same text and is shown once. One that cannot be
    walked is replaced by the content when the content changes: no clear copy stays behind.
    """
    blocks = each(output.blocks, lambda at, b: in_block(b, visit, f"blocks{at}", origin))
    raw = cast("object", output.raw_output)
    repeats = raw == output.content if isinstance(raw, str) else raw is output.blocks
    new_raw = raw if repeats else _in_raw(raw, visit, origin)
    if blocks is output.blocks and new_raw is raw:
        return output
    new = output.model_copy(update={"blocks": blocks})
    new.raw_output = new.content if new_raw is raw or new_raw is _UNREADABLE else new_raw
    new._exception = None  # noqa: SLF001 - its message is the text that was just replaced
    return new


_UNREADABLE = object()


def _in_raw(raw: object, visit: Visit, origin: str) -> object:
    try:
        return in_value(raw, visit, "raw_output", origin)
    except TooDeepError:
        return _UNREADABLE


def in_nodes(nodes: Sequence[NodeWithScore], visit: Visit) -> Sequence[NodeWithScore]:
    """Walk retrieved nodes: text and metadata, each with its document as origin."""
    new = each(nodes, lambda at, n: in_node(n, visit, f"nodes{at}", f"document:{_source(n)}"))
    return cast("Sequence[NodeWithScore]", new)


def _source(node: NodeWithScore) -> str:
    return node.node.ref_doc_id or node.node.node_id


def in_node(node: T, visit: Visit, where: str, origin: str) -> T:
    """Walk one node, with or without its score."""
    if isinstance(node, NodeWithScore):
        return cast("T", updated(node, node=in_node(node.node, visit, where, origin)))
    return (
        cast("T", _in_base_node(node, visit, where, origin)) if isinstance(node, BaseNode) else node
    )


def _in_base_node(node: BaseNode, visit: Visit, where: str, origin: str) -> BaseNode:
    metadata = in_value(node.metadata, visit, f"{where}.metadata", origin)
    node = _in_templates(node, visit, where, origin)
    match node:
        case TextNode():
            text = visit(node.text, f"{where}.text", origin)
            return updated(node, text=text, metadata=metadata)
        case Node() if node.text_resource is not None and node.text_resource.text is not None:
            text = visit(node.text_resource.text, f"{where}.text", origin)
            resource = updated(node.text_resource, text=text)
            return updated(node, text_resource=resource, metadata=metadata)
        case _:
            return _in_strange_node(node, metadata, visit, f"{where}.text", origin)


def _in_templates(node: BaseNode, visit: Visit, where: str, origin: str) -> BaseNode:
    """Walk what a node brings along to be written around its text, where it is not the usual."""
    found = {name: getattr(node, name, None) for name in _TEMPLATES}
    usual = type(node).model_fields
    return updated(
        node,
        **{
            name: visit(text, f"{where}.{name}", origin)
            for name, text in found.items()
            if isinstance(text, str) and text and text != usual[name].default
        },
    )


def _in_strange_node(
    node: BaseNode, metadata: dict[str, Any], visit: Visit, where: str, origin: str
) -> BaseNode:
    """A node of a kind that LlamaIndex does not ship: its own accessors must do."""
    text = node.get_content(MetadataMode.NONE)
    new = visit(text, where, origin)
    if new != text:
        node = copy.deepcopy(node)
        node.set_content(new)
    return updated(node, metadata=metadata)


# --- copying ------------------------------------------------------------------------------------


def each(items: Sequence[T], change: Callable[[str, T], object]) -> Any:
    """A sequence with every item changed; itself when none is."""
    new = [change(f"[{index}]", item) for index, item in enumerate(items)]
    if same(new, items):
        return items
    return tuple(new) if isinstance(items, tuple) else new


def updated(model: M, **new: object) -> M:
    """A copy with these fields; the model itself when all are what they were."""
    changed = {key: value for key, value in new.items() if value is not getattr(model, key)}
    # A text that was only passed through is the same string, though not always the same object.
    changed = {k: v for k, v in changed.items() if not _equal_text(v, getattr(model, k))}
    return model.model_copy(update=changed) if changed else model


def same(new: Iterable[object], old: Iterable[object]) -> bool:
    return all(a is b or _equal_text(a, b) for a, b in zip(new, old, strict=True))


def _equal_text(new: object, old: object) -> bool:
    return isinstance(new, str) and isinstance(old, str) and new == old
