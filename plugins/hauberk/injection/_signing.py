"""Signatures of rule packs: who wrote one, and that nobody changed it.

Rules:
* A signature is Ed25519 (RFC 8032) over the bytes of the file, and stands beside it: `PACK.sig`.
* What is signed starts with a name of its purpose, so that no other signature passes for one.
* The bytes that were checked are the bytes that are read: the file is opened once.
* No error shows a key.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.errors import PolicyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_PURPOSE = b"hauberk rule pack v1\n"
_MAX_KEY_BYTES = 4096
_MAX_PACK_BYTES = 1024 * 1024
"""As much as a pack may have."""


def signature_file(pack: Path) -> Path:
    """Where the signature of a pack stands."""
    return pack.with_name(pack.name + ".sig")


def read_signed(pack: Path, key: Path) -> bytes:
    """The bytes of a pack that is signed with a key.

    Raises:
        PolicyError: The pack, its signature or the key cannot be read, or do not fit each other.
    """
    raw = _bytes(pack, _MAX_PACK_BYTES)
    written = _bytes(signature_file(pack), _MAX_KEY_BYTES)
    if not is_signed(raw, written, public_key(key)):
        raise PolicyError(
            "is not signed with the key that is asked for",
            source=pack,
            remedy="Do not use it: ask who sent it, over another channel.",
        )
    return raw


def is_signed(raw: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    """Whether a signature, as it is written in a file, is that of these bytes."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - heavy

    try:
        key.verify(base64.b64decode(signature.strip(), validate=True), _PURPOSE + raw)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def sign(raw: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of a pack's bytes, as it is written in a file."""
    return base64.b64encode(key.sign(_PURPOSE + raw)) + b"\n"


def public_key(path: Path) -> Ed25519PublicKey:
    """A public key from a PEM file.

    Raises:
        PolicyError: There is none in it.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - heavy
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
        load_pem_public_key,
    )

    try:
        key = load_pem_public_key(_bytes(path, _MAX_KEY_BYTES))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", "openssl pkey -in private.pem -pubout -out public.pem")
    return key


def private_key(path: Path) -> Ed25519PrivateKey:
    """A private key from a PEM file without a password.

    Raises:
        PolicyError: There is none in it.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - heavy
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(_bytes(path, _MAX_KEY_BYTES), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", "openssl genpkey -algorithm ed25519 -out private.pem")
    return key


def _no_key(path: Path, kind: str, command: str) -> PolicyError:
    return PolicyError(
        f"holds no {kind} Ed25519 key in PEM", source=path, remedy=f"`{command}` writes one."
    )


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise PolicyError(
            f"cannot be read ({why})", source=path, remedy="Check the path."
        ) from None
    if len(raw) > most:
        raise PolicyError(f"has more than {most} bytes", source=path)
    return raw
