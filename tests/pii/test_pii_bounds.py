"""Time is bounded: in proportion to the length of a text, or the text is refused."""

from __future__ import annotations

import pickle
from time import perf_counter

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import Pattern, PatternRecognizer

from hauberk import Event, Segment, Stage, Verdict
from hauberk.policy import PiiPolicy
from hauberk_pii import PiiPlugin, TooCostlyError, finder_for
from hauberk_pii._bounds import bound
from hauberk_pii._limits import MAX_FINDINGS
from hauberk_pii._phone import WindowedPhoneRecognizer, may_be_number

SEEDS = (
    "@", "a://:", "://:", "a://a:@", "a:b@", "ada@", "@a.b", "<a@b>", "www.a", "http://a.",
    "1/", "1-", "1 ", "1.", "(1", "((1", "[1]", "+1(", "+49", "1\u00a0", "12:", "2024-01-", "1x",
    "536-90-4399", "(212) 555", "4111", "DE89-", "DE89 ", "GB82 WEST", "1A", "::", "fe80:", "aa-bb-",
    "bc1q", "eyJaaaaaaaa.", "sk-", "-----BEGIN ", "Mr. ", "Ada ", "A. ", "d-", "name: ", "client Ada ",
    "I am Ada\n", "Regards,\n", "\u200b1", "\u0661", "\u6f22a", "e\u0301", "\ud800", "\n", "(", '{"',
)  # fmt: skip
SHORT, LONG = 3_000, 30_000
WORSE = 8
"""How much dearer a character of the long text may be: 10 is what quadratic time costs."""


def repeated(seed: str, length: int) -> str:
    """A seed over and over, up to a length."""
    return (seed * (length // len(seed) + 1))[:length]


def seconds(text: str) -> float | None:
    """What a text costs; None when it is refused."""
    started = perf_counter()
    try:
        finder_for().find(text)
    except TooCostlyError:
        return None
    return perf_counter() - started


def dearer(seed: str) -> float:
    """How much dearer a character is in the long text."""
    short = min(seconds(repeated(seed, SHORT)) or 0 for _ in range(2))
    long = seconds(repeated(seed, LONG))
    # Below a millisecond the clock and the machine say more than the text.
    return 0 if long is None else long / max(short, 0.001) * SHORT / LONG


@pytest.mark.parametrize("seed", SEEDS, ids=ascii)
def test_time_grows_with_the_length_or_the_text_is_refused(seed: str) -> None:
    """The same signs over and over, ten times as many; noise gets three chances."""
    assert any(dearer(seed) < WORSE for _ in range(3))


def slow() -> PatternRecognizer:
    """A recognizer whose time is exponential."""
    pattern = Pattern("slow", r"(?:(?:a|a|b|aa)+)+c\1{0}|(a+)+$", 0.5)
    return PatternRecognizer(supported_entity="SLOW", patterns=[pattern])


def test_a_pattern_that_takes_too_long_is_not_skipped() -> None:
    """Presidio logs a warning and finds nothing."""
    recognizer = slow()
    bound(recognizer, seconds=0.05)
    with pytest.raises(TooCostlyError, match="PatternRecognizer"):
        recognizer.analyze("a" * 60 + "!", ["SLOW"])


def test_patterns_of_others_stay_as_they_are() -> None:
    """Presidio's pattern objects are shared by all recognizers of a class in the process."""
    shared = Pattern("digits", r"\d+", 0.5)
    ours = PatternRecognizer(supported_entity="DIGITS", patterns=[shared])
    bound(ours)
    assert len(ours.analyze("12", ["DIGITS"])) == 1
    assert shared.compiled_regex is None
    assert ours.to_dict()["patterns"] == [shared.to_dict()]


def test_a_text_with_too_many_findings_is_refused() -> None:
    crowd = "a@example.com " * (MAX_FINDINGS + 1)
    with pytest.raises(TooCostlyError, match=str(MAX_FINDINGS)):
        finder_for(entities=("EMAIL_ADDRESS",)).find(crowd)


def test_a_refusal_says_why_and_nothing_of_the_text() -> None:
    plugin = PiiPlugin(PiiPolicy(entities=("EMAIL_ADDRESS",)))
    crowd = "ada@example.com " * (MAX_FINDINGS + 1)
    event = Event(stage=Stage.PROMPT, segments=(Segment.from_user(crowd),))
    decision = plugin.inspect(event)
    assert decision.verdict is Verdict.DENY
    assert [finding.rule for finding in decision.findings] == ["pii.too-costly"]
    assert "ada" not in f"{decision}{decision.findings}"


def test_the_error_survives_a_pickle() -> None:
    error = TooCostlyError("too much", remedy="Less.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_phones_after_many_failed_tries_are_found() -> None:
    """libphonenumber alone gives up after 65,535 tries, silently."""
    text = "1/ " * 40_000 + "+1 212-555-0123"
    assert finder_for(entities=("PHONE_NUMBER",)).find(text)[-1].end == len(text)


REGIONS = tuple(WindowedPhoneRecognizer().supported_regions)
_DIALLED = st.sampled_from(
    ("", "0", "1", "00", "011", "44", "49", "0049", "91", "972", "55", "014", "180020", "9", "33")
)


@given(
    _DIALLED, _DIALLED, st.text("0123456789", min_size=3, max_size=14), st.sampled_from("-. (/)")
)
@settings(max_examples=1500, deadline=None)
def test_no_valid_number_is_left_out(abroad: str, prefix: str, number: str, sign: str) -> None:
    """Whatever libphonenumber takes for a valid number in a region is parsed for it."""
    candidate = abroad + prefix + number[:3] + sign + number[3:]
    for region in REGIONS:
        if not may_be_number(candidate, region):
            found = phonenumbers.PhoneNumberMatcher(candidate, region)
            assert found._parse_and_verify(candidate, 0) is None


@pytest.mark.parametrize("region", REGIONS)
def test_example_numbers_are_parsed(region: str) -> None:
    """libphonenumber's own examples, of every kind, dialled at home."""
    for kind in phonenumbers.PhoneNumberType.values():
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            for form in (
                phonenumbers.PhoneNumberFormat.NATIONAL,
                phonenumbers.PhoneNumberFormat.E164,
            ):
                assert may_be_number(phonenumbers.format_number(example, form), region)
