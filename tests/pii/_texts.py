"""Texts to try finders on: chat, mail, JSON, logs and nonsense, made from a seed.

Invented values only. What matters is that they hold what recognizers look at, and near misses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

WORDS = (
    "the order was sent to our office in March and the customer asked for a refund because of a late "
    "delivery my phone number is card credit visa social security ssn passport iban bank account "
    "wallet bitcoin ip mac nhs national insurance tax itin call me please thanks status us United "
    "States of: be is the:5 :) 12:30 http://example.org/a?b=c 3.14 100% $5 #7 don't e-mail DEA"
).split()
NAMES = ("Ada Byron", "Bob Stone", "Zoë Müller", "Dr O'Brien", "Ana de la Cruz", "Lee", "JOHN DOE")
EXOTIC = ("\u200b", "😀", "٣", "é", "\u202e", "\x00", "漢字", "\u00a0", "ſ", "K", "\ud800", "’")


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
    if rng.random() < 0.25:  # noqa: PLR2004
        return rng.choice(MAILS)
    return digits(rng, rng.choice(SHAPES))


def prose(rng: Random) -> str:
    """A sentence or two with a few values."""
    parts = [
        value(rng) if rng.random() < 0.15 else rng.choice(WORDS)  # noqa: PLR2004
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
        {"id": rng.randrange(10**9), "name": rng.choice(NAMES), "phone": value(rng), "note": prose(rng)}
        for _ in range(rng.randrange(1, 8))
    ]
    return json.dumps(rows, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1)))  # noqa: PLR2004


def log(rng: Random) -> str:
    """Lines of a log."""
    return "\n".join(
        f"2024-05-1{rng.randrange(10)} 08:{rng.randrange(60):02} INFO {value(rng)} {rng.choice(WORDS)}={value(rng)}"
        for _ in range(rng.randrange(1, 12))
    )


def glued(rng: Random) -> str:
    """Values without anything between them."""
    return "".join(rng.choice((value(rng), rng.choice(WORDS), "-", ".", ":", "x", " ")) for _ in range(9))


def exotic(rng: Random) -> str:
    """Any of the others with characters that are not ASCII thrown in."""
    text = rng.choice(KINDS)(rng)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(EXOTIC) + text[at:]
    return text


KINDS: tuple[Callable[[Random], str], ...] = (prose, prose, mail, document, log, glued)


def texts(seed: int, count: int) -> Iterator[str]:
    """`count` texts of all kinds, the same for the same seed."""
    rng = Random(seed)  # noqa: S311 - not for secrets
    for _ in range(count):
        yield rng.choice((*KINDS, exotic))(rng)
