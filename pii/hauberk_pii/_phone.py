"""Phone numbers: libphonenumber, run where a number can be and only for regions that can have it.

Rules:
* A number needs seven digits, with at most four signs between two of them. Presidio takes every
  German post code for a phone number.
* A candidate is parsed for a region only if its digits are a national number there, after prefixes
  that parsing takes away, and with the prefix that they need there. This loses nothing: parsing adds
  none, and a number without a prefix that is always written is none.
* libphonenumber gives up on a text after 65,535 tries and reports nothing more. Here it does not:
  candidates are bounded, so a text costs time in proportion to its length.
"""
# ruff: noqa: ARG002, SLF001 - Presidio asks for these parameters; libphonenumber's steps are private

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import phonenumbers
import re2  # type: ignore[import-untyped]  # it ships no types
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberFormat, PhoneMetadata
from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import PhoneRecognizer

from hauberk_pii._results import result_of

steps: Any = phonenumbers.phonenumbermatcher


class WindowedPhoneRecognizer(PhoneRecognizer):
    """Presidio's phone recognizer, run where enough digits are.

    Differs from it on purpose: numbers of fewer than seven digits are not found.
    """

    _DIGIT = r"[\p{Nd}\x{10D00}-\x{1E9FF}]"
    gates = (rf"{_DIGIT}(?:[\-xX ()./~\[\]+\x{{80}}-\x{{10FFFF}}]{{0,4}}{_DIGIT}){{6}}",)

    _ENOUGH = re.compile("\\d(?:[\\-xX ()./~\\[\\]+\x80-\U0010ffff]{0,4}\\d){6}")
    # Letters and signs that no phone number holds (those of "ext", "extension", "anexo", "int"
    # and "x" may be part of one).
    _RUN = re.compile(r"[^B-DF-HJ-MP-RU-WYZb-df-hj-mp-ru-wyz\"{}<>_!?&@|\r\n]{7,}")
    _BEGINS = re.compile("\\d|[(\\[\uff08\uff3b+\uff0b#]")

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="PhoneRecognizer")

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Phone numbers in a text."""
        numbers = cache(self._numbers)  # tables repeat themselves; nothing is kept after this
        spans: set[tuple[int, int]] = set()
        for run in self._RUN.finditer(text):
            if self._ENOUGH.search(run[0]):
                # One more character on each side: a letter there means that it is no number.
                left = max(0, run.start() - 1)
                found = numbers(text[left : run.end() + 1])
                spans |= {(left + start, left + end) for start, end in found}
        return EntityRecognizer.remove_duplicates(
            [
                result_of(self, self.supported_entities[0], start, end, self.SCORE)
                for start, end in spans
                if self._ENOUGH.search(text, start, end)
            ]
        )

    def _numbers(self, text: str) -> set[tuple[int, int]]:
        """Numbers of all regions in a run."""
        known = _regions(tuple(self.supported_regions))
        if len(_DIGITS.findall(text)) < known.least:
            return set()
        run = _Run(text, known)
        found: set[tuple[int, int]] = set()
        for region in run.regions():
            found |= set(run.numbers(region))
            if len(found) == 1:
                ((start, end),) = found
                # Nothing left that could belong to a number: the other regions can only find
                # parts of this one, which Presidio drops.
                if not self._BEGINS.search(text, 0, start) and not self._BEGINS.search(text, end):
                    break
        return found


class _Group(NamedTuple):
    """A part of a candidate that may be a number in some region."""

    start: int
    text: str
    regions: Sequence[str]
    """Where it may be one."""


class _Run:
    """libphonenumber's search, where everything that is the same in all regions is done once.

    The steps are those of `PhoneNumberMatcher` (phonenumbers 9), which judges each number still.
    """

    def __init__(self, text: str, known: _Regions) -> None:
        self._text = text
        self._known = known
        self._candidates: dict[int, tuple[int, list[_Group]] | None] = {}

    @cached_property
    def _judge(self) -> phonenumbers.PhoneNumberMatcher:
        return phonenumbers.PhoneNumberMatcher(
            self._text, None, leniency=phonenumbers.Leniency.VALID, max_tries=sys.maxsize
        )

    def regions(self) -> list[str]:
        """Regions in which anything may be a number, in their order."""
        # While nothing is a number, each candidate begins where the one before it ends.
        wanted: set[str] = set()
        at = 0
        while (candidate := self._candidate(at)) is not None:
            at, groups = candidate
            wanted.update(*(group.regions for group in groups))
        return [region for region in self._known.names if region in wanted]

    def numbers(self, region: str) -> Iterator[tuple[int, int]]:
        """Where numbers are that are valid when they are dialled in a region."""
        self._judge.preferred_region = region
        at = 0
        while (candidate := self._candidate(at)) is not None:
            at, groups = candidate
            for start, text, regions in groups:
                if region in regions and self._judge._parse_and_verify(text, start) is not None:
                    at = start + len(text)
                    yield start, at
                    break

    def _candidate(self, at: int) -> tuple[int, list[_Group]] | None:
        """The first candidate at or after a place: where it ends, and what may be a number in it."""
        if at not in self._candidates:
            self._candidates[at] = self._found(at)
        return self._candidates[at]

    def _found(self, at: int) -> tuple[int, list[_Group]] | None:
        match = steps._PATTERN.search(self._text, at)
        if match is None:
            return None
        start = match.start()
        candidate = _cut(match[0], steps._SECOND_NUMBER_START_PATTERN)
        groups = (
            _Group(start + offset, text, self._known.of(text))
            for offset, text in self._groups(candidate, start)
        )
        return start + len(candidate), [
            group for group in groups if group.regions and self._may_stand(group.text, group.start)
        ]

    def _groups(self, candidate: str, start: int) -> Iterator[tuple[int, str]]:
        """A candidate, then its inner parts, in the order in which they are tried."""
        if steps._SLASH_SEPARATED_DATES.search(candidate):
            return
        if steps._TIME_STAMPS.search(candidate) and steps._TIME_STAMPS_SUFFIX.match(
            self._text[start + len(candidate) :]
        ):
            return
        yield 0, candidate
        end = steps._UNWANTED_END_CHAR_PATTERN
        for inner in steps._INNER_MATCHES:
            match, first = inner.search(candidate), True
            while match is not None:
                if first:
                    yield 0, _cut(candidate[: match.start()], end)
                    first = False
                yield match.start(1), _cut(match[1], end)
                match = inner.search(candidate, match.start() + 1)

    def _may_stand(self, text: str, start: int) -> bool:
        """Whether a number may be written like this at this place."""
        if not steps.fullmatch(steps._MATCHING_BRACKETS, text) or steps._PUB_PAGES.search(text):
            return False
        before = self._text[start - 1 : start]
        if before and not steps._LEAD_PATTERN.match(text) and self._continues(before):
            return False
        after = self._text[start + len(text) : start + len(text) + 1]
        return not (after and self._continues(after))

    def _continues(self, char: str) -> bool:
        judge = self._judge
        return judge._is_invalid_punctuation_symbol(char) or judge._is_latin_letter(char)


def _cut(text: str, pattern: re.Pattern[str]) -> str:
    match = pattern.search(text)
    return text if match is None else text[: match.start()]


def _digits_of(text: str) -> str | None:
    """The digits of a candidate that holds nothing but digits and plain signs."""
    digits = text.translate(_PLAIN)
    # Signs that begin an extension or an international number are the parser's business.
    return digits if not digits or (digits.isascii() and digits.isdecimal()) else None


def may_be_number(candidate: str, region: str) -> bool:
    """Whether a candidate can be a valid number when it is dialled in a region.

    Example:
        >>> may_be_number("2024-118", "US"), may_be_number("212-555-0123", "US")
        (False, True)
    """
    return bool(_regions((region,)).of(candidate))


class _Regions:
    """In which of some regions a candidate can be a number."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        options = re2.Options()
        options.log_errors = False
        self._set = re2.Set.FullMatchSet(options)
        self._owner: list[str] = []
        for name in names:
            for pattern in _national(name):
                self._set.Add(pattern)
                self._owner.append(name)
        self._set.Compile()
        self.least = next((n for n in range(_SHORTEST) if self._has(n)), _SHORTEST)
        """Fewest digits of a number."""

    def _has(self, length: int) -> bool:
        """Whether a number of so many digits can be one."""
        all_of_them = range(10**length if length else 1)
        return any(
            self._set.Match(f"{n:0{length}}".encode() if length else b"") for n in all_of_them
        )

    def of(self, candidate: str) -> Sequence[str]:
        """The regions."""
        if len(candidate) < self.least:
            return ()
        digits = _digits_of(candidate)
        if digits is None:
            return self.names
        found = set(map(self._owner.__getitem__, self._set.Match(digits.encode()) or ()))
        return [name for name in found if not _lacks_prefix(name, digits)]


