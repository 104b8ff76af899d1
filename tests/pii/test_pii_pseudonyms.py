"""Pseudonyms are read where they are meant, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk_pii import DEFAULT_ENTITIES
from hauberk_pii._pseudonyms import LITERAL, Grammar
from hauberk_pii.vault import written

GRAMMAR = Grammar(["PERSON", "EMAIL_ADDRESS", "US_SSN", "SSN"])

MEANT = [
    ("<PERSON_1>", "<PERSON_1>"),
    ("<person_1>", "<PERSON_1>"),
    ("<Person_1>", "<PERSON_1>"),
    ("<PERSON 1>", "<PERSON_1>"),
    ("<PERSON-1>", "<PERSON_1>"),
    ("<PERSON\\_1>", "<PERSON_1>"),
    ("< PERSON_1 >", "<PERSON_1>"),
    ("&lt;PERSON_1&gt;", "<PERSON_1>"),
    ("\\u003cPERSON_1\\u003e", "<PERSON_1>"),
    ("\\u003CPERSON_1\\u003E", "<PERSON_1>"),
    ("PERSON_1", "<PERSON_1>"),
    ("PERSON_12", "<PERSON_12>"),
    ("<EMAIL_ADDRESS_3>", "<EMAIL_ADDRESS_3>"),
    ("US_SSN_1", "<US_SSN_1>"),
    ("<LITERAL_1>", "<LITERAL_1>"),
]


@pytest.mark.parametrize(("spelling", "name"), MEANT)
@pytest.mark.parametrize(
    "around", ["{}", "**{}**", "{}'s", "({})", "{}, ", "x {}.", '"{}"', "é {} é"]
)
def test_spellings_that_are_read(spelling: str, name: str, around: str) -> None:
    text = around.format(spelling)
    [mention] = GRAMMAR.mentions(text)
    assert mention.name == name
    assert text[mention.start : mention.end] == spelling


@pytest.mark.parametrize(
    "text",
    [
        "person 1", "Person 1", "person_1", "the first PERSON", "PERSON_", "PERSON_0", "PERSON_01",
        "XPERSON_1", "PERSON_1X", "_PERSON_1", "PERSON_1_2", "PERSON_1234567890", "<PERSON>",
        "<NAME_1>", "PHONE_1", "< PERSON", "<PERSON_x>", "PERSON 1", "",
    ],
)  # fmt: skip
def test_words_that_are_left_alone(text: str) -> None:
    assert list(GRAMMAR.mentions(text)) == []


def test_the_longest_type_is_read() -> None:
    """`US_SSN_1` is not `SSN_1` with something before it."""
    assert [m.name for m in GRAMMAR.mentions("<US_SSN_1> US_SSN_2 <SSN_3>")] == [
        "<US_SSN_1>",
        "<US_SSN_2>",
        "<SSN_3>",
    ]


@given(st.sampled_from((*DEFAULT_ENTITIES, LITERAL)), st.integers(1, 999_999_999))
def test_what_is_written_is_read(kind: str, number: int) -> None:
    name = written(kind, number)
    assert [m.name for m in Grammar(DEFAULT_ENTITIES).mentions(name)] == [name]


@given(st.sampled_from([spelling for spelling, _ in MEANT]), st.data())
def test_every_beginning_of_a_pseudonym_is_open(spelling: str, data: st.DataObject) -> None:
    """However far a stream has come, the start of an unfinished pseudonym is known."""
    cut = data.draw(st.integers(1, len(spelling) - 1))
    text = "see " + spelling[:cut]
    assert GRAMMAR.open_from(text) == len("see ")


@given(st.text(alphabet="abc .,é", max_size=300))
def test_nothing_is_open_in_plain_prose(text: str) -> None:
    assert GRAMMAR.open_from(text) == len(text)
