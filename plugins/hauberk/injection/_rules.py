"""Rules: their shape, and a set of them compiled together.

Rules:
* One look at a text says which rules may match; only those run. Linear time, whatever the
  patterns are.
* A pattern that RE2 cannot take is refused when it is loaded: with the reason, file and line.
* A pattern is written in lower case; a blank in it stands for whatever may part two words, and
  `{{name}}` for a term of the pack.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from hauberk.errors import PolicyError
from hauberk.injection._automaton import PatternError, Patterns
from hauberk.injection._fold import fold_pattern
from hauberk.policy import SeverityName

_BLANK = r"(?:[\s[:punct:]]+)"
_CLASS_OR_BLANK = re.compile(r"\[(?:\\.|[^\]\\])+\]| ")
_TERM = re.compile(r"\{\{(\w+)\}\}")
_ESCAPED = re.compile(r"\\p\{\w+\}|\\.")

Place = tuple[str, int | None]
"""File and line of a rule, for errors."""

_NOWHERE: Place = ("rules", None)


class Category(BaseModel):
    """A kind of attack, with its names in public catalogues."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    owasp: str = Field(pattern=r"^LLM\d\d:2025$")
    """Of the OWASP Top 10 for LLM applications, 2025."""
    atlas: str = Field(pattern=r"^AML\.T\d{4}(\.\d{3})?$")
    """Technique of MITRE ATLAS."""


class Rule(BaseModel):
    """One rule of a pack."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str = Field(pattern=r"^inj\.[a-z0-9.-]+$", max_length=80)
    """Stable name, as it appears in findings."""
    pattern: str = Field(repr=False, min_length=1, max_length=5_000)
    """RE2 syntax, in lower case."""
    category: str
    """Key of the pack's categories."""
    severity: SeverityName
    origins: frozenset[str] = Field(min_length=1)
    """Kinds of origin that it applies to: `user`, `tool`, `document`."""
    language: str = "en"
    """ISO 639-1 code of what it reads; `any` where words do not matter."""
    concealed: bool = False
    """Only for text that a reader would not see: hidden or encoded."""
    explanation: str = Field(min_length=1, max_length=400)
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
        places: Sequence[Place] = (),
    ) -> None:
        """Compile the rules.

        Args:
            rules: The rules.
            version: Version of the pack that ships with hauberk.
            terms: What `{{name}}` stands for.
            categories: The categories that rules may have; any, when there are none.
            places: Where each rule stands, for errors.

        Raises:
            PolicyError: A pattern cannot be compiled, a category or term is not known, or an id
                appears twice.
        """
        self.version = version
        self.rules = tuple(rules)
        self.categories = dict(categories or {})
        self._places = tuple(places)
        sources = [self._source(index, terms or {}) for index in range(len(self.rules))]
        self._check()
        try:
            self._patterns = Patterns(sources)
        except PatternError as error:
            problem = f"cannot be compiled ({error.reason})"
            raise self._refused(error.index, problem) from None

    def candidates(self, raw: bytes) -> Collection[int]:
        """Indices of the rules that may match a folded text (UTF-8); no other one does."""
        return self._patterns.candidates(raw)

    def matching(self, raw: bytes) -> Collection[int]:
        """Indices of the rules that match a folded text (UTF-8)."""
        return self._patterns.matching(raw)

    def span(self, index: int, raw: bytes) -> tuple[int, int] | None:
        """Where rule number `index` matches first: (start, end) in characters."""
        return self._patterns.span(index, raw)

    def _check(self) -> None:
        counts = Counter(rule.id for rule in self.rules)
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if counts[rule.id] > 1 and rule.id in seen:
                raise self._refused(index, "is there twice")
            seen.add(rule.id)
            if self.categories and rule.category not in self.categories:
                raise self._refused(index, f"has an unknown category {rule.category!r}")

    def _source(self, index: int, terms: Mapping[str, str]) -> str:
        source = self.rules[index].pattern
        # Terms may use terms; three rounds are more than packs need.
        for _ in range(3):
            unknown = [name for name in _TERM.findall(source) if name not in terms]
            if unknown:
                raise self._refused(index, f"uses an unknown term {unknown[0]!r}")
            source = _TERM.sub(lambda found: f"(?:{terms[found.group(1)]})", source)
        source = _CLASS_OR_BLANK.sub(lambda m: _BLANK if m.group() == " " else m.group(), source)
        if any(char.isupper() for char in _ESCAPED.sub("", source)):
            raise self._refused(index, "has a capital letter: texts are folded to lower case")
        return fold_pattern(source)

    def _refused(self, index: int, problem: str) -> PolicyError:
        source, line = self._places[index] if self._places else _NOWHERE
        return PolicyError(
            f"rule {self.rules[index].id} {problem}",
            source=source,
            line=line,
            field="rules",
            remedy="RE2 syntax is needed.",
        )
