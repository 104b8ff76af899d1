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
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Self

from hauberk.decisions import Finding, Severity, Verdict
from hauberk.events import Stage, Usage
from hauberk.plugin import Entry

MAX_NAME = 200
"""Longest name (tool, model, user, rule ...) in characters. Real ones are a few dozen long."""

MAX_REASON = 1_000
"""Longest reason or explanation in characters: a few sentences."""

MAX_FINDINGS = 64
"""Most findings in one record, the gravest first. A record of 64 has about 16 KiB."""

MAX_LENGTHS = 16
"""Texts whose length is recorded, from the end of the event: a history is in earlier records."""

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
    """The body of an entry's record without its number: fixed order, one key a line, ASCII."""
    event, decision, session = entry.event, entry.decision, entry.event.session
    kept = gravest(decision.findings)
    lengths = [len(segment.text) for segment in event.segments]
    values: dict[str, object] = {
        "time": utc(entry.time),
        "session": _name(session.ident),
        "agent": _name(session.agent),
        "user": _name(session.user),
        "tenant": _name(session.tenant),
        "purpose": _name(session.purpose),
        "stage": event.stage,
        "call": _name(event.call),
        "tool": _name(event.tool),
        "model": _name(event.model),
        "verdict": decision.verdict,
        "plugin": _name(decision.plugin),
        "reason": decision.reason[:MAX_REASON],
        "stop": decision.stop,
        "findings": [_finding(found) for found in kept],
        "omitted": len(decision.findings) - len(kept),
        "texts": len(lengths),
        "chars": sum(lengths),
        "lengths": _lengths(lengths, kept),
        "input": digest_in,
        "output": digest_out,
        "usage": None if event.usage is None else _usage(event.usage),
    }
    # Fields that say nothing are left out: it halves the size of the file. One field is always
    # there, so that the lines of all the others end alike, and can be searched for.
    said: dict[str, object] = {key: value for key, value in values.items() if value}
    said["elapsed_us"] = round(entry.elapsed_s * 1e6)
    return lines(said)


def lines(values: dict[str, object]) -> bytes:
    """JSON with one key a line. ASCII: lone surrogates and NUL are escaped like all the rest."""
    return _ENCODER.encode(values).encode("ascii")


def json_line(key: str, value: str) -> bytes:
    """The line that a body has when its field `key` is `value`, for searching in bodies."""
    return b"\n" + lines({key: value[:MAX_NAME]})[1:-1] + b","


def utc(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def gravest(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """At most `MAX_FINDINGS` of them: the gravest, in their own order."""
    if len(findings) <= MAX_FINDINGS:
        return findings
    order = sorted(range(len(findings)), key=lambda i: (-findings[i].severity, i))
    return tuple(findings[i] for i in sorted(order[:MAX_FINDINGS]))


def _finding(found: Finding) -> dict[str, object]:
    plain: dict[str, object] = {
        "rule": _name(found.rule),
        "category": _name(found.category),
        "severity": _SEVERITY[found.severity],
        "score": round(found.score, 4) if math.isfinite(found.score) else 0.0,
        "explanation": found.explanation[:MAX_REASON],
    }
    if found.segment is not None:
        plain |= {"segment": found.segment, "start": found.start, "end": found.end}
    if found.where:
        plain["where"] = _place(found.where)
    return plain


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "estimated": usage.estimated,
        "cached": usage.cached,
    }


def _lengths(lengths: list[int], kept: tuple[Finding, ...]) -> str:
    """`index:length` of the last texts and of those with a finding, on one line."""
    first = max(0, len(lengths) - MAX_LENGTHS)
    if not first:
        return " ".join([f"{index}:{length}" for index, length in enumerate(lengths)])
    earlier = {f.segment for f in kept if f.segment is not None and 0 <= f.segment < first}
    wanted = (*sorted(earlier), *range(first, len(lengths)))
    return " ".join([f"{index}:{lengths[index]}" for index in wanted])


def _place(where: str) -> str:
    """A place; only its first step when a key in it is no identifier: it can be personal data."""
    if not where or (len(where) <= MAX_NAME and _SAFE_PLACE.fullmatch(where)):
        return where
    first = _FIRST_STEP.match(where)
    return f"{first[0]}.*" if first else "*"


def _name(value: object) -> str | None:
    return None if value is None else str(value)[:MAX_NAME]


_ENCODER = json.JSONEncoder(separators=(",\n", ":"), allow_nan=False, check_circular=False)
