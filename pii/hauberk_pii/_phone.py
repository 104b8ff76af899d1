"""Phone numbers: libphonenumber, run where a number can be and only for regions that can have it.

Rules:
* A number needs seven digits, with at most four signs between two of them. Presidio takes every
  German post code for a phone number.
* A candidate is parsed for a region only if its digits are a national number there, after prefixes
  that parsing takes away. This loses nothing: parsing adds none.
* libphonenumber gives up on a text after 65,535 tries and reports nothing more. Here it does not:
  candidates are bounded, so a text costs time in proportion to its length.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
import sys
from functools import cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import PhoneRecognizer

from hauberk_pii._results import result_of


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

    def _numbers(self, run: str) -> set[tuple[int, int]]:
        """Numbers of all regions in a run."""
        found: set[tuple[int, int]] = set()
        for region in self.supported_regions:
            found |= {
                (match.start, match.end) for match in _Matcher(run, region, self.leniency or 0)
            }
            if len(found) == 1:
                ((start, end),) = found
                # Nothing left that could belong to a number: the other regions can only find
                # parts of this one, which Presidio drops.
                if not self._BEGINS.search(run, 0, start) and not self._BEGINS.search(run, end):
                    break
        return found


class _Matcher(phonenumbers.PhoneNumberMatcher):
    """libphonenumber's matcher, which never gives up and does not parse what cannot be a number."""

    def __init__(self, text: str, region: str, leniency: int) -> None:
        super().__init__(text, region, leniency=leniency, max_tries=sys.maxsize)
        # Without validation, more than national numbers is found.
        self._region = region if leniency >= phonenumbers.Leniency.VALID else None

    def _parse_and_verify(
        self, candidate: str, offset: int
    ) -> phonenumbers.PhoneNumberMatch | None:
        if self._region is not None and not may_be_number(candidate, self._region):
            return None
        return super()._parse_and_verify(candidate, offset)


def may_be_number(candidate: str, region: str) -> bool:
    """Whether a candidate can be a valid number when it is dialled in a region.

    Example:
        >>> may_be_number("2024-118", "US"), may_be_number("212-555-0123", "US")
        (False, True)
    """
    # Signs that begin an extension or an international number are the parser's business.
    if _PLAIN.fullmatch(candidate) is None:
        return True
    national, abroad = _national(region)
    digits = _NO_DIGIT.sub("", candidate)
    return national.match(digits) is not None or abroad.match(digits) is not None


@cache
def _national(region: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """National numbers with what may go before them, and how calls to other countries begin."""
    own = PhoneMetadata.metadata_for_region(region)
    shared = COUNTRY_CODE_TO_REGION_CODE.get(own.country_code or 0, ()) if own else ()
    known = [m for m in map(PhoneMetadata.metadata_for_region, shared) if m is not None]
    patterns = [m.general_desc.national_number_pattern for m in known if m.general_desc]
    # Parsing knows the rules of the region, and of the one that is first for its country code.
    if own is None or not known or not (_only_shortens(own) and _only_shortens(known[0])):
        return _ANY, _ANY
    before = _stripped(own, known[0])
    number = "|".join(pattern or "" for pattern in patterns)
    return (
        re.compile(rf"{before}(?:{number})\Z", re.ASCII),
        re.compile(own.international_prefix or ""),
    )


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


_PLAIN = re.compile(r"[0-9()\[\]\-./ \u00a0]*")
_NO_DIGIT = re.compile(r"\D+")
_ANY = re.compile("")
