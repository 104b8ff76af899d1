"""Bounds on what a guard looks at (pure). What passes one is refused, not cut."""

from __future__ import annotations

from hauberk.decisions import Decision, Finding, Severity
from hauberk.events import Event
from hauberk.policy import LimitsPolicy
from hauberk.structure import TooDeepError, text_length


def over_limit(event: Event, limits: LimitsPolicy) -> Decision | None:
    """A refusal when the event passes a bound, else None."""
    if len(event.segments) > limits.max_segments:
        return _deny("hauberk.limit-segments", f"more than {limits.max_segments} texts")
    chars = sum([len(segment.text) for segment in event.segments])
    if event.arguments is not None:
        try:
            chars += text_length(event.arguments, max_depth=limits.max_depth)
        except TooDeepError:
            return _deny("hauberk.limit-depth", f"nested deeper than {limits.max_depth} levels")
    if chars > limits.max_text_chars:
        return _deny("hauberk.limit-size", f"more than {limits.max_text_chars} characters")
    return None


def _deny(rule: str, what: str) -> Decision:
    finding = Finding(rule=rule, category="limit", severity=Severity.HIGH, explanation=what)
    return Decision.deny(
        f"the {rule.rpartition('-')[2]} limit is passed: {what}", findings=[finding]
    )
