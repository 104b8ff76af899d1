"""An initial ties two words into one name, in any case; ordinary words stay outside."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk_pii import finder_for
from hauberk_pii.tagger import load
from hauberk_pii.tagger._initials import grown
from hauberk_pii.tagger._source import found_in

ROWS = [
    ("please ask janka m. szász about it", ["janka m. szász"]),
    ("please ask Janka M. Szász about it", ["Janka M. Szász"]),
    ("please ask stephan m urner about it", ["stephan m urner"]),
    ("verses from eric g. samoylova's book", ["eric g. samoylova"]),
    ("it was assigned to michael b yesterday", ["michael"]),
]


@pytest.mark.parametrize(("text", "names"), ROWS)
def test_an_initial_ties_a_name_together(text: str, names: list[str]) -> None:
    assert [text[f.start : f.end] for f in found_in(text, load()) if f.entity == "PERSON"] == names


@pytest.mark.parametrize(
    ("text", "grows"),
    [
        ("karin i wirth", False),
        ("karin i. wirth", True),
        ("karin s. Wirth", False),
        ("karin s car", False),
    ],
)
def test_what_is_tied(text: str, grows: bool) -> None:  # noqa: FBT001 - a column of the table
    end = len(text) if grows else len("karin")
    assert grown(text, 0, len("karin"), lambda word: word == "car") == (0, end)


@given(st.text(alphabet="ab .'-\nXY", max_size=30), st.data())
def test_a_name_grows_and_never_shrinks(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    end = data.draw(st.integers(start, len(text)))
    if not text[start:end].strip():
        return
    left, right = grown(text, start, end, lambda word: len(word) % 2 == 0)
    assert 0 <= left <= start <= end <= right <= len(text)


@given(
    st.lists(st.sampled_from(["anna", "m.", "s", "byron", "Ada", "a", "B.", "\n", "and", "paris"]))
)
def test_names_stay_apart_and_in_order(words: list[str]) -> None:
    found = list(found_in(" ".join(words), load()))
    assert all(one.start < one.end for one in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


IN_OTHER_LANGUAGES = {
    "Sehr geehrte Frau Müller, vielen Dank.": "Müller",
    "Mit freundlichen Grüßen\nKlaus Becker": "Klaus Becker",
    "Kunde: Ömer Yilmaz": "Ömer Yilmaz",
    "Chère Madame Lefèvre, merci.": "Lefèvre",
    "M. Laurent Girard a appelé hier.": "Laurent Girard",
    "Estimado señor Gómez: gracias": "Gómez",
    "Hablé con Javier Moreno sobre el pedido.": "Javier Moreno",
    "Egregio dott. Ferrari,": "Ferrari",
    "Ho parlato con Luca Greco ieri.": "Luca Greco",
    "Beste mevrouw Jansen,": "Jansen",
    "Ik sprak met Lotte Smit over de factuur.": "Lotte Smit",
    "Prezado Sr. Oliveira,": "Oliveira",
    "Falei com o Rui Pereira sobre a fatura.": "Rui Pereira",
}


@pytest.mark.parametrize("text", IN_OTHER_LANGUAGES)
def test_names_are_found_in_other_languages(text: str) -> None:
    found = finder_for(language="auto").find(text)
    assert [text[s.start : s.end] for s in found if s.type == "PERSON"] == [
        IN_OTHER_LANGUAGES[text]
    ]


def test_german_nouns_are_no_names() -> None:
    text = "Die Bestellung wurde am Montag in der Filiale abgeholt und bezahlt."
    assert finder_for(language="de").find(text) == ()
