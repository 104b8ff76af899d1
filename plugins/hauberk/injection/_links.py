"""Links of a model's answer, judged as the policy says for exfiltration.

Rules:
* Links of the prompt's own user and developer may be repeated; links to hosts that the policy allows
  may stand.
* Arguments of tool calls are not judged here, as nobody is shown them.
* A stream is filtered by what the whole answer is filtered by.
"""

from __future__ import annotations

from collections.abc import Iterable

from hauberk.decisions import Decision, Finding
from hauberk.events import Event, Segment
from hauberk.injection._exfiltration import (
    LinkFilter,
    LinkRules,
    Removal,
    links_of,
    may_hold_link,
)
from hauberk.injection._memory import Memory
from hauberk.injection._urls import host_name
from hauberk.policy import InjectionPolicy, ScreenAction

_PASS = Decision.allow()
_OWN = frozenset(("user", "developer"))


class LinkScreen:
    """Judges the links of answers."""

    def __init__(self, policy: InjectionPolicy) -> None:
        self._how = policy.exfiltration
        self._hosts = tuple(host for one in policy.allowed_hosts if (host := host_name(one)))

    def open_stream(self, event: Event, memory: Memory) -> LinkFilter | None:
        """A filter that takes links out of one streamed text; None where none are taken out."""
        if self._how.action not in (ScreenAction.BLOCK, ScreenAction.QUARANTINE):
            return None
        # The prompt as it is sent may name links in another form: personal data in it is masked.
        self.remember(event.segments, event, memory)
        return LinkFilter(self._rules(event, memory))

    def inspect(self, event: Event, memory: Memory) -> Decision:
        """Judge the links of one answer."""
        how = self._how
        if how.action is ScreenAction.OFF:
            return _PASS
        texts: dict[int, str] = {}
        findings: list[Finding] = []
        taken_out = False
        for index, segment in enumerate(event.segments):
            if segment.is_argument or not may_hold_link(segment.text):
                continue
            links = LinkFilter(self._rules(event, memory))
            texts[index] = links.feed(segment.text) + links.finish()
            findings += (_removal(removal, index) for removal in links.removals)
            taken_out = taken_out or any(removal.taken_out for removal in links.removals)
        if taken_out and how.action is ScreenAction.BLOCK:
            reason = "the answer holds a link that would carry data away"
            return Decision.deny(reason, findings=findings, stop=True)
        if not taken_out or how.action is ScreenAction.FLAG:
            return Decision.allow(findings=findings) if findings else _PASS
        segments = [s.with_text(texts.get(i, s.text)) for i, s in enumerate(event.segments)]
        return Decision.rewrite(segments=segments, findings=findings)

    def remember(self, segments: Iterable[Segment], event: Event, memory: Memory) -> None:
        """Note the links of a prompt: its answer may repeat them."""
        found = set[str]()
        for segment in segments:
            if is_linkless(segment, memory):
                continue
            links = links_of(segment.text)
            found |= links
            if not links:
                memory.put_linkless(segment.text)
        if found:
            memory.add_links(event.call, frozenset(found))

    def _rules(self, event: Event, memory: Memory) -> LinkRules:
        return LinkRules(
            allowed_hosts=self._hosts, known=memory.links(event.call), least=self._how.at
        )


def is_linkless(segment: Segment, memory: Memory) -> bool:
    """Whether the answer may repeat no link of this text, as far as is known."""
    return segment.text in memory.linkless or segment.origin not in _OWN


def _removal(removal: Removal, index: int) -> Finding:
    what = "an image" if removal.image else "a link"
    return Finding(
        rule="inj.out.image" if removal.image else "inj.out.link",
        category="data-exfiltration",
        severity=removal.severity,
        explanation=f"{what} leads to a host that is not allowed"
        + (" and was taken out" if removal.taken_out else ""),
        segment=index,
        start=removal.start,
        end=removal.end,
    )
