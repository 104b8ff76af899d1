"""Notebooks: what a guard saw, did and recorded, as HTML.

Rules:
* Texts are written by attackers: everything is escaped, in one place, and nothing of a text, a
  finding or a record ever becomes markup, a style or a link.
* What a reader would not see (control, bidirectional, invisible characters) is written out.
* Only `show` shows texts, for it is given the event. Decisions, findings and trails hold none.
* Colours are translucent over the page's own, so light and dark themes both work; no script.

    Event + Decision   -> show(event, decision)
    Decision, Finding  -> display them: they have `_repr_html_`
    AuditTrail         -> display it: its newest records
    Coverage           -> display it: what is guarded, and what is not
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from hauberk.decisions import Decision, Finding, Verdict
from hauberk.events import Event, Segment

if TYPE_CHECKING:
    from hauberk.audit import AuditTrail, Record
    from hauberk.coverage import Coverage

MAX_TEXTS = 50
"""Most texts of an event that are shown, from its end."""

MAX_CHARS = 4_000
"""Most characters of one text that are shown."""

MAX_NAME = 400
"""Most characters of a name, a reason or a cell of a table that are shown."""

MAX_SPANS = 200
"""Most findings that are marked in one text."""

MAX_ROWS = 50
"""Most findings and most records in one table; of records the newest."""

_VERDICTS = {
    Verdict.ALLOW: "#2e7d32",
    Verdict.REWRITE: "#1565c0",
    Verdict.DENY: "#c62828",
    Verdict.ASK: "#b26a00",
}
_HUES = {
    "prompt-injection": 0,
    "exfiltration": 25,
    "capability": 45,
    "pii": 215,
    "budget": 280,
    "limit": 310,
    "error": 180,
}
_LINE = "border-bottom:1px solid rgba(128,128,128,.35)"
_CELL = f"{_LINE};padding:.2em .6em;text-align:left;vertical-align:top"
_TEXT = (
    "white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;font-family:monospace;"
    "border-left:3px solid rgba(128,128,128,.5);padding:.2em .6em;margin:.2em 0"
)
_SMALL = "opacity:.7;font-size:.85em"
_BAR = (
    "position:relative;height:.55em;width:8em;margin:.25em 0;background:rgba(128,128,128,.25);"
    "border-radius:2px;overflow:hidden"
)


class Html(str):
    """Markup. Whatever is not this type is text, and is escaped."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str) -> Html:
    """An element: text in it is escaped, `Html` is taken as it is, attributes are always escaped."""
    inside = "".join(one if isinstance(one, Html) else escape(one) for one in content)
    named = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{named}>{inside}</{name}>")


@dataclass(frozen=True, slots=True)
class Shown:
    """An event and what was decided on it, for a notebook. Holds texts: mind where it is saved."""

    event: Event = field(repr=False)
    decision: Decision

    def _repr_html_(self) -> str:
        parts = [_headline(self.decision, self.event.stage.value, self.event.tool)]
        parts += _texts(self.event, self.decision)
        parts += _arguments("arguments", self.event.arguments)
        parts += _arguments("arguments after", self.decision.arguments)
        parts.append(_findings(self.decision.findings))
        return tag("div", *parts)


def show(event: Event, decision: Decision) -> Shown:
    """The event's texts with what was found marked in them, the decision, and the texts after it.

    Example:
        >>> from hauberk import Decision, Event, Segment, Stage
        >>> event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("<b>hi</b>"),))
        >>> "&lt;b&gt;hi" in show(event, Decision.allow())._repr_html_()
        True
    """
    return Shown(event, decision)


def decision_html(decision: Decision) -> str:
    """A decision: verdict, reason, findings. No texts."""
    return tag("div", _headline(decision, "", None), _findings(decision.findings))


def sentences_html(decision: Decision, sentences: Iterable[str]) -> str:
    """A decision with sentences about it."""
    lines = [tag("div", _visible(sentence)) for sentence in sentences]
    return tag("div", _headline(decision, "", None), *lines)


def finding_html(finding: Finding) -> str:
    """One finding as a table. No text."""
    return _findings((finding,))


def trail_html(trail: AuditTrail) -> str:
    """The newest records of a trail, with a bar for each text in which something was found.

    Raises:
        StoreError: The trail cannot be read.
    """
    rows = [_record(record) for record in trail.records(last=MAX_ROWS)]
    names = (
        "#",
        "time",
        "session",
        "stage",
        "tool / model",
        "verdict",
        "reason",
        "findings",
        "where",
    )
    return tag("div", _table(names, reversed(rows)) if rows else Html("no records yet"))


def coverage_html(coverage: Coverage) -> str:
    """What a guard sees of an object: one row for each stage of each part."""
    rows = [
        (row.part, row.stage.value, row.door or _badge(Verdict.DENY, "NOBODY"), row.reason)
        for row in coverage.rows
    ]
    return tag("div", _table(("part", "stage", "guarded by", "remark"), rows))


def hue(category: str) -> int:
    """The colour of a category: the same in every table."""
    return _HUES.get(category, zlib.crc32(category.encode("utf-8", "replace")) % 360)


# --- parts ----------------------------------------------------------------------------------


def _headline(decision: Decision, stage: str, tool: str | None) -> Html:
    by = f" by {decision.plugin}" if decision.plugin else ""
    place = " ".join(part for part in (stage, tool or "") if part)
    return tag(
        "div",
        _badge(decision.verdict),
        tag("span", f" {_name(decision.reason)}"),
        tag("span", f" {_name(place)}{_name(by)}", style=_SMALL),
        style="margin:.3em 0",
    )


