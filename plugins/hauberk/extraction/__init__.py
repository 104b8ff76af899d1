"""Model extraction: who asks so much, or so systematically, that the model itself is the target."""

from hauberk.extraction._plugin import ExtractionPlugin, build_plugin
from hauberk.extraction._policy import ExtractionPolicy, Reaction, Volume, Watch
from hauberk.extraction._query import Query
from hauberk.extraction._rules import Breach
from hauberk.extraction._sqlite import SqliteCallers
from hauberk.extraction._store import CallerStore, MemoryCallers

__all__ = [
    "Breach",
    "CallerStore",
    "ExtractionPlugin",
    "ExtractionPolicy",
    "MemoryCallers",
    "Query",
    "Reaction",
    "SqliteCallers",
    "Volume",
    "Watch",
    "build_plugin",
]
