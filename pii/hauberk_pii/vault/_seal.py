"""How values lie in a store that others can read: sealed, under marks that nobody can try out.

Rules:
* A value is sealed for its place: vault, pseudonym and type. Put elsewhere, it does not open.
* A vault belongs to one session, and says so by a keyed digest: given to another session, it does
  not open.
* A session, a user and a value are known to the store by keyed digests, and sealed beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hauberk import Session, StoreError
from hauberk.keys import KeyRing
from hauberk_pii.vault._base import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long a store keeps values, and how many of one session."""

    max_values: int = 100_000
    ttl_s: Mapping[str, float] | None = None
    """Seconds by entity type, counted from the last time that the value was seen; `*` stands for
    every other type. None: until erased."""

    def seconds(self, kind: str) -> float | None:
        """How long a value of this type is kept; None: until erased."""
        ttl = self.ttl_s or {}
        return ttl.get(kind, ttl.get("*"))

    @property
    def shortest_s(self) -> float | None:
        """The shortest of these times."""
        return min(self.ttl_s.values()) if self.ttl_s else None


class Owner(NamedTuple):
    """Whose a vault is: a session's, and its user's."""

    tenant: str | None
    ident: str
    user: str | None

    @classmethod
    def of(cls, session: Session, known: Owner | None = None) -> Owner:
        """Of a session; a user that is known stays where the session names none."""
        user = session.user or (known.user if known else None)
        return cls(session.tenant, session.ident, user)

    def session(self) -> Session:
        """A session of this owner."""
        return Session(ident=self.ident, tenant=self.tenant, user=self.user)


def keys_missing(sessions: int, so_far: str, *, store: str) -> StoreError:
    """The error for sessions of which nobody can tell whose they are."""
    return StoreError(
        f"{sessions} sessions are known under keys that are not at hand ({so_far})",
        store=store,
        remedy="Add these keys behind the others, run `hauberk pii rotate`, and try again.",
    )


class Sealer:
    """Marks and sealed values of one store."""

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys

    def scopes(self, session: Session) -> list[bytes]:
        """Marks of a session, today's first."""
        return self.keys.marks(_joined(b"session", session.tenant or "", session.ident))

    def bonds(self, session: Session, vault: bytes) -> list[bytes]:
        """What says that a vault (its random name) belongs to a session."""
        whose = _joined(b"bond", vault.hex(), session.tenant or "", session.ident)
        return self.keys.marks(whose)

    def secret(self, session: Session, purpose: str) -> bytes:
        """32 bytes of a session's own, for one purpose."""
        whose = _joined(b"secret", purpose, session.tenant or "", session.ident)
        return self.keys.marks(whose)[0]

    def users(self, user: str) -> list[bytes]:
        """Marks of a user."""
        return self.keys.marks(_joined(b"user", user))

    def values(self, text: str) -> list[bytes]:
        """Marks of a value."""
        return self.keys.marks(_joined(b"value", text))

    def seal(self, vault: bytes, name: str, value: Value) -> bytes:
        """A value for its place."""
        return self.keys.seal(_bytes(value.text), about=_place(vault, name, value.type))

    def sealed_owner(self, vault: bytes, owner: Owner) -> bytes:
        """Whose a vault is, for the store: so that marks can be made anew under another key."""
        raw = json.dumps(owner).encode()
        return self.keys.seal(raw, about=_joined(b"owner", vault.hex()))

    def opened_owner(self, vault: bytes, sealed: bytes) -> Owner:
        """Whose a vault is.

        Raises:
            StoreError: Its key is not at hand.
            TamperedError: It was changed or moved.
        """
        raw = self.keys.open(sealed, about=_joined(b"owner", vault.hex()))
        return Owner(*json.loads(raw))

    def open(self, vault: bytes, name: str, kind: str, sealed: bytes) -> str:
        """The text that was sealed for this place.

        Raises:
            StoreError: Its key is not at hand.
            TamperedError: It was changed or moved.
        """
        raw = self.keys.open(sealed, about=_place(vault, name, kind))
        return raw.decode("utf-8", "surrogatepass")


def _place(vault: bytes, name: str, kind: str) -> bytes:
    return _joined(b"place", vault.hex(), name, kind)


def _joined(purpose: bytes, *parts: str) -> bytes:
    """Parts with their lengths: two ways to cut one text never look the same."""
    raw = [purpose, *(_bytes(part) for part in parts)]
    return b"".join(len(one).to_bytes(4, "big") + one for one in raw)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


Clock = Callable[[], float]
