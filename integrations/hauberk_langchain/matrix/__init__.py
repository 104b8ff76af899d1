"""The matrix: every door x surface x mode x attack, run on the packages that are installed here.

`python -m hauberk_langchain.matrix` prints what holds and what does not, and why.
"""

from hauberk_langchain.matrix._matrix import DOORS, Cell, Matrix, run

__all__ = ["DOORS", "Cell", "Matrix", "run"]
