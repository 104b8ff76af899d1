"""Links that leave, judged as the policy says for exfiltration.

Rules:
* Links of the prompt's own user and developer may be repeated; links to hosts that the policy allows
  may stand, unless they are sent on from there to hosts that it does not.
* Of an answer, every link is judged. Of the arguments of a tool call, which nobody is shown, those
  are that hold what the session knows to be private.
* A stream is filtered by what the whole answer is filtered by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hauberk.decisions import Finding, Severity
from hauberk.events import Event, Segment
from hauberk.injection._exfiltration import LinkFilter, LinkRules, Removal, links_of
from hauberk.injection._memory import Memory
from hauberk.injection._urls import host_name
from hauberk.policy import InjectionPolicy
from hauberk.private import Private
from hauberk.structure import leaves

_OWN = frozenset(("user", "developer"))


class LinkScreen:
    """Judges links."""

    def __init__(self, policy: InjectionPolicy) -> None:
        self._least = policy.exfiltration.at
        self._hosts = tuple(host for one in policy.allowed_hosts if (host := host_name(one)))

    def filter(self, event: Event, memory: Memory) -> LinkFilter:
        """What takes links out of one text of an answer."""
        return LinkFilter(self._rules(event, memory.links(event.call)))

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

    def private_in(self, arguments: Mapping[str, object], event: Event) -> Iterator[Finding]:
        """Places of a tool call's arguments whose links would carry private data away."""
        rules = self._rules(event, frozenset())
        for where, text in leaves(arguments, where="arguments"):
            if any(rules.carries_private(link) for link in links_of(text)):
                yield Finding(
                    rule="inj.out.argument",
                    category="data-exfiltration",
                    severity=Severity.HIGH,
                    explanation="a link to a host that is not allowed holds private data",
                    where=where,
                )

    def _rules(self, event: Event, known: frozenset[str]) -> LinkRules:
        private = Private.of(event.session)
        return LinkRules(
            allowed_hosts=self._hosts,
            known=known,
            least=self._least,
            is_private=None if private.is_empty else private.holds,
        )


def is_linkless(segment: Segment, memory: Memory) -> bool:
    """Whether the answer may repeat no link of this text, as far as is known."""
    return segment.text in memory.linkless or segment.origin not in _OWN


def finding_of(removal: Removal, index: int) -> Finding:
    """What is told of one link."""
    what = "an image" if removal.image else "a link"
    return Finding(
        rule="inj.out.image" if removal.image else "inj.out.link",
        category="data-exfiltration",
        severity=removal.severity,
        explanation=f"{what} leads to a host that is not allowed"
        + (", with private data," if removal.private else "")
        + (" and was taken out" if removal.taken_out else ""),
        segment=index,
        start=removal.start,
        end=removal.end,
    )
