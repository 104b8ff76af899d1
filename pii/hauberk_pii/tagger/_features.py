"""Which words may be names, and what is known about each of them where it stands.

Rules:
* A word that begins in upper case may be a name; one in lower case only when a list of names holds
  it and it is no common word, or when no list holds it. Nothing else is looked at.
* Neighbouring candidates are one run: labels are chosen for the whole run. Everything outside of
  the runs is no name.
* Only Latin letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hauberk_pii.tagger._tokens import Token, tokens_of
from hauberk_pii.tagger._words import (
    ANY_NAME,
    COMMON_SHIFT,
    FOREIGN,
    FUNCTION,
    PARTICLES,
    Entries,
    class_of,
    entry_of,
    is_latin,
    key_of,
)

_MOST_COMMON = 3


@dataclass(slots=True, eq=False)
class Word:
    """One word as the tagger sees it, wherever it stands. Made once, and told apart by identity."""

    key: str
    kind: str
    """Its class."""
    candidate: bool
    """Whether it may be (part of) a name."""
    particle: bool = False
    """Whether it may be part of one before another candidate."""
    alone: bool = True
    """Whether it may be a name by itself: "the" and "of" may only be part of one."""
    sums: tuple[int, int, int, int, int] | None = None
    """Weights of what it says two words before itself, one before, itself, one after, two after."""


EDGE = "edge"
"""Kind of what stands before the first word and after the last."""


def word_of(text: str, kind: str, table: Entries) -> Word:
    """What a token is like."""
    if kind != "word":
        return _other(text, kind)
    key = key_of(text)
    entry = entry_of(key, table)
    return Word(
        key=key,
        kind=class_of(text, entry),
        candidate=is_latin(text) and _may_be_name(text, key, entry),
        particle=key in PARTICLES,
        alone=key not in FUNCTION or not text.islower(),
    )


def _other(text: str, kind: str) -> Word:
    if kind == EDGE:
        return Word("|", "|", candidate=False)
    if kind == "sign":
        return Word(text, text, candidate=False)
    if kind == "number":
        shape = "".join("0" if c.isdigit() else c for c in text[:8])
        return Word(shape, "0", candidate=False)
    if kind == "odd":
        sort = "@" if "@" in text[1:] else text[0] if text[0] in "@h" else "_"
        return Word(f"<{sort}>", f"<{sort}>", candidate=False)
    return Word(f"<{kind}>", f"<{kind}>", candidate=False)


def _may_be_name(text: str, key: str, entry: int | None) -> bool:
    if text[0].isupper():
        return key != "i" and not key.startswith("i'")
    if entry is None:
        return len(key) > 2 and "'" not in key  # noqa: PLR2004 - shorter ones are typing errors
    common = entry >> COMMON_SHIFT
    return bool(entry & ANY_NAME) and common < _MOST_COMMON and not entry & FOREIGN


def runs_of(words: list[Word]) -> Iterator[tuple[int, int]]:
    """Runs of neighbouring candidates, as indices (first, past the last)."""
    end = 0
    for at in [at for at, word in enumerate(words) if word.candidate]:
        if at < end:
            continue  # in the run before
        start = at
        while start > end and words[start - 1].particle:
            start -= 1
        end = at + 1
        while end < len(words) and (words[end].candidate or _leads_on(words, end)):
            end += 1
        yield start, end


def _leads_on(words: list[Word], at: int) -> bool:
    """Whether particles from here on lead to a candidate."""
    while at < len(words) and words[at].particle:
        at += 1
        if at < len(words) and words[at].candidate:
            return True
    return False


def mode_of(words: list[Word]) -> str:
    """How a line is written: l: no capitals, u: nothing but capitals, t: a headline, m: mixed."""
    capital = lower = 0
    for word in words:
        case = word.kind[0]
        if case in "TUM":
            capital += 1
        elif case in "am" and len(word.kind) > 1:
            lower += 1
    if not capital:
        return "l"
    if not lower:
        return "u" if all(w.kind[0] != "T" for w in words) else "t"
    return "t" if capital > _HEADLINE * lower else "m"


_HEADLINE = 3


def joint_features(words: list[Word], at: int, mode: str) -> list[str]:
    """Features of the place where a word stands: with its neighbours. `words` has edges."""
    return [*kind_features(kinds_at(words, at, mode)), *key_features(words, at)]


Kinds = tuple[str, str, str, str, str, str]
"""Classes of a word and its neighbours, from two before it to two after, and the mode of the line."""


def kinds_at(words: list[Word], at: int, mode: str) -> Kinds:
    """The classes around a word."""
    far, left, word, right, next_ = words[at - 2 : at + 3]
    return far.kind, left.kind, word.kind, right.kind, next_.kind, mode


def kind_features(kinds: Kinds) -> tuple[str, ...]:
    """Features of a place that follow from the classes of the words."""
    far, left, kind, right, next_, mode = kinds
    return (
        f"m{mode}{kind}",
        f"a{left} {kind}",
        f"b{kind} {right}",
        f"d{left} {kind} {right}",
        f"h{far} {left} {kind}",
        f"i{kind} {right} {next_}",
    )


def key_features(words: list[Word], at: int) -> tuple[str, ...]:
    """Features of a place that follow from the words themselves."""
    far, left, word, right = words[at - 2 : at + 2]
    before, key, kind, after = left.key, word.key, word.kind, right.key
    return (
        f"e{before} {kind}",
        f"f{kind} {after}",
        f"g{far.key} {before} {kind[:1]}",
        f"j{before} {key}",
        f"k{key} {after}",
        f"n{before} {kind[:1]} {after}",
    )


class Reading(NamedTuple):
    """A text as the tagger reads it."""

    tokens: list[Token]
    words: list[Word]
    """One for each token, between two edges on either side."""
    runs: list[tuple[int, int, str]]
    """Runs of candidates: first token, past the last, mode of the line."""


class Words(dict[tuple[str, str], Word]):
    """What tokens are like, by their text and kind: remembered, and made when it is not.

    Args:
        table: What the lists say of words.
    """

    def __init__(self, table: Entries) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, token: tuple[str, str]) -> Word:
        """What a new token is like."""
        made = self[token] = word_of(*token, self._table)
        return made


def read(text: str, known: Words) -> Reading:
    """Read a text.

    Args:
        text: Any text.
        known: What tokens are like.
    """
    tokens = tokens_of(text)
    inner = [known[word, kind] for word, _, kind in tokens]
    # Asked for like any other: what a word remembers belongs to the tagger that reads.
    edge = known["", EDGE]
    return Reading(tokens, [edge, edge, *inner, edge, edge], list(_runs_by_line(inner)))


def _runs_by_line(words: list[Word]) -> Iterator[tuple[int, int, str]]:
    start = 0
    ends = [at for at, word in enumerate(words) if word.kind == "<line>"]
    for end in (*ends, len(words)):
        line = words[start:end]
        mode = ""
        for first, last in runs_of(line):
            mode = mode or mode_of(line)
            yield start + first, start + last, mode
        start = end + 1
