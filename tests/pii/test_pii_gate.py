"""The gate lets everything through that a recognizer could find."""

from __future__ import annotations

import re

import pytest
import re2  # type: ignore[import-untyped]  # it ships no types
import regex  # type: ignore[import-untyped]  # it ships no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk_pii import finder_for
from hauberk_pii._gate import gates_of, loosened
from hauberk_pii._registry import recognizers_by_entity

_PATTERNS = sorted(
    {
        (pattern.regex, int(getattr(r, "global_regex_flags", 0)))
        for found in recognizers_by_entity("en").values()
        for r in found
        for pattern in getattr(r, "patterns", ())
    }
)


def test_every_default_recognizer_has_a_gate() -> None:
    """None is run on texts that cannot interest it."""
    assert all(gates_of(recognizer) for recognizer in finder_for().recognizers)


@pytest.mark.parametrize(("pattern", "flags"), _PATTERNS, ids=range(len(_PATTERNS)))
def test_a_gate_matches_whatever_the_pattern_matches(pattern: str, flags: int) -> None:
    """All of Presidio's patterns, on texts made from the pattern itself."""
    loose = loosened(pattern, fold=bool(flags & regex.IGNORECASE))
    if loose is None:
        return  # then its recognizer is always run
    gate = re2.compile(loose)
    strict = regex.compile(pattern, flags)

    # Look-arounds throw many of the texts away.
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(st.lists(_made_from(pattern), max_size=3).map(" ".join))
    def check(text: str) -> None:
        if strict.search(text):
            assert gate.search(text)

    check()


def _made_from(pattern: str) -> st.SearchStrategy[str]:
    try:
        return st.from_regex(re.compile(pattern))
    except re.error:  # Presidio's engine knows more than Python's
        return st.text(alphabet="0123456789abcdefXYZ-:. /@", max_size=40)


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        (r"\b\d{3}\b", r"(?s)[\p{Nd}\x{10D00}-\x{1E9FF}]{3}"),
        (r"(?<![A-Z(])a(?!b|[)c])", r"(?s)a"),
        (r"([:-])x\1", r"(?s)([:-])x([:-])"),
        (r"^(?:a)++$", r"(?s)(?:a)+"),
        (r"[^\w]x", r"(?s)(?s:.)x"),
        (r"(?P<n>a)(?P=n)", None),
        (r"(", None),
    ],
)
def test_loosened(pattern: str, loose: str | None) -> None:
    assert loosened(pattern, fold=False) == loose
