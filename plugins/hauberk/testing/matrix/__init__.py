"""What the matrices of the integrations share: cells and their page, people, brains, guards, judging.

Each integration builds its applications, runs every door x surface x mode x attack, and shows what holds:
`hauberk_langchain.matrix`, `hauberk_llama_index.matrix`.
"""

from hauberk.testing.matrix._cells import Cell, Matrix, Reason, page
from hauberk.testing.matrix._command import command
from hauberk.testing.matrix._judge import (
    LEFT_BEHIND,
    RECORDED,
    SWALLOWED,
    given_back,
    hidden,
    left_behind,
    nobody_in,
)
from hauberk.testing.matrix._stand import (
    SEVERAL,
    CommonParts,
    Outcome,
    Scene,
    Stand,
    doors_of,
    in_threads,
    run_matrix,
)
from hauberk.testing.matrix._world import (
    ADA,
    ASKED,
    ATTEMPTS,
    BUDGETS,
    FRESH,
    ORDER,
    ORDERED,
    PEOPLE,
    PSEUDONYM,
    Meter,
    Mimic,
    Swallowed,
    Tape,
    Trace,
    Turned,
    Watch,
    watch,
)

__all__ = [
    "ADA",
    "ASKED",
    "ATTEMPTS",
    "BUDGETS",
    "FRESH",
    "LEFT_BEHIND",
    "ORDER",
    "ORDERED",
    "PEOPLE",
    "PSEUDONYM",
    "RECORDED",
    "SEVERAL",
    "SWALLOWED",
    "Cell",
    "CommonParts",
    "Matrix",
    "Meter",
    "Mimic",
    "Outcome",
    "Reason",
    "Scene",
    "Stand",
    "Swallowed",
    "Tape",
    "Trace",
    "Turned",
    "Watch",
    "command",
    "doors_of",
    "given_back",
    "hidden",
    "in_threads",
    "left_behind",
    "nobody_in",
    "page",
    "run_matrix",
    "watch",
]
