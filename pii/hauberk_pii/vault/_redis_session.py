"""One session's vault in Redis: what `_redis.py` hands out.

Rules:
* Its values lie where the store's keys say; each step is one script or one transaction.
* What is indexed for erasure is indexed before it is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hauberk import Session, StoreError, TamperedError
from hauberk_pii.vault._base import Value
from hauberk_pii.vault._seal import Owner

if TYPE_CHECKING:
    from hauberk_pii.vault._redis import RedisVaults

_LABEL = 16
"""Bytes of a vault's random name."""


class RedisVault:
    """One session's vault in Redis."""

    def __init__(self, store: RedisVaults, session: Session) -> None:
        self._store = store
        self._session = session
        self._at: tuple[str, bytes] | None = None

    def __repr__(self) -> str:
        return f"RedisVault({self._store!r})"

    def issue(self, values: Sequence[Value]) -> list[str]:
        """The pseudonyms of some values; new ones for values not yet known."""
        if not values:
            return []
        store, marks = self._store, [self._store.sealer.values(value.text) for value in values]
        with store.failing():
            scope, label = self._opened()
            found = store.names_script(
                keys=store.places(scope), args=[*self._head(label), *self._asked(values, marks)]
            )
            names = [text_of(raw) for raw in found[::3]]
            self._store_new(scope, label, values, marks, found)
        return names

    def lookup(self, pseudonyms: Iterable[str]) -> Mapping[str, str]:
        """The texts behind those pseudonyms that were issued here."""
        names = list(dict.fromkeys(name for name in pseudonyms if name))
        if not names:
            return {}
        store = self._store
        with store.failing():
            scope, label = self._opened()
            _, _, values, kinds, ends = store.places(scope)
            pipe = store.redis.pipeline(transaction=True)
            pipe.hget(store.places(scope)[0], "label")
            pipe.hmget(values, names)
            pipe.hmget(kinds, names)
            pipe.zmscore(ends, names)
            now_label, sealed, types, until = pipe.execute()
        self._same(label, now_label)
        now = store.clock()
        return {
            name: store.sealer.open(label, name, text_of(kind), value)
            for name, value, kind, end in zip(names, sealed, types, until, strict=True)
            if value is not None and kind is not None and (end is None or end > now)
        }

    def knows(self, text: str) -> bool:
        """Whether a text is one of the values."""
        with self._store.failing():
            scope, _ = self._opened()
            marks = [mark.hex() for mark in self._store.sealer.values(text)]
            return any(self._store.redis.hmget(self._store.places(scope)[1], marks))

    def secret(self, purpose: str) -> bytes:
        """32 bytes of this session's own, under today's key."""
        return self._store.sealer.secret(self._session, purpose)

    def _head(self, label: bytes) -> list[Any]:
        return [label.hex(), self._store.clock(), self._store.keeping.max_values]

    def _asked(self, values: Sequence[Value], marks: Sequence[list[bytes]]) -> list[Any]:
        now, asked = self._store.clock(), list[Any]()
        for value, several in zip(values, marks, strict=True):
            keeps = self._store.keeping.seconds(value.type)
            ends = "" if keeps is None else now + keeps
            asked += [value.type, ends, len(several), *map(hex_of, several)]
        return asked

    def _store_new(
        self,
        scope: str,
        label: bytes,
        values: Sequence[Value],
        marks: Sequence[list[bytes]],
        found: Sequence[Any],
    ) -> None:
        """Seal what has a pseudonym and no value yet (ours, or of somebody who died in between)."""
        new = {
            text_of(name): (Value(text_of(kind), value.text), several)
            for value, several, name, has, kind in zip(
                values, marks, found[::3], found[1::3], found[2::3], strict=True
            )
            if not int(has)
        }
        if not new:
            return
        users = self._store.sealer.users(self._session.user) if self._session.user else []
        # The index first: a value that cannot be found again could not be erased.
        self._store.remember(scope, users[:1], [several[0] for _, several in new.values()])
        sealed = {
            name: self._store.sealer.seal(label, name, value) for name, (value, _) in new.items()
        }
        self._store.redis.hset(self._store.places(scope)[2], mapping=sealed)

    def _opened(self) -> tuple[str, bytes]:
        """Mark of the session and the random name of its vault."""
        if self._at is None:
            sealer = self._store.sealer
            scopes = [scope.hex() for scope in sealer.scopes(self._session)]
            scope = next(
                (s for s in scopes if self._store.redis.exists(self._store.places(s)[0])), scopes[0]
            )
            fresh = secrets.token_bytes(_LABEL)
            bond = sealer.bonds(self._session, fresh)[0]
            raw, has, owner = self._store.open_script(
                keys=self._store.places(scope)[:1], args=[fresh.hex(), bond.hex()]
            )
            label = bytes.fromhex(text_of(raw))
            if text_of(has) not in {one.hex() for one in sealer.bonds(self._session, label)}:
                raise TamperedError(
                    "a session was given the vault of another one",
                    store="redis vault",
                    remedy="Restore Redis from a backup.",
                )
            known = sealer.opened_owner(label, owner) if owner else None
            now = Owner.of(self._session, known)
            if now != known or not sealer.keys.is_current(owner):
                self._store.own(scope, label, now)
            self._at = scope, label
        return self._at

    def _same(self, label: bytes, found: bytes | None) -> None:
        if found is None or text_of(found) != label.hex():
            raise lost()


def lost() -> StoreError:
    """The error for a Redis that came back without what a session had there."""
    return StoreError(
        "Redis lost this session's values",
        store="redis vault",
        remedy="Open a new session, and let Redis keep its data (appendonly yes).",
    )


def hex_of(mark: bytes) -> str:
    """A mark as it stands in a key."""
    return mark.hex()


def text_of(raw: Any) -> str:
    """What Redis gave, as text."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)
