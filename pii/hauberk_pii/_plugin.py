"""The PII plugin: personal data is hidden from the model and given back where it belongs.

Rules:
* Every text of a prompt is masked, whoever wrote it: the application's state stays in clear, so the
  whole history comes in clear each time.
* Answers and the arguments of tool calls get the real values back, once: what was restored with the
  answer is not restored again when the tool is called.
* A tool gets of these what the policy reveals to it; what it gives back of the rest is restored.
* Of a tool's result, what the policy and the session's purpose do not name is left out first.
* What enters an index is masked so that nobody can read it back: an index outlives the session.
* A full vault refuses, and so does a text that costs too much to analyse.
* Findings say what and where, never the value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import is_
from typing import cast

from hauberk import BlockedError, Decision, Event, Finding, Segment, Session, Severity, Stage
from hauberk.plugin import Select, StreamFilter
from hauberk.policy import Operator, PiiPolicy
from hauberk.private import Private
from hauberk.structure import replace_leaves
from hauberk_pii._arguments import with_leaves
from hauberk_pii._finder import finder_for
from hauberk_pii._languages import first_language
from hauberk_pii._limits import TooCostlyError
from hauberk_pii._mask import Masked
from hauberk_pii._memory import Memory, Settings, Shown
from hauberk_pii._pseudonyms import LITERAL, Grammar
from hauberk_pii._restore import JsonRestorer, TextRestorer
from hauberk_pii._stored import concealed, revealed
from hauberk_pii.minimise import Minimiser, NoFieldsError, minimised
from hauberk_pii.operators import BlockedTypeError, Operators, Reveal
from hauberk_pii.vault import VaultFullError, VaultStore, open_vaults

_BASE = frozenset({Stage.PROMPT, Stage.COMPLETION, Stage.TOOL_CALL})

MAX_FINDINGS = 4096
"""Findings that are kept ready: about one megabyte."""


_MINIMISED = Finding(
    rule="pii.fields",
    category="pii",
    severity=Severity.INFO,
    explanation="only the fields that the policy and the session's purpose name were let through",
)


class PiiPlugin:
    """Masks prompts, restores completions and tool calls.

    Does not promise to find every name, addresses, or what only a language model would find:
    the room's README lists it.

    Example:
        >>> from hauberk import Segment
        >>> plugin = PiiPlugin(PiiPolicy())
        >>> event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("mail ada@example.com"),))
        >>> plugin.inspect(event).apply(event).segments[0].text
        'mail <EMAIL_ADDRESS_1>'
    """

    name = "pii"

    def __init__(self, policy: PiiPolicy, *, vaults: VaultStore | None = None) -> None:
        """Build the finder.

        Args:
            policy: What to find and hide.
            vaults: Where values are remembered, instead of what the policy says.

        Raises:
            PolicyError: The policy names a type, a language or a key that is not known.
            MissingExtraError: The policy's vault needs an extra that is not installed.
            StoreError: The policy's vault cannot be opened.
        """
        finder = finder_for(
            entities=policy.entities,
            language=policy.language,
            threshold=policy.threshold,
            names=policy.names,
            strict=policy.strict,
        )
        self.vaults = vaults or open_vaults(policy.vault, max_values=policy.max_values)
        self._settings = Settings(
            finder=finder,
            grammar=Grammar(finder.entities),
            operators=Operators(policy.operators, Operator.PSEUDONYMIZE),
            language=first_language(policy.language),
            allow=frozenset(policy.allow),
            keeps_s=self.vaults.shortest_s,
        )
        self._ingest = Operators(policy.ingest, Operator.REDACT)
        self._reveal = Reveal(policy.reveal)
        self._minimiser = Minimiser(policy.fields, policy.purposes)
        self.stages = _BASE | {
            stage
            for stage, needed in (
                (Stage.INGEST, not self._ingest.keeps_all),
                (
                    Stage.TOOL_RESULT,
                    self._reveal.can_be_read_back or not self._minimiser.is_empty,
                ),
            )
            if needed
        }

    def __repr__(self) -> str:
        return f"PiiPlugin({self._settings.finder!r})"

    def inspect(self, event: Event) -> Decision:
        """Mask or restore, as the stage asks."""
        try:
            return self._inspected(event)
        except (VaultFullError, TooCostlyError, BlockedTypeError) as error:
            return _refused(error)

    async def ainspect(self, event: Event) -> Decision:
        """The same, without waiting on the event loop for a disk or a network."""
        if self.vaults.waits:
            return await asyncio.to_thread(self.inspect, event)
        return self.inspect(event)

    def conceal(self, session: Session, texts: Sequence[str]) -> tuple[list[str], str]:
        """Texts as an application may store them, and the mark of the vault that gives them back.

        Raises:
            StoreError: The vault is full or cannot be reached.
            TooCostlyError: A text costs too much to analyse.
        """
        return concealed(self._memory_of(session), texts)

    def reveal(self, session: Session, texts: Sequence[str], mark: str) -> list[str] | None:
        """The texts as they were; None when another vault hid them.

        Raises:
            StoreError: The vault cannot be reached.
        """
        return revealed(self._memory_of(session), texts, mark)

    def minimiser(self, event: Event) -> Select | None:
        """What may be seen of the result of the tool call `event`; None: all of it."""
        tool, purpose = event.tool or "", event.session.purpose
        chosen = self._minimiser.chosen(tool, purpose)
        if chosen.whole:
            return None

        def select(value: object) -> object:
            try:
                return minimised(value, chosen)
            except NoFieldsError:
                decision = _no_fields(for_purpose=chosen.nothing)
                raise BlockedError(decision, stage=Stage.TOOL_RESULT.value, tool=tool) from None

        return select

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter:
        """A filter that restores one text of the answer to `event` while it streams."""
        kind = JsonRestorer if json_string else TextRestorer
        memory = self._memory(event)
        memory.restores_answers = True
        return kind(memory.script, memory.vault)

    def _inspected(self, event: Event) -> Decision:
        match event.stage:
            case Stage.PROMPT:
                return self._mask(event)
            case Stage.COMPLETION:
                return self._restore_answer(event)
            case Stage.TOOL_CALL:
                return self._arguments(event)
            case Stage.TOOL_RESULT:
                return self._result(event)
            case Stage.INGEST:
                return self._mask_for_ever(event)
            case _:
                return Decision.allow()

    def _mask(self, event: Event) -> Decision:
        memory, segments = self._memory(event), event.segments
        # First find everything, then mask: what one text tells is hidden in all of them.
        for index in memory.shown().new(segments):
            memory.seen(segments[index].text)
        done = memory.shown().values(segments, lambda at, one: _masked(memory, at, one))
        new = tuple([segment for segment, _ in done])
        findings = [finding for _, found in done for finding in found]
        if all(map(is_, new, segments)):
            return Decision.allow(findings=findings)
        return Decision.rewrite(segments=new, findings=findings)

    def _mask_for_ever(self, event: Event) -> Decision:
        memory = self._memory(event)
        done = [memory.masked_for(segment.text, self._ingest) for segment in event.segments]
        return _rewritten(event, done, "the index")

    def _restore_answer(self, event: Event) -> Decision:
        memory = self._memory(event)
        memory.restores_answers = True
        return _restored(event, memory)

    def _result(self, event: Event) -> Decision:
        revealed = self._reveal.for_tool(event.tool or "") is None
        done = Decision.allow() if revealed else _restored(event, self._memory(event))
        if self._minimiser.chosen(event.tool or "", event.session.purpose).whole:
            return done
        return replace(done, findings=(*done.findings, _MINIMISED))

    def _arguments(self, event: Event) -> Decision:
        memory, arguments = self._memory(event), event.arguments or {}
        new: object = arguments
        if not memory.restores_answers:
            # Otherwise in clear already. Restored again, a text that only looks like a pseudonym
            # (the user's own, or an attacker's) would become somebody's value.
            new = replace_leaves(new, memory.restored)
        operators = self._reveal.for_tool(event.tool or "")
        if operators is not None:
            new = with_leaves(new, lambda text, name: memory.shown_to(text, operators, name))
        if new is arguments:
            return Decision.allow()
        return Decision.rewrite(arguments=cast("Mapping[str, object]", new))

    def _memory(self, event: Event) -> Memory:
        return self._memory_of(event.session)

    def _memory_of(self, session: Session) -> Memory:
        return session.state(self, lambda: self._remember(session))

    def _remember(self, session: Session) -> Memory:
        memory = Memory(self._settings, self.vaults.vault(session))
        Private.of(session).add(self, memory.is_private)
        return memory


def build_plugin(policy: PiiPolicy) -> PiiPlugin:
    """The plugin for a policy (entry point `hauberk.plugins: pii`).

    Raises:
        PolicyError: The policy names a type, a language or a key that is not known.
        MissingExtraError: The policy's vault needs an extra that is not installed.
        StoreError: The policy's vault cannot be opened.
    """
    return PiiPlugin(policy)


def _masked(memory: Memory, index: int, segment: Segment) -> Shown:
    done = memory.masked(memory.seen(segment.text), segment.text)
    if done is None:
        return segment, ()
    return segment.with_text(done.text), tuple(_findings(done, index, "the model"))


def _rewritten(event: Event, done: Sequence[Masked | None], reader: str) -> Decision:
    findings = [f for index, one in enumerate(done) if one for f in _findings(one, index, reader)]
    if not any(done):
        return Decision.allow()
    segments = [
        segment.with_text(one.text) if one else segment
        for segment, one in zip(event.segments, done, strict=True)
    ]
    return Decision.rewrite(segments=segments, findings=findings)


def _restored(event: Event, memory: Memory) -> Decision:
    segments = tuple(segment.with_text(memory.restored(segment.text)) for segment in event.segments)
    if all(new is old for new, old in zip(segments, event.segments, strict=True)):
        return Decision.allow()
    return Decision.rewrite(segments=segments)


def _findings(done: Masked, segment: int, reader: str) -> list[Finding]:
    return [
        _finding(span.type, span.score, segment, span.start, span.end, reader)
        for span in done.spans
        if span.type != LITERAL
    ]


@lru_cache(maxsize=MAX_FINDINGS)
def _finding(  # noqa: PLR0913, PLR0917 - what a finding says
    kind: str, score: float, segment: int, start: int, end: int, reader: str
) -> Finding:
    """Kept, as a history brings the same ones again at each turn. They hold no text."""
    return Finding(
        rule=f"pii.{kind.lower()}",
        category="pii",
        severity=Severity.INFO,
        score=score,
        explanation=f"{kind} was hidden from {reader}",
        segment=segment,
        start=start,
        end=end,
    )


def _no_fields(*, for_purpose: bool) -> Decision:
    reason = (
        "this session may see none of its fields"
        if for_purpose
        else "only some fields of it may be seen, and it has none that can be told apart"
    )
    finding = Finding(
        rule="pii.fields", category="pii", severity=Severity.MEDIUM, explanation=reason
    )
    return Decision.deny(reason, findings=[finding])


def _refused(error: VaultFullError | TooCostlyError | BlockedTypeError) -> Decision:
    match error:
        case BlockedTypeError():
            rule, reason = "pii.blocked", f"the policy lets no {error.type} go there"
            why = f"{reason}; to hide it instead, change `pii.operators`"
        case VaultFullError():
            rule, reason = "pii.vault-full", error.problem
            why = f"{reason}. {error.remedy}"
        case _:
            rule, reason = "pii.too-costly", error.problem
            why = f"{reason}. {error.remedy}"
    finding = Finding(rule=rule, category="pii", severity=Severity.HIGH, explanation=why)
    return Decision.deny(reason, findings=[finding])
