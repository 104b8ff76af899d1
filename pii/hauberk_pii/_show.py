"""A text with its personal data marked, for people who look at it.

Rules:
* What is shown is what would be masked with the default settings of a finder.
* Every character of the text is escaped: a text cannot bring its own markup.
* The repr holds no text. `str()` and the notebook's view do: that is what they are for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from hauberk_pii._finder import Finder, finder_for
from hauberk_pii._spans import Span


@dataclass(frozen=True, slots=True)
class Shown:
    """A text and what was found in it. Notebooks show it with marked spans."""

    text: str = field(repr=False)
    spans: tuple[Span, ...]

    def __str__(self) -> str:
        """The text, with each span as `[TYPE: words]`."""
        return "".join(f"[{s.type}: {words}]" if s else words for s, words in self._pieces())

    def _repr_html_(self) -> str:
        marked = "".join(
            f'<mark title="{escape(s.type)} {s.score:.2f}">{escape(words)} '
            f"<sub>{escape(s.type)}</sub></mark>"
            if s
            else escape(words)
            for s, words in self._pieces()
        )
        return f'<div style="white-space: pre-wrap">{marked}</div>'

    def _pieces(self) -> list[tuple[Span | None, str]]:
        pieces: list[tuple[Span | None, str]] = []
        at = 0
        for span in self.spans:
            pieces += [(None, self.text[at : span.start]), (span, self.text[span.start : span.end])]
            at = span.end
        return [*pieces, (None, self.text[at:])]


def show(text: str, *, finder: Finder | None = None) -> Shown:
    """What would be masked in a text, for reading.

    Args:
        text: Any text.
        finder: What to find with; the default set of types when not given.

    Example:
        >>> print(show("write to ada@example.com"))
        write to [EMAIL_ADDRESS: ada@example.com]
    """
    return Shown(text, (finder or finder_for()).find(text))
