"""The chain: what binds each row of a trail to the row before it (pure).

Rules:
* The hash of a row is HMAC-SHA256 over the hash before it and the body, byte for byte as they are
  stored: nothing is re-encoded, so nothing can be read in two ways.
* Without the key nobody can compute a hash. Chain, head and digests use keys of their own, derived
  from the one secret, so that a value of one kind never passes for another.
* A body names its own number first, so a row that was moved says where it belongs.
* The line sums are CRC-32 of each line of the body, made when a row is put away. They prove nothing;
  they tell which field of a changed record differs from what was written.

HMAC: RFC 2104. Key derivation: HMAC as a pseudorandom function, as in RFC 5869 section 2.3.
"""

from __future__ import annotations

import hmac
import re
import struct
import zlib
from binascii import hexlify
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from secrets import token_bytes, token_hex
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from _hashlib import HASH

FORMAT = 1
"""Version of the format of rows."""

SECRET_BYTES = 32
"""Length of a trail's secret: the size of the hash, as RFC 2104 section 3 advises."""

MAX_KEYED = 24
"""Keys that are kept ready for use: those of eight trails."""

_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
"""Block size of SHA-256, and what the key is mixed with for the two hashes (RFC 2104 section 2)."""

ORIGIN = bytes(32)
"""What stands for the row before the first one."""

_BODY_START = re.compile(rb'\{"seq":(\d{1,18}),\n')
_LINE_FIELD = re.compile(rb'[\s{\[]*"(\w{1,40})":')
_HEAD = re.compile(rb"hauberk-head-1 (\d{20}) ([0-9a-f]{64}) ([0-9a-f]{64})\n")


class Row(NamedTuple):
    """One row as it is stored."""

    seq: int
    """Its number. 0 opens the trail; records follow from 1 without a gap."""
    body: bytes
    """Canonical JSON: ASCII, one key a line, fields in fixed order, `seq` first."""
    prev: bytes
    """Hash of the row before it."""
    sums: bytes
    """CRC-32 of each line of the body, four bytes each, little-endian."""
    hash: bytes
    """Keyed hash over `prev` and `body`."""


class Head(NamedTuple):
    """The newest row that is known to have been written, kept outside the database."""

    seq: int
    hash: bytes


class Sealed(NamedTuple):
    """A row as it is made: what must be written at once."""

    seq: int
    body: bytes
    prev: bytes
    hash: bytes

    def row(self) -> Row:
        """The row as it is put away."""
        return Row(self.seq, self.body, self.prev, line_sums(self.body), self.hash)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one trail. Their repr shows nothing."""

    chain: bytes = field(repr=False)
    head: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """The keys that belong to a secret of `SECRET_BYTES` random bytes."""
        return cls(
            *(
                hmac.digest(secret, b"hauberk audit " + use, "sha256")
                for use in (b"chain", b"head", b"text")
            )
        )

    @classmethod
    def random(cls) -> Self:
        """Keys that nobody else will ever have."""
        return cls.derive(token_bytes(SECRET_BYTES))


def seal(keys: Keys, last: Head | None, rest: bytes) -> Sealed:
    """The row that follows `last`.

    Args:
        keys: Keys of the trail.
        last: The row before it; None for the first row.
        rest: The body without its number: a JSON object, at least one field, a line each.
    """
    seq, prev = (0, ORIGIN) if last is None else (last.seq + 1, last.hash)
    body = b'{"seq":%d,\n%s' % (seq, rest[1:])
    return Sealed(seq, body, prev, mac(keys.chain, prev + body))


def genesis(keys: Keys) -> Sealed:
    """The first row of a new trail: it gives the trail a name that no other has."""
    return seal(keys, None, b'{"format":%d,\n"trail":"%s"}' % (FORMAT, token_hex(16).encode()))


def authentic(keys: Keys, row: Row) -> bool:
    """True when somebody with the key wrote this row (wherever it now stands)."""
    whole = hmac.compare_digest(mac(keys.chain, row.prev + row.body), row.hash)
    return whole and row.sums == line_sums(row.body)


def own_number(row: Row) -> int | None:
    """The number that the row's body gives itself; None when it gives none."""
    found = _BODY_START.match(row.body)
    return int(found[1]) if found else None


def line_sums(body: bytes) -> bytes:
    """A checksum for each line of a body."""
    lines = body.split(b"\n")
    return struct.pack(f"<{len(lines)}I", *map(zlib.crc32, lines))


def changed_fields(keys: Keys, row: Row, before: bytes | None) -> tuple[str, ...]:
    """Names of what was changed in a row that is not authentic; empty when it cannot be told.

    Args:
        keys: Keys of the trail.
        row: The row.
        before: Hash that the row before it has, when there is one.
    """
    if authentic(keys, row._replace(sums=line_sums(row.body))):
        return ("sums",)
    if before is not None and authentic(keys, row._replace(prev=before)):
        return ("prev",)
    sums = line_sums(row.body)
    if sums == row.sums:
        return ("hash",)
    if len(sums) != len(row.sums):
        return ()
    lines = row.body.split(b"\n")
    names = [
        found[1].decode() if (found := _LINE_FIELD.match(line)) else "?"
        for index, line in enumerate(lines)
        if sums[4 * index : 4 * index + 4] != row.sums[4 * index : 4 * index + 4]
    ]
    return tuple(dict.fromkeys(names))


def encode_head(keys: Keys, head: Head) -> bytes:
    """The head file: fixed length, so that one write replaces it."""
    seq, digest = head
    proof = mac(keys.head, b"%d %s" % (seq, digest))
    return b"hauberk-head-1 %020d %b %b\n" % (seq, hexlify(digest), hexlify(proof))


HEAD_BYTES = len("hauberk-head-1 ") + 20 + 1 + 64 + 1 + 64 + 1
"""Length of a head file."""


def decode_head(keys: Keys, raw: bytes) -> Head | None:
    """The head that a head file names; None when it is not one that these keys wrote."""
    found = _HEAD.fullmatch(raw)
    if found is None:
        return None
    head = Head(int(found[1]), bytes.fromhex(found[2].decode()))
    return head if hmac.compare_digest(encode_head(keys, head), raw) else None


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 of a message, with one of the keys of a trail."""
    # Copies of two hashes that have seen the key already (RFC 2104 section 4). Between two steps of an
    # application, `hmac.HMAC` takes twice as long, and `hmac.digest` four times.
    inner, outer = _keyed(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=MAX_KEYED)
def _keyed(key: bytes) -> tuple[HASH, HASH]:
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))
