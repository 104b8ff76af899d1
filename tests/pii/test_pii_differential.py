"""What we find equals what the unmodified AnalyzerEngine finds with the same recognizers.

Names are those that structure tells: the tagger is compared at the end. All differences on purpose
are switched off, but that a lone surrogate is read as the replacement character: Presidio fails there.

The texts are made from a seed: chat, mail, JSON, logs and nonsense, with what recognizers look at
and near misses: 3,000 of up to some thousand characters and 17,000 short ones, all of them in each
run. All values are invented.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer.predefined_recognizers import EmailRecognizer, PhoneRecognizer

from hauberk_pii import Span, finder_for
from hauberk_pii._engine import BlankEngine
from hauberk_pii._phone import WindowedPhoneRecognizer
from hauberk_pii._recognizers import OfflineEmailRecognizer, is_domain
from hauberk_pii._spans import with_names
from hauberk_pii._visible import as_it_is
from hauberk_pii.tagger import NameRecognizer

FINDER = finder_for(names="structure", strict=True)
"""Without the tagger, which is no recognizer of Presidio's."""

# ruff: noqa: SIM905 - one word after the other reads better here
WORDS = (
    "the order was sent to our office in March and the customer asked for a refund because of a late "
    "delivery my phone number is card credit visa social security ssn passport iban bank account "
    "wallet bitcoin ip mac nhs national insurance tax itin call me please thanks status us United "
    "States of: be is the:5 :) 12:30 http://example.org/a?b=c 3.14 100% $5 #7 don't e-mail DEA"
).split()
NAMES = ("Ada Byron", "Bob Stone", "Zoë Müller", "Dr O'Brien", "Ana de la Cruz", "Lee", "JOHN DOE")
EXOTIC = (
    "\u200b",
    "😀",
    "٣",
    "é",
    "\u202e",
    "\x00",
    "漢字",
    "\u00a0",
    "\u017f",
    "\u212a",
    "\ud800",
    "\u2019",
)


def digits(rng: Random, shape: str) -> str:
    """A shape with a digit for each `#`, a letter for `A`, a hex digit for `x`."""
    pick = {"#": "0123456789", "A": "ABCDEFGHJKLMNPRSTXYZ", "x": "0123456789abcdef"}
    return "".join(rng.choice(pick[char]) if char in pick else char for char in shape)


SHAPES = (
    "###-##-####", "#########", "####-####-####-####", "4111 1111 1111 1111", "4###############",
    "+1 (###) ###-####", "###-###-####", "212-555-####", "+44 20 7946 0###", "0049 30 ########",
    "030/######", "#####", "####", "## ## ## ## ##", "(###) ###-#### ext. ###", "9##-7#-####",
    "DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "DE## #### #### ####",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "192.168.#.##", "10.0.0.1/24", "999.1.2.3", "2001:db8::x:xxxx", "::1", "fe80::xxxx:xxxx%eth0",
    "xx:xx:xx:xx:xx:xx", "xx-xx-xx-xx-xx-xx", "xxxx.xxxx.xxxx", "A########", "AA ## ## ## A",
    "QQ123456C", "943 476 5919", "### ### ####", "BA1234563", "AA#######", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "2024-0#-1#T12:##:00Z", "12/0#/2024", "$1,###.##", "AKIAIOSFODNN7EXAMPLE", "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxx",
    "postgres://app:s3cret#@db.example.com/x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.xxxxxxxxxxxx",
)  # fmt: skip
MAILS = (
    "ada@example.com", "ADA.B+x@mail.example.co.uk", "a@b", "x@y.notatld", "bob@xn--80ak6aa92e.com",
    "ada@@example.com", "<ada@example.com>", "ada@example.com.", "mailto:ada@example.com", "zoë@müller.de",
)  # fmt: skip


def value(rng: Random) -> str:
    """Something that a recognizer may look at."""
    if rng.random() < 0.25:
        return rng.choice(MAILS)
    return digits(rng, rng.choice(SHAPES))


def prose(rng: Random) -> str:
    """A sentence or two with a few values."""
    parts = [
        value(rng) if rng.random() < 0.15 else rng.choice(WORDS)
        for _ in range(rng.randrange(1, 40))
    ]
    return rng.choice((" ", " ", " ", "  ", "\n", ", ", ": ")).join(parts)


def mail(rng: Random) -> str:
    """A mail with headers and a signature."""
    a, b = rng.choice(NAMES), rng.choice(NAMES)
    return (
        f"From: {a} <{rng.choice(MAILS)}>\nTo: {b}\nSubject: {prose(rng)}\n\nDear {b},\n{prose(rng)}\n"
        f"Best regards,\n{a}\n{value(rng)}"
    )


def document(rng: Random) -> str:
    """A JSON document, as a tool returns it."""
    rows = [
        {
            "id": rng.randrange(10**9),
            "name": rng.choice(NAMES),
            "phone": value(rng),
            "note": prose(rng),
        }
        for _ in range(rng.randrange(1, 8))
    ]
    return json.dumps(rows, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1)))


