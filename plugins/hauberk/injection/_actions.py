"""From what was found in the texts of an event to the decision on it.

Rules:
* A text that could not be screened is refused, whatever the action.
* The gravest action of an event's texts counts for all of it: `block`, then `ask`. The others are done
  text by text: `quarantine` and `hide` put something else in the text's place, `spotlight` has it
  marked where the model reads it, `flag` only records.
* What is left of a quarantined text is screened again. If it stays an attack, none of it is left.
* A person is asked about a text once per session.
* Findings name rules and places, notices their categories; never the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from hauberk.decisions import Decision, Finding
from hauberk.decisions import Verdict as Answer
from hauberk.events import Event, Segment
from hauberk.injection._cascade import DETECTOR
from hauberk.injection._cut import kept_apart, replaced
from hauberk.injection._memory import Memory
from hauberk.injection._screen import Verdict
from hauberk.injection._spotlight import Spotlight
from hauberk.policy import Screen, ScreenAction
from hauberk.references import References

MAX_CUTS = 3
"""Times that what is left of a text is looked at again. Attacks that need more are withheld whole."""

Found = tuple[int, Screen, Verdict]
"""Index of the segment, how it is screened, and what was found."""

Again = Callable[[str, str], Verdict]
"""Screens what is left of a text of a kind of origin."""


@dataclass(frozen=True, slots=True)
class Actions:
    """Carries out in one session what the policy wants done about what was found."""

    memory: Memory
    again: Again

    def decide(self, event: Event, found: Sequence[Found]) -> Decision:
        """The decision on an event in whose texts this was found."""
        findings = tuple(chain.from_iterable(_placed(verdict, at) for at, _, verdict in found))
        if any(verdict.refused for _, _, verdict in found):
            return Decision.deny("a text could not be screened", findings=findings)
        acting = [one for one in found if one[2].worst >= one[1].at]
        wanted = {how.action for _, how, _ in acting}
        if ScreenAction.BLOCK in wanted:
            return Decision.deny("prompt injection found", findings=findings, stop=True)
        segments = self._rewritten(event, acting)
        if ScreenAction.ASK in wanted and not self._approved(event, acting):
            return _asked(segments, findings)
        if segments is None:
            return Decision.allow(findings=findings)
        return Decision.rewrite(segments=segments, findings=findings)

    def _rewritten(self, event: Event, acting: Sequence[Found]) -> tuple[Segment, ...] | None:
        new: dict[int, Segment] = {}
        marked: list[int] = []
        for at, how, verdict in acting:
            segment = event.segments[at]
            if how.action is ScreenAction.QUARANTINE:
                new[at] = segment.with_text(self._quarantined(segment, how, verdict))
            elif how.action is ScreenAction.HIDE:
                references, name = References.of(event.session), segment.origin.partition(":")[2]
                new[at] = segment.with_text(references.hide(segment.text, name))
            elif how.action is ScreenAction.SPOTLIGHT:
                marked.append(at)
        if marked:
            Spotlight.of(event.session).mark(event.call, marked)
        if not new:
            return None
        return tuple(new.get(at, segment) for at, segment in enumerate(event.segments))

    def _quarantined(self, segment: Segment, how: Screen, verdict: Verdict) -> str:
        known = self.memory.rest(segment.kind, segment.text, verdict)
        if known is None:
            known = _rest(segment, how, verdict, self.again)
            self.memory.put_rest(segment.kind, segment.text, verdict, known)
        return known

    def _approved(self, event: Event, acting: Sequence[Found]) -> bool:
        asking = (at for at, how, _ in acting if how.action is ScreenAction.ASK)
        return all(self.memory.is_approved(event.segments[at].text) for at in asking)


def _rest(segment: Segment, how: Screen, verdict: Verdict, again: Again) -> str:
    """A text without what attacks in it; a notice alone where nothing can be left."""
    text, first = segment.text, verdict
    # A bigger detector said it of the text as a whole, and is not asked about what is left.
    whole = any(found.rule.startswith(DETECTOR) for found in verdict.findings)
    for _ in range(0 if whole else MAX_CUTS):
        gone = kept_apart(text, ((found.start, found.end) for found in verdict.findings))
        if gone is None:
            break
        text = replaced(text, gone, _notice(first))
        verdict = again(segment.kind, text)
        if verdict.refused:
            break
        if verdict.worst < how.at:
            return text
    return _notice(first)


def _asked(segments: tuple[Segment, ...] | None, findings: Sequence[Finding]) -> Decision:
    rules = ", ".join(dict.fromkeys(finding.rule for finding in findings))
    reason = f"a text may be a prompt injection ({rules})"
    return Decision(verdict=Answer.ASK, reason=reason, findings=tuple(findings), segments=segments)


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
    # Not the rules: among so many names, some are the words of an order.
    categories = ", ".join(sorted({finding.category for finding in verdict.findings}))
    return f"[text withheld by security screening: {categories}]"