_regions = cache(_Regions)


@cache
def _national(region: str) -> tuple[str, ...]:
    """National numbers with what may go before them, and how calls to other countries begin."""
    own, known = _plan(region)
    patterns = [pattern for metadata in known for pattern in _kinds(metadata)]
    # Parsing knows the rules of the region, and of the one that is first for its country code.
    if own is None or not known or not (_only_shortens(own) and _only_shortens(known[0])):
        return (_ANY,)
    before = _stripped(own, known[0])
    return (
        rf"{before}(?:{'|'.join(patterns)})",
        # What is taken for a call abroad goes on with a country code, which never begins with 0.
        rf"(?:{own.international_prefix})[1-9][0-9]{{{_SHORTEST - 1},}}",
    )


def _plan(region: str) -> tuple[PhoneMetadata | None, list[PhoneMetadata]]:
    """The rules of a region, and those of all regions that share its country code."""
    own = PhoneMetadata.metadata_for_region(region)
    shared = COUNTRY_CODE_TO_REGION_CODE.get(own.country_code or 0, ()) if own else ()
    return own, [m for m in map(PhoneMetadata.metadata_for_region, shared) if m is not None]


def _lacks_prefix(region: str, digits: str) -> bool:
    """Whether digits are no number because one is never written without a prefix that they lack."""
    match = _lacking(region).match(digits)
    return match is not None and (match.lastgroup or "").startswith("lacks")