def log(rng: Random) -> str:
    """Lines of a log."""
    return "\n".join(
        f"2024-05-1{rng.randrange(10)} 08:{rng.randrange(60):02} INFO {value(rng)} {rng.choice(WORDS)}={value(rng)}"
        for _ in range(rng.randrange(1, 12))
    )


def glued(rng: Random) -> str:
    """Values without anything between them."""
    return "".join(
        rng.choice((value(rng), rng.choice(WORDS), "-", ".", ":", "x", " ")) for _ in range(9)
    )


def exotic(rng: Random) -> str:
    """Any of the others with characters that are not ASCII thrown in."""
    text = rng.choice(KINDS)(rng)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(EXOTIC) + text[at:]
    return text


def line(rng: Random) -> str:
    """A short message with a value."""
    words = [rng.choice(WORDS) for _ in range(rng.randrange(9))]
    words.insert(rng.randrange(len(words) + 1), value(rng))
    return rng.choice((" ", " ", "\n", ", ", ": ", "")).join(words)


def record(rng: Random) -> str:
    """A small JSON object or a line of a log."""
    keys = ("phone", "id", "card_no", "passport", "user:ip", "note", "ssn")
    row = {rng.choice(keys): value(rng), "at": digits(rng, "2024-0#-1#T12:##:00Z")}
    style = rng.randrange(3)
    if style == 0:
        return json.dumps(row, indent=rng.choice((None, 1)))
    return (" " if style == 1 else "\t").join(f"{key}={held}" for key, held in row.items())


def odd(rng: Random) -> str:
    """A short text with characters that are not ASCII thrown in."""
    text = rng.choice((line, record))(rng)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(EXOTIC) + text[at:]
    return text


KINDS: tuple[Callable[[Random], str], ...] = (prose, prose, mail, document, log, glued)


def texts(seed: int, count: int) -> Iterator[str]:
    """`count` texts of all kinds, the same for the same seed."""
    rng = Random(seed)  # noqa: S311 - not for secrets
    for _ in range(count):
        yield rng.choice((*KINDS, exotic))(rng)


class _Mail(EmailRecognizer):
    """Presidio's, with the one line that would ask the network replaced."""

    def validate_result(self, pattern_text: str) -> bool:
        return is_domain(pattern_text)


def _plain(recognizer: EntityRecognizer) -> EntityRecognizer:
    """Presidio's own class for those that we run on stretches of the text."""
    if isinstance(recognizer, OfflineEmailRecognizer):
        return _Mail()
    if isinstance(recognizer, WindowedPhoneRecognizer):
        return PhoneRecognizer()
    return recognizer


@cache
def _unmodified() -> AnalyzerEngine:
    registry = RecognizerRegistry(
        recognizers=[_plain(recognizer) for recognizer in FINDER.recognizers],
        supported_languages=["en"],
    )
    return AnalyzerEngine(
        registry=registry, nlp_engine=BlankEngine("en"), supported_languages=["en"]
    )


def _expected(text: str) -> set[Span]:
    found = _unmodified().analyze(
        as_it_is(text).text, language="en", entities=list(FINDER.entities), score_threshold=0.4
    )
    return {Span(r.start, r.end, r.entity_type, r.score) for r in found}


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_presidio(seed: int) -> None:
    """Type, offsets and score are the same on 500 texts."""
    found = 0
    for text in texts(seed, 500):
        spans = set(FINDER.candidates(text))
        assert spans == _expected(text), repr(text)
        found += len(spans)
    assert found > 500  # the texts do hold something


@pytest.mark.parametrize("seed", range(100, 117))
def test_equal_to_presidio_on_short_texts(seed: int) -> None:
    """The same on 1,000 messages, records and lines with characters of other scripts."""
    rng = Random(seed)  # noqa: S311 - not for secrets
    found = 0
    for _ in range(1000):
        text = rng.choice((line, line, record, odd))(rng)
        spans = set(FINDER.candidates(text))
        assert spans == _expected(text), repr(text)
        found += len(spans)
    assert found > 300  # the texts do hold something


_PIECES = st.sampled_from((*SHAPES, *MAILS, *WORDS, *EXOTIC, *NAMES, "\n", ":", '"', "{", "<", "("))


@given(st.lists(_PIECES | st.text(max_size=4), max_size=12).map("".join))
def test_equal_to_presidio_on_nonsense(text: str) -> None:
    """The same on whatever Hypothesis makes of the pieces."""
    assert set(FINDER.candidates(text)) == _expected(text)


def test_equal_to_presidio_on_a_long_text() -> None:
    """Context words and stretches are right far into a text."""
    text = " ".join(texts(99, 120))
    assert len(text) > 30_000
    assert set(FINDER.candidates(text)) == _expected(text)


@pytest.mark.parametrize("seed", [50])
def test_the_tagger_adds_names_and_nothing_else(seed: int) -> None:
    """With the tagger on, all but names is the same, and names are Presidio's with its own united."""
    recognizer = NameRecognizer()
    full = finder_for(strict=True)
    for text in texts(seed, 150):
        names = [
            Span(r.start, r.end, r.entity_type, r.score)
            for r in recognizer.analyze(as_it_is(text).text, ["PERSON"])
        ]
        expected = with_names(list(_expected(text)), names)
        assert set(full.candidates(text)) == set(expected), repr(text)
