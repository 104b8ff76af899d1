"""Words of the same meaning, in many languages, as one concept.

`ignore`, `vergiss`, `oubliez` and `忽略` are all *drop*; what is learnt of *drop* + *prior* +
*instruction* from English attacks then holds for all of them, and for words that no attack of the
training data used. On sources that were held out, n-grams of concepts found twice as many attacks
as n-grams of words.

Rules:
* `concepts.yaml` says which words are one concept; an entry of several words (joined by `_`) and one
  of up to three characters in scripts that part no words are found too.
* It is read when the classifier is trained; the weights carry it as numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hauberk.injection._fold import clean, fold
from hauberk.injection._view import View
from hauberk.injection.classifier._words import Hashes, words_of

MAX_PHRASE = 3
"""Most words of an entry."""

_HEAD = np.uint64(48)
_STEP = np.uint64(0xA24BAED4963EE407)

Concepts = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Which numbers of words mean which concept."""

    keys: Hashes
    """Numbers of words and phrases, in order."""
    concepts: Concepts
    """The concept of each, from 1."""
    _heads: npt.NDArray[np.bool_] = field(init=False, repr=False)
    """For the first bits of a number: whether a key begins so. Few words need more of a look."""

    def __post_init__(self) -> None:
        """Note how the keys begin."""
        heads = np.zeros(1 << (64 - int(_HEAD)), np.bool_)
        heads[self.keys >> _HEAD] = True
        object.__setattr__(self, "_heads", heads)

    def of(self, hashes: Hashes) -> Concepts:
        """The concept that starts at each word; 0 where there is none. The longest entry wins."""
        count = len(hashes)
        phrases = [hashes]
        for more in range(1, min(MAX_PHRASE, count)):
            phrases.append(phrases[-1][:-1] * _STEP + hashes[more:])
        looked = self._look_up(np.concatenate(phrases))
        found, done = looked[:count], count
        for phrase in phrases[1:]:
            longer = looked[done : done + len(phrase)]
            np.copyto(found[: len(longer)], longer, where=longer > 0)
            done += len(phrase)
        return found

    def _look_up(self, hashes: Hashes) -> Concepts:
        found = np.zeros(len(hashes), np.uint8)
        places = self._heads[hashes >> _HEAD].nonzero()[0]
        likely = hashes[places]
        keys = np.minimum(np.searchsorted(self.keys, likely), len(self.keys) - 1)
        found[places] = np.where(self.keys[keys] == likely, self.concepts[keys], np.uint8(0))
        return found


def compiled(concepts: Mapping[str, Iterable[str]]) -> Lexicon:
    """A lexicon of the words of each concept. A word of two concepts belongs to the first."""
    entries: dict[int, int] = {}
    for number, words in enumerate(concepts.values(), start=1):
        for word in words:
            hashes = words_of(fold(clean(View.of(word.replace("_", " ")))).text).hashes
            if 1 <= len(hashes) <= MAX_PHRASE:
                key = hashes[:1]
                for place in range(1, len(hashes)):
                    key = key * _STEP + hashes[place : place + 1]
                entries.setdefault(int(key[0]), number)
    keys = sorted(entries)
    return Lexicon(np.array(keys, np.uint64), np.array([entries[key] for key in keys], np.uint8))
