"""Counting how good findings are, and the texts that the tagger is trained on."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk_pii.quality import WAYS, Quality
from hauberk_pii.train._corpora import (
    SOURCES,
    joined,
    lowered,
    quiet,
    raised,
    read_columns,
    runs_of_labels,
    sample,
)
from hauberk_pii.train._lists import Lists, People
from hauberk_pii.train._made import Maker, templates

# --- counting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "found", "exact", "overlap", "chars"),
    [  # (precision, recall) of each way
        ([(0, 9)], [(0, 9)], (1, 1), (1, 1), (1, 1)),
        ([(0, 9)], [], (0, 0), (0, 0), (0, 0)),
        ([], [(0, 9)], (0, 0), (0, 0), (0, 0)),
        ([(0, 10)], [(0, 5)], (0, 0), (1, 1), (1, 0.5)),
        ([(0, 10)], [(0, 4)], (0, 0), (1, 0), (1, 0.4)),
        ([(0, 10)], [(0, 3), (4, 10)], (0, 0), (1, 1), (1, 0.9)),
        ([(0, 2), (5, 7)], [(0, 7)], (0, 0), (1, 1), (4 / 7, 1)),
        ([(0, 2), (5, 7)], [(0, 2), (9, 11)], (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)),
    ],
)
def test_counts(
    gold: list[tuple[int, int]],
    found: list[tuple[int, int]],
    exact: tuple[float, float],
    overlap: tuple[float, float],
    chars: tuple[float, float],
) -> None:
    quality = Quality()
    quality.add([(*span, "PERSON") for span in gold], [(*span, "PERSON") for span in found])
    row = quality.rows["PERSON"]
    for way, expected in zip(WAYS, (exact, overlap, chars), strict=True):
        assert (row[way].precision, row[way].recall) == pytest.approx(expected), way


def test_types_are_counted_apart_and_together() -> None:
    quality = Quality()
    quality.add([(0, 3, "A"), (5, 8, "B")], [(0, 3, "B"), (5, 8, "B")])
    assert quality.rows["A"]["overlap"].recall == 0
    assert quality.rows["B"]["overlap"].precision == 0.5
    assert quality.total("exact").f1 == 0.5
    assert quality.total("exact", ["B"]).recall == 1


_SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=5, unique=True).map(
    lambda found: sorted({(start, start + size, "X") for start, size in found})
)


@given(_SPANS, _SPANS)
def test_scores_are_shares(gold: list[tuple[int, int, str]], found: list[tuple[int, int, str]]) -> None:  # fmt: skip
    quality = Quality()
    quality.add(gold, found)
    for way in WAYS:
        count = quality.total(way)
        assert 0 <= count.precision <= 1
        assert 0 <= count.recall <= 1
        assert count.hit <= count.gold
        assert count.right <= count.found


def test_perfect_findings_are_perfect_in_all_ways() -> None:
    quality = Quality()
    spans = [(0, 3, "A"), (5, 8, "B")]
    quality.add(spans, spans)
    assert {quality.total(way).f1 for way in WAYS} == {1.0}


# --- the benchmark's readers ------------------------------------------------------------------


def _benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "pii_quality.py"
    spec = importlib.util.spec_from_file_location("pii_quality_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


_TEXT = "Ask Ada Byron in Paris"
_FILES = {
    "presidio.json": json.dumps(
        [{"full_text": _TEXT, "spans": [
            {"entity_type": "PERSON", "start_position": 4, "end_position": 13},
            {"entity_type": "GPE", "start_position": 17, "end_position": 22}]}]
    ),
    "datafog.json": json.dumps(
        [{"input": _TEXT, "expected_entities": [
            {"type": "PERSON", "start": 4, "end": 13}, {"type": "LOCATION", "start": 17, "end": 22}]}]
    ),
    "lines.jsonl": json.dumps({"text": _TEXT, "entities": [[4, 13, "PER"], [17, 22, "LOC"]]}),
    "columns.conll": "Ask\tO\nAda\tB-PER\nByron\tI-PER\nin\tO\nParis\tB-LOC\n\n",
}  # fmt: skip


@pytest.mark.parametrize("name", _FILES)
def test_the_benchmark_reads_each_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(_FILES[name], "utf-8")
    [text] = _benchmark().read(path)
    assert (text.text, text.spans) == (_TEXT, [(4, 13, "PERSON"), (17, 22, "LOCATION")])


def test_the_benchmark_measures_ours_and_presidio(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(_FILES["presidio.json"], "utf-8")
    module = _benchmark()
    result = module.result_of(module.read(path), "")
    assert result["systems"]["ours"]["types"]["all"]["exact"]["f1"] == 1.0
    assert result["systems"]["presidio"]["types"]["PERSON"]["found"] == 0
    assert "PERSON" in module.printed({"x": result})


# --- texts to train on ------------------------------------------------------------------------


def test_columns_become_running_text_with_spans() -> None:
    words = ["Hi", ",", '"', "Ada", "Byron", '"', "(", "of", "Acme", ")", "is", "n't", "in", "U.K", "."]  # fmt: skip
    labels = ["O", "O", "O", "B-PER", "I-PER", "O", "O", "O", "I-ORG", "O", "O", "O", "O", "I-LOC", "O"]  # fmt: skip
    one = sample(words, labels)
    assert one.text == 'Hi, "Ada Byron" (of Acme) isn\'t in U.K.'
    assert [(one.text[s:e], label) for s, e, label in one.spans] == [
        ("Ada Byron", "PER"), ("Acme", "X"), ("U.K", "LOC"),
    ]  # fmt: skip


def test_handles_and_roles_are_no_names() -> None:
    assert sample(["@ada", "the", "Borrower"], ["B-PER", "O", "I-PER"]).spans == ()


def test_labels_of_both_kinds_are_read() -> None:
    assert list(runs_of_labels(["I-A", "I-A", "B-A", "I-B", "O", "B-B"])) == [
        (0, 1, "A"), (2, 2, "A"), (3, 3, "B"), (5, 5, "B"),
    ]  # fmt: skip


def test_sentences_end_with_an_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_text("-DOCSTART- O\n\na O\nb B-PER\n\nc X Y O", "utf-8")
    assert list(read_columns(path)) == [(["a", "b"], ["O", "B-PER"]), (["c"], ["O"])]


@given(st.lists(st.text(st.characters(categories=["L", "P"]), min_size=1, max_size=5), max_size=12))
def test_words_are_where_they_are_said_to_be(words: list[str]) -> None:
    text, places = joined(words)
    assert [text[start:end] for start, end in places] == words


def test_quiet_texts_hold_no_name() -> None:
    table = {"ada": 1, "rose": 1 | 2 << 5, "the": 3 << 5, "hello": 2 << 5}
    texts = [sample([word], ["O"]) for word in ("Ada", "hello", "The", "Rose", "Zorg", "ada")]
    assert [one.text for one in quiet(texts, table)] == ["hello", "The", "Rose"]


_LISTS = Lists(
    people={"en_US": People(["Ada", "Bob"], ["Byron", "Stone"]), "de_DE": People(["Jürgen"], ["Weiß"])},
    cities=["Paris", "Ulm", "New York"] * 600,
    countries={"en": ["France"], "de_DE": ["Polen"]},
    jobs={"en_US": ["Nurse"], "de_AT": ["Bäcker"]},
    companies=[],
    table={},
)  # fmt: skip


def test_made_texts_have_their_names_where_they_say() -> None:
    made = list(Maker(_LISTS, 3).samples(400))
    assert made == list(Maker(_LISTS, 3).samples(400))
    for one in made:
        ends = [end for _, end, _ in one.spans]
        assert all(start >= end for (start, _, _), end in zip(one.spans[1:], ends, strict=False))
        assert all(
            one.text[start:end].strip() == one.text[start:end] for start, end, _ in one.spans
        )
        assert "{" not in one.text or '"' in one.text
    assert {label for one in made for _, _, label in one.spans} == {"PER", "LOC", "X"}


def test_case_variants_keep_their_spans() -> None:
    made = list(Maker(_LISTS, 1).samples(50))
    assert all(one.text.islower() or not one.text.isalpha() for one in lowered(made))
    assert all(one.text == one.text.upper() for one in raised(made))


def test_templates_are_ours_in_seven_languages() -> None:
    found = templates()
    assert {language for language, _ in found} == {"en", "de", "es", "fr", "it", "nl", "pt"}
    assert len({text for _, text in found}) == len(found)


def test_every_source_has_a_licence_and_a_credit() -> None:
    assert all(source.licence and source.credit for source in SOURCES)


def test_fitting_learns_and_gives_the_same_twice() -> None:
    pytest.importorskip("pycrfsuite")
    from hauberk_pii.tagger._file import weights_of
    from hauberk_pii.tagger._model import LABELS, Tagger, packed
    from hauberk_pii.train._fit import fitted

    rng = Random(5)  # noqa: S311 - not for secrets
    names, words = ["Ada", "Zoe", "Bob", "Kim"], ["sees", "likes", "calls"]
    samples = [
        (sample([rng.choice(names), rng.choice(words), rng.choice(names), "Now"],
                ["B-PER", "O", "B-PER", "O"]), -1)
        for _ in range(60)
    ]  # fmt: skip
    states, transitions = fitted(samples, {"sees": 3 << 5})
    assert (states, transitions) == fitted(samples, {"sees": 3 << 5})
    by: dict[str, dict[str, float]] = {}
    for (feature, label), weight in states.items():
        by.setdefault(feature, {})[label] = weight
    rows = [[transitions.get((a, b), 0.0) for b in LABELS] for a in LABELS]
    tagger = Tagger({}, weights_of({f: packed(w) for f, w in by.items()}), rows)
    assert [n.label for n in tagger.names("Ada sees Kim Now")] == ["PER", "PER"]
