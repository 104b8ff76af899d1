"""What leaves: answers, streamed or not, and the arguments of tool calls.

Rules:
* An answer goes through filters, in this order: the developer's prompt is taken out, then links that
  carry data away, then code, each as the policy says. A stream goes through the same ones.
* `flag` only records, whatever would have been taken out; `block` refuses the answer and ends the
  session.
* Arguments of a tool call stay as they are: a call whose arguments hold the developer's prompt, or a
  link with private data, is refused, recorded, or put to a person. The run goes on.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hauberk.decisions import Decision, Finding, Severity
from hauberk.decisions import Verdict as Answer
from hauberk.events import Event, Segment, Stage
from hauberk.injection import _leaks as leaks
from hauberk.injection import _neutral as neutral
from hauberk.injection._exfiltration import may_hold_link
from hauberk.injection._links import LinkScreen, finding_of
from hauberk.injection._memory import Memory
from hauberk.plugin import StreamFilter
from hauberk.policy import InjectionPolicy, LinkAction, ScreenAction
from hauberk.structure import leaves

_PASS = Decision.allow()
_TAKES_OUT = (ScreenAction.BLOCK, ScreenAction.QUARANTINE)

_CANARY_LINE = "\n\n[Internal mark {}: no part of any answer.]"


@dataclass(slots=True)
class _Done:
    """What was found in one answer so far."""

    findings: list[Finding] = field(default_factory=list[Finding])
    refusal: str = ""


class _Chain:
    """Several filters as one (a `StreamFilter`)."""

    def __init__(self, filters: Iterable[StreamFilter]) -> None:
        self._filters = tuple(filters)

    def feed(self, text: str) -> str:
        for one in self._filters:
            text = one.feed(text)
        return text

    def finish(self) -> str:
        tail = ""
        for one in self._filters:
            tail = (one.feed(tail) if tail else "") + one.finish()
        return tail


class Outputs:
    """Judges what leaves, as one policy says."""

    def __init__(self, policy: InjectionPolicy) -> None:
        self._leak = policy.prompt_leak
        self._how = policy.exfiltration
        self._neutral = policy.neutralise
        self._key = secrets.token_bytes(32)
        self.links = LinkScreen(policy)

    @property
    def judges_calls(self) -> bool:
        """Whether tool calls are looked at."""
        return (
            self._how.arguments is not LinkAction.OFF or self._leak.action is not ScreenAction.OFF
        )

    # --- prompts ----------------------------------------------------------------------------

    def heard(self, segments: Iterable[Segment], event: Event, memory: Memory) -> None:
        """Take note of what a prompt brings: links that may be repeated, words that may not."""
        segments = list(segments)
        self.links.remember(segments, event, memory)
        if self._leak.action is not ScreenAction.OFF:
            for segment in segments:
                if _is_prompt(segment) and segment.text not in memory.prompts:
                    memory.add_prompt(segment.text)

    def with_canary(self, event: Event, decision: Decision) -> Decision:
        """A decision on a prompt, with a canary in the developer's words."""
        if not self._leak.canary or event.stage is not Stage.PROMPT or not decision.passes:
            return decision
        segments = list(decision.segments or event.segments)
        at = next((n for n, one in enumerate(segments) if _is_prompt(one)), None)
        if at is None:
            return decision
        line = _CANARY_LINE.format(self._canary(event))
        segments[at] = segments[at].with_text(segments[at].text + line)
        return Decision.rewrite(segments=segments, findings=decision.findings)

    def _canary(self, event: Event) -> str:
        """The session's, which nobody can guess: the same at each turn, so that a cache still helps."""
        made = hmac.digest(self._key, event.session.ident.encode("utf-8", "replace"), "sha256")
        return base64.b32encode(made).decode().lower()[: leaks.CANARY_LETTERS]

    # --- answers ----------------------------------------------------------------------------

    def answer(self, event: Event, memory: Memory) -> Decision:
        """Judge one answer. Every filter tells what it finds in the text as it came."""
        done = _Done()
        texts: dict[int, str] = {}
        secret = self._secret(event, memory)
        for index, segment in enumerate(event.segments):
            text = segment.text
            if segment.is_argument or not text:
                continue
            leaks_out = secret is not None and self._leaks(index, text, secret, done)
            links_out = self._links(index, text, event, memory, done)
            if self._code(index, text, done) or leaks_out or links_out:
                texts[index] = _run(_Chain(self._filters(event, memory, secret)), text)
        if done.refusal:
            return Decision.deny(done.refusal, findings=done.findings, stop=True)
        if not texts:
            return Decision.allow(findings=done.findings) if done.findings else _PASS
        new = [s.with_text(texts.get(at, s.text)) for at, s in enumerate(event.segments)]
        return Decision.rewrite(segments=new, findings=done.findings)

    def open_stream(self, event: Event, memory: Memory) -> StreamFilter | None:
        """What one streamed text of the answer goes through; None where nothing is taken out."""
        # The prompt as it is sent may name links in another form: personal data in it is masked.
        self.links.remember(event.segments, event, memory)
        filters = self._filters(event, memory, self._secret(event, memory))
        return _Chain(filters) if filters else None

    def _filters(
        self, event: Event, memory: Memory, secret: leaks.Secret | None
    ) -> list[StreamFilter]:
        """What takes something out of a text, in order."""
        filters: list[StreamFilter] = []
        if secret is not None and self._leak.action in _TAKES_OUT:
            filters.append(leaks.LeakFilter(secret))
        if self._how.action in _TAKES_OUT:
            filters.append(self.links.filter(event, memory))
        filters += map(neutral.NeutralFilter, self._neutral)
        return filters

    def _secret(self, event: Event, memory: Memory) -> leaks.Secret | None:
        if self._leak.action is ScreenAction.OFF or not memory.prompts:
            return None
        canary = self._canary(event) if self._leak.canary else ""
        return leaks.secret_of(memory.prompts, quote=self._leak.quote, canary=canary)

    def _leaks(self, index: int, text: str, secret: leaks.Secret, done: _Done) -> bool:
        """Note what a text gives away of the prompt; whether it is taken out."""
        part = leaks.LeakFilter(secret)
        _run(part, text)
        out = bool(part.places) and self._leak.action in _TAKES_OUT
        found = list(leaks.findings_of(part, text, index, taken_out=out))
        done.findings += found
        if self._leak.action is ScreenAction.BLOCK and _worst(found) >= self._leak.at:
            done.refusal = "the answer gives the developer's prompt away"
        return out

    def _links(self, index: int, text: str, event: Event, memory: Memory, done: _Done) -> bool:
        """Note the links that carry data away; whether they are taken out."""
        if self._how.action is ScreenAction.OFF or not may_hold_link(text):
            return False
        part = self.links.filter(event, memory)
        new = _run(part, text)
        done.findings += (finding_of(removal, index) for removal in part.removals)
        out = any(removal.taken_out for removal in part.removals)
        if out and self._how.action is ScreenAction.BLOCK:
            done.refusal = "the answer holds a link that would carry data away"
        # An image may be made a link without anything being taken out.
        return new != text and self._how.action in _TAKES_OUT

    def _code(self, index: int, text: str, done: _Done) -> bool:
        """Note the code that is made harmless; whether there is any."""
        parts = list(map(neutral.NeutralFilter, self._neutral))
        for part in parts:
            _run(part, text)
        done.findings += neutral.findings_of(parts, index)
        return any(part.places for part in parts)

    # --- tool calls ---------------------------------------------------------------------------

    def call(self, event: Event, memory: Memory) -> Decision:
        """Judge the arguments of one tool call."""
        quotes, links = list(self._quotes(event, memory)), list(self._private_links(event))
        found = (*quotes, *links)
        if not found:
            return _PASS
        if quotes and self._leak.action in _TAKES_OUT:
            return Decision.deny("it would give the developer's prompt away", findings=found)
        if links and self._how.arguments is LinkAction.BLOCK:
            return Decision.deny("a link in it would carry private data away", findings=found)
        if links and self._how.arguments is LinkAction.ASK:
            reason = "a link in it would carry private data away"
            return Decision(verdict=Answer.ASK, reason=reason, findings=found)
        return Decision.allow(findings=found)

    def _private_links(self, event: Event) -> Iterator[Finding]:
        if self._how.arguments is not LinkAction.OFF:
            yield from self.links.private_in(event.arguments or {}, event)

    def _quotes(self, event: Event, memory: Memory) -> Iterator[Finding]:
        secret = self._secret(event, memory)
        if secret is None:
            return
        for where, text in leaves(event.arguments or {}, where="arguments"):
            part = leaks.LeakFilter(secret)
            _run(part, text)
            if part.places:
                yield Finding(
                    rule="inj.out.canary" if part.canary else "inj.out.prompt",
                    category="prompt-leak",
                    severity=Severity.HIGH,
                    explanation="the call holds a part of the developer's prompt",
                    where=where,
                )


def _run(part: StreamFilter, text: str) -> str:
    """A whole text through one filter."""
    return part.feed(text) + part.finish()


def _is_prompt(segment: Segment) -> bool:
    return segment.kind == "developer" and bool(segment.text)


def _worst(found: Iterable[Finding]) -> Severity:
    return max((one.severity for one in found), default=Severity.INFO)
