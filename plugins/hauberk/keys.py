"""Keys: where they come from, and sealing small texts under them.

Rules:
* A key is 32 random bytes; in an environment variable or a file it is written in Base64.
* The first key of a ring seals; every key of it opens. So a key is changed by putting a new one in
  front, and the old one is taken out once everything is sealed anew.
* A sealed text says which key it needs, and is bound to what it is about: put in another place, it
  does not open.
* No error, log line or repr shows a key or a text.

Sealing is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce: one key is good for four billion
texts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.errors import MissingExtraError, PolicyError, StoreError, TamperedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_ID = 8
_NONCE = 12

KeySource = str | Callable[[], bytes]
"""`env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`, or a function that asks a KMS for the key."""


def new_key() -> str:
    """A fresh key, as it is written in a file or an environment variable.

    Example:
        >>> len(read_key(new_key()))
        32
    """
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_key(written: str) -> bytes:
    """A key as it was written.

    Raises:
        ValueError: It is none. The message does not repeat it.
    """
    try:
        key = base64.b64decode(written.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a key is written in Base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, this one {len(key)}")
    return key


class KeyRing:
    """Some keys: the first seals, all open. Thread-safe.

    Does not promise anything against somebody who has a key.

    Example:
        >>> ring = KeyRing([bytes(32)])
        >>> ring.open(ring.seal(b"Ada", about=b"row 1"), about=b"row 1")
        b'Ada'
    """

    def __init__(self, keys: Iterable[bytes], *, store: str = "vault") -> None:
        """Take the keys, newest first.

        Args:
            keys: 32 bytes each.
            store: What is sealed with them, for error messages.

        Raises:
            ValueError: There is none, or one of another length.
        """
        self._keys = tuple(keys)
        self._store = store
        if not self._keys or any(len(key) != KEY_BYTES for key in self._keys):
            raise ValueError(f"a key ring needs keys of {KEY_BYTES} bytes each")
        self._by_id = {_ident(key): key for key in self._keys}
        self._marks = tuple(_derived(key, b"index") for key in self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"

    @classmethod
    def load(cls, sources: Iterable[KeySource], *, store: str = "vault") -> KeyRing:
        """The keys from where they are kept, newest first.

        Raises:
            PolicyError: A source has no key, or something that is none.
            MissingExtraError: A source is a keyring and the package is not installed.
        """
        return cls([_loaded(source) for source in sources], store=store)

    def seal(self, plain: bytes, *, about: bytes) -> bytes:
        """`plain`, readable only with a key of this ring and the same `about`."""
        key, nonce = self._keys[0], secrets.token_bytes(_NONCE)
        return _ident(key) + nonce + _cipher(key).encrypt(nonce, plain, about)

    def open(self, sealed: bytes, *, about: bytes) -> bytes:
        """What was sealed.

        Raises:
            StoreError: It was sealed with a key that is not in this ring.
            TamperedError: It was changed, or belongs to something else.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy

        key = self._by_id.get(sealed[:_ID])
        if key is None:
            raise StoreError(
                "sealed with a key that is not at hand",
                store=self._store,
                remedy="Add the key that it was sealed with to the keys.",
            )
        nonce, body = sealed[_ID : _ID + _NONCE], sealed[_ID + _NONCE :]
        try:
            return _cipher(key).decrypt(nonce, body, about)
        except (InvalidTag, ValueError):
            raise TamperedError(
                "a sealed value was changed or moved",
                store=self._store,
                remedy="Restore the store from a backup.",
            ) from None

    def can_open(self, sealed: bytes) -> bool:
        """Whether the key that it was sealed with is in this ring."""
        return sealed[:_ID] in self._by_id

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the first key."""
        return sealed[:_ID] == _ident(self._keys[0])

    def marks(self, plain: bytes) -> list[bytes]:
        """Under which marks something may be stored, the one that is used today first.

        A keyed digest (HMAC-SHA256, RFC 2104): equal texts are found again, and nobody without a
        key can tell which text it is, or try texts out.
        """
        return [hmac.digest(key, plain, "sha256") for key in self._marks]


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"hauberk/v1/" + purpose, "sha256")


@lru_cache(maxsize=64)
def _ident(key: bytes) -> bytes:
    return hashlib.sha256(_derived(key, b"name")).digest()[:_ID]


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

    return AESGCM(_derived(key, b"seal"))


def _loaded(source: KeySource) -> bytes:
    if callable(source):
        key = source()
        if len(key) != KEY_BYTES:
            raise PolicyError(f"a key has {KEY_BYTES} bytes, this one {len(key)}", field="keys")
        return key
    kind, _, name = source.partition(":")
    try:
        written = _READERS[kind](name)
    except KeyError:
        raise _unusable(source, "is no source of keys") from None
    except OSError as error:
        raise _unusable(source, f"cannot be read ({type(error).__name__})") from None
    if not written:
        raise _unusable(source, "holds no key")
    try:
        return read_key(written)
    except ValueError as error:
        raise _unusable(source, f"holds no usable key: {error}") from None


def _unusable(source: str, problem: str) -> PolicyError:
    # What looks like a key itself is not repeated.
    kind, colon, name = source.partition(":")
    shown = f"{kind}:{name}" if colon and kind in _READERS else "what is given"
    return PolicyError(
        f"{shown} {problem}",
        field="keys",
        remedy="Use env:NAME, file:PATH or keyring:SERVICE/NAME with 32 bytes in Base64; "
        "`hauberk pii key` makes one.",
    )


def _from_keyring(name: str) -> str | None:
    try:
        keyring: Any = import_module("keyring")
    except ImportError:
        raise MissingExtraError("keyring", needed_for="a key in a keyring") from None
    service, _, user = name.partition("/")
    found: str | None = keyring.get_password(service, user)
    return found


_READERS: dict[str, Callable[[str], str | None]] = {
    "env": os.environ.get,
    "file": lambda name: Path(name).read_text("ascii", "replace"),
    "keyring": _from_keyring,
}
