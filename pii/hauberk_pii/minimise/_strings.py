"""Documents in strings: JSON, lines of JSON, and YAML, opened and written again.

Rules:
* JSON first: every JSON document is YAML too, and is read faster and exactly.
* In YAML only the structure is read: a scalar is written as it was, `0123` stays `0123`.
* YAML with aliases is not opened: a short one can stand for more than a memory holds.
* A plain text is no document, though YAML would call it a scalar.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_YAML_CHARS = 1_000_000
"""Characters of YAML that are opened; one more, and it is no document. Reading them takes about a
second with libyaml."""


@dataclass(frozen=True, slots=True)
class Document:
    """A string that holds a structure."""

    value: object
    """Mappings and lists; scalars of YAML are nodes, and no text."""
    written: Callable[[object], str]
    """The string for another value."""

    @property
    def empty(self) -> str:
        """The string for nothing of it."""
        return self.written({} if isinstance(self.value, dict) else [])


def opened(text: str) -> Document | None:
    """The document in a string, or None."""
    head = text.lstrip()[:1]
    if head in ("{", "["):
        try:
            return Document(json.loads(text), _json)
        except (ValueError, RecursionError):
            return _lines(text) or _yaml(text)
    return _yaml(text) if ":" in text or head == "-" else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(text: str) -> Document | None:
    """JSON Lines: one document on each line."""
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None
    return Document(rows, _json_lines)


def _json_lines(value: object) -> str:
    return "\n".join(_json(row) for row in value) if isinstance(value, (list, tuple)) else ""


def _yaml(text: str) -> Document | None:
    if len(text) > MAX_YAML_CHARS:
        return None
    import yaml  # noqa: PLC0415 - heavy

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node: Any = yaml.compose(text, Loader=loader)
        value = _plain(node, set())
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return Document(value, _yaml_text) if isinstance(value, (dict, list)) else None


def _plain(node: Any, seen: set[int]) -> object:
    """Mappings and lists of scalar nodes."""
    if id(node) in seen:
        raise ValueError("an alias")
    seen.add(id(node))
    if node is None or node.id == "scalar":
        return node
    if node.id == "sequence":
        return [_plain(item, seen) for item in node.value]
    return {str(key.value): _plain(item, seen) for key, item in node.value}


def _yaml_text(value: object) -> str:
    import yaml  # noqa: PLC0415 - heavy

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    node: Any = _node(value)
    return str(yaml.serialize(node, Dumper=dumper, allow_unicode=True, width=10**6))


def _node(value: object) -> object:
    import yaml  # noqa: PLC0415 - heavy

    if isinstance(value, dict):
        pairs = [(_key(str(key)), _node(item)) for key, item in value.items()]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of our own making
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)
    if isinstance(value, (list, tuple)):
        items = [_node(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - the same
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=False)
    if isinstance(value, str):  # a document inside, written again
        return yaml.ScalarNode("tag:yaml.org,2002:str", value)
    return value


def _key(name: str) -> object:
    import yaml  # noqa: PLC0415 - heavy

    return yaml.ScalarNode("tag:yaml.org,2002:str", name)
