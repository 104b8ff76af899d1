"""Names: found where structure says so, and nowhere else."""

from __future__ import annotations

from typing import Literal

import pytest

from hauberk_pii import finder_for

FOUND = [
    ("Mr. Smith and Dr O'Brien-Smythe met Prof. Ada Lovelace.", ["Smith", "O'Brien-Smythe", "Ada Lovelace"]),
    ("Thanks Mrs van der Berg.", ["van der Berg"]),
    ("My name is Ada Byron.", ["Ada Byron"]),
    ("Her first name is Ada", ["Ada"]),
    ("Name: Ada Byron", ["Ada Byron"]),
    ('{"name": "Ada Byron", "product_name": "Widget Pro"}', ["Ada Byron"]),
    ('{"first_name":"Ada","last_name": "Byron"}', ["Ada", "Byron"]),
    ("Customer: Ada", ["Ada"]),
    ("Patient: Zoë Müller, born 1970", ["Zoë Müller"]),
    ("**Contact:** Jean-Luc Picard", ["Jean-Luc Picard"]),
    ("I am Ada Byron, your guest", ["Ada Byron"]),
    ("From: Ada Byron <ada@x>\nTo: Bob Stone\nSubject: Report", ["Ada Byron", "Bob Stone"]),
    ('cc "Ada Byron" <ada@x>, Bob Stone <bob@x>', ["Ada Byron", "Bob Stone"]),
    ("Email Ada Byron <ada@x>", ["Ada Byron"]),
    ("Grace Murray Hopper <grace@x>", ["Grace Murray Hopper"]),
    ("Dear Ada,\nhello", ["Ada"]),
    ("Hi Bob!", ["Bob"]),
    ("See you.\nBest regards,\nAda M. Byron\nHead of Sales", ["Ada M. Byron"]),
    ("done\\n\\nKind regards\\nAda Byron\\n", ["Ada Byron"]),
    ("Thanks,\nAda", ["Ada"]),
    ("Look up the customer Tom Okafor and e-mail Ingrid Solberg her status.", ["Tom Okafor", "Ingrid Solberg"]),
    ("The patient Jane Q. Public was seen.", ["Jane Q. Public"]),
    ("my colleague Ada Byron", ["Ada Byron"]),
    ("My name is Ada Byron and I'm", ["Ada Byron"]),
    ("Dear Ada Byron,", ["Ada Byron"]),
    ("Delete the customer Tom Okafor's record", ["Tom Okafor"]),
    ("Ask Jean-Luc O'Neill, then tell Ana de la Cruz.", ["Jean-Luc O'Neill", "Ana de la Cruz"]),
    ("an account holder named Zoë Müller", ["Zoë Müller"]),
    ("Hello, this is Ada Byron from Example Industries", ["Ada Byron"]),
    ("Please write to Dietrich Vogel about it", ["Dietrich Vogel"]),
]  # fmt: skip

NOT_FOUND = [
    "Dear Customer,", "Hi Team,", "Best regards,\nThe Team", "Best,\nCustomer Support",
    "Support <support@x>", "Name: Monday", "File name: Report Final", "Customer: Please call back",
    "name: search", "I am Happy", "I am so tired", "5 ms Latency", "MS Word and Ms. word",
    "From: the beginning\nTo: the end", "To: Berlin\n", "Ada Byron went to Paris", "Hello world!",
    "the customer Acme Tools ordered", "call Acme Inc. today", "client Nordwind GmbH", "the user Guide",
    "Contact Us Today", "email Customer Support", "ask IT Support", "tell South Africa", "Call Now",
    "the customer asked Monday", "patient Records Department", "contact Globex Systems Ltd",
    "ask the Board", "user API Key", "this is San Francisco", "Customer Ada", "call Ada", "meet Mr",
    "the customer TOM OKAFOR", "recall Ada Byron", "end-user Ada Byron", "met Ada byron",
    "user name is required", "Good morning. How Are You",
]  # fmt: skip


def people(text: str, names: Literal["tagger", "structure"]) -> list[str]:
    spans = finder_for(names=names).find(text)
    return [text[s.start : s.end] for s in spans if s.type == "PERSON"]


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_found(text: str, names: list[str]) -> None:
    assert people(text, "structure") == names


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_found_beside_the_tagger(text: str, names: list[str]) -> None:
    """What structure tells stays one name each when the tagger looks too."""
    found = people(text, "tagger")
    assert all(any(name in one for one in found) for name in names)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_not_found(text: str) -> None:
    assert people(text, "structure") == []
