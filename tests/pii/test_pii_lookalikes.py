"""What only looks like personal data is left alone; what is rarely personal is found where it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk_pii import DEFAULT_ENTITIES, finder_for
from hauberk_pii._recognizers import SecretRecognizer
from hauberk_pii.recognizers._key_forms import KEY_FORMS

FINDER = finder_for(entities=[*DEFAULT_ENTITIES, "URL", "GEO_COORDINATES"])
PRESIDIO = finder_for(entities=[*DEFAULT_ENTITIES, "URL"], strict=True, names="off")
LOOKALIKES = [
    line.split("\t")
    for line in Path(__file__).with_name("lookalikes.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
KNOWN = {  # as they are written, nothing but their meaning tells
    "range 100-20-3000",
    "1 2 3 4 5 6 7 8 9 10",
    "ratio 3:2::1",
}


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in LOOKALIKES}))
def test_what_looks_like_personal_data_is_left_alone(kind: str) -> None:
    texts = [text for of, text in LOOKALIKES if of == kind]
    assert {text for text in texts if FINDER.find(text)} <= KNOWN


def test_there_are_fewer_false_alarms_than_in_presidio() -> None:
    """On these 190 texts: none but those that are known, against one text in four."""
    texts = [text for _, text in LOOKALIKES]
    ours = [text for text in texts if FINDER.find(text)]
    theirs = Counter(span.type for text in texts for span in PRESIDIO.find(text))
    assert len(texts) > 180
    assert set(ours) == KNOWN
    assert theirs.total() > 10 * len(ours)


@pytest.mark.parametrize("name", KEY_FORMS)
def test_each_form_of_keys_is_found(name: str) -> None:
    """Whole, between other words, and not as a part of a longer word."""
    recognizer = SecretRecognizer()

    @settings(max_examples=3, deadline=None)
    @given(st.from_regex(KEY_FORMS[name], fullmatch=True))
    def check(key: str) -> None:
        text = f"use {key} for it"
        found = [(r.start, r.end) for r in recognizer.analyze(text, ["API_KEY"])]
        least = len(key.rstrip("-=.~/+"))  # a sign at the end may be left over
        assert found[0][0] == 4
        assert 4 + least <= found[-1][1] <= 4 + len(key)
        assert any(span.type == "API_KEY" for span in FINDER.find(text))
        assert recognizer.analyze(f"use x{key}", ["API_KEY"]) == []

    check()


ROWS = [
    ("meet me at 48.85837, 2.29448", "GEO_COORDINATES", ["48.85837, 2.29448"]),
    ("lat: 48.858, lng: 2.294", "GEO_COORDINATES", ["48.858", "2.294"]),
    ('{"latitude": -33.8568, "longitude": 151.2153}', "GEO_COORDINATES", ["-33.8568", "151.2153"]),
    ("40°26'46\"N 79°58'56\"W", "GEO_COORDINATES", ["40°26'46\"N 79°58'56\"W"]),
    ("Breite 52,5 and 95.12345, 200.12345", "GEO_COORDINATES", []),
    ("size 1.333, 2.667 of 10.12, 20.34", "GEO_COORDINATES", []),
    ("latitude 123.456", "GEO_COORDINATES", []),
    ("see https://example.com/a?b=c#d.", "URL", ["https://example.com/a?b=c#d."]),
    ("www.example.co.uk or example.org/path", "URL", ["www.example.co.uk", "example.org/path"]),
    ("visit example.com today", "URL", ["example.com"]),
    ("see allegro.pl, app.example.com, b92.rs", "URL", ["allegro.pl", "app.example.com", "b92.rs"]),
    ("EXAMPLE.COM:8080", "URL", ["EXAMPLE.COM"]),
    ("though.Al, setup.py, os.path.join, e.g.it", "URL", []),
    ("ada@example.com", "URL", []),
    ("0x52908400098527886E0F7030069857D2E4169EE7", "CRYPTO", ["0x52908400098527886E0F7030069857D2E4169EE7"]),
    ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "CRYPTO", ["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"]),
    ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "CRYPTO", ["3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"]),
    ("D7Y55r6Yoc1G8EECxkQ6SuSjTgGJJ7M6yD", "CRYPTO", ["D7Y55r6Yoc1G8EECxkQ6SuSjTgGJJ7M6yD"]),
    ("TNPeeaaFB7K9cmo4uQpcU32zGK8G1NYqeL", "CRYPTO", ["TNPeeaaFB7K9cmo4uQpcU32zGK8G1NYqeL"]),
    ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdz", "CRYPTO", []),
    ("TNPeeaaFB7K9cmo4uQpcU32zGK8G1NYqeM", "CRYPTO", []),
    ("0x5290840009852788", "CRYPTO", []),
    ("from 1.2.3.4.5 and version 10.1.2.3", "IP_ADDRESS", []),
    ("from 10.1.2.3.", "IP_ADDRESS", ["10.1.2.3"]),
    ("1234567890 and -122.4194155", "PHONE_NUMBER", []),
    ("phone: 1234567890", "PHONE_NUMBER", ["1234567890"]),
    ("serial 356938035643809", "CREDIT_CARD", []),
    ("card 378282246310005", "CREDIT_CARD", ["378282246310005"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "words"), ROWS)
def test_found(text: str, kind: str, words: list[str]) -> None:
    assert [text[s.start : s.end] for s in FINDER.find(text) if s.type == kind] == words
