"""The PII plugin: personal data is hidden from the model and given back where it belongs.

Rules:
* Every text of a prompt is masked, whoever wrote it: the application's state stays in clear, so the
  whole history comes in clear each time.
* Answers and the arguments of tool calls get the real values back, once: what was restored with the
  answer is not restored again when the tool is called.
* A text is analysed once per session; after that it costs a digest. When something new becomes
  known, earlier texts are looked at again only if they hold a word of it.
* A full vault refuses, and so does a text that costs too much to analyse.
* Findings say what and where, never the value.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from hauberk import Decision, Event, Finding, Session, Severity, Stage
from hauberk.plugin import StreamFilter
from hauberk.policy import PiiPolicy
from hauberk.structure import replace_leaves
from hauberk_pii._finder import Finder, finder_for
from hauberk_pii._known import Known, words_of
from hauberk_pii._limits import TooCostlyError
from hauberk_pii._mask import Masked, masked
from hauberk_pii._pseudonyms import LITERAL, Grammar
from hauberk_pii._restore import JsonRestorer, TextRestorer, restored
from hauberk_pii._spans import Span, resolved
from hauberk_pii.vault import Value, Vault, VaultFullError, VaultStore, open_vaults

MAX_SEEN_TEXTS = 10_000
"""Texts whose result one session keeps; the one unused for longest is analysed anew."""

MAX_SEEN_CHARS = 16_000_000
"""Characters of the texts whose result one session keeps: a masked text is about as long."""


class PiiPlugin:
    """Masks prompts, restores completions and tool calls.

    Does not promise to find names in prose, addresses, or what only a language model would find:
    the room's README lists it.

    Example:
        >>> from hauberk import Segment
        >>> plugin = PiiPlugin(PiiPolicy())
        >>> event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("mail ada@example.com"),))
        >>> plugin.inspect(event).apply(event).segments[0].text
        'mail <EMAIL_ADDRESS_1>'
    """

    name = "pii"
    stages = frozenset({Stage.PROMPT, Stage.COMPLETION, Stage.TOOL_CALL})

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
        self._finder = finder_for(
            entities=policy.entities, language=policy.language, threshold=policy.threshold
        )
        self._grammar = Grammar(self._finder.entities)
        self._allow = frozenset(policy.allow)
        self.vaults = vaults or open_vaults(policy.vault, max_values=policy.max_values)

    def __repr__(self) -> str:
        return f"PiiPlugin({self._finder!r})"

    def inspect(self, event: Event) -> Decision:
        """Mask or restore, as the stage asks."""
        match event.stage:
            case Stage.PROMPT:
                return self._mask(event)
            case Stage.COMPLETION:
                return self._restore_texts(event)
            case Stage.TOOL_CALL:
                return self._restore_arguments(event)
            case _:
                return Decision.allow()

    async def ainspect(self, event: Event) -> Decision:
        """The same, without waiting on the event loop for a disk or a network."""
        if self.vaults.waits:
            return await asyncio.to_thread(self.inspect, event)
        return self.inspect(event)

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter:
        """A filter that restores one text of the answer to `event` while it streams."""
        kind = JsonRestorer if json_string else TextRestorer
        memory = self._memory(event)
        memory.restores_answers = True
        return kind(self._grammar, memory.vault)

    def _mask(self, event: Event) -> Decision:
        memory = self._memory(event)
        try:
            # First find everything, then mask: what one text tells is hidden in all of them.
            seen = [memory.seen(segment.text) for segment in event.segments]
            done = [
                memory.masked(entry, segment.text)
                for entry, segment in zip(seen, event.segments, strict=True)
            ]
        except VaultFullError as error:
            return _refused("pii.vault-full", error)
        except TooCostlyError as error:
            return _refused("pii.too-costly", error)
        findings = [f for index, one in enumerate(done) if one for f in _findings(one, index)]
        if not any(done):
            return Decision.allow()
        segments = [
            segment.with_text(one.text) if one else segment
            for segment, one in zip(event.segments, done, strict=True)
        ]
        return Decision.rewrite(segments=segments, findings=findings)

    def _restore_texts(self, event: Event) -> Decision:
        memory = self._memory(event)
        memory.restores_answers = True
        vault = memory.vault
        segments = tuple(
            segment.with_text(restored(segment.text, self._grammar, vault))
            for segment in event.segments
        )
        if all(new is old for new, old in zip(segments, event.segments, strict=True)):
            return Decision.allow()
        return Decision.rewrite(segments=segments)

    def _restore_arguments(self, event: Event) -> Decision:
        memory = self._memory(event)
        if memory.restores_answers:
            # In clear already. Restored again, a text that only looks like a pseudonym (the user's
            # own, or an attacker's) would become somebody's value.
            return Decision.allow()
        vault, arguments = memory.vault, event.arguments or {}
        new = replace_leaves(arguments, lambda text: restored(text, self._grammar, vault))
        if new is arguments:
            return Decision.allow()
        return Decision.rewrite(arguments=cast("Mapping[str, object]", new))

    def _memory(self, event: Event) -> _Memory:
        session = event.session
        return session.state(self, lambda: self._remember(session))

    def _remember(self, session: Session) -> _Memory:
        vault = self.vaults.vault(session)
        keeps_s = self.vaults.shortest_s
        return _Memory(self._finder, self._grammar, vault, self._allow, keeps_s)


def build_plugin(policy: PiiPolicy) -> PiiPlugin:
    """The plugin for a policy (entry point `hauberk.plugins: pii`).

    Raises:
        PolicyError: The policy names a type, a language or a key that is not known.
        MissingExtraError: The policy's vault needs an extra that is not installed.
        StoreError: The policy's vault cannot be opened.
    """
    return PiiPlugin(policy)


@dataclass(slots=True)
class _Seen:
    """What is known of one text."""

    spans: tuple[Span, ...]
    """What the finder found: it never changes."""
    size: int
    """Characters of the text."""
    version: int = -1
    """Version of the session's knowledge that `masked` was made with."""
    masked: Masked | None = None
    """None when there is nothing to hide."""
    words: frozenset[int] | None = None
    at: float = 0.0
    """When `masked` was made, on the monotonic clock."""


