"""Names of people, where the structure of a text says that there is one.

A name that nothing announces is not found here: the tagger looks for those. What is found is what
follows a title, a key such as `Patient:`, a greeting or a sign-off, what stands in a mail header or
before an address in angle brackets, and in prose what follows a role ("the customer Ada Byron") or
a verb that people are the object of ("e-mail Ada Byron").

Rules:
* A name is one to four capitalised words (with `van`, `de`, `bin` and their like inside).
* A single common word is no name: "Dear Customer", "Name: Monday".
* In prose a name has two or three words in ordinary case, begins with no common word, and holds no
  word of companies and products: "call Acme Tools".
* All patterns are bounded: a text costs time in proportion to its length.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import dropwhile, takewhile

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._gate import Gate, Loose, loosened
from hauberk_pii._results import result_of
from hauberk_pii._starts import Sparse
from hauberk_pii._words import COMMON, NEVER_FIRST, ORGANISATION, PARTICLES

_SCORE = 0.85
"""As Presidio scores the names that a model finds."""

_BEFORE_ADDRESS = 96
"""Characters before an address in which its owner's name is looked for."""

_Q = "['\u2019]"
_DASH = "[\\-\u2013\u2014~]"
_W = r"[^\W\d_]{1,40}(?:['\u2019\-][^\W\d_]{1,40}){0,3}"
_WORD = rf"(?:[^\W\d_]\.|{_W})"
_NAME = rf"(?P<name>{_WORD}(?:[ \t]{{1,2}}{_WORD}){{0,4}})(?!\w)"
_END = r"(?:\\n|\\r|[\r\n])"

