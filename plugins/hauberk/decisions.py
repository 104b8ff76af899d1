"""Decisions: what a plugin, and in the end the guard, says of one event.

Rules:
* Four verdicts: allow, rewrite, deny, ask. Never a bool, never a tuple.
* Impossible combinations cannot be built: a rewrite brings something new, a refusal brings a reason
  and nothing to pass on.
* Findings say why by rule, category, place and explanation. They never hold the matched text, and
  no repr shows a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from hauberk.events import Event, Segment


class Verdict(StrEnum):
    """What happens to an event."""

    ALLOW = "allow"
    REWRITE = "rewrite"
    DENY = "deny"
    ASK = "ask"


class Severity(IntEnum):
    """How bad a finding is, in order."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason, pointing at its place.

    Example:
        >>> Finding(rule="inj.override", category="prompt-injection", severity=Severity.HIGH,
        ...         explanation="asks to ignore earlier instructions", segment=0, start=4, end=31)
        ... # doctest: +ELLIPSIS
        Finding(rule='inj.override', ...)
    """

    rule: str
    """Stable id of the rule that found it."""
    category: str
    """Field of the rule: `prompt-injection`, `pii`, `capability`, `budget`, `limit`, `error` ..."""
    severity: Severity = Severity.MEDIUM
    score: float = 1.0
    """Certainty, 0 to 1."""
    explanation: str = ""
    """One sentence for people. Never the matched text."""
    segment: int | None = None
    """Index into the event's segments; None when the finding is not about a text."""
    start: int = 0
    """First character of the span in that segment."""
    end: int = 0
    """First character after the span."""
    where: str = ""
    """Place outside the segments, such as `arguments.to`."""

    def _repr_html_(self) -> str:
        from hauberk.notebook import finding_html  # noqa: PLC0415 - for notebooks only

        return finding_html(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is decided, by whom, and why. Build one with `allow`, `rewrite`, `deny` or `ask`."""

    verdict: Verdict
    reason: str = ""
    """One sentence for people; what a model is told when its tool call is refused. No secrets."""
    findings: tuple[Finding, ...] = ()
    segments: tuple[Segment, ...] | None = field(default=None, repr=False)
    """With `rewrite` (and with `ask`, for when it is granted): the new segments, as many as before."""
    arguments: Mapping[str, object] | None = field(default=None, repr=False)
    """The same, for the arguments of a tool call."""
    plugin: str = ""
    """Who refused (or asked)."""
    stop: bool = False
    """With `deny`: end the whole run, not only this step."""
    timeout_s: float | None = None
    """With a passed tool call: the longest that the tool may run, in seconds."""
    retry_after_s: float | None = None
    """With `deny`: in how many seconds the same might pass. None: not by waiting."""

    def __post_init__(self) -> None:
        """Refuse combinations that mean nothing."""
        changed = self.segments is not None or self.arguments is not None
        match self.verdict:
            case Verdict.REWRITE if not changed:
                raise ValueError("a rewrite needs new segments or new arguments")
            case Verdict.ALLOW | Verdict.DENY if changed:
                raise ValueError(f"{self.verdict.value} carries no new segments or arguments")
            case Verdict.DENY | Verdict.ASK if not self.reason:
                raise ValueError(f"{self.verdict.value} needs a reason")
            case _:
                pass
        if self.stop and self.verdict is not Verdict.DENY:
            raise ValueError("only deny can stop a run")

    @classmethod
    def allow(cls, *, findings: Iterable[Finding] = (), timeout_s: float | None = None) -> Decision:
        """Pass the event on unchanged. Findings that only flag go along.

        Plain ones are all `ALLOWED`: most decisions are.
        """
        if timeout_s is None and not findings and cls is Decision:
            return ALLOWED
        return cls(verdict=Verdict.ALLOW, findings=tuple(findings), timeout_s=timeout_s)

    @classmethod
    def rewrite(
        cls,
        *,
        segments: Iterable[Segment] | None = None,
        arguments: Mapping[str, object] | None = None,
        findings: Iterable[Finding] = (),
    ) -> Decision:
        """Pass the event on with other segments or arguments."""
        return cls(
            verdict=Verdict.REWRITE,
            segments=None if segments is None else tuple(segments),
            arguments=arguments,
            findings=tuple(findings),
        )

    @classmethod
    def deny(
        cls,
        reason: str,
        *,
        findings: Iterable[Finding] = (),
        stop: bool = False,
        retry_after_s: float | None = None,
    ) -> Decision:
        """Refuse; with `stop`, end the session."""
        return cls(
            verdict=Verdict.DENY,
            reason=reason,
            findings=tuple(findings),
            stop=stop,
            retry_after_s=retry_after_s,
        )

    @classmethod
    def ask(cls, reason: str, *, findings: Iterable[Finding] = ()) -> Decision:
        """A human must approve. With nobody there, it is a refusal."""
        return cls(verdict=Verdict.ASK, reason=reason, findings=tuple(findings))

    @property
    def passes(self) -> bool:
        """True when the event may go on (as it is, or rewritten)."""
        return self.verdict is Verdict.ALLOW or self.verdict is Verdict.REWRITE

    def apply(self, event: Event) -> Event:
        """The event as it may go on: rewritten where this decision rewrites."""
        if self.segments is None and self.arguments is None:
            return event
        return event.rewritten(self.segments, self.arguments)

    def _repr_html_(self) -> str:
        from hauberk.notebook import decision_html  # noqa: PLC0415 - for notebooks only

        return decision_html(self)


ALLOWED = Decision(verdict=Verdict.ALLOW)
"""A decision with nothing to say."""
