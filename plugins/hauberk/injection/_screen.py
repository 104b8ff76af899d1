"""One text against the rule pack: normalised, matched, mapped back.

Rules:
* A rule reports where it matched first, in offsets of the text as it came.
* Rules apply by kind of origin: an order is normal from a user and odd in a document.
* The classifier, when there is one, reads every view that the rules read, unless they are certain.
* A text that hides more encodings than are opened is refused by a finding of category `limit`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.decisions import Finding, Severity
from hauberk.injection._normalize import DecodeLimitError, views
from hauberk.injection._reading import CLEAN, Channel, Reader, Reading
from hauberk.injection._rules import Rule, RulePack
from hauberk.injection._view import View

LIMIT = "limit"
"""Category of findings that refuse a text whatever the policy's action is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What screening one text found."""

    findings: tuple[Finding, ...] = ()
    worst: Severity = Severity.INFO
    """Gravest severity; INFO when there are no findings."""
    refused: bool = False
    """The text cannot be screened: no action of the policy lets it through."""
    reading: Reading = CLEAN
    """How the classifier reads the text, placed in the original. No finding by itself."""


CLEAR = Verdict()
"""Nothing found."""

CERTAIN = Severity.HIGH
"""What the rules find as grave as this needs no second opinion."""


def screen(
    text: str, kind: str, pack: RulePack, *, max_depth: int, classifier: Reader | None = None
) -> Verdict:
    """What the rules for texts of origin `kind` find in `text`, and how the classifier reads it.

    Args:
        text: Any string.
        kind: `user`, `tool` or `document`.
        pack: The rules.
        max_depth: How many encodings inside each other are opened.
        classifier: Reads what the rules are not certain of.
    """
    found: dict[int, Finding] = {}
    reading = CLEAN
    channel = Channel.of(kind)
    try:
        for view in views(text, max_depth=max_depth):
            _match(view, kind, pack, found)
            if classifier is not None and _worst(found) < CERTAIN:
                reading = _worse(reading, view, classifier.read(view.text, channel))
    except DecodeLimitError as error:
        return _beyond(text, error, found)
    if not found and not reading.score:
        return CLEAR
    findings = tuple(found[index] for index in sorted(found))
    return Verdict(findings, _worst(found), reading=reading)


def too_long(length: int, limit: int) -> Finding:
    """The finding for a text that is refused unread."""
    return Finding(
        rule="inj.limit-size",
        category=LIMIT,
        severity=Severity.HIGH,
        explanation=f"the text has {length} characters; no more than {limit} are screened",
    )


def _worst(found: dict[int, Finding]) -> Severity:
    return max((finding.severity for finding in found.values()), default=Severity.INFO)


def _worse(known: Reading, view: View, new: Reading) -> Reading:
    """The more suspicious of two readings; the new one's place is in its view."""
    return known if new.score <= known.score else Reading(new.score, *view.span(new.start, new.end))


def _match(view: View, kind: str, pack: RulePack, found: dict[int, Finding]) -> None:
    raw = view.text.encode("utf-8", "replace")
    for index in pack.candidates(raw):
        rule = pack.rules[index]
        if index in found or kind not in rule.origins or (rule.concealed and not view.concealed):
            continue
        span = pack.span(index, raw)
        if span is not None:
            found[index] = _finding(rule, view, span)


def _finding(rule: Rule, view: View, span: tuple[int, int]) -> Finding:
    start, end = view.span(*span)
    how = "" if view.name == "plain" else f" (disguised: {view.name})"
    return Finding(
        rule=rule.id,
        category=rule.category,
        severity=rule.severity,
        explanation=rule.explanation.removesuffix(".") + how,
        start=start,
        end=end,
    )


def _beyond(text: str, error: DecodeLimitError, found: dict[int, Finding]) -> Verdict:
    limit = Finding(
        rule="inj.limit-decoding",
        category=LIMIT,
        severity=Severity.HIGH,
        explanation=f"the text hides more than is opened: {error}",
        end=len(text),
    )
    return Verdict((*found.values(), limit), Severity.CRITICAL, refused=True)
