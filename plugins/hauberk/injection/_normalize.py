"""Readings of a text: what it says once its disguises are taken off.

Rules:
* The first view is the text itself, folded; the others exist only where something was disguised.
* Each decoder has a gate, and plain text opens none: it costs two passes of a small automaton and a
  look at its words.
* Number of views, depth and total size are bounded. A text that asks for more is refused.
* Never raises for what a text holds, except `DecodeLimitError`. Linear time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from hauberk.injection import _codes as codes
from hauberk.injection import _decode as decode
from hauberk.injection import _html as html
from hauberk.injection import _scramble as scramble
from hauberk.injection._automaton import Gates
from hauberk.injection._fold import clean, fold, skeleton
from hauberk.injection._view import View

MAX_VIEWS = 64
"""Most readings of one text. Web pages and mails with everything in them need about ten."""

MAX_GROWTH = 12
"""Most characters in all readings together, as a multiple of the text's own."""

MIN_TOTAL = 100_000
"""Characters in all readings that are always allowed, so that short texts are not refused."""

_GATES: tuple[Mapping[str, str], ...] = (
    {
        "html": r"<[a-z/!?]|&(?:#|[a-z]+;)",
        "escape": r"\\+[unrtvfx\"'/]|%[0-9a-f]{2}|=[0-9a-f]{2}|=\r?\n",
        "leet": r"[a-z][01345789@$!|+(][a-z]|\b[01345789@$!|][a-z]{2}|[a-z]{2}[0134579$]\b",
    },
    {
        "base64": rf"[a-z0-9+/_-]{{{decode.MIN_BASE64}}}",
        "hex": r"(?:(?:\\x|0x|%)?[0-9a-f]{2}[ ,:;-]?){8}",
        **codes.GATES,
        "spaced": r"\b[a-z](?:[ .,_*|/\t-]{1,3}[a-z]\b){5}",
    },
)
"""By name of a gate: a pattern of folded text that may hold something of its kind. What counts and what
does not is apart: together they meet many more states than each for itself."""

_PUT_RIGHT: dict[str, Callable[[View], View | None]] = {
    "spaced": decode.unspaced,
    "split": scramble.rejoined,
    "scrambled": scramble.unscrambled,
}
"""By gate: what puts moved letters right."""


class DecodeLimitError(ValueError):
    """A text has more encodings in each other, or makes more readings, than are opened."""


def views(text: str, *, max_depth: int) -> Iterator[View]:
    r"""The readings of a text that rules are matched against; the text itself, folded, first.

    Args:
        text: Any string: lone surrogates, NUL and 10,000 tags included.
        max_depth: How many encodings inside each other are opened; 0 opens none.

    Raises:
        DecodeLimitError: There is more to open than the bounds allow.

    Example:
        >>> [view.text for view in views("IGNORE <b>all</b>", max_depth=3)]
        ['ignore <b>all</b>', 'ignore all']
    """
    seen: set[str] = set()
    total = 0
    for view in _walk(text, max_depth):
        if view.text in seen:
            continue
        seen.add(view.text)
        total += len(view.text)
        if len(seen) > MAX_VIEWS or total > max(MIN_TOTAL, MAX_GROWTH * len(text)):
            raise DecodeLimitError("too many readings")
        yield view


def _walk(text: str, max_depth: int) -> Iterator[View]:
    todo = deque([(View.of(text), 0)])
    known: set[str] = set()
    while todo:
        raw, depth = todo.popleft()
        if raw.text in known:
            continue
        known.add(raw.text)
        cleaned = clean(raw)
        folded = fold(cleaned)
        yield folded
        gates = _open_gates(folded.text)
        yield from _guesses(folded, gates)
        for view in _payloads(raw, cleaned, gates) if max_depth else ():
            if depth == max_depth and view.text not in known:
                raise DecodeLimitError("encodings nested too deeply")
            todo.append((view, depth + 1))
        if depth < max_depth:
            todo.extend((view, depth + 1) for view in _unwrapped(cleaned, gates))


def _guesses(folded: View, gates: frozenset[str]) -> Iterator[View]:
    """Readings that are only tried: what comes out is not decoded further."""
    looks = skeleton(folded)
    if looks is not None:
        yield looks
    if "rot13" in gates:
        yield decode.rot13(folded)
    if "reversed" in gates:
        yield folded.backwards()
        yield scramble.words_backwards(folded)
    if "leet" in gates:
        yield from decode.unleeted(looks or folded)
    for gate, put_right in _PUT_RIGHT.items():
        if gate in gates and (words := put_right(looks or folded)) is not None:
            yield words


def _payloads(raw: View, cleaned: View, gates: frozenset[str]) -> Iterator[View]:
    """Texts that are carried by other characters: none may be left unopened."""
    if (signs := decode.from_invisible(raw)) is not None:
        yield signs
    if "base64" in gates and (words := decode.from_base64(cleaned)) is not None:
        yield words
    if "hex" in gates and (words := decode.from_hex(cleaned)) is not None:
        yield words
    yield from codes.payloads(cleaned, gates)


def _unwrapped(cleaned: View, gates: frozenset[str]) -> Iterator[View]:
    """The same text without markup and escapes."""
    if "html" in gates:
        hidden = html.concealed(cleaned)
        if hidden.text:
            yield hidden
        yield html.visible(cleaned)
    if "escape" in gates and (plain := decode.unescaped(cleaned)) is not None:
        yield plain


def _open_gates(folded: str) -> frozenset[str]:
    raw = folded.encode()
    found = {names[index] for names, gates in _gates() for index in gates.matching(raw)}
    if "leet" in found and not decode.is_leet(folded):
        found.remove("leet")
    return frozenset(found.union(scramble.signs(folded)))


@lru_cache(maxsize=1)
def _gates() -> tuple[tuple[tuple[str, ...], Gates], ...]:
    return tuple((tuple(group), Gates(group.values())) for group in _GATES)
