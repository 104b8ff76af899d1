"""Names: found where structure says so, and nowhere else."""

from __future__ import annotations

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
]  # fmt: skip

NOT_FOUND = [
    "Dear Customer,", "Hi Team,", "Best regards,\nThe Team", "Best,\nCustomer Support",
    "Support <support@x>", "Name: Monday", "File name: Report Final", "Customer: Please call back",
    "name: search", "I am Happy", "I am so tired", "5 ms Latency", "MS Word and Ms. word",
    "From: the beginning\nTo: the end", "To: Berlin\n", "Ada Byron went to Paris", "Hello world!",
    "user name is required", "Good morning. How Are You",
]  # fmt: skip


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_found(text: str, names: list[str]) -> None:
    found = [text[s.start : s.end] for s in finder_for().find(text) if s.type == "PERSON"]
    assert found == names


@pytest.mark.parametrize("text", NOT_FOUND)
def test_not_found(text: str) -> None:
    assert [text[s.start : s.end] for s in finder_for().find(text) if s.type == "PERSON"] == []
