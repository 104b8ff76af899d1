"""What a reader of a web page sees, and what he does not.

Rules:
* Tags and comments vanish from the visible text; entities are decoded.
* Comments, texts of elements that a style hides, and attributes for machines (alt, title, label)
  are the concealed text.
* Linear time for any input: no tag tree is built, and no search starts twice at one place.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from hauberk.injection._view import View

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")

_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,30})")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INLINE = _words(
    "a abbr b bdi bdo big cite code dfn em font i ins kbd mark nobr q s samp small span strike"
    " strong sub sup tt u var wbr"
)
"""Elements that do not part words."""

_VOID = _words("area base br col embed hr img input link meta source track wbr")

_RAW = frozenset(("script", "style"))
"""Elements whose content is no text."""

_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|\shidden(?=[\s=/>])"
    r"|font-size\s*:\s*(?:0*\.)?0*[01]?(?:px|pt|em|rem|%)?\s*(?=[;\"'!>])"
    r"|opacity\s*:\s*0*\.?0+\s*(?=[;\"'!>])"
    r"|(?<![-\w])color\s*[:=]\s*[\"']?(?:white\b|#fff\b|#ffffff\b|transparent|rgba?\([^)]{0,40},\s*0\s*\))"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}|max-(?:height|width)\s*:\s*0"
)

_ATTRIBUTE = re.compile(
    r"""\s(?:alt|title|aria-label|content|placeholder|data-[a-z-]{1,30})\s*=\s*("[^"]*"|'[^']*')"""
)


class _Token(NamedTuple):
    kind: Literal["text", "comment", "tag"]
    start: int
    end: int


def visible(view: View) -> View:
    """The view as a reader sees it: without tags and comments, with entities decoded."""
    return view.spliced(_visible_pieces(view.text), name="html")


def concealed(view: View) -> View:
    """What a reader of the page does not see, piece by piece."""
    return view.spliced(_concealed_pieces(view.text), name="hidden", keep=False, concealed=True)


def _tokens(text: str) -> Iterator[_Token]:
    done = at = 0
    while (lt := text.find("<", at)) >= 0:
        end = _tag_end(text, lt)
        if end == 0:
            at = lt + 1
            continue
        if end < 0:
            break
        if lt > done:
            yield _Token("text", done, lt)
        yield _Token("comment" if text.startswith("<!--", lt) else "tag", lt, end)
        done = at = end
    if done < len(text):
        yield _Token("text", done, len(text))


def _tag_end(text: str, lt: int) -> int:
    """Where the tag or comment at `lt` ends; 0: it is none; -1: no tag ends from here on."""
    if text.startswith("<!--", lt):
        close = text.find("-->", lt + 4)
        return len(text) if close < 0 else close + 3
    after = text[lt + 1 : lt + 2]
    if not (after.isalpha() or (after and after in "/!?")):
        return 0
    return text.find(">", lt) + 1 or -1


def _visible_pieces(text: str) -> Iterator[tuple[int, int, str]]:
    raw = ""
    for kind, start, end in _tokens(text):
        if kind == "comment":
            yield start, end, ""
        elif kind == "tag":
            name, closing = _name(text, start)
            raw = _inside_raw(raw, name, closing=closing)
            yield start, end, "" if name in _INLINE else "\n"
        elif raw:
            yield start, end, ""
        else:
            yield from _entities(text, start, end)


def _entities(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    for found in _ENTITY.finditer(text, start, end):
        new = html.unescape(found.group())
        if new != found.group():
            yield found.start(), found.end(), new


def _concealed_pieces(text: str) -> Iterator[tuple[int, int, str]]:
    hiding, depth = "", 0
    for kind, start, end in _tokens(text):
        if kind == "comment":
            yield start, end, text[start + 4 : end].removesuffix("-->") + "\n"
        elif kind == "text":
            if hiding:
                yield start, end, text[start:end] + "\n"
        else:
            name, closing = _name(text, start)
            tag = text[start:end]
            if hiding:
                depth += (name == hiding) * (-1 if closing else 1)
                hiding = hiding if depth > 0 else ""
            elif not closing and name not in _VOID | _RAW and _HIDING.search(tag.lower()):
                hiding, depth = name, 1
            words = " ".join(found.group(1)[1:-1] for found in _ATTRIBUTE.finditer(tag))
            if words:
                yield start, end, words + "\n"


def _name(text: str, start: int) -> tuple[str, bool]:
    found = _NAME.match(text, start)
    return (found.group(1).lower() if found else ""), text.startswith("</", start)


def _inside_raw(raw: str, name: str, *, closing: bool) -> str:
    if closing:
        return "" if name == raw else raw
    return raw or (name if name in _RAW else "")
