"""Digests: which texts a record is about, without the texts.

Rules:
* Digests are keyed: the hash of a short text without a key can be found by guessing.
* A text is hashed once per session, so a conversation of n turns costs O(n) hashing although its
  whole history comes again at each turn.
* What a session remembers is bounded; what does not fit is hashed again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

from hauberk.events import Event

DIGEST_BYTES = 16
"""Length of a digest: 128 bits, keyed, so that nobody without the key can look for collisions."""

MAX_CACHED_CHARS = 1_000_000
"""Characters of text that one session remembers the digests of: a long conversation."""


class Cache:
    """The digests that one session remembers."""

    __slots__ = ("chars", "known")

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self.chars = 0


class Digester:
    """Keyed digests of events. The same key and texts give the same digest, in any process."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def event(self, event: Event, cache: Cache) -> str | None:
        """The digest of an event's texts, tool and arguments.

        None when the arguments are not JSON values, or nested too deeply to be written.
        """
        known = cache.known
        parts = [b"%d:" % len(event.segments)]
        for segment in event.segments:
            parts.append(known.get(segment.text) or self._remembered(segment.text, cache))
        if event.arguments is not None:
            written = _canonical(event.arguments)
            if written is None:
                return None
            parts.append(self._text(written))
        parts.append(self._text(event.tool or ""))
        return self._bytes(b"".join(parts)).hex()

    def _remembered(self, text: str, cache: Cache) -> bytes:
        digest = self._text(text)
        # No lock: when threads race, the count is off by a few texts and nothing else.
        if cache.chars + len(text) > MAX_CACHED_CHARS:
            cache.known, cache.chars = {}, 0
        if len(text) <= MAX_CACHED_CHARS:
            cache.known[text] = digest
            cache.chars += len(text) or 1
        return digest

    def _text(self, text: str) -> bytes:
        # surrogatepass: a lone surrogate is a text too, if not one that UTF-8 has a form for.
        return self._bytes(text.encode("utf-8", "surrogatepass"))

    def _bytes(self, data: bytes) -> bytes:
        return blake2b(data, key=self._key, digest_size=DIGEST_BYTES).digest()


def _canonical(arguments: Mapping[str, object]) -> str | None:
    try:
        return json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
