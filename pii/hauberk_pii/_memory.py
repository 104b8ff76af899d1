"""What the plugin keeps in one session: texts that it saw, values that it knows, its vault.

Rules:
* A text is analysed once per session; after that it costs a digest. When something new becomes
  known, earlier texts are looked at again only if they hold a word of it.
* What is kept is bounded; what was forgotten is analysed anew.
* A text that is shown again keeps its values alive in the vault.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hauberk import Finding, Segment
from hauberk._places import Places
from hauberk.policy import Operator
from hauberk_pii._encoded import views
from hauberk_pii._fields import find_value
from hauberk_pii._finder import Finder
from hauberk_pii._known import Known, words_of
from hauberk_pii._mask import Masked, masked, values_of
from hauberk_pii._pseudonyms import Grammar
from hauberk_pii._restore import restored
from hauberk_pii._spans import Span, resolved, with_names
from hauberk_pii.operators import Operators, Script, Writer, Written
from hauberk_pii.vault import Value, Vault

MAX_SEEN_TEXTS = 10_000
"""Texts whose result one session keeps; the one unused for longest is analysed anew."""

MAX_SEEN_CHARS = 16_000_000
"""Characters of the texts whose result one session keeps: a masked text is about as long."""


@dataclass(slots=True)
class Seen:
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


Shown = tuple[Segment, tuple[Finding, ...]]
"""A segment as the model gets it, and what is said of what was hidden in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for every session of a plugin."""

    finder: Finder
    grammar: Grammar
    operators: Operators
    """What the model gets."""
    language: str
    allow: frozenset[str]
    """Texts that are never hidden."""
    keeps_s: float | None
    """The shortest time for which the vault keeps a value, in seconds; None: nothing lapses."""


class Memory:
    """One session's. Thread-safe."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self.vault = vault
        self.script = Script(settings.grammar)
        self.restores_answers = False
        """Answers go through the plugin in this session, with the arguments of their calls."""
        self._writer = Writer(vault, self.script, settings.language)
        self._finder = settings.finder
        self._operators = settings.operators
        self._allow = settings.allow
        self._stale_s = None if settings.keeps_s is None else settings.keeps_s / 2
        self._known = Known()
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Seen] = OrderedDict()
        self._chars = 0
        self._shown: tuple[int, Places[Shown]] = (-1, Places())

    def __repr__(self) -> str:
        return f"Memory({self.vault!r})"

    def shown(self) -> Places[Shown]:
        """What the model gets at each place, as far as all that is known now was known then.

        Nothing is kept where the vault lets values lapse: a text that is shown again renews them.
        """
        version = self._known.version
        since, places = self._shown
        if since != version or self._stale_s is not None:
            places = Places()
            self._shown = (version, places)
        return places

    def seen(self, text: str, name: str = "") -> Seen:
        """What was found in a text; it is analysed when it was never seen.

        Args:
            text: The text.
            name: What it stands under, of a member or an argument: its context.
        """
        key = (
            f"{name}\0{text}" if name else text
        )  # a text remembers its own hash: a history that comes again costs a look-up
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return entry
        # Not under the lock: two threads may find the same twice, and neither waits.
        entry = self._found(text, name)
        with self._lock:
            self._forget(key)
            self._entries[key] = entry
            self._chars += entry.size
            while len(self._entries) > MAX_SEEN_TEXTS or self._chars > MAX_SEEN_CHARS:
                self._forget(next(iter(self._entries)))
        return entry

    def masked(self, entry: Seen, text: str) -> Masked | None:
        """A text as the model gets it; None when there is nothing to hide in it.

        Raises:
            StoreError: The vault is full or cannot be reached.
            BlockedTypeError: The model may not get it at all.
        """
        version = self._known.version
        if self._stale_s is not None and time.monotonic() - entry.at > self._stale_s:
            entry.version = -1
        if entry.version == version:
            return entry.masked
        if entry.version >= 0 and not self._news(entry, text):
            entry.version = version
            return entry.masked
        done = self._masked(text, self._spans(entry, text), self._operators)
        entry.masked = done if done.spans else None
        entry.version = version
        entry.at = time.monotonic()
        return entry.masked

    def masked_for(self, text: str, operators: Operators, name: str = "") -> Masked | None:
        """A text as another reader gets it; None when there is nothing to hide in it.

        Args:
            text: The text.
            operators: What that reader gets.
            name: What it stands under: its context.

        Raises:
            StoreError: The vault is full or cannot be reached.
            BlockedTypeError: That reader may not get it at all.
        """
        spans = self._spans(self.seen(text, name), text)
        wanted = [span for span in spans if operators.of(span.type) is not Operator.KEEP]
        done = self._masked(text, wanted, operators) if wanted else None
        return done if done is not None and done.spans else None

    def shown_to(self, text: str, operators: Operators, name: str = "") -> str:
        """The words of `masked_for`."""
        done = self.masked_for(text, operators, name)
        return text if done is None else done.text

    def is_private(self, text: str) -> bool:
        """Whether a text holds a value that was hidden in this session, in clear or encoded."""
        return next(self._recalled(text), None) is not None

    def restored(self, text: str) -> str:
        """A text with the values that are hidden in it.

        Raises:
            StoreError: The vault cannot be reached.
        """
        return restored(text, self.script, self.vault)

    def _masked(self, text: str, spans: Iterable[Span], operators: Operators) -> Masked:
        hidden = [span for span in spans if operators.of(span.type) is not Operator.KEEP]
        return masked(text, hidden, self.script, lambda values: self._written(values, operators))

    def _written(self, values: Sequence[Value], operators: Operators) -> list[Written]:
        before = self.script.version
        done = self._writer.write(values, operators)
        # An earlier text may hold by chance what stands for a value from now on.
        self._known.announce(self.script.since(before))
        return done

    def _spans(self, entry: Seen, text: str) -> tuple[Span, ...]:
        """What the finder found and what the session knows."""
        known = [span for span in self._recalled(text) if self._wanted(text, span)]
        return resolved(with_names(list(entry.spans), known), text) if known else entry.spans

    def _recalled(self, text: str) -> Iterator[Span]:
        """Where the session's values are, in clear or encoded."""
        yield from self._known.find(text)
        for view in views(text) if self._known.version else ():
            for span in self._known.find(view.text):
                if view.news(span.start, span.end):
                    start, end = view.back(span.start, span.end)
                    yield replace(span, start=start, end=end)

    def _found(self, text: str, name: str) -> Seen:
        found = find_value(self._finder, text, name)
        spans = tuple(span for span in found if self._wanted(text, span))
        shown = [span for span in spans if self._operators.of(span.type) is not Operator.KEEP]
        values = values_of(text, shown)
        # The writer first: it is the one that refuses.
        self._written(values, self._operators)
        self._known.learn(values)
        return Seen(spans, len(text))

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        self._chars -= entry.size if entry is not None else 0

    def _news(self, entry: Seen, text: str) -> bool:
        if entry.words is None:
            entry.words = words_of(text).union(*(words_of(view.text) for view in views(text)))
        return self._known.news(entry.words, entry.version)

    def _wanted(self, text: str, span: Span) -> bool:
        return not self._allow or text[span.start : span.end] not in self._allow
