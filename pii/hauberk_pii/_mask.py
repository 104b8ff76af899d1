"""Masking: spans of a text become what stands for them.

Rules:
* `restored(masked(text)) == text`, for all texts, where everything hidden can be read back: what only
  looks like a pseudonym or a surrogate is masked too.
* A span that touches such a likeness grows over it: neither is shown in part.
* What was written is read once more: what reads as something else than what was written there is
  written as a plain pseudonym.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

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
    hidden = _with_likenesses(text, spans, script)
    done = write([Value(span.type, text[span.start : span.end]) for span in hidden])
    draft = _Draft(text, hidden, done)
    while script.version and not draft.reads_as_written(script):
        # Each turn turns a surrogate into a pseudonym or hides a likeness: it comes to an end.
        draft = draft.mended(script, write)
    return Masked(draft.text, tuple(draft.hidden))


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

    def mended(self, script: Script, write: Write) -> _Draft:
        """The next draft: what was misread is written plainly, what was not written is hidden."""
        meant, read = self._meant(), self._read(script)
        for index, (place, one) in enumerate(zip(self._places, self.written, strict=True)):
            if one.name is not None and one.text != one.name and (place, one.name) not in read:
                self.written[index] = Written(one.name, one.name)
                return _Draft(self.original, self.hidden, self.written)
        start, end = min(place for place, _ in read - meant)
        stray = [Span(*self._back(start, end), LITERAL, 0.0)]
        hidden = _grown([*self.hidden, *stray])
        values = [Value(span.type, self.original[span.start : span.end]) for span in hidden]
        plain = {one.name for one in self.written if one.text == one.name}
        done = [
            Written(one.name, one.name) if one.name in plain and one.name else one
            for one in write(values)
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


def _with_likenesses(text: str, spans: Iterable[Span], script: Script) -> list[Span]:
    likenesses = [Span(m.start, m.end, LITERAL, 0.0) for m in script.likenesses(text)]
    return _grown([*spans, *likenesses]) if likenesses else list(spans)


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
