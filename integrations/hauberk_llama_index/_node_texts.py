"""Where the texts of nodes are: text, metadata, and the templates that a node brings along."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from llama_index.core.schema import BaseNode, MetadataMode, Node, NodeWithScore, TextNode

from hauberk_llama_index._copies import each, updated
from hauberk_llama_index._texts import Visit, in_value, walked_by

T = TypeVar("T")

_TEMPLATES = ("text_template", "metadata_template", "metadata_separator", "metadata_seperator")
"""Fields of nodes (one spelt as LlamaIndex spells it) with words around a text and its metadata."""


def in_nodes(nodes: Sequence[NodeWithScore], visit: Visit) -> Sequence[NodeWithScore]:
    """Walk retrieved nodes: text and metadata, each with its document as origin."""
    new = each(nodes, lambda at, n: in_node(n, visit, f"nodes{at}", f"document:{_source(n)}"))
    return cast("Sequence[NodeWithScore]", new)


def _source(node: NodeWithScore) -> str:
    return node.node.ref_doc_id or node.node.node_id


@walked_by(NodeWithScore)
@walked_by(BaseNode)
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
