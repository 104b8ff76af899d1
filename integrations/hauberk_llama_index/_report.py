"""What happened to the files of an ingestion: seen, changed, left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from threading import Lock

from llama_index.core.schema import BaseNode

from hauberk.decisions import Decision

_NAMES = ("file_path", "file_name")
"""Where LlamaIndex's readers put the name of a file."""
_HEAD = ("file", "nodes", "changed", "left out", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file of an ingestion."""

    file: str
    """Its path or name; the id of the document where it has none."""
    nodes: int
    """Nodes of it that were looked at."""
    changed: int
    """Nodes that went on with other words: masked, or a text in them replaced by a notice."""
    left_out: int
    """Nodes that did not go on."""
    rules: Mapping[str, int]
    """Rules that found something, with how often."""

    @property
    def why(self) -> str:
        """The rules, for people."""
        return ", ".join(f"{rule} ({count})" for rule, count in self.rules.items())


class IngestionReport:
    """What an ingestion did, file by file. Prints as a table. Holds no text of a document."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, Counter[str]] = {}
        self._rules: dict[str, Counter[str]] = {}

    def add(self, node: BaseNode, decision: Decision, *, changed: bool) -> None:
        """Note what was decided on one node."""
        file = _file(node)
        with self._lock:
            counts = self._counts.setdefault(file, Counter())
            counts.update(nodes=1, changed=int(changed), left_out=int(not decision.passes))
            rules = self._rules.setdefault(file, Counter())
            rules.update(dict.fromkeys((f.rule for f in decision.findings), 1))
            if not decision.passes and not decision.findings:
                rules[decision.plugin or "guard"] += 1

    @property
    def files(self) -> tuple[FileReport, ...]:
        """One row for each file, in the order in which they came."""
        with self._lock:
            return tuple(
                FileReport(
                    file=file,
                    nodes=counts["nodes"],
                    changed=counts["changed"],
                    left_out=counts["left_out"],
                    rules=dict(self._rules[file]),
                )
                for file, counts in self._counts.items()
            )

    @property
    def nodes(self) -> int:
        """Nodes that were looked at."""
        return sum(row.nodes for row in self.files)

    @property
    def changed(self) -> int:
        """Nodes that went on with other words."""
        return sum(row.changed for row in self.files)

    @property
    def left_out(self) -> int:
        """Nodes that did not go on."""
        return sum(row.left_out for row in self.files)

    def __repr__(self) -> str:
        return (
            f"IngestionReport(nodes={self.nodes}, changed={self.changed}, left_out={self.left_out})"
        )

    def __str__(self) -> str:
        table = self._table()
        wide = [max(len(line[at]) for line in table) for at in range(len(_HEAD))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, wide, strict=True)).rstrip()
            for line in table
        )

    def _repr_html_(self) -> str:
        head, *rows = self._table()
        cells = [
            "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line)
            for tag, lines in (("th", [head]), ("td", rows))
            for line in lines
        ]
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in cells) + "</table>"

    def _table(self) -> list[tuple[str, ...]]:
        rows = [
            (row.file, str(row.nodes), str(row.changed), str(row.left_out), row.why)
            for row in self.files
        ]
        return [_HEAD, *rows]


def _file(node: BaseNode) -> str:
    for name in _NAMES:
        found = node.metadata.get(name)
        if isinstance(found, str) and found:
            return found
    return node.ref_doc_id or node.node_id
