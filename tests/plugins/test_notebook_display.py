"""What notebooks show: every finding marked in its place, and no markup of an attacker's."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Decision, Event, Finding, Segment, Severity, Stage
from hauberk.audit import AuditTrail
from hauberk.notebook import MAX_CHARS, MAX_TEXTS, hue, show
from hauberk.plugin import Entry
from hauberk.session import Session

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    '" onmouseover="alert(1)" x="',
    "</div></table></body><h1>x",
    "<!-- ",
    "&lt;script&gt;&#60;b&#62;",
    "javascript:alert(1)",
    "expression(alert(1)); background:url(https://evil.example)",
    "\u202e\u2066<b>\u200b\x1b[31m\x00\ud800",
]
ALLOWED = {"div", "span", "mark", "table", "tr", "th", "td"}


class Reader(HTMLParser):
    """Reads HTML as a browser would, and keeps what counts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.styles: set[str] = set()
        self.marked: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self._title: str | None = None
        html.encode()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        named = dict(attrs)
        self.attributes |= set(named)
        self.styles.add(named.get("style") or "")
        self._title = (named.get("title") or "") if tag == "mark" else None

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._title = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._title is not None:
            self.marked.append((data, self._title))

    def handle_comment(self, data: str) -> None:
        self.tags.add("!--")


def read(value: object) -> Reader:
    found = Reader(value._repr_html_())  # type: ignore[attr-defined]  # what notebooks call
    assert found.tags <= ALLOWED
    assert found.attributes <= {"style", "title"}
    assert found.open == []
    assert not any("url(" in style or "expression" in style for style in found.styles)
    return found


def event(*texts: str, **fields: object) -> Event:
    segments = tuple(Segment.from_document(text, text, where=text) for text in texts)
    return Event(stage=Stage.RETRIEVAL, segments=segments, **fields)  # type: ignore[arg-type]  # a test's own


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_markup_of_an_attacker_gets_through(attack: str) -> None:
    """Wherever it is written: text, origin, names, arguments, rules, categories, reasons, users."""
    found = Finding(
        rule=attack, category=attack, explanation=attack, segment=0, start=1, end=5, where=attack
    )
    seen = Event(
        stage=Stage.TOOL_CALL,
        segments=(Segment.from_tool(attack, attack),),
        tool=attack,
        model=attack,
        arguments={attack: attack},
        session=Session(ident=attack, user=attack, agent=attack),
    )
    for decision in (
        Decision.allow(findings=[found]),
        Decision.deny(attack, findings=[found]),
        Decision.rewrite(
            segments=(seen.segments[0].with_text(attack * 2),), arguments={attack: [attack]}
        ),
    ):
        read(show(seen, decision))
        read(decision)
        trail = AuditTrail()
        trail.record(Entry(event=seen, decision=decision, elapsed_s=0, time=0))
        read(trail)
    read(found)


@given(st.text(st.characters(), max_size=40), st.text(max_size=10))
def test_any_text_is_shown_as_text(text: str, rule: str) -> None:
    found = Finding(rule=rule, category="pii", segment=0, start=0, end=len(text))
    shown = read(show(event(text), Decision.allow(findings=[found])))
    if text.isprintable():
        assert text in shown.text


@given(
    text=st.text(st.characters(categories=["L", "N", "Zs"]), min_size=1, max_size=30),
    spans=st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=6),
)
def test_each_character_is_marked_by_the_findings_that_cover_it(
    text: str, spans: list[tuple[int, int]]
) -> None:
    """Overlapping, nested, empty, backward and out of range: the text itself is never changed."""
    findings = [
        Finding(rule=f"r{n}", category="pii", segment=0, start=start, end=end)
        for n, (start, end) in enumerate(spans)
    ]
    shown = read(show(event(text), Decision.allow(findings=findings)))
    assert text in shown.text
    wanted = [
        (char, {f.rule for f in findings if f.start <= at < f.end}) for at, char in enumerate(text)
    ]
    got = [(char, set(title.split(", "))) for piece, title in shown.marked for char in piece]
    assert got == [(char, rules) for char, rules in wanted if rules]


def test_the_gravest_finding_gives_the_colour() -> None:
    low = Finding(rule="a", category="pii", severity=Severity.LOW, segment=0, start=0, end=4)
    high = Finding(
        rule="b", category="prompt-injection", severity=Severity.HIGH, segment=0, start=0, end=4
    )
    shown = read(show(event("text"), Decision.allow(findings=[low, high])))
    assert any(f"hsla({hue('prompt-injection')}," in style for style in shown.styles)
    assert not any(f"hsla({hue('pii')}," in style for style in shown.styles)


def test_a_rewrite_shows_both_texts() -> None:
    seen = event("mail ada@example.org", "nothing here")
    new = (seen.segments[0].with_text("mail <EMAIL_1>"), seen.segments[1])
    shown = read(show(seen, Decision.rewrite(segments=new)))
    assert "mail ada@example.org" in shown.text
    assert "mail <EMAIL_1>" in shown.text
    assert shown.text.count("becomes") == 1


def test_what_cannot_be_seen_is_written_out() -> None:
    shown = read(show(event("a\u202eb\u200bc"), Decision.allow()))
    assert "a\u27e8U+202E\u27e9b\u27e8U+200B\u27e9c" in shown.text


def test_what_is_shown_is_bounded() -> None:
    long = event(*["x" * 100_000] * 200)
    found = [Finding(rule="r", category="c", segment=199, start=i, end=i + 1) for i in range(5_000)]
    shown = read(show(long, Decision.allow(findings=found)))
    assert f"({200 - MAX_TEXTS} earlier texts are not shown)" in shown.text
    assert len(shown.text) < 2 * MAX_TEXTS * MAX_CHARS


def test_decisions_findings_and_trails_show_no_text() -> None:
    seen = event("my secret text", arguments={"to": "secret"})
    found = Finding(rule="r", category="c", segment=0, start=3, end=9)
    new = (seen.segments[0].with_text("other secret"),)
    decision = Decision.rewrite(segments=new, arguments={"to": "secret"}, findings=[found])
    trail = AuditTrail()
    trail.record(Entry(event=seen, decision=decision, elapsed_s=0, time=0))
    for value in (decision, found, trail):
        assert "secret" not in value._repr_html_()
    assert "secret" not in repr(show(seen, decision))


def test_a_trail_shows_its_newest_records_and_where_something_was_found() -> None:
    trail = AuditTrail()
    assert "no records yet" in trail._repr_html_()
    found = Finding(rule="r.x", category="pii", segment=0, start=50, end=75)
    for number in range(60):
        entry = Entry(
            event=event("x" * 100),
            decision=Decision.deny(f"reason {number}", findings=[found]),
            elapsed_s=0,
            time=0,
        )
        trail.record(entry)
    shown = read(trail)
    assert "reason 59" in shown.text
    assert "reason 9" not in shown.text
    assert any("left:50.0%;width:25.0%" in style for style in shown.styles)
