"""Values of structured data: found with the name of their column or key as context."""

from __future__ import annotations

from hauberk_pii._finder import Finder
from hauberk_pii._spans import Span

MAX_NAME = 60
"""Characters of a name that count as context."""


def find_value(finder: Finder, text: str, name: str = "") -> list[Span]:
    """What is personal in a value.

    Args:
        finder: What to find with.
        text: The value.
        name: Of its column or key: `phone`, `Patient`.

    Raises:
        TooCostlyError: It costs too much to analyse.

    Example:
        >>> from hauberk_pii import finder_for
        >>> [span.type for span in find_value(finder_for(), "Ada Byron", "patient")]
        ['PERSON']
    """
    if not name:
        return list(finder.find(text))
    before = f"{name[:MAX_NAME].replace('_', ' ')}: "
    shift = len(before)
    return [
        Span(max(span.start - shift, 0), span.end - shift, span.type, span.score)
        for span in finder.find(before + text)
        if span.end > shift
    ]


def redacted(text: str, spans: list[Span]) -> str:
    """A text with `<TYPE>` in place of each span."""
    for span in sorted(spans, reverse=True):
        text = f"{text[: span.start]}<{span.type}>{text[span.end :]}"
    return text
