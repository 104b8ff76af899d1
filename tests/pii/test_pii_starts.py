"""A pattern that is tried where RE2 says it can begin finds what it finds by itself."""

from __future__ import annotations

import re
from random import Random

import pytest
import regex  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import PatternRecognizer

from hauberk_pii import finder_for
from hauberk_pii._search import kept
from hauberk_pii._starts import Sparse
from hauberk_pii._timed import TimedPattern

PATTERNS = sorted(
    {
        (str(pattern.regex), int(one.global_regex_flags or 0))
        for strict in (True, False)
        for one in finder_for(strict=strict).recognizers
        if isinstance(one, PatternRecognizer)
        for pattern in getattr(one, "patterns")  # noqa: B009 - Presidio leaves it without a type
    }
)
PIECES = (
    "4111 1111 1111 1111", "536-90-4399", "536904399", "::1", "fe80::1:2", "10.0.0.1", "aa:bb:cc:dd:ee:ff",
    "::ffff:10.0.0.1", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "943 476 5919", "BA1234563", "A1234567", "D1234567",
    "912-70-1234", "QQ123456C", "AB123456C", "sk-aaaaaaaaaaaaaaaaaaaaaaaa", "?q=ada@example.com", "word", "The", "x",
    "-", ".", ":", " ", " ", "\n", "/", "9", "-----BEGIN PRIVATE KEY-----",
)  # fmt: skip


def text(seed: int, pieces: int) -> str:
    rng = Random(seed)  # noqa: S311 - not for secrets
    return "".join(rng.choice(PIECES) for _ in range(pieces))


@pytest.mark.parametrize(("pattern", "flags"), PATTERNS, ids=range(len(PATTERNS)))
def test_presidios_patterns_find_the_same(pattern: str, flags: int) -> None:
    """On dense and on long, almost empty texts."""
    plain, timed = regex.compile(pattern, flags), TimedPattern(pattern, flags, "test", 10)
    for seed in range(60):
        made = text(seed, 30) if seed % 3 else f"{text(seed, 4)} {'word ' * 400}{text(seed + 1, 4)}"
        found = [match.span() for match in timed.found(made, made.encode())]
        assert found == [match.span() for match in plain.finditer(made)], repr(made)


SPARSE = [
    re.compile(p) for p in (r"(?<!a)b+(?=c)", r"\bab\b|c{2,4}", r"a*b", r"(?i)AbC(?!d)", r"x|(?:)")
]


@given(st.text("abcdABC x-", max_size=60), st.sampled_from(SPARSE), st.integers(1, 40))
def test_a_sparse_pattern_finds_the_same(piece: str, pattern: re.Pattern[str], times: int) -> None:
    """Lookarounds, boundaries, patterns that match nothing, and repetitions of them."""
    searched = piece * times
    found = [match.span() for match in Sparse(pattern).finditer(searched)]
    assert found == [match.span() for match in pattern.finditer(searched)]


@given(st.text("abcd x", max_size=60), st.integers(1, 40))
def test_a_search_goes_on_where_it_is_told_to(piece: str, times: int) -> None:
    """From inside of a match: as a loop of searches does."""
    searched, pattern = piece * times, re.compile(r"(?<!x)(ab?)c*")
    expected, at = [], 0
    while match := pattern.search(searched, at):
        expected.append(match.span())
        at = match.end(1)
    found = Sparse(pattern).each(searched, lambda one: (one.span(), one.end(1)))
    assert list(found) == expected


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.sampled_from([0.1, 0.5, 1.0]))))
def test_duplicates_are_left_out_as_presidio_does(drawn: list[tuple[int, int, float]]) -> None:
    from presidio_analyzer import EntityRecognizer, RecognizerResult

    hits = [(start, start + length, score) for start, length, score in drawn]
    expected = EntityRecognizer.remove_duplicates([RecognizerResult("X", *hit) for hit in hits])
    assert sorted(kept(hits)) == sorted((r.start, r.end, r.score) for r in expected)
