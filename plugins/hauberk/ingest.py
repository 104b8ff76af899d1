"""What enters an index or a memory: looked at item by item, with a report file by file.

For adapters of ingestion pipelines: they bring a codec for their framework's documents or nodes.

Rules:
* An item that is refused is left out and the rest goes on; a refusal that stops the run raises.
* What cannot be read or written anew is left out too: it was not checked.
* Where a person must approve, the guard's approver is asked.
* The application's own items are never changed. When nothing changed, the very same ones go on.
* Reports hold names of files and rules, never a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from threading import Lock
from typing import Protocol, TypeVar

from hauberk.decisions import Decision
from hauberk.errors import BlockedError
from hauberk.events import Event, Segment, Stage
from hauberk.guard import Guard, blocked

T = TypeVar("T")

_HEAD = ("file", "parts", "changed", "left out", "why")


class ItemCodec(Protocol[T]):
    """How an adapter reads one item of an ingestion, and writes new texts into a copy of it."""

    def read(self, item: T) -> tuple[Segment, ...]:
        """The texts of an item."""
        ...

    def write(self, item: T, segments: tuple[Segment, ...]) -> T:
        """A copy of the item with these texts, in the order of `read`."""
        ...

    def file(self, item: T) -> str:
        """The file that an item is of, or whatever else people know it by."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file of an ingestion."""

    file: str
    """Its path or name; the id of the document where it has none."""
    parts: int
    """Documents or nodes of it that were looked at."""
    changed: int
    """Those that went on with other words: masked, or with a notice in the place of an attack."""
    left_out: int
    """Those that did not go on."""
    rules: Mapping[str, int]
    """Rules that found something, with in how many parts."""

    @property
    def why(self) -> str:
        """The rules, for people."""
        return ", ".join(f"{rule} ({count})" for rule, count in self.rules.items())


class IngestionReport:
    """What an ingestion did, file by file. Prints as a table. Holds no text of a document.

    Example:
        >>> report = IngestionReport()
        >>> report.add("a.txt", Decision.allow(), changed=False)
        >>> print(report)
        file   parts  changed  left out  why
        a.txt  1      0        0
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, Counter[str]] = {}
        self._rules: dict[str, Counter[str]] = {}

    def add(self, file: str, decision: Decision, *, changed: bool) -> None:
        """Note what was decided on one part of a file."""
        with self._lock:
            counts = self._counts.setdefault(file, Counter())
            counts.update(parts=1, changed=int(changed), left_out=int(not decision.passes))
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
                    parts=counts["parts"],
                    changed=counts["changed"],
                    left_out=counts["left_out"],
                    rules=dict(self._rules[file]),
                )
                for file, counts in self._counts.items()
            )

    @property
    def parts(self) -> int:
        """Parts that were looked at."""
        return sum(row.parts for row in self.files)

    @property
    def changed(self) -> int:
        """Parts that went on with other words."""
        return sum(row.changed for row in self.files)

    @property
    def left_out(self) -> int:
        """Parts that did not go on."""
        return sum(row.left_out for row in self.files)

    def __repr__(self) -> str:
        return (
            f"IngestionReport(parts={self.parts}, changed={self.changed}, left_out={self.left_out})"
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
            (row.file, str(row.parts), str(row.changed), str(row.left_out), row.why)
            for row in self.files
        ]
        return [_HEAD, *rows]


def ingested(
    guard: Guard, items: Sequence[T], codec: ItemCodec[T], report: IngestionReport
) -> Sequence[T]:
    """The items that may go on, as they may go on.

    Args:
        guard: What is asked.
        items: Documents, or nodes.
        codec: Reads and writes them.
        report: Where to note what was done.

    Raises:
        BlockedError: A refusal that stops the run.
    """
    done: list[T | None] = []
    for item in items:
        event = _event(guard, item, codec)
        decided = event if isinstance(event, Decision) else guard.decide(event)
        done.append(_done(guard, item, decided, codec, report))
    return same_or(items, done)


async def aingested(
    guard: Guard, items: Sequence[T], codec: ItemCodec[T], report: IngestionReport
) -> Sequence[T]:
    """The same, on an event loop.

    Raises:
        BlockedError: A refusal that stops the run.
    """
    done: list[T | None] = []
    for item in items:
        event = _event(guard, item, codec)
        decided = event if isinstance(event, Decision) else await guard.adecide(event)
        done.append(_done(guard, item, decided, codec, report))
    return same_or(items, done)


def _event(guard: Guard, item: T, codec: ItemCodec[T]) -> Event | Decision:
    """An item on its way in; a refusal where it cannot be read."""
    try:
        return Event(stage=Stage.INGEST, segments=codec.read(item))
    except BlockedError:
        raise
    except Exception as error:  # noqa: BLE001 - what cannot be read was not checked
        return guard.refuse(Event(stage=Stage.INGEST), "adapter", error).decision


def _done(
    guard: Guard,
    item: T,
    decided: tuple[Event, Decision] | Decision,
    codec: ItemCodec[T],
    report: IngestionReport,
) -> T | None:
    """The item as it may go on; None when it may not."""
    if isinstance(decided, Decision):
        report.add(codec.file(item), decided, changed=False)
        return None
    event, decision = decided
    if not decision.passes:
        report.add(codec.file(item), decision, changed=False)
        if decision.stop:
            raise blocked(event, decision)
        return None
    new = item
    if decision.segments is not None:
        try:
            new = codec.write(item, event.segments)
        except Exception as error:  # noqa: BLE001 - what cannot be rewritten must not go on as it is
            return _done(guard, item, guard.refuse(event, "adapter", error).decision, codec, report)
    report.add(codec.file(item), decision, changed=new is not item)
    return new


def same_or(items: Sequence[T], done: Sequence[T | None]) -> Sequence[T]:
    """What is left of `items`: the same object when all of them are."""
    left = [item for item in done if item is not None]
    same = len(left) == len(items) and all(a is b for a, b in zip(left, items, strict=True))
    return items if same else left
