"""Names by a model that is installed: used when the policy says so, never downloaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import spacy
from pydantic import ValidationError

from hauberk import PolicyError
from hauberk.policy import NamesModel, PiiPolicy, load_policy
from hauberk_pii import finder_for
from hauberk_pii._sources import offline, pieces, source_of

TEXT = "Please ask Quux Norf from Foobaria about it."
LIBRARIES = ("spacy", "gliner", "transformers", "stanza")


@pytest.fixture
def small_model(tmp_path: Path) -> str:
    """A spaCy model that knows one person and one place."""
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Quux Norf"},
            {"label": "GPE", "pattern": "Foobaria"},
            {"label": "DATE", "pattern": "ask"},
        ]
    )
    folder = tmp_path / "model"
    nlp.to_disk(folder)
    return str(folder)


def found(names: Any, text: str = TEXT) -> list[tuple[str, str]]:
    finder = finder_for(entities=["PERSON", "LOCATION", "ORGANIZATION"], names=names)
    return [(text[s.start : s.end], s.type) for s in finder.find(text)]


BOTH = [("Quux Norf", "PERSON"), ("Foobaria", "LOCATION")]


def test_a_spacy_model_finds_names(small_model: str) -> None:
    assert found(NamesModel(spacy=small_model)) == BOTH


def test_names_by_structure_are_found_beside_a_model(small_model: str) -> None:
    text = "Dear Ada Byron, ask Quux Norf"
    assert found(NamesModel(spacy=small_model), text) == [
        ("Ada Byron", "PERSON"),
        ("Quux Norf", "PERSON"),
    ]


def test_off_and_structure() -> None:
    text = "Dear Ada Byron, it was Emma Johansson"
    entities = ["PERSON"]
    assert finder_for(entities=entities, names="off").find(text) == ()
    [span] = finder_for(entities=entities, names="structure").find(text)
    assert text[span.start : span.end] == "Ada Byron"


def test_places_need_a_source_that_knows_them() -> None:
    with pytest.raises(PolicyError, match="LOCATION"):
        finder_for(entities=["LOCATION"], names="structure")


# --- what is missing --------------------------------------------------------------------------


def test_a_missing_spacy_model_says_how_to_install_it() -> None:
    with pytest.raises(PolicyError, match="python -m spacy download xx_not_there_sm"):
        source_of(NamesModel(spacy="xx_not_there_sm"), "en")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_library_says_how_to_install_it(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(PolicyError, match=f"pip install {library}"):
        source_of(NamesModel.model_validate({library: str(tmp_path / library)}), "en")


@pytest.mark.parametrize("library", ["gliner", "transformers", "stanza"])
def test_a_missing_folder_is_an_error_and_no_name_of_a_hub(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, ModuleType(library))
    with pytest.raises(PolicyError, match="there is no folder"):
        source_of(NamesModel.model_validate({library: "some-org/some-model"}), "en")


@pytest.mark.parametrize("library", ["gliner", "transformers", "stanza"])
def test_a_folder_without_a_model_is_an_error_without_its_message(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, _fake(library, fails=True))
    with pytest.raises(PolicyError, match="cannot be loaded") as caught:
        source_of(NamesModel.model_validate({library: str(tmp_path)}), "en")
    assert "secret" not in str(caught.value)


def test_a_broken_spacy_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be loaded"):
        source_of(NamesModel(spacy=str(tmp_path)), "en")


# --- libraries that are doubled: their models are too large to make here ------------------------


def _entities(text: str, **keys: str) -> list[dict[str, Any]]:
    return [
        {keys["label"]: label, "start": at, "end": at + len(word), "score": 0.9, "text": word}
        for word, label in (("Quux Norf", "person"), ("Foobaria", "location"), ("ask", "verb"))
        for at in (text.find(word),)
        if at >= 0
    ]


def _fake(library: str, *, fails: bool = False) -> Any:
    """A library with the calls that we make of the real one; `asked` notes how."""
    asked: list[Any] = []

    def load(model: object, **options: Any) -> Any:
        asked.append((os.environ.get("HF_HUB_OFFLINE"), options))
        if fails:
            raise RuntimeError("secret of the model")
        return SimpleNamespace(
            predict_entities=lambda text, _labels, threshold: _entities(text, label="label")
        )

    def pipeline(*_: Any, **options: Any) -> Callable[[str], list[dict[str, Any]]]:
        asked.append((os.environ.get("HF_HUB_OFFLINE"), options))
        return lambda text: _entities(text, label="entity_group")

    def stanza_pipeline(language: str, **options: Any) -> Callable[[str], Any]:
        load(language, **options)
        return lambda text: SimpleNamespace(
            ents=[
                SimpleNamespace(start_char=e["start"], end_char=e["end"], type=e["type"])
                for e in _entities(text, label="type")
            ]
        )

    loader = SimpleNamespace(from_pretrained=load)
    return SimpleNamespace(
        asked=asked,
        GLiNER=loader,
        AutoTokenizer=loader,
        AutoModelForTokenClassification=loader,
        pipeline=pipeline,
        Pipeline=stanza_pipeline,
    )


@pytest.mark.parametrize("library", ["gliner", "transformers", "stanza"])
def test_a_model_of_each_library_finds_names_and_asks_no_hub(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = _fake(library)
    monkeypatch.setitem(sys.modules, library, fake)
    assert found(NamesModel.model_validate({library: str(tmp_path)})) == BOTH
    assert fake.asked
    for offline_then, options in fake.asked:
        assert offline_then == "1"
        if library == "stanza":
            assert options["download_method"] is None
        elif "aggregation_strategy" not in options:
            assert options["local_files_only"] is True


def test_a_real_small_transformer_finds_something_or_nothing_but_loads(tmp_path: Path) -> None:
    """With random weights: what it finds means nothing, but every span lies inside of the text."""
    library: Any = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    vocabulary = tmp_path / "vocab.txt"
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "please",
        "ask",
        "from",
        "about",
        "it",
        ".",
        "qu",
        "##ux",
        "nor",
        "##f",
        "foo",
    ]
    vocabulary.write_text("\n".join(words), "utf-8")
    folder = tmp_path / "model"
    library.BertTokenizerFast(vocab_file=str(vocabulary)).save_pretrained(folder)
    config = library.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, id2label={0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC"},
        label2id={"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3},
    )  # fmt: skip
    library.BertForTokenClassification(config).save_pretrained(folder)
    source = source_of(NamesModel(transformers=str(folder)), "en")
    assert source is not None
    for text in (TEXT, TEXT * 100, "", " "):
        assert all(0 <= n.start < n.end <= len(text) for n in source.names(text))


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    with offline():
        assert os.environ["HF_HUB_OFFLINE"] == os.environ["TRANSFORMERS_OFFLINE"] == "1"
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert "TRANSFORMERS_OFFLINE" not in os.environ


def test_pieces_hold_the_whole_text() -> None:
    text = "One sentence. Another one\nand a line without any end " + "x" * 90
    found = list(pieces(text, 20))
    assert "".join(piece for _, piece in found) == text
    assert all(text.startswith(piece, at) and len(piece) <= 20 for at, piece in found)


# --- the policy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [("off", "off"), ("structure", "structure"), ("tagger", "tagger"),
     ("{spacy: en_core_web_sm}", NamesModel(spacy="en_core_web_sm"))],
)  # fmt: skip
def test_a_policy_says_who_finds_names(written: str, meant: object, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"version: 1\npii:\n  names: {written}\n", "utf-8")
    pii = load_policy(path).pii
    assert isinstance(pii, PiiPolicy)
    assert pii.names == meant


@pytest.mark.parametrize("names", [{}, {"spacy": "a", "gliner": "b"}, {"bert": "x"}, "bert", 3])
def test_a_policy_that_names_no_source_is_refused(names: object) -> None:
    with pytest.raises(ValidationError):
        PiiPolicy.model_validate({"names": names})
