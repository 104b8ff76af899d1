"""Who finds names of people and places: the tagger, or a model that is installed.

Rules:
* Nothing is downloaded, and no hub is asked: libraries are kept offline while a model is loaded, and
  a model is a folder, or a package that is installed.
* A library or a model that is missing is an error with the line that installs it.
* A source reports types with Presidio's names, and nothing that it was not asked for.
* Long texts are handed to models in pieces that they can read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from hauberk import PolicyError
from hauberk.policy import NamesModel
from hauberk_pii.tagger._source import Found, found_in

_FIELD = "pii.names"
_PIECE = 1000
"""Characters of a piece of text for models that read a few hundred words at once."""
_KINDS = {
    "PER": "PERSON", "PERSON": "PERSON", "PEOPLE": "PERSON", "NAME": "PERSON",
    "LOC": "LOCATION", "LOCATION": "LOCATION", "GPE": "LOCATION", "FAC": "LOCATION",
    "CITY": "LOCATION", "COUNTRY": "LOCATION", "PLACE": "LOCATION",
    "ORG": "ORGANIZATION", "ORGANIZATION": "ORGANIZATION", "ORGANISATION": "ORGANIZATION",
}  # fmt: skip
"""What models call the types. Prefixes such as `B-` are dropped; other types are not reported."""
_MODEL_ENTITIES = frozenset(_KINDS.values())
_MODEL_SCORE = 0.85
"""As Presidio scores what a model finds that gives no scores."""


class Source(Protocol):
    """Finds names. Thread-safe."""

    entities: frozenset[str]
    """Types that it can report."""

    def names(self, text: str) -> Iterator[Found]:
        """Names in a text, with offsets into it."""
        ...


class TaggerSource:
    """The tagger that comes with this package."""

    entities = frozenset({"PERSON", "LOCATION"})

    def names(self, text: str) -> Iterator[Found]:
        """Names in a text."""
        from hauberk_pii.tagger._file import load  # noqa: PLC0415 - read with the first text

        return found_in(text, load())


class ModelSource:
    """A model of some library.

    Args:
        find: Label, offsets and score of each entity in a piece of text.
        piece: Most characters that it reads at once.
    """

    entities = _MODEL_ENTITIES

    def __init__(self, find: Callable[[str], Iterator[Found]], *, piece: int = _PIECE) -> None:
        self._find = find
        self._piece = piece

    def names(self, text: str) -> Iterator[Found]:
        """Names in a text."""
        for at, piece in pieces(text, self._piece):
            for start, end, label, score in self._find(piece):
                entity = _KINDS.get(label.upper().removeprefix("B-").removeprefix("I-"))
                if entity is not None and end > start:
                    yield Found(at + start, at + end, entity, score)


def pieces(text: str, size: int) -> Iterator[tuple[int, str]]:
    """A text in pieces that end with a line or a sentence or a word, where one ends.

    Example:
        >>> list(pieces("one two three", 8))
        [(0, 'one two'), (7, ' three')]
    """
    at = 0
    while len(text) - at > size:
        cuts = (text.rfind(sign, at + size // 2, at + size) for sign in ("\n", ". ", " "))
        end = next((cut for cut in cuts if cut > at), at + size)
        yield at, text[at:end]
        at = end
    yield at, text[at:]


def source_of(names: str | NamesModel, language: str) -> Source | None:
    """Who finds names, by the policy; None: nobody beyond their structure. Loaded once.

    Raises:
        PolicyError: A library or a model is not there, or cannot be read.
    """
    if names == "tagger":
        return TaggerSource()
    if isinstance(names, str):
        return None
    ((library, model),) = names.named().items()
    return _loaded(library, model, language)


@cache
def _loaded(library: str, model: str, language: str) -> Source:
    return _LOADERS[library](model, language)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise PolicyError(
            f"{name} is not installed", field=_FIELD, remedy=f"pip install {name}"
        ) from None


def _folder(model: str, library: str, remedy: str) -> str:
    if not Path(model).is_dir():
        raise PolicyError(
            f"there is no folder {model!r} with a {library} model", field=_FIELD, remedy=remedy
        )
    return model


def _unreadable(library: str, error: Exception) -> PolicyError:
    # The message of a foreign error may hold anything; its class says enough.
    return PolicyError(
        f"the {library} model cannot be loaded ({type(error).__name__})",
        field=_FIELD,
        remedy=f"Check that the folder is whole, and made for the installed {library}.",
    )


@contextmanager
def offline() -> Generator[None]:
    """Keep Hugging Face's libraries from asking their hub, while a model is loaded."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        constants: Any = import_module("huggingface_hub.constants")
    except ImportError:
        constants = None
    was = getattr(constants, "HF_HUB_OFFLINE", None)
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # read from the environment only when it is imported
    try:
        yield
    finally:
        if constants is not None:
            constants.HF_HUB_OFFLINE = was
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def _spacy(model: str, _: str) -> ModelSource:
    spacy = _library("spacy")
    # Asked before: spaCy's own error names a command that downloads.
    if not spacy.util.is_package(model) and not Path(model).is_dir():
        raise PolicyError(
            f"the spaCy model {model!r} is not installed",
            field=_FIELD,
            remedy=f"python -m spacy download {model}",
        )
    try:
        nlp = spacy.load(model)
    except (OSError, ValueError, ImportError) as error:
        raise _unreadable("spaCy", error) from None
    # Names need neither: they take half of the time.
    for pipe in {"tagger", "parser", "lemmatizer", "attribute_ruler"} & set(nlp.pipe_names):
        nlp.disable_pipe(pipe)

    def find(text: str) -> Iterator[Found]:
        # Its vocabulary only grows; what a text adds is forgotten with it.
        with nlp.memory_zone():
            ents = [(e.start_char, e.end_char, e.label_) for e in nlp(text).ents]
        return (Found(start, end, label, _MODEL_SCORE) for start, end, label in ents)

    return ModelSource(_one_at_a_time(find), piece=100_000)


