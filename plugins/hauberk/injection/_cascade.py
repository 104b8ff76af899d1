"""Cheap layers first: who is asked about a text, and what is made of the answers.

Rules:
* A layer is asked only about texts in the grey zone of the one before: neither clean nor certain to
  it. The last layer that was asked decides.
* A layer that fails, takes too long or answers nonsense refuses the text, unless the policy says
  `on_error: allow` for it: then what the layers before said stands, and the failure is recorded.
* The same texts, batches and answers on sync and async paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from hauberk.decisions import Finding, Severity
from hauberk.injection._reading import CLEAN, Channel, Reading
from hauberk.injection._screen import CERTAIN, CLEAR, Verdict
from hauberk.injection.detectors._layer import Answer, Failure, Layer
from hauberk.policy import Levels, OnError

CLASSIFIER = "inj.classifier"
"""Rule id of what the classifier finds."""

DETECTOR = "inj.detector."
"""Beginning of the rule ids of what bigger detectors find."""

_CATEGORY = {Channel.USER: "prompt-injection", Channel.DATA: "indirect-injection"}


@dataclass(slots=True, kw_only=True)
class Suspect:
    """A text on its way through the layers."""

    text: str = field(repr=False)
    channel: Channel
    rules: Verdict
    """What the rules found."""
    reading: Reading = CLEAN
    """What the last layer said, and where."""
    levels: Levels | None = None
    """How that layer's scores are read. None: no layer has spoken yet."""
    by: str = CLASSIFIER
    """Rule id of that layer."""
    failures: tuple[Finding, ...] = ()
    refused: bool = False

    @classmethod
    def of(cls, text: str, kind: str, seen: Verdict, levels: Levels | None) -> Suspect:
        """A text as the rules and the classifier have seen it.

        Args:
            text: The text.
            kind: Kind of its origin.
            seen: What they found.
            levels: How the classifier's score is read; None when there is no classifier.
        """
        return cls(
            text=text,
            channel=Channel.of(kind),
            rules=seen,
            reading=seen.reading,
            levels=levels,
        )

    @property
    def is_grey(self) -> bool:
        """Whether the next layer is to be asked."""
        if self.refused or self.rules.refused or self.rules.worst >= CERTAIN:
            return False
        return self.levels is None or self.levels.is_grey(self.reading.score)

    def verdict(self) -> Verdict:
        """What is found, all layers together."""
        findings = (*self.rules.findings, *self._own(), *self.failures)
        if not findings:
            return CLEAR
        worst = max(finding.severity for finding in findings)
        return Verdict(findings, worst, refused=self.rules.refused or self.refused)

    def take(self, layer: Layer, answer: float | Failure) -> None:
        """What a layer said of this text."""
        if isinstance(answer, Failure):
            self.refused = self.refused or layer.on_error is OnError.DENY
            self.failures += (_failed(layer, answer, refused=self.refused),)
            return
        place = (self.reading.start, self.reading.end)
        self.reading = Reading(answer, *(place if any(place) else (0, len(self.text))))
        self.levels, self.by = layer.levels, f"{DETECTOR}{layer.name}"

    def _own(self) -> Iterator[Finding]:
        severity = self.levels.severity(self.reading.score) if self.levels else None
        if severity is not None:
            yield Finding(
                rule=self.by,
                category=_CATEGORY[self.channel],
                severity=severity,
                score=round(self.reading.score, 4),
                explanation="reads like an attack on a model",
                start=self.reading.start,
                end=self.reading.end,
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of one channel that one layer is asked about."""

    layer: Layer
    channel: Channel
    suspects: Sequence[Suspect]

    @property
    def texts(self) -> tuple[str, ...]:
        """What is asked about."""
        return tuple(suspect.text for suspect in self.suspects)

    def take(self, answer: Answer) -> None:
        """Give each text its answer."""
        for place, suspect in enumerate(self.suspects):
            suspect.take(self.layer, answer if isinstance(answer, Failure) else answer[place])


def settle(suspects: Sequence[Suspect], layers: Sequence[Layer]) -> None:
    """Ask the layers, in order."""
    for batch in _batches(suspects, layers):
        batch.take(batch.layer.score(batch.texts, batch.channel))


async def asettle(suspects: Sequence[Suspect], layers: Sequence[Layer]) -> None:
    """The same, without blocking the event loop."""
    for batch in _batches(suspects, layers):
        batch.take(await batch.layer.ascore(batch.texts, batch.channel))


def _batches(suspects: Sequence[Suspect], layers: Sequence[Layer]) -> Iterator[Batch]:
    for layer, channel in product(layers, Channel):
        grey = [one for one in suspects if one.channel is channel and one.is_grey]
        if grey:
            yield Batch(layer, channel, grey)


def _failed(layer: Layer, failure: Failure, *, refused: bool) -> Finding:
    return Finding(
        rule=f"{DETECTOR}{layer.name}.failed",
        category="error",
        severity=Severity.HIGH if refused else Severity.INFO,
        explanation=f"the detector {layer.name} {failure.problem}"
        + ("" if refused else "; the policy goes on without it"),
    )
