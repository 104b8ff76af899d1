"""Provenance: where each value of a session came from."""

from hauberk.capabilities.provenance._fields import fields_of, map_fields, path_of, written
from hauberk.capabilities.provenance._index import Hit, Needle, TextIndex
from hauberk.capabilities.provenance._ledger import Call, Ledger, Read
from hauberk.capabilities.provenance._origin import COMBINATION, MODEL, NOTHING, Origin, Source
from hauberk.capabilities.provenance._text import normal, things

__all__ = [
    "COMBINATION",
    "MODEL",
    "NOTHING",
    "Call",
    "Hit",
    "Ledger",
    "Needle",
    "Origin",
    "Read",
    "Source",
    "TextIndex",
    "fields_of",
    "map_fields",
    "normal",
    "path_of",
    "things",
    "written",
]
