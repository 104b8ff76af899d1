"""Long texts: what is found in parts is what one pass finds, and memory does not grow."""

from __future__ import annotations

import tracemalloc
from io import StringIO
from itertools import pairwise
from random import Random

import pytest

from hauberk_pii import Span, finder_for
from hauberk_pii._parts import AFTER, BLOCK, MAX_PART, Part, parts_of

LINES = (
    "I was wondering whether the plan that we talked about last week is still on the table.",
    "Please call me back on 212-555-{n:04} between nine and five, or write to u{n}@example.com.",
    "The customer Ada Byron paid with the card 4111 1111 1111 1111, and moved to Paris in March.",
    "Our server at 10.0.{b}.{b} answered with status 503. Charles Miller looked at it at once.",
    "ssn 536-90-{n:04}, passport C{n:08}, driver license D{n:07}",
    '{{"id": {n}, "customer": "Grace Hopper", "phone": "212-884-{n:04}", "at": "2024-05-01"}}',
)
KEY = (
    f"-----BEGIN PRIVATE KEY-----\n{'MIIEvQIBADANBgkqhkiG9w0BAQ' * 700}\n-----END PRIVATE KEY-----"
)


def long_text(seed: int, length: int, ends: tuple[str, ...] = ("\n",)) -> str:
    """Lines with something in most of them."""
    rng = Random(seed)  # noqa: S311 - not for secrets
    made: list[str] = []
    size = 0
    while size < length:
        line = rng.choice(LINES).format(n=rng.randrange(10_000), b=rng.randrange(256))
        made += [line, rng.choice(ends)]
        size += len(line) + 1
    return "".join(made)


def in_parts(text: str, *entities: str) -> list[Span]:
    finder = finder_for(entities=entities) if entities else finder_for()
    return list(finder.scan_stream(StringIO(text)))


@pytest.mark.parametrize("ends", [("\n",), ("\r\n", "\n\n"), (" ",)], ids=ascii)
def test_parts_find_what_one_pass_finds(ends: tuple[str, ...]) -> None:
    """All default types, with the tagger, in lines and in one line without an end."""
    text = long_text(len(ends), 3 * BLOCK, ends)
    expected = list(finder_for().find(text))
    assert len(expected) > 1000
    assert in_parts(text) == expected


@pytest.mark.parametrize("before", [BLOCK - AFTER - 30, BLOCK - 30, BLOCK + 30])
def test_a_long_key_is_found_wherever_it_lies(before: int) -> None:
    """A finding that is longer than what is looked at behind a part is not divided."""
    text = f"{'word ' * (before // 5)}\n{KEY}\n{'word ' * 9000}"
    (found,) = in_parts(text, "PRIVATE_KEY")
    assert text[found.start : found.end] == KEY


def test_parts_give_the_text_and_divide_no_finding() -> None:
    text = long_text(5, 2 * BLOCK)
    parts = list(finder_for(entities=("EMAIL_ADDRESS",)).parts(StringIO(text)))
    assert len(parts) > 1
    assert "".join(part.text for part in parts) == text
    assert [part.start for part in parts[1:]] == [a.start + len(a.text) for a in parts[:-1]]
    assert all(0 <= s.start < s.end <= len(part.text) for part in parts for s in part.spans)


def test_a_finding_without_an_end_is_divided_and_hidden_in_both_parts() -> None:
    """Memory is bounded whatever is found: nothing between two parts stays in clear."""

    def all_of(text: str) -> list[Span]:
        return [Span(0, len(text), "X", 1.0)]

    text = "x" * (MAX_PART + 3 * BLOCK)
    parts = list(parts_of(StringIO(text), all_of))
    assert "".join(part.text for part in parts) == text
    assert all(part.spans == (Span(0, len(part.text), "X", 1.0),) for part in parts)
    assert max(len(part.text) for part in parts) <= MAX_PART + BLOCK


@pytest.mark.parametrize("text", ["", "a", "ada@example.com"])
def test_short_texts_are_one_part_at_most(text: str) -> None:
    found: list[Part] = list(finder_for(entities=("EMAIL_ADDRESS",)).parts(StringIO(text)))
    assert [part.text for part in found] == ([text] if text else [])
    assert in_parts(text, "EMAIL_ADDRESS") == list(
        finder_for(entities=("EMAIL_ADDRESS",)).find(text)
    )


class Endless:
    """A text that is made while it is read."""

    def __init__(self, length: int) -> None:
        self.left = length

    def read(self, size: int, /) -> str:
        """The next lines."""
        text = "nothing to see here but u1@example.com and more of the same for a while\n" * 1000
        done = text[: min(size, self.left)]
        self.left -= len(done)
        return done


def peak(length: int) -> int:
    """Bytes of memory that reading a text takes."""
    finder = finder_for(entities=("EMAIL_ADDRESS",), names="off")
    tracemalloc.start()
    try:
        found = sum(1 for _ in finder.scan_stream(Endless(length)))
        assert found > length // 100
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_text() -> None:
    small, large = peak(4 * BLOCK), peak(24 * BLOCK)
    assert large < 1.5 * small


def test_findings_come_in_order_and_apart() -> None:
    found = in_parts(long_text(9, 2 * BLOCK), "EMAIL_ADDRESS", "PHONE_NUMBER", "PERSON")
    assert all(a.end <= b.start for a, b in pairwise(found))
