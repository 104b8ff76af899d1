"""Words that say nothing about people.

Rules:
* `COMMON` are English words that stand capitalised in ordinary sentences, keys, months, days,
  roles, and names that are words as well. None of them, alone, is taken for a person.
* `PARTICLES` are the small words inside of names.
"""

from __future__ import annotations

from importlib.resources import files

COMMON = frozenset(
    files("hauberk_pii").joinpath("common_words.txt").read_text(encoding="utf-8").split()
)

PARTICLES = frozenset(
    [
        *("van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du"),
        *("la", "le", "el", "al", "bin", "ibn", "ben", "abu", "ter", "ten", "zu", "y"),
    ]
)