_TITLE = (
    r"(?:Mr|MR|Mrs|MRS|Ms|Miss|Mx|Dr|DR|Prof|PROF|Professor|Doctor|Sir|Madam|Herrn?|Frau|"
    r"Monsieur|Madame|Mme|Mlle|Señora?|Sra|Signora?|Dott|Mevrouw|Meneer|Senhora?)"
)
_HOLDER = (
    r"(?:full|first|last|given|family|middle|sur|maiden|legal|customer|client|patient|contact|"
    r"employee|user|member|guest|passenger|student|applicant|cardholder|account holder|"
    r"beneficiary|my|his|her|their|your|whose|the)"
)
_PERSON_KEY = (
    r"(?:customer|client|patient|employee|passenger|guest|tenant|applicant|recipient|sender|attn|"
    r"attention|cardholder|card holder|account holder|beneficiary|signed|signed by|prepared by|"
    r"contact|contact person|next of kin|spouse|surname|physician|nurse|"
    r"(?:full|first|last|given|family|middle|maiden)[ _\-]?name|"
    r"(?:customer|client|patient|employee|contact|guest|passenger)[ _\-]?name|"
    r"vorname|nachname|familienname|kunde|kundin|patientin|ansprechpartner(?:in)?|pr[ée]nom|apellidos?|"
    r"cliente|paciente|paziente|cognome|voornaam|achternaam|klant|pati[ëe]nt|sobrenome|apelido)"
)
_GREETING = r"(?:dear|hi|hello|hey|good (?:morning|afternoon|evening))"
_SIGN_OFF = (
    r"(?:(?:best|kind|kindest|warm|warmest|many)[ \t]{1,2}(?:regards|wishes|thanks)|regards|best|"
    r"sincerely(?: yours)?|yours(?: (?:truly|sincerely|faithfully))?|cheers|thanks(?: again)?|"
    r"thank you|respectfully(?: yours)?|all the best|"
    r"(?:mit (?:freundlichen|besten|herzlichen)|viele|beste|liebe|herzliche|freundliche) gr(?:ü|ue)(?:ß|ss)en?|"
    r"cordialement|bien à vous|(?:cordiales )?saludos(?: cordiales)?|atentamente|(?:cordiali|distinti) saluti|"
    r"met vriendelijke groet(?:en)?|atenciosamente|cumprimentos)"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Where a name stands."""

    before: str
    """Pattern of what goes before it."""
    after: str = ""
    """Pattern of what must follow it."""
    least: int = 1
    """Words that it must have: more where less says that it is a name."""
    prose: bool = False
    """Whether it stands in a sentence, where companies and products stand as well."""

    @property
    def gate(self) -> str:
        """RE2 pattern that matches wherever the rule does."""
        loose = loosened(self.before, fold=False)
        if loose is None:
            raise ValueError("a rule for names that RE2 cannot read")
        return loose + _STARTS

    def compiled(self) -> Sparse:
        """The rule as a pattern whose group `name` holds the run of words."""
        return Sparse(re.compile(self.before + _NAME + self.after))


_MARKS = r"[\"'*_]{0,2}"
_COLON = rf"{_MARKS}[ \t]?[:=][ \t]?{_MARKS}[ \t]?"
_LINE = r"(?:^|[\r\n]|\\n)"

_ROLE = (
    r"(?:customer|client|patient|user|employee|co-?worker|colleague|manager|doctor|nurse|physician|"
    r"therapist|account holder|cardholder|member|guest|tenant|applicant|candidate|passenger|student|"
    r"teacher|lawyer|attorney|accountant|director|secretary|wife|husband|son|daughter|mother|father|"
    r"brother|sister|friend|boss|neighbou?r)"
)
_VERB = (
    r"(?:call|e-?mail|e-?mailed|contact|contacted|ask|asked|tell|told|phone|phoned|invite|invited|"
    r"remind|reminded|notify|notified|meet|met|pay|reimburse|(?:write|talk|speak|spoke|reply) (?:to|with))"
)

_RULES = tuple(
    (rule, rule.compiled())
    for rule in (
        _Rule(rf"(?<!\w){_TITLE}\.?[ \t]{{1,2}}"),
        _Rule(rf"(?i:(?<!\w){_HOLDER}[ _\-]?name(?:[ \t]is|{_Q}s)[ \t]{{1,3}})"),
        _Rule(rf"(?i:(?<!\w){_MARKS}{_PERSON_KEY}{_COLON})"),
        # Products and companies have names too: one word is not enough here.
        _Rule(rf"(?i:(?:^|[\r\n,;{{(|>]|\\n)[ \t\"'*_\-]{{0,8}}name{_COLON})", least=2),
        _Rule(rf"(?i:(?<!\w)(?:I am|I{_Q}m|name is)[ \t])", least=2),
        _Rule(rf"(?i:(?<![\w\-]){_ROLE}[ \t]{{1,2}}(?:(?:named|called)[ \t])?)", prose=True),
        _Rule(rf"(?i:(?<![\w\-]){_VERB}[ \t]{{1,2}})", prose=True),
        _Rule(r"(?i:(?<!\w)this is[ \t])", after=r"(?=[ \t](?:from|calling|speaking))", prose=True),
        _Rule(
            rf"(?i:{_LINE}(?:from|to|cc|bcc|reply-to|sender):[ \t]{{0,3}}\"?)",
            after=rf"(?=\"?[ \t]{{0,3}}(?:{_END}|\Z|[,;<]))",
            least=2,
        ),
        _Rule(
            rf"(?i:{_LINE}[ \t>\"'*]{{0,8}}{_GREETING}[ \t]{{1,2}})",
            after=rf"(?=[,!:.]|{_END})",
        ),
        _Rule(
            rf"(?i:(?:{_LINE}|[.!?])[ \t>]{{0,8}}{_SIGN_OFF}[,.!]?[ \t]{{0,4}}"
            rf"(?:{_END}[ \t>]{{0,4}}){{1,4}}){_DASH}{{0,2}}[ \t]?",
            after=rf"(?=[ \t,.]{{0,4}}(?:{_END}|\Z|\"))",
        ),
    )
)
# What a name can start with: RE2 knows other upper-case letters than Python.
_STARTS = rf"(?:[A-Z\x{{80}}-\x{{10FFFF}}]|(?:{'|'.join(sorted(PARTICLES))})[ \t])"
_GATE = Gate(((rule, pattern), [Loose(rule.gate, rule.gate)]) for rule, pattern in _RULES)
_ADDRESS = re.compile(r"<[^<>\s@]{1,64}@")
_OWNER = re.compile(rf"(?<!\w){_NAME}[\"']?[ \t]{{0,3}}\Z")


class StructuredNameRecognizer(EntityRecognizer):
    """Names where structure says so. High precision, low recall: names in prose are not found."""

    gates = (*(rule.gate for rule, _ in _RULES), _ADDRESS.pattern)

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_entities=["PERSON"], supported_language=supported_language)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Names in a text."""
        spans = {*_by_rules(text), *_by_addresses(text)}
        return [result_of(self, "PERSON", start, end, _SCORE) for start, end in sorted(spans)]


def _by_rules(text: str) -> Iterator[tuple[int, int]]:
    for rule, pattern in _GATE.select(text):
        for spans in pattern.each(text, partial(_taken, rule)):
            yield from spans


def _taken(rule: _Rule, match: re.Match[str]) -> tuple[list[tuple[int, int]], int]:
    """The name in a match, and where the next may begin: among the words that follow it."""
    at = match.start("name")
    spans = list(_trimmed(match["name"], at, rule))
    return spans, spans[-1][1] if spans else at


def _by_addresses(text: str) -> Iterator[tuple[int, int]]:
    for address in _ADDRESS.finditer(text):
        left = max(0, address.start() - _BEFORE_ADDRESS)
        match = _OWNER.search(text[left : address.start()])
        if match is not None:
            yield from _trimmed(match["name"], left + match.start("name"), from_end=True)


def _trimmed(
    name: str, start: int, rule: _Rule | None = None, *, from_end: bool = False
) -> Iterator[tuple[int, int]]:
    """The part of a run of words that is a name, as offsets; nothing when none is.

    Args:
        name: The run of words.
        start: Where it starts in the text.
        rule: What it must hold to.
        from_end: The name ends with the run, instead of starting with it.
    """
    words = list(re.finditer(r"\S+", name))
    if from_end:
        words = list(takewhile(_may_be_part, reversed(words)))[::-1]
        words = list(dropwhile(_begins_none, words))
    else:
        words = list(takewhile(_may_be_part, words))
    while words and _is_particle(words[-1]):
        words.pop()
    least = rule.least if rule else 1
    if len(words) < least or all(_is_common(word) for word in words):
        return
    if rule and rule.prose and not _stands_in_prose([word[0] for word in words]):
        return
    left, right = words[0].start(), _end_of(words[-1])
    if right - left > 1:
        yield start + left, start + right


def _end_of(word: re.Match[str]) -> int:
    """Where the last word of a name ends, without what belongs to the sentence."""
    if len(word[0]) <= _INITIAL:
        return word.end()  # the dot belongs to an initial
    return word.start() + len(_GENITIVE.sub("", word[0].rstrip(".")))


def _stands_in_prose(words: list[str]) -> bool:
    """Whether words are a name where anything could stand."""
    plain = [_GENITIVE.sub("", word.rstrip(".")) for word in words]
    folded = [word.casefold() for word in plain]
    return (
        _LEAST_IN_PROSE <= len(words) <= _MOST_IN_PROSE
        and folded[0] not in COMMON
        and not (folded[0] in PARTICLES and words[0][0].islower())
        and ORGANISATION.isdisjoint(folded)
        and not any(len(word) > 1 and word.isupper() for word in plain)
    )


_GENITIVE = re.compile(r"['\u2019]s\Z")
_LEAST_IN_PROSE = 2
_MOST_IN_PROSE = 5
"""Words of a name in prose, particles included."""

_INITIAL = 2
"""Characters of an initial with its dot."""


def _may_be_part(word: re.Match[str]) -> bool:
    return word[0][0].isupper() or _is_particle(word)


def _is_particle(word: re.Match[str]) -> bool:
    return word[0] in PARTICLES


def _begins_none(word: re.Match[str]) -> bool:
    return word[0].casefold() in NEVER_FIRST


def _is_common(word: re.Match[str]) -> bool:
    return word[0].rstrip(".").casefold() in COMMON
