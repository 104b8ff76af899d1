"""What enters an index: item by item, with a report file by file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from hauberk import BlockedError, Decision, Event, Finding, Guard, Policy, Segment, Stage
from hauberk.ingest import IngestionReport, aingested, ingested


@dataclass(frozen=True)
class Page:
    name: str
    text: str


class Pages:
    def read(self, item: Page) -> tuple[Segment, ...]:
        if item.text == "unreadable":
            raise RuntimeError(item.text)
        return (Segment.from_document(item.name, item.text),)

    def write(self, item: Page, segments: tuple[Segment, ...]) -> Page:
        if item.text == "bad unwritable":
            raise RuntimeError(item.text)
        return replace(item, text=segments[0].text)

    def file(self, item: Page) -> str:
        return item.name


class Gate:
    name = "gate"
    stages = frozenset({Stage.INGEST})

    def inspect(self, event: Event) -> Decision:
        (segment,) = event.segments
        finding = Finding(rule="gate.rule", category="test")
        if segment.text == "stop":
            return Decision.deny("stop", stop=True)
        if segment.text == "no":
            return Decision.deny("no", findings=[finding])
        if segment.text.startswith("bad"):
            return Decision.rewrite(segments=[segment.with_text("good")], findings=[finding])
        return Decision.allow()


def guard() -> Guard:
    rooms = dict.fromkeys(("injection", "pii", "capabilities", "budget", "audit"), False)
    return Guard(Policy.model_validate({"version": 1, **rooms}), plugins=[Gate()])


def pages(*texts: str) -> list[Page]:
    return [Page(f"{number}.txt", text) for number, text in enumerate(texts)]


async def done(items: list[Page], report: IngestionReport, colour: str) -> list[Page]:
    if colour == "async":
        return list(await aingested(guard(), items, Pages(), report))
    return list(ingested(guard(), items, Pages(), report))


COLOURS = pytest.mark.parametrize("colour", ["sync", "async"])


@COLOURS
async def test_refused_items_are_left_out_and_the_rest_goes_on(colour: str) -> None:
    report = IngestionReport()
    left = await done(pages("fine", "bad", "no"), report, colour)
    assert [page.text for page in left] == ["fine", "good"]
    rows = [(row.file, row.changed, row.left_out, row.why) for row in report.files]
    assert rows == [
        ("0.txt", 0, 0, ""),
        ("1.txt", 1, 0, "gate.rule (1)"),
        ("2.txt", 0, 1, "gate.rule (1)"),
    ]


@COLOURS
async def test_what_cannot_be_read_or_written_is_left_out(colour: str) -> None:
    report = IngestionReport()
    assert await done(pages("unreadable", "bad unwritable"), report, colour) == []
    assert report.left_out == 2
    assert "unreadable" not in str(report)


@COLOURS
async def test_a_refusal_that_stops_raises(colour: str) -> None:
    report = IngestionReport()
    with pytest.raises(BlockedError):
        await done(pages("fine", "stop", "fine"), report, colour)
    assert report.left_out == 1


def test_what_nobody_changes_is_the_same_object() -> None:
    items = pages("fine", "well")
    assert ingested(guard(), items, Pages(), IngestionReport()) is items


def test_parts_of_a_file_are_counted_together() -> None:
    report = IngestionReport()
    items = [Page("a.txt", "fine"), Page("a.txt", "bad"), Page("<b>", "bad")]
    ingested(guard(), items, Pages(), report)
    assert [(row.file, row.parts, row.changed) for row in report.files] == [
        ("a.txt", 2, 1),
        ("<b>", 1, 1),
    ]
    assert (report.parts, report.changed, report.left_out) == (3, 2, 0)
    assert "&lt;b&gt;" in report._repr_html_()
    assert "<b>" not in report._repr_html_()