class _Memory:
    """What the plugin keeps in one session. Thread-safe."""

    def __init__(
        self,
        finder: Finder,
        grammar: Grammar,
        vault: Vault,
        allow: frozenset[str],
        keeps_s: float | None,
    ) -> None:
        self.vault = vault
        self.restores_answers = False
        """Answers go through the plugin in this session, with the arguments of their calls."""
        self._finder = finder
        self._grammar = grammar
        self._allow = allow
        # A text that is shown again keeps its values: the vault hears of it in time.
        self._stale_s = None if keeps_s is None else keeps_s / 2
        self._known = Known()
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Seen] = OrderedDict()
        self._chars = 0

    def __repr__(self) -> str:
        return f"_Memory({self.vault!r})"

    def seen(self, text: str) -> _Seen:
        """What was found in a text; it is analysed when it was never seen."""
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return entry
        # Not under the lock: two threads may find the same twice, and neither waits.
        entry = self._found(text)
        with self._lock:
            self._forget(key)
            self._entries[key] = entry
            self._chars += entry.size
            while len(self._entries) > MAX_SEEN_TEXTS or self._chars > MAX_SEEN_CHARS:
                self._forget(next(iter(self._entries)))
        return entry

    def masked(self, entry: _Seen, text: str) -> Masked | None:
        """A text with pseudonyms; None when there is nothing to hide in it."""
        version = self._known.version
        if self._stale_s is not None and time.monotonic() - entry.at > self._stale_s:
            entry.version = -1
        if entry.version == version:
            return entry.masked
        if entry.version >= 0 and not self._news(entry, text):
            entry.version = version
            return entry.masked
        known = [s for s in self._known.find(text) if self._wanted(text, s)]
        spans = resolved([*entry.spans, *known], text) if known else entry.spans
        done = masked(text, spans, self._grammar, self.vault)
        entry.masked = done if done.spans else None
        entry.version = version
        entry.at = time.monotonic()
        return entry.masked

    def _found(self, text: str) -> _Seen:
        spans = tuple(s for s in self._finder.find(text) if self._wanted(text, s))
        values = [Value(span.type, text[span.start : span.end]) for span in spans]
        # The vault first: it is the one that refuses.
        self.vault.issue(values)
        self._known.learn(values)
        return _Seen(spans, len(text))

    def _forget(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        self._chars -= entry.size if entry is not None else 0

    def _news(self, entry: _Seen, text: str) -> bool:
        if entry.words is None:
            entry.words = words_of(text)
        return self._known.news(entry.words, entry.version)

    def _wanted(self, text: str, span: Span) -> bool:
        return not self._allow or text[span.start : span.end] not in self._allow


def _findings(done: Masked, segment: int) -> list[Finding]:
    return [
        Finding(
            rule=f"pii.{span.type.lower()}",
            category="pii",
            severity=Severity.INFO,
            score=span.score,
            explanation=f"{span.type} was hidden from the model",
            segment=segment,
            start=span.start,
            end=span.end,
        )
        for span in done.spans
        if span.type != LITERAL
    ]


def _refused(rule: str, error: VaultFullError | TooCostlyError) -> Decision:
    finding = Finding(
        rule=rule,
        category="pii",
        severity=Severity.HIGH,
        explanation=f"{error.problem}. {error.remedy}",
    )
    return Decision.deny(error.problem, findings=[finding])
