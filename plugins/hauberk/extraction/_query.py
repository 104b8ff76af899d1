"""A query as it is remembered: numbers that say how alike two texts are, and not what they say.

Rules:
* Letters count, not case, punctuation or compatibility forms.
* Making one costs the same for every text above a bound: the beginning and the end are read.
* No text is kept. (Who holds a sketch can test whether a text that he guesses was asked.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from zlib import crc32

import numpy as np
import numpy.typing as npt

SKETCH = 64
"""Hashes in a sketch: the estimate of likeness is off by 0.06 at most (one standard deviation)."""

MAX_CHARS = 4000
"""Characters of a longer query that are read: half from its beginning, half from its end."""

FRAME = 5
"""Words at the beginning, or at the end, that make two queries of one frame."""

MIN_WORDS = 3
"""Shorter queries are like none: people say `yes`, `thanks` and `go on` many times."""

Sketch = npt.NDArray[np.uint8]

# Scripts without blanks between words: each character is one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")

_SCORES = re.compile(
    r"\b(?:log[- ]?prob(?:abilitie)?s?|logits?|softmax"
    r"|(?:class|label|token|output|posterior) (?:probabilit(?:y|ies)|scores?|distribution)"
    r"|(?:probabilit(?:y|ies)|confidences?|(?:confidence )?scores?)"
    r" (?:for|of|over|per|to) (?:each|all|every|the top|any) "
    r"(?:\d+ )?(?:possible )?(?:class|label|categor|token|candidate|option|word)\w*"
    r"|top[- ]?k(?: tokens?| probabilities| predictions)|top[- ]\d+ (?:tokens|predictions|labels))\b"
)

# Fixed: processes that share a store must agree.
_SEEDS = (
    np.random.Generator(np.random.PCG64(0x4A17))
    .integers(1 << 63, size=(SKETCH, 1))
    .astype(np.uint64)
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Query:
    """What is remembered of one query.

    `sketch` are minwise hashes (Broder 1997) of its words and pairs of words, eight bits of each (Li
    and König, "b-Bit Minwise Hashing", 2010): the share of equal bytes of two sketches estimates
    the share of words and pairs that two queries have in common.

    Example:
        >>> one, two = Query.of("Is Oslo a city in Norway?"), Query.of("Is Rome a city in Norway?")
        >>> one.digest == two.digest, one.ending == two.ending
        (False, True)
    """

    digest: int = field(repr=False)
    """Of the whole query, 64 bits."""
    opening: int = field(repr=False)
    """Of its first words; 0 when there are no more than these, or they are nobody's own."""
    ending: int = field(repr=False)
    """Of its last words; 0 likewise."""
    words: int
    """How many it has, as far as it was read."""
    asks_scores: bool
    """It asks for probabilities or the like."""
    sketch: Sketch = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Query:
        """The query that a text is."""
        half = MAX_CHARS // 2
        read = text if len(text) <= MAX_CHARS else f"{text[:half]} {text[-half:]}"
        folded = unicodedata.normalize("NFKC", read).casefold()
        words = _WORD.findall(folded)
        framed = len(words) > FRAME
        whole = " ".join(words) + f"\n{len(text) if len(text) > MAX_CHARS else ''}"
        return cls(
            digest=int.from_bytes(blake2b(_bytes(whole), digest_size=8).digest()),
            opening=_hash(words[:FRAME]) if framed else 0,
            ending=_hash(words[-FRAME:]) if framed else 0,
            words=len(words),
            asks_scores=_SCORES.search(folded) is not None,
            sketch=_sketch(words),
        )


def _sketch(words: Sequence[str]) -> Sketch:
    parts = {crc32(_bytes(word)) for word in words}
    parts |= {crc32(_bytes(f"{one} {two}")) for one, two in pairwise(words)}
    if not parts:
        return np.zeros(SKETCH, np.uint8)
    hashes = np.fromiter(parts, np.uint64, len(parts))
    least: npt.NDArray[np.uint64] = _mixed(hashes ^ _SEEDS).min(axis=1)
    return (least & np.uint64(0xFF)).astype(np.uint8)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): one order of the values per seed."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hash(words: Sequence[str]) -> int:
    return crc32(_bytes(" ".join(words))) or 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
