"""What one session remembers of screened texts, so that each is analysed once.

Rules:
* Bounded: past `MAX_VERDICT_CHARS` all is forgotten and analysed anew.
* A history that comes again at each turn costs a look-up for each text; one that had nothing to tell
  costs a comparison.
* The links of a prompt are kept until it is answered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from threading import Lock

from hauberk.events import Segment
from hauberk.injection._joined import Joined, mark_of
from hauberk.injection._screen import Verdict

MAX_VERDICT_CHARS = 1_000_000
"""Characters of the texts whose verdicts one session remembers: a long conversation. The
application holds most of these texts itself; past this, all is analysed anew."""

MAX_CALLS = 256
"""Prompts of one session whose links are remembered until they are answered."""

MAX_PROMPTS = 8
"""Developer's prompts of one session that are recognised: its agents and their tools' models."""

MAX_APPROVED = 1000
"""Texts of one session that a person let through and need not be asked about again."""

MAX_LINKS = 1000
"""Links remembered of one prompt. Others than these may not be repeated."""

MAX_TOLD = 100
"""Texts of each kind of origin that are remembered as parts of an attack in several texts."""


class Memory:
    """What one session remembers of screened texts. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._links: OrderedDict[str, frozenset[str]] = OrderedDict()
        self.verdicts: dict[str, dict[str, Verdict]] = {}
        """By kind of origin, then by text. A text remembers its own hash, so that a history which
        comes again at each turn costs a look-up for each text."""
        self.joined = Joined()
        """How texts follow each other."""
        self.linkless: set[str] = set()
        """Texts of the application's own that hold no link."""
        self._told: dict[str, dict[str, Verdict]] = {}
        self.prompts: dict[str, None] = {}
        """The developer's prompts, the latest last."""
        self._rests: dict[tuple[str, str], tuple[Verdict, str]] = {}
        self._approved: OrderedDict[str, None] = OrderedDict()
        self._quiet: list[Segment | None] = []
        self._chars = 0

    def loud(self, segments: Sequence[Segment]) -> list[int]:
        """The places of a prompt that must be looked at.

        Those are left out where the very same segment stood before, and had nothing to tell.
        """
        quiet = self._quiet[: len(segments)]
        new = [
            i for i, (one, now) in enumerate(zip(quiet, segments, strict=False)) if one is not now
        ]
        return [*new, *range(len(quiet), len(segments))]

    def hush(self, segments: Sequence[Segment], places: Iterable[int]) -> None:
        """The segments at these places of a prompt have nothing to tell."""
        with self._lock:
            missing = len(segments) - len(self._quiet)
            self._quiet += [None] * missing
            for place in places:
                self._quiet[place] = segments[place]

    def put(self, kind: str, text: str, verdict: Verdict) -> None:
        with self._lock:
            if self._fits(text):
                self.verdicts.setdefault(kind, {})[text] = verdict

    def retell(self, kind: str, verdicts: Mapping[int, Verdict]) -> None:
        """Texts (by mark) that were clear alone are not, together. That is not forgotten."""
        with self._lock:
            known, told = self.verdicts.get(kind, {}), self._told.setdefault(kind, {})
            for text in known:
                if (verdict := verdicts.get(mark_of(kind, text))) is not None:
                    known[text] = told[text] = verdict
            while len(told) > MAX_TOLD:
                del told[next(iter(told))]
            self._quiet = []

    def put_linkless(self, text: str) -> None:
        with self._lock:
            if self._fits(text):
                self.linkless.add(text)

    def add_prompt(self, text: str) -> None:
        """A developer's prompt that answers must not give away."""
        with self._lock:
            prompts = {**self.prompts, text: None}
            while len(prompts) > MAX_PROMPTS:
                del prompts[next(iter(prompts))]
            self.prompts = prompts

    def rest(self, kind: str, text: str, verdict: Verdict) -> str | None:
        """What is left of a text that was quarantined for this before."""
        known = self._rests.get((kind, text))
        return known[1] if known is not None and known[0] == verdict else None

    def put_rest(self, kind: str, text: str, verdict: Verdict, rest: str) -> None:
        """Keep it."""
        with self._lock:
            if self._fits(text):
                self._rests[kind, text] = (verdict, rest)

    def approve(self, texts: Iterable[str]) -> None:
        """A person was asked about these texts, and let them through."""
        with self._lock:
            self._approved.update(dict.fromkeys(texts))
            while len(self._approved) > MAX_APPROVED:
                self._approved.popitem(last=False)

    def is_approved(self, text: str) -> bool:
        """Whether a person let a text through."""
        return text in self._approved

    def _fits(self, text: str) -> bool:
        self._chars += len(text)
        if self._chars > MAX_VERDICT_CHARS:
            self.verdicts = {kind: dict(told) for kind, told in self._told.items()}
            self.linkless, self._rests = set(), {}
            self._chars = len(text)
        return self._chars <= MAX_VERDICT_CHARS

    def links(self, call: str) -> frozenset[str]:
        """The links that the answer to a prompt may repeat."""
        with self._lock:
            return self._links.get(call, frozenset())

    def add_links(self, call: str, links: frozenset[str]) -> None:
        with self._lock:
            known = self._links.pop(call, frozenset())
            self._links[call] = known | frozenset(islice(links, max(0, MAX_LINKS - len(known))))
            while len(self._links) > MAX_CALLS:
                self._links.popitem(last=False)
