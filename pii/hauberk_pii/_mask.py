"""Masking: spans of a text become pseudonyms.

Rules:
* `restored(masked(text)) == text`, for all texts: what only looks like a pseudonym is masked too.
* A span that touches such a likeness grows over it: neither is shown in part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hauberk_pii._pseudonyms import LITERAL, Grammar
from hauberk_pii._spans import Span
from hauberk_pii.vault import Value, Vault


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with pseudonyms in it."""

    text: str = field(repr=False)
    spans: tuple[Span, ...]
    """What was replaced, with offsets into the original."""


def masked(text: str, spans: Iterable[Span], grammar: Grammar, vault: Vault) -> Masked:
    """A text with pseudonyms instead of its spans.

    Args:
        text: Any text.
        spans: What to hide; they must not overlap.
        grammar: How pseudonyms are written. It must know the types of the spans.
        vault: Who remembers the values.

    Raises:
        StoreError: The vault is full or cannot be reached.
    """
    hidden = _with_likenesses(text, spans, grammar)
    names = vault.issue([Value(span.type, text[span.start : span.end]) for span in hidden])
    pieces: list[str] = []
    at = 0
    for span, name in zip(hidden, names, strict=True):
        pieces += (text[at : span.start], name)
        at = span.end
    pieces.append(text[at:])
    return Masked("".join(pieces), tuple(hidden))


def _with_likenesses(text: str, spans: Iterable[Span], grammar: Grammar) -> list[Span]:
    likenesses = [Span(m.start, m.end, LITERAL, 0.0) for m in grammar.likenesses(text)]
    if not likenesses:
        return list(spans)
    apart: list[Span] = []
    for span in sorted([*spans, *likenesses]):
        if apart and apart[-1].overlaps(span):
            last = apart.pop()
            best = max(last, span, key=lambda s: s.score)
            span = Span(last.start, max(last.end, span.end), best.type, best.score)  # noqa: PLW2901 - grown
        apart.append(span)
    return apart
