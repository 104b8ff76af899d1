"""Vaults in Redis: for the workers of a fleet.

Rules:
* Values lie sealed (`_seal.py`); Redis, its log and its replicas hold nothing in clear.
* A pseudonym is given out by one script, whoever asks at the same time. What was issued is in Redis
  when `issue` returns; that it survives a crash of Redis is Redis's own setting (`appendfsync`).
* A Redis that lost its data is noticed: a session that had values there is refused, because its
  numbers would begin anew and a pseudonym could stand for somebody else.
* A Redis that cannot be reached refuses.

All keys of one session carry the same hash tag, so a cluster keeps them together.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hauberk import MissingExtraError, Session, StoreError, TamperedError
from hauberk.keys import KeyRing
from hauberk_pii.vault._base import Held, Value, VaultFullError
from hauberk_pii.vault._lua import FORGET, NAMES, OPEN
from hauberk_pii.vault._seal import Clock, Keeping, Sealer

_LABEL = 16
_TIMEOUT_S = 5.0


class RedisVaults:
    """A store of vaults in Redis.

    Does not promise more durability than its Redis is set to.
    """

    waits = True

    def __init__(
        self,
        url: str,
        keys: KeyRing,
        keeping: Keeping | None = None,
        *,
        prefix: str = "hauberk:vault",
        clock: Clock = time.time,
    ) -> None:
        """Connect, lazily: an absent Redis is noticed by the first call, and refuses it.

        Args:
            url: `redis://host:port/db`, `rediss://...` or `unix://...`.
            keys: What values are sealed with.
            keeping: How long, and how many.
            prefix: Start of every key in Redis.
            clock: Seconds since the epoch.

        Raises:
            MissingExtraError: The package `redis` is not installed.
            StoreError: The URL is none.
        """
        try:
            from redis import Redis  # noqa: PLC0415 - optional
        except ImportError:
            raise MissingExtraError("redis", needed_for="a vault in Redis") from None
        self.sealer = Sealer(keys)
        self.keeping = keeping or Keeping()
        self.clock = clock
        self.prefix = prefix
        try:
            self.redis: Any = Redis.from_url(
                url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            )
        except ValueError:
            raise StoreError(
                "the address of the vault is no Redis URL",
                store="redis",
                remedy="Write redis://HOST:PORT/DB.",
            ) from None
        self.open_script = self.redis.register_script(OPEN)
        self.names_script = self.redis.register_script(NAMES)
        self._forget_script = self.redis.register_script(FORGET)

    def __repr__(self) -> str:
        return f"RedisVaults(prefix={self.prefix!r})"

    @property
    def shortest_s(self) -> float | None:
        """The shortest time for which it keeps a value."""
        return self.keeping.shortest_s

    def vault(self, session: Session) -> RedisVault:
        """The vault of a session."""
        return RedisVault(self, session)

    def erase(self, subject: str) -> int:
        """Forget a person in every session.

        Raises:
            StoreError: Redis cannot be reached.
        """
        marks = self.sealer.values(subject)
        with self.failing():
            whole = self._members("user", self.sealer.users(subject))
            gone = sum(self._forget(scope, ()) for scope in whole)
            parts = self._members("value", marks) - whole
            gone += sum(self._forget(scope, marks) for scope in parts)
            for mark in marks:
                self.redis.delete(self._index("value", mark))
        return gone

    def export(self, subject: str) -> list[Held]:
        """What is held about a person.

        Raises:
            StoreError: Redis cannot be reached.
            TamperedError: A value was changed by somebody else.
        """
        marks = self.sealer.values(subject)
        with self.failing():
            whole = self._members("user", self.sealer.users(subject))
            held = [one for scope in sorted(whole) for one in self._all(scope)]
            for scope in sorted(self._members("value", marks) - whole):
                names = set(self.redis.hmget(self.places(scope)[1], [_hex(m) for m in marks]))
                held += [one for one in self._all(scope) if one.pseudonym.encode() in names]
        return held

    def purge(self) -> int:
        """Delete what has lapsed: how many values went. Lapsed values are never given back anyway.

        Raises:
            StoreError: Redis cannot be reached.
        """
        with self.failing():
            return sum(self._purged(scope) for scope in self._scopes())

    def rotate(self) -> int:
        """Seal everything with the first key of the ring: how many values were sealed anew.

        Keep an old key for as long as its sessions live: what a session is known by needs its name.

        Raises:
            StoreError: Redis cannot be reached, or a value needs a key that is not at hand.
            TamperedError: A value was changed by somebody else.
        """
        with self.failing():
            return sum(self._rotated(scope) for scope in self._scopes())

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()

    def places(self, scope: str) -> list[str]:
        """The keys of one session: meta, names, values, kinds, ends."""
        return [
            f"{self.prefix}:{{{scope}}}:{part}"
            for part in ("meta", "names", "values", "kinds", "ends")
        ]

    def remember(self, scope: str, users: Sequence[bytes], marks: Iterable[bytes]) -> None:
        """Note where a user's sessions and where a value are, so that they can be erased."""
        pipe = self.redis.pipeline(transaction=False)
        for kind, several in (("user", users), ("value", marks)):
            for mark in several:
                pipe.sadd(self._index(kind, mark), scope)
        pipe.execute()

    @contextmanager
    def failing(self) -> Generator[None]:
        """Whatever Redis says is an error of the store; of a foreign message only the class is told.

        Raises:
            StoreError: Always when Redis fails.
        """
        from redis.exceptions import RedisError  # noqa: PLC0415 - optional

        try:
            yield
        except (RedisError, OSError) as error:
            code = str(error).partition(" ")[0]
            if code == "HAUBERK-FULL":
                raise VaultFullError(self.keeping.max_values) from None
            if code == "HAUBERK-LOST":
                raise _lost() from None
            raise StoreError(
                f"Redis failed ({type(error).__name__})",
                store="redis vault",
                remedy="Check that Redis runs and can be reached.",
            ) from None

    def _scopes(self) -> list[str]:
        # A prefix may hold what Redis reads as a pattern.
        exact = re.sub(r"([\[\]*?\\])", r"\\\1", self.places("SCOPE")[0])
        keys = self.redis.scan_iter(exact.replace("SCOPE", "*"))
        return [_text(key).rpartition("{")[2].partition("}")[0] for key in keys]

    def _purged(self, scope: str) -> int:
        places, now = self.places(scope), self.clock()
        lapsed = int(self.redis.zcount(places[4], "-inf", now))
        label = self.redis.hget(places[0], "label")
        if lapsed and label is not None:
            self.names_script(keys=places, args=[_text(label), now, self.keeping.max_values])
        return lapsed

    def _rotated(self, scope: str) -> int:
        meta, names, values, kinds, _ = self.places(scope)
        label, types = self.redis.hget(meta, "label"), self.redis.hgetall(kinds)
        old = [
            (name, sealed)
            for name, sealed in self.redis.hgetall(values).items()
            if not self.sealer.keys.is_current(sealed) and name in types
        ]
        for name, sealed in old:
            kind, at = _text(types[name]), bytes.fromhex(_text(label))
            text = self.sealer.open(at, _text(name), kind, sealed)
            mark, was = self.sealer.values(text)[0].hex(), types[b"m" + name]
            self.remember(scope, (), [bytes.fromhex(mark)])
            pipe = self.redis.pipeline(transaction=True)
            pipe.hset(values, name, self.sealer.seal(at, _text(name), Value(kind, text)))
            pipe.hset(names, mark, name)
            pipe.hset(kinds, b"m" + name, mark)
            pipe.hdel(names, was)
            pipe.execute()
        return len(old)

    def _forget(self, scope: str, marks: Sequence[bytes]) -> int:
        return int(self._forget_script(keys=self.places(scope), args=[_hex(m) for m in marks]))

    def _members(self, kind: str, marks: Sequence[bytes]) -> set[str]:
        found: set[str] = set()
        for mark in marks:
            found |= {raw.decode() for raw in self.redis.smembers(self._index(kind, mark))}
        return found

    def _all(self, scope: str) -> list[Held]:
        meta, _, values, kinds, ends = self.places(scope)
        label = self.redis.hget(meta, "label")
        if label is None:
            return []
        types = self.redis.hgetall(kinds)
        until = dict(self.redis.zrange(ends, 0, -1, withscores=True))
        now = self.clock()
        return [
            Held(
                session=_text(label),
                pseudonym=_text(name),
                type=_text(types[name]),
                text=self.sealer.open(
                    bytes.fromhex(_text(label)), _text(name), _text(types[name]), sealed
                ),
                expires=until.get(name),
            )
            for name, sealed in sorted(self.redis.hgetall(values).items())
            if until.get(name, now + 1) > now and name in types
        ]

    def _index(self, kind: str, mark: bytes) -> str:
        return f"{self.prefix}:{kind}:{mark.hex()}"


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
            names = [_text(raw) for raw in found[::3]]
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
            name: store.sealer.open(label, name, _text(kind), value)
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
            asked += [value.type, ends, len(several), *map(_hex, several)]
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
            _text(name): (Value(_text(kind), value.text), several)
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
            raw, has = self._store.open_script(
                keys=self._store.places(scope)[:1], args=[fresh.hex(), bond.hex()]
            )
            label = bytes.fromhex(_text(raw))
            if _text(has) not in {one.hex() for one in sealer.bonds(self._session, label)}:
                raise TamperedError(
                    "a session was given the vault of another one",
                    store="redis vault",
                    remedy="Restore Redis from a backup.",
                )
            self._at = scope, label
        return self._at

    def _same(self, label: bytes, found: bytes | None) -> None:
        if found is None or _text(found) != label.hex():
            raise _lost()


def _lost() -> StoreError:
    return StoreError(
        "Redis lost this session's values",
        store="redis vault",
        remedy="Open a new session, and let Redis keep its data (appendonly yes).",
    )


def _hex(mark: bytes) -> str:
    return mark.hex()


def _text(raw: Any) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
