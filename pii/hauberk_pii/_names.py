"""Names of people, where the structure of a text says that there is one.

There is no model here: a name in running prose is not found. What is found is what follows a title,
a key such as `Patient:`, a greeting or a sign-off, and what stands in a mail header or before an
address in angle brackets.

Rules:
* A name is one to four capitalised words (with `van`, `de`, `bin` and their like inside).
* A single common word is no name: "Dear Customer", "Name: Monday".
* All patterns are bounded: a text costs time in proportion to its length.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
from collections.abc import Iterator

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._recognizers import result_of
from hauberk_pii._words import COMMON, PARTICLES

_SCORE = 0.85
"""As Presidio scores the names that a model finds."""

_BEFORE_ADDRESS = 96
"""Characters before an address in which its owner's name is looked for."""

_Q = "['\u2019]"
_W = r"[^\W\d_]{1,40}(?:['\u2019\-][^\W\d_]{1,40}){0,3}"
_WORD = rf"(?:[^\W\d_]\.|{_W})"
_NAME = rf"(?P<name>{_WORD}(?:[ \t]{{1,2}}{_WORD}){{0,4}})(?!\w)"
_END = r"(?:\\n|\\r|[\r\n])"

_TITLE = r"(?:Mr|MR|Mrs|MRS|Ms|Miss|Mx|Dr|DR|Prof|PROF|Professor|Doctor|Sir|Madam|Herr|Frau)"
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
    r"(?:customer|client|patient|employee|contact|guest|passenger)[ _\-]?name)"
)
_GREETING = r"(?:dear|hi|hello|hey|good (?:morning|afternoon|evening))"
_SIGN_OFF = (
    r"(?:(?:best|kind|kindest|warm|warmest|many)[ \t]{1,2}(?:regards|wishes|thanks)|regards|best|"
    r"sincerely(?: yours)?|yours(?: (?:truly|sincerely|faithfully))?|cheers|thanks(?: again)?|"
    r"thank you|respectfully(?: yours)?|all the best)"
)

_Rule = tuple[re.Pattern[str], int]
_RULES: tuple[_Rule, ...] = (
    # What goes before, and how many words the name must have.
    (re.compile(rf"(?<!\w){_TITLE}\.?[ \t]{{1,2}}{_NAME}"), 1),
    (re.compile(rf"(?i:(?<!\w){_HOLDER}[ _\-]?name(?:[ \t]is|{_Q}s)[ \t]{{1,3}}){_NAME}"), 1),
    (
        re.compile(
            rf"(?i:(?<!\w)[\"'*_]{{0,2}}{_PERSON_KEY}[\"'*_]{{0,2}}[ \t]?[:=][ \t]?[\"'*_]{{0,2}}[ \t]?)"
            rf"{_NAME}"
        ),
        1,
    ),
    (
        re.compile(
            rf"(?i:(?:^|[\r\n,;{{(|>]|\\n)[ \t\"'*_\-]{{0,8}}name[\"'*_]{{0,2}}[ \t]?[:=][ \t]?[\"'*_]{{0,2}}[ \t]?)"
            rf"{_NAME}"
        ),
        2,
    ),
    (re.compile(rf"(?i:(?<!\w)(?:I am|I{_Q}m|name is)[ \t]){_NAME}"), 2),
    (
        re.compile(
            rf"(?im:(?:^|\\n)(?:from|to|cc|bcc|reply-to|sender):[ \t]{{0,3}}\"?)"
            rf"{_NAME}(?=\"?[ \t]{{0,3}}(?:{_END}|\Z|,|;))"
        ),
        2,
    ),
    (
        re.compile(
            rf"(?i:(?:^|[\r\n>]|\\n)[ \t\"'*]{{0,8}}{_GREETING}[ \t]{{1,2}}){_NAME}(?=[,!:.]|{_END})"
        ),
        1,
    ),
    (
        re.compile(
            rf"(?i:(?:^|[\r\n.!?]|\\n)[ \t>]{{0,8}}{_SIGN_OFF}[,.!]?[ \t]{{0,4}}(?:{_END}[ \t>]{{0,4}}){{1,4}})"
            rf"[\-\u2013\u2014~]{{0,2}}[ \t]?{_NAME}(?=[ \t,.]{{0,4}}(?:{_END}|\Z|\"))"
        ),
        1,
    ),
)
_ADDRESS = re.compile(r"<[^<>\s@]{1,64}@")
_OWNER = re.compile(rf"(?<!\w){_NAME}[\"']?[ \t]{{0,3}}\Z")


class StructuredNameRecognizer(EntityRecognizer):
    """Names where structure says so. High precision, low recall: names in prose are not found."""

    gates = (
        rf"(?:^|[^A-Za-z0-9_]){_TITLE}\.?[ \t]",
        rf"(?i)name{_Q}?s?[ \t]?is[ \t]|name{_Q}s[ \t]",
        rf"(?i)(?:{_PERSON_KEY}|name)[\"'*_]{{0,2}}[ \t]?[:=]",
        rf"(?i)(?:\bI am|\bI{_Q}m)[ \t][^ -@\[-`{-~]",
        r"(?i)(?:from|to|cc|sender):",
        rf"(?i){_GREETING}[ \t]",
        rf"(?i){_SIGN_OFF}[,.!]?[ \t]{{0,4}}(?:\\n|\\r|[\r\n])",
        r"<[^<>\s@]{1,64}@",
    )

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
    for pattern, least in _RULES:
        for match in pattern.finditer(text):
            yield from _trimmed(match["name"], match.start("name"), least=least)


def _by_addresses(text: str) -> Iterator[tuple[int, int]]:
    for address in _ADDRESS.finditer(text):
        left = max(0, address.start() - _BEFORE_ADDRESS)
        match = _OWNER.search(text[left : address.start()])
        if match is not None:
            yield from _trimmed(match["name"], left + match.start("name"), least=1, from_end=True)


def _trimmed(
    name: str, start: int, *, least: int, from_end: bool = False
) -> Iterator[tuple[int, int]]:
    """The part of a run of words that is a name, as offsets; nothing when none is."""
    words = [(m.start(), m.end(), m[0]) for m in re.finditer(r"\S+", name)]
    if from_end:
        words.reverse()
    count = 0
    while count < len(words) and _may_be_part(words[count][2]):
        count += 1
    words = words[:count]
    while words and not words[-1][2][0].isupper():
        words.pop()
    if from_end:
        words.reverse()
    words = _without_common(words)
    if len(words) >= least and not all(_common(word) for _, _, word in words):
        left, right = words[0][0], words[-1][1]
        # A lone dot belongs to the sentence, unless it ends an initial.
        right -= name[left:right].endswith(".") and right - words[-1][0] > 2  # noqa: PLR2004
        if right - left > 1:
            yield start + left, start + right


def _without_common(words: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Cut at words that end a name: "Ada Byron The"."""
    while words and words[-1][2].casefold() in COMMON and len(words) > 1 and _common_end(words):
        words = words[:-1]
    return words


def _common_end(words: list[tuple[int, int, str]]) -> bool:
    # Two words may well be a name whose second is a common word: "Ada King", "Rose Brown".
    return len(words) > 2  # noqa: PLR2004


def _may_be_part(word: str) -> bool:
    return word[0].isupper() or word.casefold() in PARTICLES


def _common(word: str) -> bool:
    return word.casefold().rstrip(".") in COMMON
