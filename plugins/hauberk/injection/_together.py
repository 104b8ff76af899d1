"""From joined texts to what is found in the texts of an event.

Rules:
* Only texts that the model is to read are joined: what is refused or withheld is not.
* What is found across texts is told of each of them, and is remembered: the newest is acted on now, those
  before it wherever they come again.
* Bigger detectors are asked about joined texts where the classifier is in doubt about what lies across
  them; where there is no classifier, never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hauberk.events import Event, Stage
from hauberk.injection._actions import Found
from hauberk.injection._cascade import Suspect
from hauberk.injection._joined import Join, mark_of
from hauberk.injection._memory import Memory
from hauberk.injection._screen import CLEAR, Verdict
from hauberk.policy import Screen, ScreenAction

_WITHHOLDING = frozenset((ScreenAction.BLOCK, ScreenAction.QUARANTINE, ScreenAction.HIDE))
"""What keeps a text from the model."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Joined texts that are being screened."""

    kind: str
    how: Screen
    join: Join
    suspect: Suspect

    @property
    def is_grey(self) -> bool:
        """Whether a bigger detector is to be asked."""
        reading = self.suspect.reading
        doubtful = self.suspect.levels is not None and self.suspect.is_grey
        return doubtful and self.join.is_across(reading.start, reading.end)


def candidates(  # noqa: PLR0913 - what the plugin knows
    event: Event,
    memory: Memory,
    places: Iterable[int],
    *,
    found: Sequence[Found],
    screens: Mapping[str, Screen],
    suspect: Callable[[str, str], Suspect],
) -> list[Candidate]:
    """What the new texts among these places are to be screened with.

    Args:
        event: The event.
        memory: What its session remembers.
        places: Where to look.
        found: What was found in single texts.
        screens: How texts are screened, by kind of origin.
        suspect: Screens a text of a kind of origin.
    """
    read = [p for p in places if event.segments[p].kind in screens and event.segments[p].text]
    if not read:
        return []
    withheld = {at for at, how, verdict in found if _withheld(how, verdict)}
    came_as = None if event.stage is Stage.PROMPT else (event.stage.value, event.call)
    fresh = memory.joined.fresh(event.segments, read, came_as=came_as)
    opened: list[Candidate] = []
    for place in fresh:
        if place in withheld:
            continue
        kind, text = event.segments[place].kind, event.segments[place].text
        opened += (
            Candidate(kind, screens[kind], join, suspect(kind, join.text))
            for join in memory.joined.follow(kind, text)
        )
    return opened


def with_joined(
    event: Event, memory: Memory, settled: Sequence[Candidate], found: Sequence[Found]
) -> list[Found]:
    """What was found in single texts, and what was found across them."""
    every = {at: (at, how, verdict) for at, how, verdict in found}
    quiet = {one.join.order for one in settled}
    for one in settled:
        verdict = one.suspect.verdict()
        if verdict is CLEAR:
            continue
        quiet.discard(one.join.order)
        across = one.join.across(verdict)
        if not across:
            continue
        memory.retell(one.kind, across)
        if any(_withheld(one.how, verdict) for verdict in across.values()):
            memory.joined.forget(one.kind, across)
        for at, segment in enumerate(event.segments):
            told = across.get(mark_of(one.kind, segment.text))
            if told is None or segment.kind != one.kind:
                continue
            every[at] = (at, one.how, merged(every[at][2], told) if at in every else told)
            memory.put(one.kind, segment.text, every[at][2])
    memory.joined.hush(quiet)
    return list(every.values())


def merged(one: Verdict, other: Verdict) -> Verdict:
    """Two verdicts on one text. What both say is said once."""
    if one is CLEAR:
        return other
    said = {finding.rule for finding in one.findings}
    more = (finding for finding in other.findings if finding.rule not in said)
    refused = one.refused or other.refused
    return Verdict((*one.findings, *more), max(one.worst, other.worst), refused=refused)


def _withheld(how: Screen, verdict: Verdict) -> bool:
    return verdict.refused or (verdict.worst >= how.at and how.action in _WITHHOLDING)
