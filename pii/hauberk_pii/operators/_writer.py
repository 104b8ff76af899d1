"""Operators: what is written in place of a value, by its type and by who will read it.

Rules:
* `pseudonymize` and `surrogate` can be read back, and are remembered in the vault; `mask`, `hash` and
  `redact` cannot, and nothing is remembered; `keep` leaves the value; `block` refuses the text.
* What only looks like a pseudonym is always pseudonymized: otherwise it would be read back.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hauberk.policy import Operator
from hauberk_pii._pseudonyms import LITERAL
from hauberk_pii.operators._script import Script
from hauberk_pii.operators._surrogates import Surrogates
from hauberk_pii.vault import Value, Vault

_SHOWN = 4
"""Characters at the end of a masked value that stay: enough to tell two cards apart."""
_HASH_CHARS = 16
"""Hexadecimal digits of a hash: 64 bits tell a billion values apart."""
_REMEMBERED = frozenset({Operator.PSEUDONYMIZE, Operator.SURROGATE})


class BlockedTypeError(Exception):
    """A text holds a value of a type that may not go where the text goes. Attribute: `type`."""

    def __init__(self, kind: str) -> None:
        self.type = kind
        super().__init__(f"a {kind} may not go there")


@dataclass(frozen=True, slots=True)
class Written:
    """What stands for a value."""

    text: str = field(repr=False)
    name: str | None
    """The pseudonym that it is remembered under; None when it cannot be read back."""


class Operators:
    """Which operator each type gets, for one reader. `*` stands for every type that is not named.

    Example:
        >>> Operators({"*": Operator.MASK}).of("CREDIT_CARD").value
        'mask'
    """

    def __init__(self, chosen: Mapping[str, Operator], default: Operator = Operator.KEEP) -> None:
        self._chosen = dict(chosen)
        self._default = self._chosen.get("*", default)

    def of(self, kind: str) -> Operator:
        """The operator for a type."""
        return Operator.PSEUDONYMIZE if kind == LITERAL else self._chosen.get(kind, self._default)

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever changed."""
        return {self._default, *self._chosen.values()} == {Operator.KEEP}

    @property
    def can_be_read_back(self) -> bool:
        """Whether anything is written that stands for a remembered value."""
        return not _REMEMBERED.isdisjoint({self._default, *self._chosen.values()})


class Reveal:
    """What tools get, by exact name or glob; an exact name goes before globs."""

    def __init__(self, chosen: Mapping[str, Mapping[str, Operator]]) -> None:
        made = {name: Operators(operators) for name, operators in chosen.items()}
        self._tools = {n: one for n, one in made.items() if not one.keeps_all}
        self._kept = {n for n, one in made.items() if one.keeps_all}

    @property
    def can_be_read_back(self) -> bool:
        """Whether a tool may give back something that stands for a remembered value."""
        return any(one.can_be_read_back for one in self._tools.values())

    def for_tool(self, tool: str) -> Operators | None:
        """The operators for a tool; None when it gets the real values."""
        if not self._tools or tool in self._kept:
            return None
        if tool in self._tools:
            return self._tools[tool]
        return next((one for n, one in self._tools.items() if fnmatchcase(tool, n)), None)


class Writer:
    """Writes what stands for values, in one session. Thread-safe."""

    def __init__(self, vault: Vault, script: Script, language: str) -> None:
        self._vault = vault
        self._script = script
        self._language = language
        self._surrogates: Surrogates | None = None

    def write(self, values: Sequence[Value], operators: Operators) -> list[Written]:
        """What stands for some values, in the same order.

        Raises:
            BlockedTypeError: A value may not go there at all.
            StoreError: The vault is full or cannot be reached.
        """
        chosen = [operators.of(value.type) for value in values]
        if Operator.BLOCK in chosen:
            raise BlockedTypeError(values[chosen.index(Operator.BLOCK)].type)
        kept = [v for v, operator in zip(values, chosen, strict=True) if operator in _REMEMBERED]
        names = iter(self._vault.issue(kept) if kept else ())
        return [
            self._one(value, operator, next(names) if operator in _REMEMBERED else None)
            for value, operator in zip(values, chosen, strict=True)
        ]

    def _one(self, value: Value, operator: Operator, name: str | None) -> Written:
        match operator:
            case Operator.SURROGATE if name is not None and value.type != LITERAL:
                return Written(self._surrogate(value, name), name)
            case Operator.MASK:
                return Written(starred(value.text), None)
            case Operator.HASH:
                return Written(f"<{value.type}:{self._hash(value.text)}>", None)
            case Operator.REDACT:
                return Written(f"<{value.type}>", None)
            case Operator.KEEP:
                return Written(value.text, None)
            case _:
                return Written(name or f"<{value.type}>", name)

    def _surrogate(self, value: Value, name: str) -> str:
        known = self._script.surrogate(name)
        if known is not None:
            return known
        if self._surrogates is None:
            self._surrogates = Surrogates(self._vault.secret("surrogate"), self._language)
        for made in self._surrogates.candidates(value.type, value.text):
            if not self._vault.knows(made) and self._script.add(made, name):
                self._learn_parts(value, made)
                return made
        return name  # no free one was found: the plain pseudonym does

    def _learn_parts(self, value: Value, made: str) -> None:
        """A model calls a person by a part of the name: it stands for that part."""
        if value.type != "PERSON" or self._surrogates is None:
            return
        parts = dict(self._surrogates.learn(value.text, made))
        names = self._vault.issue([Value("PERSON", old) for old in parts])
        for new, name in zip(parts.values(), names, strict=True):
            if self._script.surrogate(name) is None:
                self._script.add(new, name)

    def _hash(self, text: str) -> str:
        secret, raw = self._vault.secret("hash"), text.encode("utf-8", "surrogatepass")
        return hmac.digest(secret, raw, "sha256").hex()[:_HASH_CHARS]


def starred(text: str) -> str:
    """Letters, digits and backslashes as `*`, but for the last four of a long value.

    Example:
        >>> starred("4111-1111-1111-1111")
        '****-****-****-1111'
    """
    # A backslash before a star would be half an escape.
    places = [index for index, char in enumerate(text) if char.isalnum() or char == "\\"]
    hidden = set(places[: -_SHOWN or None] if len(places) > 2 * _SHOWN else places)
    return "".join("*" if index in hidden else char for index, char in enumerate(text))
