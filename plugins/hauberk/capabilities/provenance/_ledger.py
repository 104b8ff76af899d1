"""What one session has read, and from whom: asked where a value came from.

Rules:
* A text is entered once, under who wrote it and with its labels, however often it is sent again.
* The user's words are the user's, except for what others wrote before and an application put in.
* What the model has read is remembered for good, also when the texts are forgotten: who wrote, and
  with which labels.
* A value of which nobody is known to have written all is the model's; from then on that the model
  has read something untrusted, it is the model's under that influence, and bears every label that
  the model has read.
* Atomic and thread-safe: parallel calls of one session enter and ask at once.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import RLock

from hauberk.capabilities.provenance._index import Hit, Needle, TextIndex
from hauberk.capabilities.provenance._origin import COMBINATION, MODEL, NOTHING, Origin, Source
from hauberk.capabilities.provenance._overlap import (
    LEAST_OF_DOCUMENT,
    LEAST_OF_TOOL,
    START_WORDS,
    Overlap,
)
from hauberk.capabilities.provenance._text import WORD, decoded, normal

MAX_INDEX_BYTES = 64 * 2**20
"""Memory, as counted by the index, that texts of one party with one set of labels may take in one
session: about 10,000 mails. Measured against `tracemalloc` in benchmarks/capabilities.py."""
MAX_SEEN = 100_000
"""Texts that are known to be entered; the earliest are entered again when they come again."""
MAX_CALLS = 1024
"""Calls that are remembered until they return."""
MAX_SPOKEN = 256
"""Arguments of calls that are remembered until the next message of a user."""
MAX_HEARD_CHARS = 100_000
"""Characters of the user's messages that are kept for what they ask."""
MAX_LABEL = 30
"""Characters of a label before a line, such as `Observation`."""
MAX_PARTS = 32
"""Parts of a combination that are looked for."""

_PARTS = re.compile(r"[,;|<>\t\n]+|\s+(?:and|&)\s+")
_GLUED = re.compile(r"(?<=[a-z0-9])\.(?=[A-Z][a-z]*[\s,])")
_OWN = ("user", "developer")


@dataclass(slots=True)
class Call:
    """One tool call, from its check on."""

    number: int
    tool: str
    values: tuple[tuple[str, str], ...] = ()
    """Its arguments and their values."""
    labels: frozenset[str] | None = None
    """Labels of its arguments; None until its result comes, where they matter."""


@dataclass(slots=True)
class Read:
    """What the model has read so far: the first source of each kind."""

    parties: dict[str, Source] = field(default_factory=dict[str, Source])
    labels: dict[str, Source] = field(default_factory=dict[str, Source])
    untrusted: Source | None = None
    outside: int = 0
    """Number of the first call with an effect outside; 0 when there was none."""


