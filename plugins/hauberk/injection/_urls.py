"""Where a link leads, and whether it takes something along (pure).

Rules:
* A host that cannot be told for certain (backslashes, broken names, percent signs that hide a dot)
  is no allowed host.
* A subdomain belongs to its host; a name that only ends in the same letters does not.
* Query strings, user info, long or data-like paths, fragments and host labels carry data, and so
  does every placeholder of personal data. A relative link leads nowhere else.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

MAX_PLAIN_PATH = 120
"""Characters of a path that still passes for the name of a page. Real ones rarely have more."""

MAX_HOST = 253
"""Longest host name, RFC 1035."""

PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]{0,40}_[0-9]{1,9}>")
"""A placeholder of personal data, such as `<PERSON_1>`: the value stands there in the end."""

MIN_PART = 4
"""Shorter parts of a link say nothing that could be private."""

MAX_PARTS = 32
"""Parts of a link, and links in a link, that are looked at."""

MAX_ESCAPES = 3
"""Percent escapes of percent escapes that are taken off."""

_PART_END = re.compile(r"[/?&=#;]+")
_ONWARD = re.compile(r"(?<!:)((?:https?:)?[\\/]{2}[^\s&]{3,})", re.IGNORECASE)

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30}):", re.IGNORECASE)
_WEB = frozenset(("http", "https", "ws", "wss", "ftp", "ftps"))
_SCRIPTS = frozenset(("javascript", "vbscript"))
_INERT = frozenset(("data", "cid", "tel", "urn", "about", "blob"))

_SLASHES = re.compile(r"[\\/]*")
_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r":[0-9]{0,5}$")
_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)

_DATA_LIKE = re.compile(
    r"[A-Za-z0-9+=_]{28,}"  # one long token: base64, hex
    r"|(?=[A-Za-z0-9+=_-]{0,40}[0-9])(?=[A-Za-z0-9+=_-]{0,40}[A-Z])(?=[A-Za-z0-9+=_-]{0,40}[a-z])[A-Za-z0-9+=_-]{20,}"
    r"|[0-9][0-9 .-]{7,}[0-9]"  # account, card and telephone numbers
    r"|%[0-9A-Fa-f]{2}.*%[0-9A-Fa-f]{2}"  # escaped text
    r"|[@{}|:;,$]"
)
_LABEL_DATA = re.compile(
    r"[a-z0-9_-]{25,}|(?=[a-z-]*[0-9][a-z-]*[0-9][a-z-]*[0-9][a-z-]*[0-9])[a-z0-9-]{16,}"
)
_UNPRINTED = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads."""

    host: str
    """Host in lower case, as ASCII; empty when it cannot be told."""
    carries: bool
    """It may take data along."""
    script: bool = False
    """It is a program, not an address."""
    onward: tuple[Link, ...] = ()
    """Links in its query or path, that its host may send a visitor on to."""


def read_link(text: str) -> Link | None:
    """Read the target of a link as a browser would, or None when it stays where it is.

    Args:
        text: The target as written: entities, odd slashes, blanks and userinfo are all read.

    Example:
        >>> read_link("HTTPS://user@Evil.Example.:443/a?b=c")
        Link(host='evil.example', carries=True, script=False, onward=())
    """
    written = _UNPRINTED.sub("", html.unescape(text) if "&" in text else text)
    scheme = _SCHEME.match(written)
    name = scheme.group(1).lower() if scheme else ""
    rest = written[scheme.end() :] if scheme else written
    if name in _SCRIPTS:
        return Link("", carries=True, script=True)
    if name in _INERT:
        return None
    if name == "mailto":
        address, _, query = rest.partition("?")
        return Link(_host(address.rpartition("@")[2]), carries=bool(query))
    slashes = _SLASHES.match(rest)
    lead = slashes.group() if slashes else ""
    if name not in _WEB and len(lead) < len("//"):
        return _without_host(name, rest)
    return _read_web(rest[len(lead) :], odd="\\" in lead)


def parts_of(text: str) -> tuple[str, ...]:
    """What a link says, without its escapes: all of it, and its parts of four characters or more.

    Example:
        >>> parts_of("https://e.example/?to=ada%40corp.example")
        ('https://e.example/?to=ada@corp.example', 'https:', 'e.example', 'ada@corp.example')
    """
    plain = _unescaped(text)
    parts = (part.replace("+", " ").strip() for part in _PART_END.split(plain))
    return (plain, *[part for part in parts if len(part) >= MIN_PART][:MAX_PARTS])


def _unescaped(text: str) -> str:
    for _ in range(MAX_ESCAPES):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def _onward(tail: str) -> Iterator[Link]:
    """Links inside the path, query or fragment of another: open redirects lead there."""
    if len(tail) < len("/x//y.zz"):
        return
    for found in islice(_ONWARD.finditer(_unescaped(tail)[1:]), MAX_PARTS):
        link = read_link(found.group(1))
        if link is not None:
            yield link


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether a host (as `read_link` gives it) is one of the allowed or a subdomain of one.

    Example:
        >>> is_allowed("docs.corp.example", ["corp.example"]), is_allowed("xcorp.example", ["corp.example"])
        (True, False)
    """
    return bool(host) and any(host == own or host.endswith("." + own) for own in allowed)


def host_name(written: str) -> str:
    """A host of the policy in the form that `read_link` gives; empty when it is no host name."""
    return _host(written.removeprefix("*.").strip())


def _without_host(scheme: str, rest: str) -> Link | None:
    if rest[:4].lower() == "www.":
        return _read_web(rest, odd=False)
    # An application's own scheme (`slack:`) may take a query along; a relative link leads nowhere.
    return Link("", carries="?" in rest) if scheme and "?" in rest else None


def _read_web(rest: str, *, odd: bool) -> Link:
    end = _AUTHORITY_END.search(rest)
    authority = rest[: end.start()] if end else rest
    tail = rest[end.start() :] if end else ""
    userinfo, _, place = authority.rpartition("@")
    host = "" if odd or "\\" in rest else _host(_PORT.sub("", place))
    carries = bool(userinfo) or _tail_carries(tail) or _host_carries(place)
    return Link(host, carries=carries, onward=tuple(_onward(tail)))


def _host(written: str) -> str:
    name = unicodedata.normalize("NFKC", unquote(written)).casefold().replace("\u3002", ".")
    name = name.removesuffix(".")
    if len(name) > MAX_HOST:
        return ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if _HOST.fullmatch(name) else ""


def _tail_carries(tail: str) -> bool:
    path, _, fragment = tail.partition("#")
    path, question, query = path.partition("?")
    return bool(question and query) or _is_data(path) or _is_data(fragment)


def _is_data(part: str) -> bool:
    return (
        len(part) > MAX_PLAIN_PATH
        or PLACEHOLDER.search(part) is not None
        or _DATA_LIKE.search(part) is not None
    )


def _host_carries(host: str) -> bool:
    if PLACEHOLDER.search(host):
        return True
    return any(_LABEL_DATA.fullmatch(label) for label in host.lower().split("."))