def _gliner(model: str, _: str) -> ModelSource:
    library = _library("gliner")
    folder = _folder(model, "GLiNER", "Save one with `model.save_pretrained(FOLDER)`.")
    try:
        with offline():
            loaded = library.GLiNER.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # noqa: BLE001 - whatever it raises, the model cannot be used
        raise _unreadable("gliner", error) from None
    labels = ["person", "location", "organization"]

    def find(text: str) -> Iterator[Found]:
        found = loaded.predict_entities(text, labels, threshold=0.3)
        return (Found(e["start"], e["end"], e["label"], float(e["score"])) for e in found)

    return ModelSource(_one_at_a_time(find))


def _transformers(model: str, _: str) -> ModelSource:
    library = _library("transformers")
    folder = _folder(
        model,
        "transformers",
        "Save the model and its tokenizer with `save_pretrained(FOLDER)`.",
    )
    try:
        with offline():
            tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network = library.AutoModelForTokenClassification.from_pretrained(
                folder, local_files_only=True
            )
            classify = library.pipeline(
                "token-classification",
                model=network,
                tokenizer=tokenizer,
                aggregation_strategy="simple",
            )
    except Exception as error:  # noqa: BLE001 - whatever it raises, the model cannot be used
        raise _unreadable("transformers", error) from None

    def find(text: str) -> Iterator[Found]:
        found = classify(text) if text.strip() else []
        return (Found(e["start"], e["end"], e["entity_group"], float(e["score"])) for e in found)

    return ModelSource(_one_at_a_time(find))


def _stanza(model: str, language: str) -> ModelSource:
    library = _library("stanza")
    remedy = f"python -c \"import stanza; stanza.download('{language}', model_dir='FOLDER')\""
    folder = _folder(model, "stanza", remedy)
    try:
        with offline():
            nlp = library.Pipeline(
                language, dir=folder, processors="tokenize,ner", download_method=None, verbose=False
            )
    except Exception as error:  # noqa: BLE001 - whatever it raises, the model cannot be used
        raise _unreadable("stanza", error) from None

    def find(text: str) -> Iterator[Found]:
        return (
            Found(e.start_char, e.end_char, e.type, _MODEL_SCORE)
            for e in (nlp(text).ents if text.strip() else ())
        )

    return ModelSource(_one_at_a_time(find), piece=20_000)


def _one_at_a_time(find: Callable[[str], Iterator[Found]]) -> Callable[[str], Iterator[Found]]:
    """The same under a lock: none of these libraries promises threads."""
    lock = Lock()

    def locked(text: str) -> Iterator[Found]:
        with lock:
            return iter(list(find(text)))

    return locked


_LOADERS: dict[str, Callable[[str, str], Source]] = {
    "spacy": _spacy,
    "gliner": _gliner,
    "transformers": _transformers,
    "stanza": _stanza,
}