class Ledger:
    """Provenance of one session."""

    def __init__(self, trusted: frozenset[str]) -> None:
        """Start empty.

        Args:
            trusted: Parties that are believed, the user and the developer included.
        """
        self._lock = RLock()
        self._trusted = trusted
        self._indexes: dict[tuple[str, frozenset[str]], TextIndex[Source]] = {}
        self._overlap = Overlap()
        self._seen: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._count = 0
        self.read = Read()
        self._heard: list[str] = []
        self._spoken: list[str] = []

    @property
    def bytes(self) -> int:
        """What the texts take, as counted: at most `MAX_INDEX_BYTES` for each index."""
        with self._lock:
            return sum(index.bytes for index in self._indexes.values())

    def is_trusted(self, party: str) -> bool:
        """Whether a party is believed."""
        return party in self._trusted

    # --- entering ---------------------------------------------------------------------------

    def is_new(self, origin: str, text: str) -> bool:
        """Whether this text of this origin was not seen before; it is now. One atomic step."""
        # Python keeps the hash of a string and keys it anew in each process: nobody can aim at it.
        key = (origin, hash(text), len(text))
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
            return True

    def enter_own(self, party: str, text: str) -> str:
        """Enter a message of the user or the developer; gives the words that are really theirs."""
        with self._lock:
            source = Source(party, party)
            self._hear_spoken()
            text = self._without_foreign_lines(text)
            own = self._overlap.own(normal(text))
            spaced = _GLUED.sub(". ", text)  # people forget the space: `see www.corp.com.They ...`
            more = self._overlap.own(normal(spaced)) if spaced != text else []
            for part in (*own, *more):
                self._index(source).add(part, source)
            self.read.parties.setdefault(party, source)
            return "\n".join(own)

    def _without_foreign_lines(self, text: str) -> str:
        """A message without lines that are all of what another wrote (`Observation: ...`).

        Agents that write their steps into one message bring results so. A message of one line is
        what its writer typed.
        """
        lines = text.splitlines()
        if len(lines) == 1:
            return text
        return "\n".join(line for line in lines if not self._is_foreign(line))

    def _is_foreign(self, line: str) -> bool:
        shape = normal(line)
        label, colon, rest = shape.partition(": ")
        readings = (shape, rest) if colon and len(label) <= MAX_LABEL else (shape,)
        others = [index for (party, _), index in self._indexes.items() if party not in _OWN]
        return any(index.has_whole(one) for index in others for one in readings if one)

    def enter_raw(self, text: str) -> None:
        """Know a structured result as a whole too: an application may put it into a message."""
        shape = normal(text)
        words = len(WORD.findall(shape))
        if words >= START_WORDS:
            with self._lock:
                self._overlap.add(shape, min(words, LEAST_OF_TOOL))

    def enter(
        self, text: str, source: Source, *, read: bool = True, echoes: Iterable[str] = ()
    ) -> None:
        """Enter a text of a tool or a document.

        Args:
            text: The text.
            source: Where it stands, who wrote it, with which labels.
            read: The model gets to read it.
            echoes: Texts of others (in normal form) that do not become this party's by being
                repeated inside a sentence.
        """
        shape = normal(text)
        with self._lock:
            if read:
                self._was_read(source)
            if source.party != "user":
                least = LEAST_OF_DOCUMENT if source.kind == "document" else LEAST_OF_TOOL
                self._overlap.add(shape, least)
            for part in _without(shape, echoes) if self.is_trusted(source.party) else (shape,):
                self._index(source).add(part, source)

    def was_read(self, source: Source) -> None:
        """The model gets to read something of this source."""
        with self._lock:
            self._was_read(source)

    def _was_read(self, source: Source) -> None:
        self.read.parties.setdefault(source.party, source)
        for label in source.labels:
            self.read.labels.setdefault(label, source)
        if not self.is_trusted(source.party) and self.read.untrusted is None:
            self.read.untrusted = source

    def _index(self, source: Source) -> TextIndex[Source]:
        key = (source.party, source.labels)
        if key not in self._indexes:
            self._indexes[key] = TextIndex(MAX_INDEX_BYTES)
            ranked = sorted(self._indexes.items(), key=lambda item: self._rank(*item[0]))
            self._indexes = dict(ranked)
        return self._indexes[key]

    def _rank(self, party: str, labels: frozenset[str]) -> tuple[int, int, str]:
        """Order of belief: the user, the developer, the trusted, the rest; fewer labels first."""
        place = _OWN.index(party) if party in _OWN else 2 if party in self._trusted else 3
        return (place, len(labels), party)

    # --- calls ------------------------------------------------------------------------------

    def open_call(self, ident: str, tool: str, values: tuple[tuple[str, str], ...]) -> Call:
        """Number a call that is about to run. One that is asked about twice keeps its number."""
        with self._lock:
            known = self._calls.pop(ident, None)
            if known is None:
                self._count += 1
            number = self._count if known is None else known.number
            call = self._calls[ident] = Call(number, tool, values)
            while len(self._calls) > MAX_CALLS:
                self._calls.popitem(last=False)
            return call

    def labels_of(self, call: Call) -> frozenset[str]:
        """Labels of a call's arguments: its result holds what was made of them."""
        with self._lock:
            if call.labels is None:
                found = frozenset[str]()
                if self.read.labels:
                    found = found.union(*(self.origin(text).borne for _, text in call.values))
                call.labels = found
            return call.labels

    def call_number(self, number: int) -> Call | None:
        """The call with this number, when it is still remembered."""
        with self._lock:
            return next((one for one in self._calls.values() if one.number == number), None)

    def reached_outside(self, call: Call) -> None:
        """A call with an effect outside ran."""
        with self._lock:
            self.read.outside = self.read.outside or call.number

    def call(self, ident: str) -> Call | None:
        """A call that was let through."""
        with self._lock:
            return self._calls.get(ident)

    def spoken(self, texts: Iterable[str]) -> None:
        """The model said this to a tool: said again by a user, it is still the model's.

        What the user or the developer had said before stays theirs.
        """
        with self._lock:
            self._spoken += texts
            del self._spoken[:-MAX_SPOKEN]

    def _hear_spoken(self) -> None:
        for text in self._spoken:
            shape = normal(text)
            words = len(WORD.findall(shape))
            if words >= START_WORDS and self.origin(shape).holders.isdisjoint(_OWN):
                self._overlap.add(shape, min(words, LEAST_OF_TOOL))
        self._spoken.clear()

    # --- intent -----------------------------------------------------------------------------

    def hear(self, asked: Iterable[str]) -> None:
        """Remember what a message of the user's asks for; the oldest is forgotten first."""
        with self._lock:
            self._heard += asked
            while len(self._heard) > 1 and sum(map(len, self._heard)) > MAX_HEARD_CHARS:
                del self._heard[0]

    @property
    def heard(self) -> tuple[str, ...]:
        """What the user asked for so far."""
        with self._lock:
            return tuple(self._heard)

    # --- asking -----------------------------------------------------------------------------

    def origin(self, value: str, *, whole: bool = False) -> Origin:
        """Where a value came from.

        Args:
            value: The text of a value.
            whole: It must be a whole field of its source, or stand in the user's words.
        """
        if not value.strip():
            return Origin(NOTHING)
        with self._lock:
            for needle in _readings(value):
                found = self._found(needle, whole=whole)
                if found is not None:
                    return found
            return self._combination(value, whole=whole) or self._of_model()

    def _found(self, needle: Needle, *, whole: bool) -> Origin | None:
        hits: list[Hit[Source]] = []
        for (party, _), index in self._indexes.items():
            hit = index.find(needle, whole=whole and party not in _OWN)
            if hit is not None:
                hits.append(hit)
        if not hits:
            return None
        best, *rest = hits
        source = best.source
        return Origin(
            source.party, best.how, source, tuple(h.source for h in rest), labels=source.labels
        )

    def _combination(self, value: str, *, whole: bool) -> Origin | None:
        pieces = [piece.strip(" \"'()[]") for piece in _PARTS.split(value)]
        pieces = [piece for piece in pieces if piece]
        if not 1 < len(pieces) <= MAX_PARTS:
            return None
        parts: list[Origin] = []
        for piece in pieces:
            found = self._found(Needle.of(piece), whole=whole)
            if found is None:
                return None
            parts.append(found)
        labels = frozenset(self.read.labels).union(*(part.labels for part in parts))
        return Origin(COMBINATION, "joined", parts=tuple(parts), labels=labels)

    def _of_model(self) -> Origin:
        return Origin(MODEL, influence=self.read.untrusted, labels=frozenset(self.read.labels))


def _readings(value: str) -> Iterator[Needle]:
    yield Needle.of(value)
    for plain in decoded(value):
        yield Needle.of(plain)


def _without(text: str, echoes: Iterable[str]) -> list[str]:
    """A text without what it repeats of others; itself where it is nothing else."""
    parts = [text]
    for echo in echoes:
        if echo and echo != text:
            parts = [piece for part in parts for piece in part.split(echo)]
    return [part.strip() for part in parts if part.strip()]
