"""What a session knows is found wherever it stands again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk_pii._known import Known
from hauberk_pii.vault import Value


def found(text: str, *values: Value) -> set[tuple[int, int, str]]:
    known = Known()
    known.learn(values)
    return {(span.start, span.end, span.type) for span in known.find(text)}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ADA BYRON's", {"ADA BYRON", "ADA", "BYRON"}),
        ("ada \r\n byron", {"ada", "byron"}),  # four blanks are too many
        ("ada\r\nbyron.", {"ada\r\nbyron", "ada", "byron"}),
        ("Ada Byrons, Adam_Byron", {"Ada", "Byron"}),
        ("Ada\u00e9 xByron \u00e9ByronX", set[str]()),
        ("Ádá ada\u00a0byron ByRon", {"ada", "byron", "ByRon"}),
    ],
)
def test_a_name_and_its_parts_count_in_any_case(text: str, parts: set[str]) -> None:
    spans = found(text, Value("PERSON", "Ada Byron"))
    assert {text[start:end] for start, end, _ in spans} == parts


def test_other_values_count_as_they_are_written() -> None:
    text = "A-1234567 a-1234567 A-12345678 xA-1234567 (A-1234567)"
    spans = found(text, Value("US_PASSPORT", "A-1234567"))
    assert {start for start, _, _ in spans} == {0, text.index("(") + 1}


_WORDS = st.sampled_from(
    ("Zorvin", "zorvin", "ZORVIN", "Quelta", "quelta", "x", "_", "é", ".", "'s")
)
_BLANKS = st.sampled_from((" ", "  ", "    ", "\n", "\t", "", "-"))


@given(st.lists(st.tuples(_WORDS, _BLANKS), max_size=12), st.sampled_from(("", "é")))
def test_a_full_name_is_found_as_a_pattern_finds_it(drawn: list[tuple[str, str]], end: str) -> None:
    """In ASCII, and beside letters of other scripts."""
    text = "".join(word + blank for word, blank in drawn) + end
    pattern = r"(?<![^\W_])zorvin[ \t\r\n]{1,3}quelta(?![^\W_])"
    expected = {match.span() for match in re.finditer(pattern, text, re.IGNORECASE)}
    spans = found(text, Value("PERSON", "Zorvin Quelta"))
    assert {(a, b) for a, b, _ in spans if b - a > len("zorvin")} == expected
