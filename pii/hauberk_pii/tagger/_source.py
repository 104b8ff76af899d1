"""What the tagger reports, with Presidio's names of types.

Rules:
* A name is reported from `LEAST` on. Chosen by measured precision: see the report beside the weights.
* A title is no part of a name: "Dr" alone is nobody. An initial ties two words into one name.
* A text is read in blocks, so that memory does not grow with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from hauberk_pii.tagger._initials import grown, joined
from hauberk_pii.tagger._model import Tagger

ENTITIES = {"PER": "PERSON", "LOC": "LOCATION"}
LEAST = 0.6
"""Least probability of a name: between most hits (0.5) and fewest false alarms (0.7)."""
_MOST = 0.95
"""Greatest score: a pattern with a check sum is surer than any name."""
_BLOCK = 20_000
"""Characters that are read at once."""
_NEAR = 200
"""Characters before and behind these that are read with them: some words."""


class Found(NamedTuple):
    """A name in a text."""

    start: int
    end: int
    entity: str
    score: float


def found_in(text: str, tagger: Tagger, *, least: float = LEAST) -> Iterator[Found]:
    """Names of people and places in a text, in order, apart."""
    held: Found | None = None
    for one in _read(text, tagger, least):
        found = _with_initial(text, one, tagger)
        if held is not None and _are_one(text, held, found):
            score = max(held.score, found.score)
            held = Found(held.start, max(held.end, found.end), found.entity, score)
            continue
        if held is not None:
            yield held
            found = found._replace(start=max(found.start, held.end))
        held = found if found.start < found.end else None
    if held is not None:
        yield held


def _are_one(text: str, first: Found, second: Found) -> bool:
    if not first.entity == second.entity == "PERSON":
        return False
    return second.start < first.end or joined(text, first.end, second.start)


def _with_initial(text: str, found: Found, tagger: Tagger) -> Found:
    if found.entity != "PERSON":
        return found
    start, end = grown(
        text, found.start, found.end, lambda word: tagger.commonness(word) is not None
    )
    return found._replace(start=start, end=end)


def _read(text: str, tagger: Tagger, least: float) -> Iterator[Found]:
    for start, end in _blocks(text):
        # A word is judged by its neighbours too: those beyond the block are read with it.
        at = max(0, start - _NEAR)
        block = text[at : end + _NEAR] if end - start < len(text) else text
        for name, stop, label, score in tagger.names(block):
            first = _after_titles(block, name, stop) if label == "PER" else name
            if score >= least and label in ENTITIES and first < stop and start <= at + name < end:
                yield Found(at + first, at + stop, ENTITIES[label], min(score, _MOST))


_TITLES = (
    r"(?:mr|mrs|ms|miss|mx|dr|prof|sir|madam|herrn?|frau|mme|mlle|monsieur|madame|sra?|srta|sig|"
    r"signora?|dott|dhr|mevr|mevrouw|meneer)"
)
_TITLE = re.compile(rf"{_TITLES}(?!\w)\.?[ \t]*", re.IGNORECASE)


def _after_titles(text: str, start: int, end: int) -> int:
    """Where a name starts behind its titles."""
    while (match := _TITLE.match(text, start, end)) is not None:
        start = match.end()
    return start


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of a text that end with a line where one ends, or else with a word."""
    at = 0
    while len(text) - at > _BLOCK:
        end = at + _BLOCK
        for sign in ("\n", " "):
            cut = text.rfind(sign, at + _BLOCK // 2, end)
            if cut > 0:
                end = cut
                break
        yield at, end
        at = end
    yield at, len(text)
