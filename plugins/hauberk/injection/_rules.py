"""The rule pack: loaded, checked, and compiled together.

Rules:
* One pass over a text says which rules may match; only those run. Linear time, whatever the
  patterns are.
* A pattern that RE2 cannot take is refused when the pack is loaded, with the reason.
* A pattern is written in lower case; a blank in it stands for whatever may part two words, and
  `{{name}}` for a term of the pack.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hauberk.errors import PolicyError
from hauberk.injection._automaton import PatternError, Patterns
from hauberk.injection._fold import fold_pattern
from hauberk.policy import SeverityName

PACK = "rules.yaml"

_BLANK = r"(?:[\s[:punct:]]+)"
_CLASS_OR_BLANK = re.compile(r"\[(?:\\.|[^\]\\])+\]| ")
_TERM = re.compile(r"\{\{(\w+)\}\}")
_ESCAPED = re.compile(r"\\p\{\w+\}|\\.")


class Category(BaseModel):
    """A kind of attack, with its names in public catalogues."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owasp: str = Field(pattern=r"^LLM\d\d:2025$")
    atlas: str = Field(pattern=r"^AML\.T\d{4}(\.\d{3})?$")


class Rule(BaseModel):
    """One rule of the pack."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str = Field(pattern=r"^inj\.[a-z0-9.-]+$")
    """Stable name, as it appears in findings."""
    pattern: str = Field(repr=False)
    """RE2 syntax, in lower case."""
    category: str
    """Key of the pack's categories."""
    severity: SeverityName
    origins: frozenset[str] = Field(min_length=1)
    """Kinds of origin that it applies to: `user`, `tool`, `document`."""
    concealed: bool = False
    """Only for text that a reader would not see: hidden or encoded."""
    explanation: str
    """One sentence for people."""
    match: tuple[str, ...] = Field(min_length=1)
    """Texts that it must find."""
    no_match: tuple[str, ...] = Field(min_length=1)
    """Texts that it must not find."""


class RulePack:
    """Rules compiled together. Immutable and thread-safe."""

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        version: int = 1,
        terms: Mapping[str, str] | None = None,
        categories: Mapping[str, Category] | None = None,
    ) -> None:
        """Compile the rules.

        Raises:
            PolicyError: A pattern cannot be compiled, a category or term is not known, or an id
                appears twice.
        """
        self.version = version
        self.rules = tuple(rules)
        self.categories = dict(categories or {})
        sources = [_source(rule, terms or {}) for rule in self.rules]
        self._check()
        try:
            self._patterns = Patterns(sources)
        except PatternError as error:
            problem = f"cannot be compiled ({error.reason})"
            raise _refused(self.rules[error.index], problem) from None

    def matching(self, raw: bytes) -> Collection[int]:
        """Indices of the rules that match a folded text (UTF-8)."""
        return self._patterns.matching(raw)

    def span(self, index: int, raw: bytes) -> tuple[int, int] | None:
        """Where rule number `index` matches first: (start, end) in characters."""
        return self._patterns.span(index, raw)

    def _check(self) -> None:
        ids = [rule.id for rule in self.rules]
        for rule in self.rules:
            if ids.count(rule.id) > 1:
                raise _refused(rule, "is there twice")
            if self.categories and rule.category not in self.categories:
                raise _refused(rule, f"has an unknown category {rule.category!r}")


@lru_cache(maxsize=1)
def load_pack() -> RulePack:
    """The pack that ships with hauberk. Loaded once."""
    import yaml  # noqa: PLC0415 - only here

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("hauberk.injection").joinpath(PACK).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    return RulePack(
        [Rule.model_validate(rule) for rule in data["rules"]],
        version=data["version"],
        terms=data["terms"],
        categories={k: Category.model_validate(v) for k, v in data["categories"].items()},
    )


def _source(rule: Rule, terms: Mapping[str, str]) -> str:
    source = rule.pattern
    # Terms may use terms; three rounds are more than the pack needs.
    for _ in range(3):
        source = _TERM.sub(lambda found: _term(rule, found.group(1), terms), source)
    source = _CLASS_OR_BLANK.sub(lambda m: _BLANK if m.group() == " " else m.group(), source)
    if any(char.isupper() for char in _ESCAPED.sub("", source)):
        raise _refused(rule, "has a capital letter: texts are folded to lower case")
    return fold_pattern(source)


def _term(rule: Rule, name: str, terms: Mapping[str, str]) -> str:
    if name not in terms:
        raise _refused(rule, f"uses an unknown term {name!r}")
    return f"(?:{terms[name]})"


def _refused(rule: Rule, problem: str) -> PolicyError:
    return PolicyError(
        f"rule {rule.id} {problem}", source=PACK, field="rules", remedy="RE2 syntax is needed."
    )
