"""Records: what of a decision goes into the trail (pure).

Rules:
* No text, no argument value. Names, places, lengths, the reasons that plugins gave, keyed digests.
* `user`, `session` and `tenant` are recorded as the application gave them: name people by an
  opaque id when the trail must hold no personal data.
* A record has a bounded size, however long the conversation is: names, reasons, and the number of
  findings are cut, and `omitted` counts what was left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, Self

from hauberk.decisions import Decision, Finding, Severity, Verdict
from hauberk.events import Segment, Stage, Usage
from hauberk.plugin import Entry

MAX_NAME = 200
"""Longest name (tool, model, user, rule ...) in characters. Real ones are a few dozen long."""

MAX_REASON = 1_000
"""Longest reason or explanation in characters: a few sentences."""

MAX_FINDINGS = 64
"""Most findings in one record, the gravest first. A record of 64 has about 16 KiB."""

MAX_LENGTHS = 16
"""Texts whose length is recorded, from the end of the event: a history is in earlier records."""

MAX_KEPT_FINDINGS = 4096
"""Findings whose JSON is kept ready, in all trails of a process: about two megabytes."""

_SEVERITY = {severity: severity.name.lower() for severity in Severity}

_FIRST_STEP = re.compile(r"[A-Za-z_]{1,40}(?=[.\[])")

_SAFE_PLACE = re.compile(r"[A-Za-z_][\w\-]*(?:\.[A-Za-z_][\w\-]*|\[\d+\])*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One decision, as the trail remembers it."""

    seq: int
    """Number in the trail, from 1."""
    time: str
    """When: UTC, ISO 8601 with microseconds."""
    session: str
    agent: str
    user: str | None = None
    tenant: str | None = None
    purpose: str | None = None
    stage: Stage
    call: str = ""
    """Pairs a prompt with its completion, and a tool call with its result."""
    tool: str | None = None
    model: str | None = None
    verdict: Verdict
    plugin: str = ""
    """Who refused or asked."""
    reason: str = ""
    stop: bool = False
    findings: tuple[Finding, ...] = ()
    omitted: int = 0
    """Findings that were left out."""
    texts: int = 0
    """How many texts the event had."""
    chars: int = 0
    """Their length together, in characters."""
    lengths: dict[int, int] = field(default_factory=dict[int, int])
    """Length in characters by index: of texts with a finding and of the last `MAX_LENGTHS`."""
    input: str | None = None
    """Keyed digest of the event as it came. None when its arguments cannot be digested."""
    output: str | None = None
    """Keyed digest of the event as it went on. None when it did not."""
    elapsed_us: int = 0
    """Time that the check took, in microseconds."""
    usage: Usage | None = None

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """The record in a row's body.

        Raises:
            ValueError: The body is none; the message holds nothing of it.
        """
        try:
            data = json.loads(body)
            known = {f.name for f in fields(cls)}
            values = {key: value for key, value in data.items() if key in known}
            return cls(**(values | _typed(values)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("not a record") from None

    def as_json(self) -> dict[str, object]:
        """Plain values for `json.dumps`, in the order of the fields."""
        plain = asdict(self)
        for finding in plain["findings"]:
            finding["severity"] = Severity(finding["severity"]).name.lower()
        return {**plain, "lengths": {str(key): value for key, value in self.lengths.items()}}


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """The values that JSON cannot tell apart, in their own types."""
    usage = values.get("usage")
    return {
        "stage": Stage(values["stage"]),
        "verdict": Verdict(values["verdict"]),
        "findings": tuple(
            Finding(**(item | {"severity": Severity[item["severity"].upper()]}))
            for item in values.get("findings", ())
        ),
        "lengths": {
            int(index): int(length)
            for index, _, length in (
                one.partition(":") for one in values.get("lengths", "").split()
            )
        },
        "usage": None if usage is None else Usage(**usage),
    }


def encode(entry: Entry, *, digest_in: str | None, digest_out: str | None) -> bytes:
    """The body of an entry's record without its number: fixed order, one key a line, ASCII.

    Written by hand: a JSON encoder takes four times as long, and every decision waits for it.
    Fields that say nothing are left out, which halves the size of the file.
    """
    event, decision, session = entry.event, entry.decision, entry.event.session
    text = (
        f'{{"time":"{utc(entry.time)}",\n'
        f"{_who(session.ident, session.agent, session.user, session.tenant, session.purpose)}"
        f"{_what(event.stage, event.tool, event.model, decision.verdict)}"
        f"{_line('call', event.call)}"
        f"{_said(decision) if decision.plugin or decision.reason or decision.stop else ''}"
        f"{_found(decision.findings) if decision.findings else ''}"
        f"{_texts(event.segments, decision.findings) if event.segments else ''}"
        f"{_DIGEST_IN % digest_in if digest_in else ''}{_DIGEST_OUT % digest_out if digest_out else ''}"
        f"{_usage(event.usage) if event.usage else ''}"
        # Always there, so that the lines of all the others end alike, and can be searched for.
        f'"elapsed_us":{round(entry.elapsed_s * 1e6)}}}'
    )
    return text.encode("ascii")


@lru_cache(maxsize=256)
def _who(ident: str, agent: str, user: str | None, tenant: str | None, purpose: str | None) -> str:
    """The lines that are the same for all records of a session."""
    named = {"session": ident, "agent": agent, "user": user, "tenant": tenant, "purpose": purpose}
    return "".join([_line(key, value) for key, value in named.items()])


@lru_cache(maxsize=256)
def _what(stage: Stage, tool: str | None, model: str | None, verdict: Verdict) -> str:
    """The lines of which an application has a few."""
    named = {"stage": stage, "tool": tool, "model": model, "verdict": verdict}
    return "".join([_line(key, value) for key, value in named.items()])


def _line(key: str, value: str | None, longest: int = MAX_NAME) -> str:
    return f'"{key}":{_quoted(str(value)[:longest])},\n' if value else ""


def _said(decision: Decision) -> str:
    """Who refused or asked, and why."""
    stop = '"stop":true,\n' if decision.stop else ""
    return f"{_line('plugin', decision.plugin)}{_line('reason', decision.reason, MAX_REASON)}{stop}"


def _found(findings: tuple[Finding, ...]) -> str:
    kept = gravest(findings)
    ready = map(_findings.get, map(id, kept))
    texts = [_finding(f) if one is None else one[1] for f, one in zip(kept, ready, strict=True)]
    more = len(findings) - len(kept)
    omitted = f'"omitted":{more},\n' if more else ""
    return f'"findings":[{",".join(texts)}],\n{omitted}'


def _texts(segments: tuple[Segment, ...], findings: tuple[Finding, ...]) -> str:
    """How many texts there were, and how long they were."""
    lengths = list(map(len, map(_text_of, segments)))
    chars = sum(lengths)
    total = f'"chars":{chars},\n' if chars else ""
    told: Iterable[tuple[int, int]] = enumerate(lengths)
    if len(lengths) > MAX_LENGTHS:
        told = _last_and_found(lengths, findings)
    return f'"texts":{len(lengths)},\n{total}"lengths":"{" ".join(map(_LENGTH, told))}",\n'


_text_of = attrgetter("text")
_LENGTH = "%d:%d".__mod__
_DIGEST_IN, _DIGEST_OUT = '"input":"%s",\n', '"output":"%s",\n'


def json_line(key: str, value: str) -> bytes:
    """The line that a body has when its field `key` is `value`, for searching in bodies."""
    return f'\n"{key}":{_quoted(value[:MAX_NAME])},'.encode("ascii")


def utc(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC with microseconds."""
    second, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(second)}.{micro:06d}+00:00"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def gravest(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """At most `MAX_FINDINGS` of them: the gravest, in their own order."""
    if len(findings) <= MAX_FINDINGS:
        return findings
    if len({found.severity for found in findings}) == 1:
        return findings[:MAX_FINDINGS]  # as with a long history of masked texts
    order = sorted(range(len(findings)), key=lambda i: (-findings[i].severity, i))
    return tuple(findings[i] for i in sorted(order[:MAX_FINDINGS]))


def _finding(found: Finding) -> str:
    """A finding in JSON. Kept by identity: a history brings the same ones again at each turn."""
    text = _finding_json(found)
    if len(_findings) >= MAX_KEPT_FINDINGS:
        _findings.clear()
    _findings[id(found)] = found, text  # holding it, so that no other ever has its id
    return text


_findings: dict[int, tuple[Finding, str]] = {}


def _finding_json(found: Finding) -> str:
    score = round(found.score, 4) if math.isfinite(found.score) else 0.0
    place = ""
    if found.segment is not None:
        place = f',"segment":{found.segment:d},"start":{found.start:d},"end":{found.end:d}'
    where = f',"where":{_quoted(_place(found.where))}' if found.where else ""
    return (
        f'{{"rule":{_quoted(found.rule[:MAX_NAME])},"category":{_quoted(found.category[:MAX_NAME])},'
        f'"severity":"{_SEVERITY[found.severity]}","score":{float(score)!r},'
        f'"explanation":{_quoted(found.explanation[:MAX_REASON])}{place}{where}}}'
    )


def _usage(usage: Usage) -> str:
    return (
        f'"usage":{{"input_tokens":{usage.input_tokens:d},"output_tokens":{usage.output_tokens:d},'
        f'"estimated":{str(usage.estimated).lower()},"cached":{str(usage.cached).lower()}}},\n'
    )


def _last_and_found(lengths: list[int], findings: tuple[Finding, ...]) -> Iterator[tuple[int, int]]:
    """Index and length of the last texts and of those with a finding that is kept."""
    first = len(lengths) - MAX_LENGTHS
    places = {f.segment for f in gravest(findings) if f.segment is not None}
    wanted = (*sorted(at for at in places if 0 <= at < first), *range(first, len(lengths)))
    return ((index, lengths[index]) for index in wanted)


def _place(where: str) -> str:
    """A place; only its first step when a key in it is no identifier: it can be personal data."""
    if not where or (len(where) <= MAX_NAME and _SAFE_PLACE.fullmatch(where)):
        return where
    first = _FIRST_STEP.match(where)
    return f"{first[0]}.*" if first else "*"


_quoted = encode_basestring_ascii
"""A JSON string. ASCII: lone surrogates and NUL are escaped like all the rest."""
