"""The matrix: every door x surface x mode x attack, run on the packages that are installed here.

`python -m hauberk_llama_index.matrix` prints what holds and what does not, and why.
"""

from hauberk.testing.matrix import Cell, Matrix
from hauberk_llama_index.matrix._matrix import DOORS, run

__all__ = ["DOORS", "Cell", "Matrix", "run"]
