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

from hauberk.audit._chain import mac
from hauberk.decisions import Decision, Verdict
from hauberk.events import Event, Segment

DIGEST_BYTES = 16
"""Length of an event's digest, in bytes: HMAC-SHA256 cut to 128 bits (RFC 2104 section 5)."""

MAX_CACHED_CHARS = 1_000_000
"""Characters of text that one session remembers the digests of: a long conversation."""


class Cache:
    """The digests that one session remembers."""

    __slots__ = ("chars", "known")

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self.chars = 0


class Digester:
    """Keyed digests of events. The same key and event give the same digest, in any process."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def event(self, event: Event, cache: Cache) -> str | None:
        """The digest of an event's texts, tool and arguments.

        None when the arguments are not JSON values, or nested too deeply to be written.
        """
        return self._digest(event.tool, _canonical(event.arguments), event.segments, cache)

    def both(self, event: Event, decision: Decision, cache: Cache) -> tuple[str | None, str | None]:
        """The digest of an event as it came, and as it goes on (None where it does not)."""
        values = _canonical(event.arguments)
        came = self._digest(event.tool, values, event.segments, cache)
        if decision.verdict is Verdict.ALLOW:
            return came, came
        if decision.verdict is not Verdict.REWRITE:
            return came, None
        if decision.arguments is not None and decision.arguments is not event.arguments:
            values = _canonical(decision.arguments)
        segments = event.segments if decision.segments is None else decision.segments
        return came, self._digest(event.tool, values, segments, cache)

    def _digest(
        self, tool: str | None, values: bytes | None, segments: tuple[Segment, ...], cache: Cache
    ) -> str | None:
        if values is None:
            return None
        known = cache.known
        # Fixed-length digests of the texts at the end: the front cannot run into them unseen.
        front = b'%d %s %s"' % (len(segments), _bytes(tool) if tool else b"", values)
        texts = [known.get(s.text) or self._remembered(s.text, cache) for s in segments]
        return mac(self._key, front + b"".join(texts))[:DIGEST_BYTES].hex()

    def _remembered(self, text: str, cache: Cache) -> bytes:
        digest = mac(self._key, _bytes(text))
        # No lock: when threads race, the count is off by a few texts and nothing else.
        if cache.chars + len(text) > MAX_CACHED_CHARS:
            cache.known, cache.chars = {}, 0
        if len(text) <= MAX_CACHED_CHARS:
            cache.known[text] = digest
            cache.chars += len(text) or 1
        return digest


def _bytes(text: str) -> bytes:
    # surrogatepass: a lone surrogate is a text too, if not one that UTF-8 has a form for.
    return text.encode("utf-8", "surrogatepass")


def _canonical(arguments: Mapping[str, object] | None) -> bytes | None:
    """Arguments in the one way in which they are digested; None for what cannot be."""
    if arguments is None:
        return b""
    try:
        return _CANONICAL.encode(arguments).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        return None


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
