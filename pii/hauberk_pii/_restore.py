"""Restoring: pseudonyms and surrogates in a model's answer become the values that they stand for.

Rules:
* Only what this session issued is touched; every other character stays as the model wrote it.
* A value is written in the form that its pseudonym has (`_forms`): percent-encoded in a URL.
* A restored value is never looked at again.
* A stream that is restored in pieces, however cut, gives the same text as the whole at once. It is
  held back only from where a pseudonym may have begun, and so never by more than the longest one.
* In a JSON document in pieces, values are escaped for the inside of a string, and names of members
  stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from hauberk_pii._forms import fitting, in_json
from hauberk_pii._json_units import JsonUnits, Unit, Where
from hauberk_pii._pseudonyms import Mention
from hauberk_pii.operators import Script
from hauberk_pii.vault import Vault


def restored(text: str, script: Script, vault: Vault) -> str:
    """A text with the values that its pseudonyms stand for.

    Raises:
        StoreError: The vault cannot be reached.
    """
    found = list(script.mentions(text))
    if not found:
        return text
    values = vault.lookup([mention.name for mention in found])
    pieces: list[str] = []
    at = 0
    for mention in found:
        if mention.name in values:
            value = fitting(values[mention.name], mention.form)
            pieces += (text[at : mention.start], value)
            at = mention.end
    pieces.append(text[at:])
    return "".join(pieces)


class TextRestorer:
    """Restores one text that arrives in pieces (a `StreamFilter`). Not thread-safe."""

    def __init__(self, script: Script, vault: Vault) -> None:
        self._held = _Held(script, vault)

    def feed(self, text: str) -> str:
        """Take the next piece; give what is safe to show now."""
        return self._step(text, last=False)

    def finish(self) -> str:
        """The text is over: give what was held back."""
        return self._step("", last=True)

    def _step(self, text: str, *, last: bool) -> str:
        ready = self._held.take(text, last=last)
        if not ready.found:
            return ready.text[ready.start : ready.end]
        pieces: list[str] = []
        at = ready.start
        for mention, value in ready.found:
            pieces += (ready.text[at : mention.start], value)
            at = mention.end
        pieces.append(ready.text[at : ready.end])
        return "".join(pieces)


class JsonRestorer:
    """Restores one JSON document that arrives in pieces (a `StreamFilter`). Not thread-safe."""

    def __init__(self, script: Script, vault: Vault) -> None:
        self._held = _Held(script, vault)
        self._reader = JsonUnits()
        # Beside each character of the held text, with one of what was shown last: how it was
        # written.
        self._units: list[Unit] = []

    def feed(self, text: str) -> str:
        """Take the next piece; give what is safe to show now."""
        return self._step(self._reader.feed(text), last=False)

    def finish(self) -> str:
        """The document is over: give what was held back."""
        return self._step(self._reader.finish(), last=True)

    def _step(self, units: list[Unit], *, last: bool) -> str:
        self._units += units
        ready = self._held.take("".join(unit.char for unit in units), last=last)
        pieces: list[str] = []
        at = ready.start
        for mention, value in ready.found:
            where = self._units[mention.start].where
            if where is not Where.NAME:
                pieces += (unit.raw for unit in self._units[at : mention.start])
                pieces.append(in_json(value) if where is Where.STRING else value)
                at = mention.end
        pieces += (unit.raw for unit in self._units[at : ready.end])
        del self._units[: max(0, ready.end - 1)]
        return "".join(pieces)


@dataclass(frozen=True, slots=True)
class _Ready:
    """What may be shown of a text: from `start` to `end`, with values for the places in `found`."""

    text: str
    start: int
    end: int
    found: list[tuple[Mention, str]]


class _Held:
    """The end of a text that is not shown yet, with the character that was shown last."""

    def __init__(self, script: Script, vault: Vault) -> None:
        self._script = script
        self._vault = vault
        self._text = ""
        self._start = 0

    def take(self, more: str, *, last: bool) -> _Ready:
        """Add to the end; give what no further text can change."""
        text, start = self._text + more, self._start
        end = len(text) if last else self._script.open_from(text, start)
        found = [m for m in self._script.mentions(text, start) if m.end <= end]
        # The last shown character stays: a bare word must not have a letter before it.
        cut = max(0, end - 1)
        self._text, self._start = text[cut:], end - cut
        if not found:
            return _Ready(text, start, end, [])
        values = self._vault.lookup([m.name for m in found])
        fit = [(m, fitting(values[m.name], m.form)) for m in found if m.name in values]
        return _Ready(text, start, end, fit)
