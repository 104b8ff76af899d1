"""Texts that an application stores: pseudonyms on the way in, values on the way out.

Rules:
* Everything that is found gets a pseudonym, whatever the model is allowed to see: a store is read by
  others, and must be given back exactly.
* The mark says which vault hid a text. Pseudonyms of another one, with the same numbers for other
  people, are never read with this one.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from hauberk.policy import Operator
from hauberk_pii._memory import Memory
from hauberk_pii.operators import Operators

_STORED = Operators({}, Operator.PSEUDONYMIZE)
_MARK = 8
"""Bytes of a mark: enough to tell a handful of vaults apart."""


def concealed(memory: Memory, texts: Sequence[str]) -> tuple[list[str], str]:
    """Texts with pseudonyms, and the mark of the vault."""
    # First find everything, then mask: what one text tells is hidden in all of them.
    for text in texts:
        memory.seen(text)
    return [memory.shown_to(text, _STORED) for text in texts], _mark(memory)


def revealed(memory: Memory, texts: Sequence[str], mark: str) -> list[str] | None:
    """Texts with their values; None when another vault hid them."""
    if not hmac.compare_digest(mark.encode(), _mark(memory).encode()):
        return None
    return [memory.restored(text) for text in texts]


def _mark(memory: Memory) -> str:
    return memory.vault.secret("hauberk.stored")[:_MARK].hex()
