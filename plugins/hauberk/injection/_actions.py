"""From what was found in the texts of an event to the decision on it (pure).

Rules:
* A text that could not be screened is refused, whatever the action.
* The gravest action of an event's texts counts: `block` refuses all of it.
* Findings and notices name rules and places, never the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from hauberk.decisions import Decision, Finding
from hauberk.events import Event
from hauberk.injection._screen import Verdict
from hauberk.policy import Screen, ScreenAction

Found = tuple[int, Screen, Verdict]
"""Index of the segment, how it is screened, and what was found."""


def decide(event: Event, found: Sequence[Found]) -> Decision:
    """What the policy wants done about what was found in an event's texts."""
    findings = tuple(chain.from_iterable(_placed(verdict, index) for index, _, verdict in found))
    if any(verdict.refused for _, _, verdict in found):
        return Decision.deny("a text could not be screened", findings=findings)
    acting = {index: how.action for index, how, verdict in found if verdict.worst >= how.at}
    if ScreenAction.BLOCK in acting.values():
        return Decision.deny("prompt injection found", findings=findings, stop=True)
    quarantined = {i for i, action in acting.items() if action is ScreenAction.QUARANTINE}
    if not quarantined:
        return Decision.allow(findings=findings)
    notices = {index: _notice(verdict) for index, _, verdict in found if index in quarantined}
    segments = [s.with_text(notices.get(i, s.text)) for i, s in enumerate(event.segments)]
    return Decision.rewrite(segments=segments, findings=findings)


def _placed(verdict: Verdict, index: int) -> Iterator[Finding]:
    # Field by field: the same verdicts come again at each turn, and `replace` is slow.
    return (
        Finding(
            rule=found.rule,
            category=found.category,
            severity=found.severity,
            score=found.score,
            explanation=found.explanation,
            segment=index,
            start=found.start,
            end=found.end,
            where=found.where,
        )
        for found in verdict.findings
    )


def _notice(verdict: Verdict) -> str:
    rules = ", ".join(finding.rule for finding in verdict.findings)
    categories = ", ".join(sorted({finding.category for finding in verdict.findings}))
    return f"[text withheld by security screening: {categories} ({rules})]"