def _badge(verdict: Verdict, text: str = "") -> Html:
    style = f"background:{_VERDICTS[verdict]};color:#fff;border-radius:3px;padding:.1em .5em"
    return tag("span", text or verdict.value.upper(), style=style)


def _texts(event: Event, decision: Decision) -> Iterator[Html]:
    after: Sequence[Segment] = decision.segments or event.segments
    first = max(0, len(event.segments) - MAX_TEXTS)
    if first:
        yield tag("div", f"({first} earlier texts are not shown)", style=_SMALL)
    pairs = list(zip(event.segments, after, strict=True))
    for index, (old, new) in enumerate(pairs[first:], start=first):
        yield tag("div", _name(f"{index} ({old.trust.value}): {old.origin}"), style=_SMALL)
        spans = [found for found in decision.findings if found.segment == index]
        yield tag("div", *_marked(old.text, spans[:MAX_SPANS]), style=_TEXT)
        if new.text != old.text:
            yield tag("div", "becomes", style=_SMALL)
            yield tag("div", *_marked(new.text, ()), style=_TEXT)


def _marked(text: str, findings: Sequence[Finding]) -> Iterator[Html]:
    """The text in pieces, each marked with every finding that covers it."""
    length = min(len(text), MAX_CHARS)
    edges = {0, length} | {min(max(e, 0), length) for f in findings for e in (f.start, f.end)}
    cuts = sorted(edges)
    for start, end in pairwise(cuts):
        piece = _visible(text[start:end])
        over = [found for found in findings if found.start <= start and end <= found.end]
        yield _mark(piece, over) if over else tag("span", piece)
    if length < len(text):
        yield tag("span", f" ... ({len(text) - length} more characters)", style=_SMALL)


def _mark(piece: str, over: Sequence[Finding]) -> Html:
    gravest = max(over, key=lambda found: found.severity)
    colour = hue(gravest.category)
    style = (
        f"background:hsla({colour},90%,55%,.3);border-bottom:2px solid hsl({colour},80%,50%);"
        "color:inherit;border-radius:2px"
    )
    return tag(
        "mark", piece, style=style, title=_name(", ".join(dict.fromkeys(f.rule for f in over)))
    )


def _arguments(name: str, arguments: Mapping[str, object] | None) -> Iterator[Html]:
    if arguments is None:
        return
    try:
        text = json.dumps(
            arguments, ensure_ascii=False, indent=1, default=lambda v: type(v).__name__
        )
    except (TypeError, ValueError, RecursionError):
        text = "(cannot be written as JSON)"
    yield tag("div", name, style=_SMALL)
    yield tag("div", *_marked(text, ()), style=_TEXT)


def _findings(findings: Sequence[Finding]) -> Html:
    if not findings:
        return Html("")
    rows = [
        (
            _rule(found),
            found.category,
            found.severity.name.lower(),
            f"{found.score:.2f}",
            _span(found),
            found.explanation,
        )
        for found in findings[:MAX_ROWS]
    ]
    table = _table(("rule", "category", "severity", "score", "where", "why"), rows)
    left = len(findings) - len(rows)
    return tag("div", table, tag("div", f"({left} more)", style=_SMALL)) if left else table


def _rule(found: Finding) -> Html:
    colour = hue(found.category)
    return tag(
        "span",
        _name(found.rule),
        style=f"border-left:.5em solid hsl({colour},80%,50%);padding-left:.4em",
    )


def _span(found: Finding) -> str:
    if found.segment is None:
        return found.where
    return f"text {found.segment}, {found.start}-{found.end}"


def _record(record: Record) -> tuple[str, ...]:
    rules = dict.fromkeys(found.rule for found in record.findings)
    return (
        str(record.seq),
        record.time.partition("+")[0],
        record.session,
        record.stage.value,
        record.tool or record.model or "",
        _badge(record.verdict),
        record.reason,
        ", ".join(rules),
        Html("".join(_bars(record))),
    )


def _bars(record: Record) -> Iterator[Html]:
    """For each text with a finding a bar as long as the text, coloured where something was found."""
    for index, length in record.lengths.items():
        spans = [found for found in record.findings if found.segment == index]
        if spans and length:
            title = f"text {index}, {length} characters"
            yield tag("div", *(_stripe(found, length) for found in spans), style=_BAR, title=title)


def _stripe(found: Finding, length: int) -> Html:
    start = min(max(found.start / length, 0.0), 1.0)
    width = min(max((found.end - found.start) / length, 0.02), 1.0)
    style = (
        f"position:absolute;height:100%;left:{start:.1%};width:{width:.1%};"
        f"background:hsl({hue(found.category)},80%,50%)"
    )
    return tag("div", style=style, title=_name(found.rule))


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    head = tag("tr", *(tag("th", name, style=_CELL) for name in names))
    body = [tag("tr", *(tag("td", _text(one), style=_CELL) for one in row)) for row in rows]
    return tag("table", head, *body, style="border-collapse:collapse;font-size:.9em")


def _text(value: str) -> str:
    return value if isinstance(value, Html) else _name(value)


def _name(text: str) -> str:
    return _visible(text if len(text) <= MAX_NAME else f"{text[:MAX_NAME]}...")


def _visible(text: str) -> str:
    """The text with what cannot be seen written out: U+202E and the like."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_char, text))


def _visible_char(char: str) -> str:
    if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return char
    return (
        f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(char):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    )