@cache
def _lacking(region: str) -> re.Pattern[str]:
    """What parsing takes nothing from, with a group `lacksN` where it is written after a prefix.

    As `_is_national_prefix_present_if_required` of libphonenumber decides it.
    """
    own, known = _plan(region)
    if own is None or not known:
        return _NEVER
    before = (
        str(own.country_code),
        own.international_prefix,
        own.national_prefix_for_parsing,
        known[0].national_prefix_for_parsing,
    )
    formats = "|".join(
        rf"(?={form.leading_digits_pattern[-1] if form.leading_digits_pattern else ''})"
        rf"(?:{form.pattern})\Z(?P<{'lacks' if _needs_prefix(form) else 'free'}{number}>)"
        for number, form in enumerate(known[0].number_format)
    )
    return re.compile(rf"(?!{'|'.join(one for one in before if one)})(?:{formats})")


def _needs_prefix(form: NumberFormat) -> bool:
    rule = form.national_prefix_formatting_rule
    return bool(
        rule
        and not form.national_prefix_optional_when_formatting
        and not steps._formatting_rule_has_first_group_only(rule)
    )


def _kinds(metadata: PhoneMetadata) -> Iterator[str]:
    """Patterns of the kinds of numbers one of which a valid number is."""
    for kind in _KINDS:
        described = getattr(metadata, kind)
        if described is not None and described.national_number_pattern:
            yield described.national_number_pattern


_KINDS = (
    "fixed_line", "mobile", "premium_rate", "toll_free", "shared_cost", "voip", "personal_number",
    "pager", "uan", "voicemail",
)  # fmt: skip
_SHORTEST = 5
"""Fewest digits of a valid number with its country code."""


def _stripped(own: PhoneMetadata, main: PhoneMetadata) -> str:
    """What parsing may take away before the national number: a country code, then prefixes."""
    if own.national_prefix_transform_rule or main.national_prefix_transform_rule:
        return r"\d*?"
    prefixes = (own.national_prefix_for_parsing or "", main.national_prefix_for_parsing or "")
    # Once when it looks for the country code, once when it looks for the number.
    return rf"(?:{own.country_code})?(?:{'|'.join(prefixes)}){{0,2}}"


def _only_shortens(metadata: PhoneMetadata) -> bool:
    """Whether parsing takes a prefix away and puts nothing in its place."""
    rule = metadata.national_prefix_transform_rule
    if rule is None:
        return True
    # What the last group holds is the end of the number.
    return bool(rule == f"\\{re.compile(metadata.national_prefix_for_parsing or '').groups}")


_PLAIN = dict.fromkeys(map(ord, "()[]-./ \u00a0"))
_DIGITS = re.compile(r"\d")
_ANY = "[0-9]*"
_NEVER = re.compile(r"(?!)")
