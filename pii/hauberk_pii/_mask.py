"""Masking: spans of a text become what stands for them.

Rules:
* `restored(masked(text)) == text`, for all texts, where everything hidden can be read back: what only
  looks like a pseudonym or a surrogate is masked too.
* A JSON document in the text stays one (`_json_places`).
* A span that touches such a likeness grows over it: neither is shown in part.
* What was written is read once more: what reads as something else than what was written there is
  written as a plain pseudonym.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from hauberk_pii._forms import TOKEN, Form, fitting, spelt
from hauberk_pii._json_places import (
    NO_DOCUMENTS,
    Documents,
    aligned,
    documents_of,
    fitted,
    written_as,
)
from hauberk_pii._pseudonyms import LITERAL
from hauberk_pii._spans import Span
from hauberk_pii.operators import Script, Written
from hauberk_pii.vault import Value

Write = Callable[[Sequence[Value]], Sequence[Written]]
"""What stands for some values, in the same order."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with values hidden in it."""

    text: str = field(repr=False)
    spans: tuple[Span, ...]
    """What was replaced, with offsets into the original."""


def masked(text: str, spans: Iterable[Span], script: Script, write: Write) -> Masked:
    """A text with its spans hidden.

    Args:
        text: Any text.
        spans: What to hide; they must not overlap.
        script: How pseudonyms and surrogates are read. It must know the types of the spans.
        write: What stands for the values.

    Raises:
        StoreError: The vault is full or cannot be reached.
        BlockedTypeError: The policy lets no text through that holds a value of this type.
    """
    found = list(spans)
    alike = [Span(m.start, m.end, LITERAL, 0.0) for m in script.likenesses(text)]
    documents = documents_of(text) if found or alike else NO_DOCUMENTS
    fill = partial(_filled, text, documents, write)
    likenesses = (aligned(text, span, documents) for span in alike)
    hidden = _grown([*fitted(text, found, documents), *likenesses])
    draft = _Draft(text, hidden, fill(hidden))
    while script.version and not draft.reads_as_written(script):
        # Each turn turns a surrogate into a pseudonym or hides a likeness: it comes to an end.
        draft = draft.mended(script, fill)
    return Masked(draft.text, tuple(draft.hidden))


def values_of(text: str, spans: Iterable[Span]) -> list[Value]:
    """The values that `masked` remembers for spans that do not overlap."""
    found = list(spans)
    documents = documents_of(text) if found else NO_DOCUMENTS
    hidden = fitted(text, found, documents)
    return [Value(span.type, written_as(text, span, documents)[1]) for span in hidden]


Fill = Callable[[Sequence[Span]], list[Written]]
"""What stands for some spans, in the form of their places."""


def _filled(text: str, documents: Documents, write: Write, hidden: Sequence[Span]) -> list[Written]:
    formed = [written_as(text, span, documents) for span in hidden]
    values = [Value(span.type, text_) for span, (_, text_) in zip(hidden, formed, strict=True)]
    return [_in_form(one, form) for one, (form, _) in zip(write(values), formed, strict=True)]


def _in_form(one: Written, form: Form) -> Written:
    if form is Form.PLAIN:
        return one
    if one.name is None:
        return Written(fitting(one.text, form), None)
    if form is Form.TOKEN and one.text != one.name and TOKEN.fullmatch(one.text):
        return one  # a surrogate that is a number too
    return Written(spelt(one.name, form), one.name)


class _Draft:
    """A masked text, with where each thing was written."""

    def __init__(self, original: str, hidden: list[Span], written: Sequence[Written]) -> None:
        self.original = original
        self.hidden = hidden
        self.written = list(written)
        pieces: list[str] = []
        self._places: list[tuple[int, int]] = []
        at = size = 0
        for span, one in zip(hidden, written, strict=True):
            between = original[at : span.start]
            start = size + len(between)
            self._places.append((start, start + len(one.text)))
            pieces += (between, one.text)
            size, at = start + len(one.text), span.end
        pieces.append(original[at:])
        self.text = "".join(pieces)

    def reads_as_written(self, script: Script) -> bool:
        """Whether what can be read back is exactly what was written to be."""
        return self._meant() == self._read(script)

    def mended(self, script: Script, fill: Fill) -> _Draft:
        """The next draft: what was misread is written plainly, what was not written is hidden."""
        meant, read = self._meant(), self._read(script)
        for index, (place, one) in enumerate(zip(self._places, self.written, strict=True)):
            if one.name and _is_surrogate(one) and (place, one.name) not in read:
                self.written[index] = Written(one.name, one.name)
                return _Draft(self.original, self.hidden, self.written)
        start, end = min(place for place, _ in read - meant)
        stray = [Span(*self._back(start, end), LITERAL, 0.0)]
        hidden = _grown([*self.hidden, *stray])
        plain = {one.name for one in self.written if one.text == one.name}
        done = [
            Written(one.name, one.name)
            if one.name and one.name in plain and _is_surrogate(one)
            else one
            for one in fill(hidden)
        ]
        return _Draft(self.original, hidden, done)

    def _meant(self) -> set[tuple[tuple[int, int], str]]:
        return {
            (place, one.name)
            for place, one in zip(self._places, self.written, strict=True)
            if one.name is not None
        }

    def _read(self, script: Script) -> set[tuple[tuple[int, int], str]]:
        return {((m.start, m.end), m.name) for m in script.mentions(self.text)}

    def _back(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original a stretch of the draft comes from."""
        shift, first, last = 0, None, None
        for (begin, stop), span in zip(self._places, self.hidden, strict=True):
            if begin < end and start < stop:
                first = span.start if first is None else first
                last = span.end
            if stop <= start:
                shift = span.end - stop
        if first is None or last is None:
            return start + shift, end + shift
        return min(first, start + shift), max(last, first + (end - start))


def _is_surrogate(one: Written) -> bool:
    return one.name is not None and all(one.text != spelt(one.name, form) for form in Form)


def _grown(spans: Iterable[Span]) -> list[Span]:
    """Spans in the order of the text; those that overlap become one."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and apart[-1].overlaps(span):
            last = apart.pop()
            best = max(last, span, key=lambda s: s.score)
            span = Span(last.start, max(last.end, span.end), best.type, best.score)  # noqa: PLW2901 - grown
        apart.append(span)
    return apart
