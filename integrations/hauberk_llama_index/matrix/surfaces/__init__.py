"""What an application can be made of: one builder per surface, and how each is called."""

from hauberk_llama_index.matrix.surfaces._agents import AGENTS, start
from hauberk_llama_index.matrix.surfaces._engines import ENGINES, Engines
from hauberk_llama_index.matrix.surfaces._ingest import INGESTS
from hauberk_llama_index.matrix.surfaces._models import MODELS, Caller
from hauberk_llama_index.matrix.surfaces._parts import (
    APPROVAL,
    MISFIT,
    PARTIAL,
    POISONED,
    Parts,
    Surface,
)
from hauberk_llama_index.matrix.surfaces._tools import TOOLS_ALONE

SURFACES = (*MODELS, *TOOLS_ALONE, *ENGINES, *AGENTS, *INGESTS)

__all__ = [
    "APPROVAL",
    "MISFIT",
    "PARTIAL",
    "POISONED",
    "SURFACES",
    "Caller",
    "Engines",
    "Parts",
    "Surface",
    "start",
]
