r"""What a text says once its encodings are undone: HTML entities, percent-encoding, escapes, base64.

Rules:
* Read are `&#64;` and `&commat;`, `%40`, `\u0040` and `\n`, base64 and base64url of UTF-8 text, and the
  fields of forms (`?name=Ada+Byron`); in each other too, `MAX_DEPTH` deep.
* What is decoded stands in its surroundings, so that words before it count: `ssn: NTM2OTA0Mzk5`.
* Offsets lead back exactly: a span covers all characters that its own were decoded from. In base64
  these come in groups of four.
* What is decoded is not longer than what it was decoded from, and each stretch of a text is decoded
  once for each depth: time grows with the length of the text.

Does not read: base64 over several lines, other encodings, anything compressed or encrypted.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64decode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import unescape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hauberk_pii._starts import Sparse

MAX_DEPTH = 3
"""Encodings within each other that are undone: a percent-encoded form that carries base64 of JSON."""

_AROUND = 200
"""Characters on each side of what was decoded that are looked at with it: words that announce stand
at most 40 before a value."""

_CODED = re.compile(
    r"(?P<html>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
    r"|(?P<percent>(?:%[0-9A-Fa-f]{2})++)"
    r"|(?P<unicode>(?:\\u[0-9A-Fa-f]{4})++)"
    r"|(?P<short>\\[nrt\"/])"
    r"|(?P<query>[?&][A-Za-z][\w.\-]{0,39}=(?=\w))"
    r"|(?P<base64>(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{12,}+={0,2})"
    r"|(?P<plus>(?<=[A-Za-z0-9])\+(?=[A-Za-z0-9]))"
)
_PLUS = re.compile(r"(?<=[A-Za-z0-9])\+(?=[A-Za-z0-9])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class _Unit(NamedTuple):
    """Some decoded characters with the stretch that they came from: neither can be divided."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class View:
    """A part of a text with its encodings undone."""

    text: str
    _at: tuple[int, ...]
    """Where each piece starts in `text`."""
    _pieces: tuple[tuple[int, int, bool], ...]
    """Where it came from, and whether it was decoded."""
    _outer: View | None = None
    """What it was decoded from, if not from the text itself."""

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The same span in the text that was given."""
        first, last = self._piece(start), self._piece(end - 1)
        left, right = self._pieces[first], self._pieces[last]
        begin = left[0] if left[2] else left[0] + start - self._at[first]
        stop = right[1] if right[2] else right[0] + end - self._at[last]
        return self._outer.back(begin, stop) if self._outer else (begin, stop)

    def news(self, start: int, end: int) -> bool:
        """Whether a span holds or touches anything that was decoded."""
        first, last = self._piece(max(0, start - 1)), self._piece(min(end, len(self.text) - 1))
        return any(decoded for _, _, decoded in self._pieces[first : last + 1])

    def _piece(self, at: int) -> int:
        return bisect_right(self._at, at) - 1


def views(text: str, *, depth: int = MAX_DEPTH) -> Iterator[View]:
    """The parts of a text that hold anything encoded, decoded.

    Example:
        >>> [view.text for view in views("mail ada%40example.com")]
        ['mail ada@example.com']
    """
    return _views(text, depth, None)


def _views(text: str, depth: int, outer: View | None) -> Iterator[View]:
    units = [unit for match in _sparse().finditer(text) for unit in _decoded(match)]
    for some in _together(units):
        view = _view(text, some, outer)
        yield view
        if depth > 1:
            yield from _views(view.text, depth - 1, view)


@cache
def _sparse() -> Sparse:
    from hauberk_pii._starts import Sparse  # noqa: PLC0415 - RE2 is loaded when it is needed

    return Sparse(_CODED)


def _together(units: Sequence[_Unit]) -> Iterator[Sequence[_Unit]]:
    """Units whose surroundings overlap."""
    far = [at + 1 for at, (a, b) in enumerate(pairwise(units)) if b.start - a.end > 2 * _AROUND]
    for first, last in pairwise([0, *far, len(units)]):
        if first < last:
            yield units[first:last]


def _view(text: str, units: Sequence[_Unit], outer: View | None) -> View:
    at, size = max(0, units[0].start - _AROUND), 0
    starts: list[int] = []
    pieces: list[tuple[int, int, bool]] = []
    parts: list[str] = []

    def add(part: str, start: int, end: int, *, decoded: bool) -> None:
        nonlocal size
        if part:
            starts.append(size)
            pieces.append((start, end, decoded))
            parts.append(part)
            size += len(part)

    for unit in units:
        add(text[at : unit.start], at, unit.start, decoded=False)
        add(unit.text, unit.start, unit.end, decoded=True)
        at = unit.end
    end = min(len(text), at + _AROUND)
    add(text[at:end], at, end, decoded=False)
    return View("".join(parts), tuple(starts), tuple(pieces), outer)


def _decoded(match: re.Match[str]) -> Iterable[_Unit]:
    raw, start, end = match[0], match.start(), match.end()
    match match.lastgroup:
        case "percent":
            return _stepwise(bytes.fromhex(raw.replace("%", "")), "utf-8", 1, range(start, end, 3))
        case "unicode":
            raw_bytes = bytes.fromhex(raw.replace("\\u", ""))
            return _stepwise(raw_bytes, "utf-16-be", 2, range(start, end, 6))
        case "base64":
            return list(_base64(raw, start)) or list(_pluses(raw, start))
        case kind:
            plain = _SIMPLE[kind or ""](raw)
            return [_Unit(plain, start, end)] if plain != raw else []


_SIMPLE: dict[str, Callable[[str], str]] = {
    "html": unescape,
    "short": lambda raw: {"n": "\n", "r": "\r", "t": "\t"}.get(raw[1], raw[1]),
    "query": lambda raw: f"\n{raw[1:-1]}:",  # the name of a field announces its value
    "plus": lambda _: " ",
}
"""What is decoded as a whole."""


def _stepwise(raw: bytes, codec: str, width: int, places: range) -> Iterator[_Unit]:
    """Units of bytes of which `width` stand at each place; none where they are no text."""
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return
    reader = codecs.getincrementaldecoder(codec)()
    since, text = places.start, ""
    for index, place in enumerate(places):
        text += reader.decode(raw[index * width : (index + 1) * width])
        # A character may go on at the next place: then both belong together.
        if text and not reader.getstate()[0]:
            end = min(place + places.step, places.stop)
            yield _Unit(text, since, end)
            since, text = end, ""


def _base64(run: str, start: int) -> Iterator[_Unit]:
    """Units of a run that may be base64, or of its parts between slashes."""
    raw = _from_base64(run)
    if raw is not None:
        yield from _stepwise(raw, "utf-8", 3, range(start, start + len(run), 4))
    elif "/" in run:
        for part in re.finditer(r"[^/]{12,}", run):
            raw = _from_base64(part[0])
            if raw is not None:
                left, right = start + part.start(), start + part.end()
                yield from _stepwise(raw, "utf-8", 3, range(left, right, 4))


def _pluses(run: str, start: int) -> Iterator[_Unit]:
    """Spaces of a form in a run that is no base64."""
    for match in _PLUS.finditer(run):
        yield _Unit(" ", start + match.start(), start + match.end())


def _from_base64(run: str) -> bytes | None:
    """The bytes of a run, if they are a text that people can read."""
    plain = run.rstrip("=").translate(_STANDARD)
    try:
        raw = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        text = raw.decode("utf-8")
    except ValueError:
        return None
    return raw if _CONTROL.search(text) is None else None


_STANDARD = str.maketrans("-_", "+/")
