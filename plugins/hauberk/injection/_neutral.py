"""HTML, scripts and SQL that a caller would render or run, made harmless in an answer.

On request only: an assistant that writes code is there to write it.

Rules:
* `html`: no tag is left; what would open one is written as an entity. Placeholders of personal data
  and references stay: other rooms read them.
* `script`: what a browser or an interpreter would run is named instead of said.
* `sql`: statements that change something, or that read other tables than were meant, are.
* A pattern matches a bounded number of characters, so that what comes out of a stream does not depend
  on how it was cut, and no more than that is held back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hauberk.decisions import Finding, Severity
from hauberk.injection._holding import Holding
from hauberk.injection._urls import PLACEHOLDER
from hauberk.policy import Neutral

MAX_MATCH = 128
"""Most characters of one match, with what is looked at after it."""

# A long s or a Kelvin sign is no letter of a keyword.
_FLAGS = re.IGNORECASE | re.ASCII
_GAP = r"(?:\s|/\*[^*]{0,10}\*/|--[^\n]{0,10}\n){1,12}"

_HTML = rf"(?!{PLACEHOLDER.pattern}|<ref:)<(?=[a-zA-Z/!?])"
_SCRIPT = (
    r"<(?:script|iframe|object|embed|applet|meta|base|link|svg|math|style|form)(?![a-z])"
    r"|<[^<>]{0,80}\bon[a-z]{3,20}\s{0,4}="
    r"|\b(?:javascript|vbscript)\s{0,4}:|\bdata\s{0,4}:\s{0,4}text/html"
    r"|\b(?:eval|setTimeout|setInterval|importScripts)\s{0,4}\(|\bnew\s{1,4}Function\s{0,4}\("
    r"|\bdocument\s{0,4}\.\s{0,4}(?:cookie|write(?:ln)?|location|domain)"
    r"|\b(?:window|self|top|parent)\s{0,4}\.\s{0,4}(?:location|open)\b"
    r"|\b(?:local|session)Storage\b|\bXMLHttpRequest\b|\bsendBeacon\b|\bnew\s{1,4}WebSocket\b"
    r"|\.\s{0,4}(?:inner|outer)HTML\b|\binsertAdjacentHTML\b"
)
_SQL = (
    rf"\b(?:drop|alter|create|truncate){_GAP}(?:table|database|schema|view|index|user|role|function"
    r"|procedure|trigger)\b"
    rf"|\bdelete{_GAP}from\b|\binsert{_GAP}(?:into|overwrite)\b|\breplace{_GAP}into\b"
    rf"|\bmerge{_GAP}into\b|\bupdate{_GAP}[\w.\"`\[\]]{{1,40}}{_GAP}set\b"
    rf"|\bunion{_GAP}(?:all{_GAP})?select\b|\binto{_GAP}(?:outfile|dumpfile)\b|\bload_file\s{{0,4}}\("
    rf"|\bxp_cmdshell\b|\bexec(?:ute)?{_GAP}(?:xp_|sp_|immediate)|\bgrant{_GAP}[\w, ]{{1,30}}{_GAP}on\b"
    rf"|\bcopy{_GAP}[\w.]{{1,40}}{_GAP}(?:to|from){_GAP}program\b"
    r"|\bor\s{1,4}(?:'[^']{0,8}'\s{0,4}=\s{0,4}'[^']{0,8}'|(\d{1,4})\s{0,4}=\s{0,4}\1(?!\d))"
)
_WHAT: dict[Neutral, re.Pattern[str]] = {
    Neutral.HTML: re.compile(_HTML),
    Neutral.SCRIPT: re.compile(_SCRIPT, _FLAGS),
    Neutral.SQL: re.compile(_SQL, _FLAGS),
}


@dataclass(slots=True)
class NeutralFilter(Holding):
    """Makes one kind of code harmless in a text that arrives in pieces (a `StreamFilter`).

    Example:
        >>> html = NeutralFilter(Neutral.HTML)
        >>> html.feed("1 < 2 <scr") + html.feed("ipt>") + html.finish()
        '1 < 2 &lt;script>'
    """

    what: Neutral
    places: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Where something was made harmless, in characters of the text as it came."""
    _before: str = field(default="", repr=False)
    _offset: int = 0

    def _run(self, text: str, *, final: bool) -> str:
        sure = len(text) if final else max(0, len(text) - MAX_MATCH)
        # A word begins where the character before says so, shown already or not.
        whole, shift = self._before + text, len(self._before)
        out: list[str] = []
        at = shift
        for found in _WHAT[self.what].finditer(whole, shift):
            if found.start() - shift >= sure:
                break
            out += (whole[at : found.start()], self._harmless())
            at = found.end()
            place = self._offset - shift
            self.places.append((place + found.start(), place + found.end()))
        keep = max(at, shift + sure)
        out.append(whole[at:keep])
        self._before = whole[keep - 1 : keep] if keep else ""
        self._held = whole[keep:]
        self._offset += keep - shift
        return "".join(out)

    def _harmless(self) -> str:
        return "&lt;" if self.what is Neutral.HTML else f"[{self.what.value} removed]"


def findings_of(done: Iterable[NeutralFilter], segment: int) -> Iterator[Finding]:
    """What is told of a text that went through filters."""
    for one in done:
        if one.places:
            yield Finding(
                rule=f"inj.out.{one.what.value}",
                category="unsafe-output",
                severity=Severity.LOW,
                explanation=f"{len(one.places)} times {one.what.value} was made harmless",
                segment=segment,
                start=one.places[0][0],
                end=one.places[-1][1],
            )
