"""The base of our recognizers for numbers: what they look like, what proves them, what announces them.

Most numbers of people have one check digit: of ten rows of digits one passes. So a number counts
where a word announces it, or where it is written in a way that nothing else is.

Rules:
* A word announces what stands at most `REACH` characters behind it, and what goes on from there in
  the same list. Words are whole words, in any case, as keys too: `tax_id`, `taxId`, `TAX ID:`.
* Words of all languages count in every text: an Italian writes his `codice fiscale` in an English
  mail too.
* A value that does not pass its check is not reported, whoever announces it.
* Time grows with the length of the text: each character is looked at a bounded number of times.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar, NamedTuple

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._gate import loosened
from hauberk_pii._results import result_of
from hauberk_pii._starts import Sparse
from hauberk_pii.recognizers._base import OneTypeRecognizer

REACH = 40
"""Characters between a word and the value that it announces: `"the number of my passport, if you need
it, is"` is about as far as people go."""

_SIZE = 80
"""Most characters of a value."""

ANNOUNCED = 0.95
"""Score of a value that passes its check and is announced."""

ALONE = 0.85
"""Score of a value whose form and check say enough."""

_BEFORE = r"(?<![^\W_])(?<![0-9][.,\-/])"
_AFTER = r"(?![^\W_])(?![.,\-/][0-9])"
_SIGNS = re.compile(r"[^0-9A-Za-z]")
_OF = r"(?:[ _\-]?(?:numbers?|num|no|nr|ids?|codes?|nummer|n[uú]mero|num[eé]ro|numero|#))?"


class AnnouncedRecognizer(OneTypeRecognizer):
    """Finds values of one type, by their form, their check and the words before them.

    A subclass names its type, form, words and check; it is a Presidio recognizer of its own.

    Example:
        >>> class Badge(AnnouncedRecognizer):
        ...     ENTITY, SHAPE, WORDS = "BADGE", r"[A-Z][0-9]{4}", ("badge", "staff card")
        >>> [(r.start, r.end) for r in Badge().analyze("staff card no. A1234, room B4321", ["BADGE"])]
        [(15, 20)]
    """

    SHAPE: ClassVar[str] = ""
    """Pattern of a value that is announced."""
    ALONE: ClassVar[str] = ""
    """Pattern of a value that needs no announcement; empty: each needs one."""
    WORDS: ClassVar[tuple[str, ...]] = ()
    """Words that announce it, in lower case. A space stands for a space, `_`, `-` or nothing."""
    FOLD: ClassVar[bool] = False
    """Whether the case of the letters in a value does not matter."""
    REACH: ClassVar[int] = REACH
    """Characters between a word and its value."""
    LIST: ClassVar[bool] = True
    """Whether a word announces several values, one after the other."""

    gates: tuple[str, ...]
    """RE2 patterns one of which matches wherever this finds something."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language)
        self._words, self._shape, self._alone, self.gates = _compiled(
            _Form(self.SHAPE, self.ALONE, self.WORDS, self.FOLD)
        )

    def valid(self, value: str) -> bool:
        """Whether a value can be one; it comes without signs and spaces."""
        return True

    def accepts(self, value: str) -> bool:
        """Whether a value as it is written can be one."""
        return self.valid(_SIGNS.sub("", value))

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Values in a text."""
        found: dict[tuple[int, int], float] = {}
        if self._alone is not None:
            for match in self._alone.finditer(text):
                if self.accepts(match[0]):
                    found[match.span()] = ALONE
        for span in self._announced(text):
            found[span] = ANNOUNCED
        return [
            result_of(self, self.ENTITY, start, end, score) for (start, end), score in found.items()
        ]

    def _announced(self, text: str) -> Iterator[tuple[int, int]]:
        """What words announce, and what goes on from there."""
        done = 0
        for word in self._words.finditer(text) if self._words else ():
            at = max(word.end(), done)
            last = at + self.REACH
            while match := self._shape.search(text, at, min(len(text), last + _SIZE)):
                if match.start() > last:
                    break
                at = match.start() + 1
                if self.accepts(match[0]):
                    yield match.span()
                    at = done = match.end()
                    last = at + self.REACH if self.LIST else -1


class _Form(NamedTuple):
    """What patterns are made from."""

    shape: str
    alone: str
    words: tuple[str, ...]
    fold: bool


@cache
def _compiled(
    form: _Form,
) -> tuple[Sparse | None, re.Pattern[str], Sparse | None, tuple[str, ...]]:
    """Words, shape, shape that stands alone, gates. The same for all instances of a class."""
    fold = re.IGNORECASE if form.fold else re.NOFLAG
    words = words_pattern(form.words) if form.words else None
    gates = [_words_gate(words)] if words else []
    if form.alone:
        gates.append(gate_of(form.alone, fold=form.fold))
    return (
        Sparse(re.compile(words, re.IGNORECASE)) if words else None,
        re.compile(bounded(form.shape), fold),
        Sparse(re.compile(bounded(form.alone), fold)) if form.alone else None,
        tuple(gates),
    )


def bounded(shape: str) -> str:
    """A pattern that matches where no letter or digit goes before or after, and no part of a number."""
    return rf"{_BEFORE}(?:{shape}){_AFTER}"


def words_pattern(words: tuple[str, ...]) -> str:
    r"""Pattern of whole words, as they are written in prose and in keys.

    Example:
        >>> bool(re.search(words_pattern(("tax id",)), '"taxId": 7', re.IGNORECASE))
        True
    """
    inner = "|".join(
        re.escape(word).replace(r"\ ", r"[\s_\-]?").replace(r"\.", r"\.?[\s_]?") for word in words
    )
    return rf"(?<![^\W_])(?:{inner}){_OF}(?![^\W_])"


def gate_of(pattern: str, *, fold: bool = True) -> str:
    """The pattern that the RE2 set asks.

    Raises:
        ValueError: RE2 cannot read it.
    """
    # What is counted up to a hundred needs as many states: "at least a few" is enough here.
    loose = loosened(_COUNT.sub(_few, pattern), fold=fold)
    if loose is None:
        raise ValueError("a pattern of ours that RE2 cannot read")
    return loose


def _words_gate(words: str) -> str:
    """The same with the boundaries that RE2 knows: "rc" is not worth a look at each "March"."""
    flags, _, inner = gate_of(words).partition(")")
    return rf"{flags})(?:\A|[^0-9A-Za-z]){inner}(?:[^0-9A-Za-z]|\z)"


_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_FEW, _MANY = 24, 8


def _few(match: re.Match[str]) -> str:
    least, most = int(match[1]), int(match[2] or match[1])
    return match[0] if most <= _MANY else f"{{{min(least, _FEW)},}}"
