"""What a vault is: a session's values behind their pseudonyms; and a store of many vaults.

Rules:
* One text has one pseudonym for the whole session, whatever type it is found as later; two texts
  never share one, not even after one of them was erased.
* What is issued is safe when `issue` returns.
* A vault that is full, or cannot be reached, refuses. It forgets nothing before its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hauberk import Session, StoreError


class VaultFullError(StoreError):
    """A session has as many values as its policy allows."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"the session holds {limit} values, and may hold no more",
            store="vault",
            remedy="Raise pii.max_values, or open a new session.",
        )


@dataclass(frozen=True, slots=True)
class Value:
    """One exact text to be remembered, and what it was found as."""

    type: str
    text: str

    def __repr__(self) -> str:
        """The type only: the text is what must not be shown."""
        return f"Value(type={self.type!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One value that a store holds about a person, for an answer to that person."""

    session: str
    """Mark of the session (a keyed digest of its name)."""
    pseudonym: str
    type: str
    text: str = field(repr=False)
    expires: float | None
    """Seconds since the epoch; None: until it is erased."""


class Vault(Protocol):
    """Where a session's values are remembered. Each method is one atomic step; thread-safe."""

    def issue(self, values: Sequence[Value]) -> list[str]:
        """The pseudonyms of some values, in the same order; new ones for values not yet known.

        The values are remembered when this returns. All or nothing.

        Raises:
            VaultFullError: There is no room for all of them.
            StoreError: The vault cannot be reached.
        """
        ...

    def lookup(self, pseudonyms: Iterable[str]) -> Mapping[str, str]:
        """The texts behind those of `pseudonyms` (`<PERSON_1>`) that were issued here.

        Raises:
            StoreError: The vault cannot be reached.
        """
        ...

    def knows(self, text: str) -> bool:
        """Whether a text is one of the values.

        Raises:
            StoreError: The vault cannot be reached.
        """
        ...

    def secret(self, purpose: str) -> bytes:
        """32 bytes of this session's own, the same for every worker that shares the vault."""
        ...


class VaultStore(Protocol):
    """Many sessions' vaults. Thread-safe."""

    @property
    def waits(self) -> bool:
        """Whether its vaults wait for a disk or a network: async callers use a thread then."""
        ...

    @property
    def shortest_s(self) -> float | None:
        """The shortest time for which it keeps a value, in seconds; None: nothing lapses."""
        ...

    def vault(self, session: Session) -> Vault:
        """The vault of a session; the same values for everyone who names the same session."""
        ...

    def erase(self, subject: str) -> int:
        """Forget a person, in every session: how many values went.

        Args:
            subject: A user (everything of that user's sessions), or an exact value (a name, an
                address), wherever it was seen.

        Raises:
            StoreError: The store cannot be reached.
        """
        ...

    def export(self, subject: str) -> list[Held]:
        """Everything that `erase` would forget.

        Raises:
            StoreError: The store cannot be reached.
            TamperedError: A value was changed by somebody else.
        """
        ...

    def purge(self) -> int:
        """Delete what has lapsed: how many values went. Lapsed values are never given back anyway.

        Raises:
            StoreError: The store cannot be reached.
        """
        ...

    def rotate(self) -> int:
        """Seal everything with the newest key: how many values were sealed anew.

        Raises:
            StoreError: The store cannot be reached, or a value needs a key that is not at hand.
            TamperedError: A value was changed by somebody else.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def written(kind: str, number: int) -> str:
    """A pseudonym as we write it.

    Example:
        >>> written("PERSON", 1)
        '<PERSON_1>'
    """
    return f"<{kind}_{number}>"
