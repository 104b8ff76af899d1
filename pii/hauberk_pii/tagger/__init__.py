"""Names of people and places, found without a download: a small tagger, and its weights.

    >>> from hauberk_pii.tagger import load
    >>> [(name.label, name.start, name.end) for name in load().names("Ada Byron moved to Paris.")]
    [('PER', 0, 9), ('LOC', 19, 24)]

For Presidio: `NameRecognizer` for a registry, `TaggerNlpEngine` in place of a spaCy model.
"""

from __future__ import annotations

from hauberk_pii.tagger._file import TaggerFileError, load, parsed
from hauberk_pii.tagger._model import Name, Tagger
from hauberk_pii.tagger._presidio import NameRecognizer, TaggerNlpEngine

__all__ = [
    "Name",
    "NameRecognizer",
    "Tagger",
    "TaggerFileError",
    "TaggerNlpEngine",
    "load",
    "parsed",
]
