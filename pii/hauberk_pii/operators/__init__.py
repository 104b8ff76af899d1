"""Operators: what stands for a value, and how it is read back."""

from hauberk_pii.operators._script import Script
from hauberk_pii.operators._surrogates import Surrogates
from hauberk_pii.operators._writer import BlockedTypeError, Operators, Reveal, Writer, Written

__all__ = ["BlockedTypeError", "Operators", "Reveal", "Script", "Surrogates", "Writer", "Written"]
