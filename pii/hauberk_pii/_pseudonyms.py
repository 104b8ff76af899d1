r"""Pseudonyms: how they are written, how a model may spell them, and who remembers the values.

`<PERSON_1>` stands for one exact text. "Ada@x.com" and "ada@x.com" are two texts with two
pseudonyms: only so does each come back as it was.

Rules:
* One text has one pseudonym for the whole session, whatever type it is found as later; two texts
  never share one.
* Read tolerantly, in clear cases only: `<person_1>`, `<PERSON 1>`, `<PERSON\_1>`, `&lt;PERSON_1&gt;`,
  `\u003cPERSON_1\u003e`, and the bare word `PERSON_1`. Nothing else is touched.
* Whatever in a text reads like a pseudonym is masked as `<LITERAL_1>`, so that restoring what was
  masked gives the same text, for all texts.
* A vault that is full refuses; it forgets nothing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hauberk import StoreError

LITERAL = "LITERAL"
"""Type of the pseudonyms that stand for a text which only looks like one."""

_OPEN = ("<", "&lt;", "\\u003c")
_CLOSE = (">", "&gt;", "\\u003e")
_SEPARATOR = ("_", " ", "-", "\\_")
_SIGN = re.compile(r"[0-9A-Za-z](?:_|\\_|[ \-])[1-9]")
"""In every spelling, and in few other texts."""
_DIGITS = 9
"""Most digits of a number: a billion values in one session."""


class VaultFullError(StoreError):
    """A session has as many values as its policy allows."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"the session holds {limit} values, and may hold no more",
            store="vault",
            remedy="Raise pii.max_values, or open a new session.",
        )


@dataclass(frozen=True, slots=True)
class Value:
    """One exact text to be remembered, and what it was found as."""

    type: str
    text: str

    def __repr__(self) -> str:
        """The type only: the text is what must not be shown."""
        return f"Value(type={self.type!r})"


class Vault(Protocol):
    """Where a session's values are remembered. Each method is one atomic step; thread-safe."""

    def issue(self, values: Sequence[Value]) -> list[str]:
        """The pseudonyms of some values, in the same order; new ones for values not yet known.

        The values are remembered when this returns. All or nothing.

        Raises:
            VaultFullError: There is no room for all of them.
            StoreError: The vault cannot be reached.
        """
        ...

    def lookup(self, pseudonyms: Iterable[str]) -> Mapping[str, str]:
        """The texts behind those of `pseudonyms` (`<PERSON_1>`) that were issued here.

        Raises:
            StoreError: The vault cannot be reached.
        """
        ...


class MemoryVault:
    """A vault that lasts as long as the session. In clear, in this process's memory."""

    def __init__(self, *, max_values: int = 100_000) -> None:
        self._limit = max_values
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._texts: dict[str, str] = {}
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
            return {name: self._texts[name] for name in pseudonyms if name in self._texts}

    def _new(self, value: Value) -> str:
        number = self._counts[value.type] = self._counts.get(value.type, 0) + 1
        name = written(value.type, number)
        self._names[value.text] = name
        self._texts[name] = value.text
        return name


def written(kind: str, number: int) -> str:
    """A pseudonym as we write it.

    Example:
        >>> written("PERSON", 1)
        '<PERSON_1>'
    """
    return f"<{kind}_{number}>"


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a text reads like a pseudonym."""

    start: int
    end: int
    name: str
    """The pseudonym as we write it. It may or may not have been issued."""


class Grammar:
    """How pseudonyms of some types are spelt.

    Args:
        types: Entity types; `LITERAL` is always one.

    Example:
        >>> [m.name for m in Grammar(["PERSON"]).mentions("ask **<person_1>** or PERSON_2's")]
        ['<PERSON_1>', '<PERSON_2>']
    """

    def __init__(self, types: Iterable[str]) -> None:
        # Longest first: a type may begin like another one.
        known = sorted({*types, LITERAL}, key=lambda t: (-len(t), t))
        self._canon = {kind.upper(): kind for kind in known}
        kinds = _either(known)
        bracketed = (
            rf"(?i:{_either(_OPEN)}[ ]?({kinds}){_either(_SEPARATOR)}([1-9][0-9]{{0,{_DIGITS - 1}}})"
            rf"[ ]?{_either(_CLOSE)})"
        )
        bare = rf"({kinds})_([1-9][0-9]{{0,{_DIGITS - 1}}})"
        self._mention = re.compile(rf"{bracketed}|(?<![0-9A-Za-z_]){bare}(?![0-9A-Za-z_])")
        # Without the bounds of a word: what is beside may be masked away.
        self._likeness = re.compile(rf"{bracketed}|{bare}")
        self._begun = re.compile(_beginnings(known))
        self.longest = max(map(len, known)) + _DIGITS + 2 * len(_OPEN[2]) + 4
        """Characters of the longest spelling."""

    def mentions(self, text: str, start: int = 0) -> Iterator[Mention]:
        """Where a text has pseudonyms, from `start` on."""
        return self._found(self._mention, text, start)

    def likenesses(self, text: str) -> Iterator[Mention]:
        """Where a text has anything that could be read as a pseudonym once other parts change."""
        return self._found(self._likeness, text, 0)

    def open_from(self, text: str, start: int = 0) -> int:
        """Where a pseudonym may have begun that the text does not finish; its length if none has.

        Args:
            text: What came so far.
            start: Where to look from: what lies before is settled.
        """
        match = self._begun.search(text, max(start, len(text) - self.longest))
        return match.start() if match is not None else len(text)

    def _found(self, pattern: re.Pattern[str], text: str, start: int) -> Iterator[Mention]:
        if _SIGN.search(text, start) is None:
            return
        for match in pattern.finditer(text, start):
            kind, number = match[1] or match[3], match[2] or match[4]
            name = written(self._canon[kind.upper()], int(number))
            yield Mention(match.start(), match.end(), name)


def _either(words: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in words) + ")"


def _begun(words: Iterable[str]) -> str:
    """A pattern for every beginning of one of some words, the empty one left out."""
    return _either(
        sorted({word[:n] for word in words for n in range(1, len(word) + 1)}, key=_order)
    )


def _order(word: str) -> tuple[int, str]:
    return -len(word), word


def _beginnings(types: list[str]) -> str:
    """A pattern for every beginning of a pseudonym that reaches the end of the text."""
    kinds, seps = _either(types), _either(_SEPARATOR)
    number = rf"[1-9][0-9]{{0,{_DIGITS - 1}}}"
    opened = rf"{_either(_OPEN)}[ ]?"
    steps = (
        _begun(_OPEN),
        opened,
        rf"{opened}{_begun(types)}",
        rf"{opened}{kinds}{_begun(_SEPARATOR)}",
        rf"{opened}{kinds}{seps}{number}[ ]?",
        rf"{opened}{kinds}{seps}{number}[ ]?{_begun([c[:-1] for c in _CLOSE if len(c) > 1])}",
    )
    bare = rf"(?<![0-9A-Za-z_])(?:{_begun(types)}|{kinds}_(?:{number})?)"
    return rf"(?:(?i:{'|'.join(steps)})|{bare})\Z"
