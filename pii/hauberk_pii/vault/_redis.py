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
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from hauberk import MissingExtraError, Session, StoreError
from hauberk.keys import KeyRing
from hauberk_pii.vault._base import Held, Value, VaultFullError
from hauberk_pii.vault._lua import FORGET, NAMES, OPEN
from hauberk_pii.vault._redis_session import RedisVault, hex_of, lost, text_of
from hauberk_pii.vault._seal import Clock, Keeping, Owner, Sealer, keys_missing

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
            StoreError: Redis cannot be reached; or there are sessions of which only a key that is not
                at hand tells whose they are: all others were looked at.
        """
        marks = self.sealer.values(subject)
        with self.failing():
            whole = self._members("user", self.sealer.users(subject))
            gone = sum(self._forget(scope, ()) for scope in whole)
            parts = self._members("value", marks) - whole
            gone += sum(self._forget(scope, marks) for scope in parts)
            for mark in marks:
                self.redis.delete(self._index("value", mark))
            self._check_owners(f"{gone} values were erased")
        return gone

    def export(self, subject: str) -> list[Held]:
        """What is held about a person.

        Raises:
            StoreError: Redis cannot be reached; or there are sessions of which only a key that is not
                at hand tells whose they are.
            TamperedError: A value was changed by somebody else.
        """
        marks = self.sealer.values(subject)
        with self.failing():
            self._check_owners("nothing was exported")
            whole = self._members("user", self.sealer.users(subject))
            held = [one for scope in sorted(whole) for one in self._all(scope)]
            for scope in sorted(self._members("value", marks) - whole):
                names = set(self.redis.hmget(self.places(scope)[1], [hex_of(m) for m in marks]))
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

        Users are known by the new key then. Keep an old one for as long as its sessions go on: under
        which name a session lies in Redis cannot be changed.

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

    def own(self, scope: str, label: bytes, owner: Owner) -> None:
        """Write down whose a vault is, under the first key."""
        if owner.user:
            self.remember(scope, self.sealer.users(owner.user)[:1], ())
        bond = self.sealer.bonds(owner.session(), label)[0].hex()
        sealed = self.sealer.sealed_owner(label, owner)
        self.redis.hset(self.places(scope)[0], mapping={"bond": bond, "owner": sealed})

    def _check_owners(self, so_far: str) -> None:
        owners = [self.redis.hget(self.places(scope)[0], "owner") for scope in self._scopes()]
        missing = sum(one is not None and not self.sealer.keys.can_open(one) for one in owners)
        if missing:
            raise keys_missing(missing, so_far, store="redis vault")

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
                raise lost() from None
            raise StoreError(
                f"Redis failed ({type(error).__name__})",
                store="redis vault",
                remedy="Check that Redis runs and can be reached.",
            ) from None

    def _scopes(self) -> list[str]:
        # A prefix may hold what Redis reads as a pattern.
        exact = re.sub(r"([\[\]*?\\])", r"\\\1", self.places("SCOPE")[0])
        keys = self.redis.scan_iter(exact.replace("SCOPE", "*"))
        return [text_of(key).rpartition("{")[2].partition("}")[0] for key in keys]

    def _purged(self, scope: str) -> int:
        places, now = self.places(scope), self.clock()
        lapsed = int(self.redis.zcount(places[4], "-inf", now))
        label = self.redis.hget(places[0], "label")
        if lapsed and label is not None:
            self.names_script(keys=places, args=[text_of(label), now, self.keeping.max_values])
        return lapsed

    def _rotated(self, scope: str) -> int:
        meta, names, values, kinds, _ = self.places(scope)
        label, types = self.redis.hget(meta, "label"), self.redis.hgetall(kinds)
        owner = self.redis.hget(meta, "owner")
        if owner is not None and not self.sealer.keys.is_current(owner):
            at = bytes.fromhex(text_of(label))
            self.own(scope, at, self.sealer.opened_owner(at, owner))
        old = [
            (name, sealed)
            for name, sealed in self.redis.hgetall(values).items()
            if not self.sealer.keys.is_current(sealed) and name in types
        ]
        for name, sealed in old:
            kind, at = text_of(types[name]), bytes.fromhex(text_of(label))
            text = self.sealer.open(at, text_of(name), kind, sealed)
            mark, was = self.sealer.values(text)[0].hex(), types[b"m" + name]
            self.remember(scope, (), [bytes.fromhex(mark)])
            pipe = self.redis.pipeline(transaction=True)
            pipe.hset(values, name, self.sealer.seal(at, text_of(name), Value(kind, text)))
            pipe.hset(names, mark, name)
            pipe.hset(kinds, b"m" + name, mark)
            pipe.hdel(names, was)
            pipe.execute()
        return len(old)

    def _forget(self, scope: str, marks: Sequence[bytes]) -> int:
        return int(self._forget_script(keys=self.places(scope), args=[hex_of(m) for m in marks]))

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
                session=text_of(label),
                pseudonym=text_of(name),
                type=text_of(types[name]),
                text=self.sealer.open(
                    bytes.fromhex(text_of(label)), text_of(name), text_of(types[name]), sealed
                ),
                expires=until.get(name),
            )
            for name, sealed in sorted(self.redis.hgetall(values).items())
            if until.get(name, now + 1) > now and name in types
        ]

    def _index(self, kind: str, mark: bytes) -> str:
        return f"{self.prefix}:{kind}:{mark.hex()}"
