"""Looking for words first: no pattern that matches is left out, whatever the pattern."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.injection._automaton import Patterns
from hauberk.injection._literals import required
from hauberk.injection._packs import load_pack

re2: Any = import_module("re2")

WORDS = st.sampled_from(
    ["ignore", "rules", "the", "ab", "a", "über", "忽略", "x1", "dan", "-", "say it"]
)


def _patterns() -> st.SearchStrategy[str]:
    """Patterns of the syntax that rules are written in."""
    leaf = WORDS | st.sampled_from(
        [
            r"\b",
            r"\s+",
            r"(?:[\s[:punct:]]+)",
            r"(?:\w+[\s[:punct:]]+){0,2}",
            r"[\s[:punct:]]",
            r"[[:punct:]]",
            "[ab]",
            "[^a]",
            ".",
            r"\.",
            "^",
            r"\p{L}",
            "[a-c]",
        ]
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map("".join),
            st.lists(inner, min_size=1, max_size=4).map(lambda ways: f"(?:{'|'.join(ways)})"),
            st.tuples(inner, st.sampled_from(["?", "*", "+", "{0,3}", "{2}", "{1,2}?"])).map(
                lambda pair: f"(?:{pair[0]}){pair[1]}"
            ),
        ),
        max_leaves=8,
    )


TEXTS = st.lists(WORDS | st.sampled_from([" ", ".", "b", "\n", "c", "over"]), max_size=12).map(
    "".join
)


@settings(deadline=None, max_examples=200)
@given(st.lists(_patterns(), min_size=1, max_size=5), st.lists(TEXTS, min_size=1, max_size=5))
def test_every_pattern_that_matches_is_a_candidate(patterns: list[str], texts: list[str]) -> None:
    both = Patterns(patterns)
    for text in texts:
        raw = text.encode()
        alone = {n for n, pattern in enumerate(patterns) if re2.search(pattern, text)}
        assert alone <= set(both.candidates(raw))
        assert set(both.matching(raw)) == alone


@pytest.mark.parametrize(
    ("pattern", "sets"),
    [
        (r"\b(?:ignore|forget) (?:all )?rules\b", [{b"\0ignore\0", b"\0forget\0"}, {b"\0rules\0"}]),
        (r"(?:ignore|[a-z]+) x", []),
        (r"abc(?:de)?", [{b"abc"}]),
        (r"(?:abc)*", []),
        (r"(?:abc){0}", []),
        (r"(?:abc){00}x", []),
        (r"(?i)ignore", []),
        (r"a\Qb.c\E", []),
        (r"(?:ab){2,}cde", [{b"cde"}]),
        (r"[wx]yz\.", [{b"wyz.", b"xyz."}]),
        (r"\babc\b\W", [{b"\0abc\0"}]),
        (r"\b\.abc", [{b".abc"}]),
        (r"\babc (?:\w+ ){0,3}def", [{b"\0abc\0"}, {b"\0def"}]),
        (r"abc\w* def", [{b"\0def"}, {b"abc"}]),
    ],
)
def test_what_a_pattern_cannot_do_without(pattern: str, sets: list[set[bytes]]) -> None:
    found = required(pattern.replace(" ", r"(?:[\s[:punct:]]+)"))
    assert {frozenset(one) for one in sets} == set(found)


def test_nearly_every_rule_is_looked_for_by_its_words() -> None:
    always = load_pack().candidates(b"")
    assert len(always) <= 4
