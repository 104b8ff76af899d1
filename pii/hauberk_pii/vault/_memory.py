"""Vaults in this process's memory, in clear: they last as long as their sessions."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakSet

from hauberk import Session
from hauberk_pii.vault._base import Held, Value, VaultFullError, written


class MemoryVault:
    """A vault that lasts as long as the session. In clear, in this process's memory."""

    def __init__(
        self, *, max_values: int = 100_000, user: str | None = None, session: str = ""
    ) -> None:
        self.user = user
        self._session = session
        self._limit = max_values
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(32)
        self._names: dict[str, str] = {}
        self._texts: dict[str, Value] = {}
        self._counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"MemoryVault({len(self._names)} values)"

    def issue(self, values: Sequence[Value]) -> list[str]:
        """The pseudonyms of some values; new ones for values not yet known."""
        with self._lock:
            new = {value.text for value in values if value.text not in self._names}
            if len(self._names) + len(new) > self._limit:
                raise VaultFullError(self._limit)
            return [self._names.get(value.text) or self._new(value) for value in values]

    def lookup(self, pseudonyms: Iterable[str]) -> Mapping[str, str]:
        """The texts behind those pseudonyms that were issued here."""
        with self._lock:
            return {name: self._texts[name].text for name in pseudonyms if name in self._texts}

    def knows(self, text: str) -> bool:
        """Whether a text is one of the values."""
        return text in self._names

    def secret(self, purpose: str) -> bytes:
        """32 bytes of this session's own."""
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def about(self, subject: str) -> list[Held]:
        """What is held about a person."""
        with self._lock:
            return [
                Held(session=self._session, pseudonym=name, type=v.type, text=v.text, expires=None)
                for name, v in self._texts.items()
                if subject in (self.user, v.text)
            ]

    def erase(self, subject: str) -> int:
        """Forget a person. Pseudonyms that were given are never given again."""
        gone = self.about(subject)
        with self._lock:
            for held in gone:
                self._texts.pop(held.pseudonym, None)
                self._names.pop(held.text, None)
        return len(gone)

    def _new(self, value: Value) -> str:
        number = self._counts[value.type] = self._counts.get(value.type, 0) + 1
        name = written(value.type, number)
        self._names[value.text] = name
        self._texts[name] = value
        return name


class MemoryVaults:
    """A vault for each session; it goes when the session goes."""

    waits = False
    shortest_s = None

    def __init__(self, *, max_values: int = 100_000) -> None:
        self._max_values = max_values
        self._vaults: WeakSet[MemoryVault] = WeakSet()
        self._lock = threading.Lock()

    def vault(self, session: Session) -> MemoryVault:
        """A vault of its own: whoever keeps it, keeps the values."""
        vault = MemoryVault(max_values=self._max_values, user=session.user, session=session.ident)
        with self._lock:
            self._vaults.add(vault)
        return vault

    def erase(self, subject: str) -> int:
        """Forget a person in every session that is open."""
        return sum(vault.erase(subject) for vault in self._all())

    def export(self, subject: str) -> list[Held]:
        """What is held about a person, in every session that is open."""
        return [held for vault in self._all() for held in vault.about(subject)]

    def purge(self) -> int:
        """Nothing lapses here."""
        return 0

    def rotate(self) -> int:
        """Nothing is sealed here."""
        return 0

    def close(self) -> None:
        """Nothing to let go of."""

    def _all(self) -> list[MemoryVault]:
        with self._lock:
            return list(self._vaults)
