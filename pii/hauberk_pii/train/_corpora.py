"""Labelled texts: the corpora that the tagger is trained on and measured with.

Rules:
* A token column becomes running text again: signs stand where a writer puts them.
* Three labels: `PER`, `LOC`, and `X` for what has a name and is neither.
* Handles are no names. Roles of a contract ("Borrower") are none either.
* A file that is absent is an error: a model is trained on all of them or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk_pii._words import COMMON
from hauberk_pii.tagger._features import word_of
from hauberk_pii.tagger._tokens import tokens_of
from hauberk_pii.tagger._words import COMMON_SHIFT


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with its names."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    """First character, first after it, label; in order, apart."""


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus: where it comes from, and which of its files hold it."""

    name: str
    files: tuple[str, ...]
    licence: str
    credit: str


SOURCES = (
    Source(
        "wnut17",
        ("wnut17_train.conll", "wnut17_dev.conll"),
        "CC BY 4.0",
        "WNUT 2017 shared task on novel and emerging entity recognition (Derczynski, Nichols, van "
        "Erp, Limsopatham 2017), github.com/leondz/emerging_entities_17",
    ),
    Source(
        "btc",
        ("btc_a.conll", "btc_b.conll", "btc_e.conll", "btc_g.conll", "btc_h.conll"),
        "CC BY 4.0",
        "Broad Twitter Corpus (Derczynski, Bontcheva, Roberts 2016), "
        "github.com/GateNLP/broad_twitter_corpus",
    ),
    Source(
        "wikigold",
        ("wikigold.conll",),
        "CC BY 4.0",
        "Wikigold (Balasuriya, Ringland, Nothman, Murphy, Curran 2009)",
    ),
    Source(
        "sec_fin5",
        ("sec_FIN5.txt",),
        "CC BY 3.0",
        "SEC filings NER (Salinas Alvarado, Verspoor, Baldwin 2015)",
    ),
    Source(
        "conel22",
        ("conel22_pemd_Train.json",),
        "MIT",
        "Conversational entity linking (Joko, Hasibi 2022), "
        "github.com/informagi/conversational-entity-linking-2022: dialogues, without labels",
    ),
)

_LABELS = {
    "PER": "PER", "person": "PER", "LOC": "LOC", "location": "LOC", "ORG": "X", "MISC": "X",
    "group": "X", "corporation": "X", "product": "X", "creative-work": "X",
}  # fmt: skip
_ROLES = COMMON | {
    "borrower", "lender", "guarantor", "executive", "tenant", "landlord", "holder", "trustee",
    "lessee", "lessor", "indemnitee", "purchaser", "grantor", "optionee", "subsidiary", "lenders",
    "assignee", "assignor", "obligor", "debtor", "creditor", "shareholder", "stockholder", "the",
}  # fmt: skip

_CLOSING = frozenset(
    [*".,;:!?)]}%'\u2019\u201d", "...", "n't", "'s", "'m", "'re", "'ve", "'ll", "'d", "\u2019s"]
)
_OPENING = frozenset("([{#$@\u201c")


def read(source: Source, folder: Path) -> list[Sample]:
    """The samples of a corpus.

    Raises:
        OSError: A file of it is not there.
    """
    samples: list[Sample] = []
    for name in source.files:
        path = folder / name
        if path.suffix == ".json":
            samples += [Sample(text, ()) for text in _utterances(path)]
        else:
            rows = read_columns(path)
            samples += [sample(words, labels) for words, labels in rows]
    return samples


def read_columns(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Sentences of a file with a token and its label on each line: words, and labels."""
    words: list[str] = []
    labels: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if len(parts) < 2 or parts[0] == "-DOCSTART-":  # noqa: PLR2004 - a word and a label
            if words:
                yield words, labels
            words, labels = [], []
            continue
        words.append(parts[0])
        labels.append(parts[-1])
    if words:
        yield words, labels


def sample(words: list[str], labels: list[str]) -> Sample:
    """Running text of the words, with the spans that the labels say."""
    text, places = joined(words)
    spans: list[tuple[int, int, str]] = []
    for first, last, label in runs_of_labels(labels):
        start, end = places[first][0], places[last][1]
        known = _LABELS.get(label)
        if known and not _is_no_name(text[start:end], known):
            spans.append((start, end, known))
    return Sample(text, tuple(spans))


def joined(words: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """Words as running text, and where each of them is."""
    text = ""
    places: list[tuple[int, int]] = []
    quoted = False
    previous = ""
    for word in words:
        glue = not text or word in _CLOSING or previous in _OPENING
        if word in ('"', "``", "''"):
            glue, quoted = quoted, not quoted
        elif previous in ('"', "``") and quoted:
            glue = True
        text += "" if glue else " "
        places.append((len(text), len(text) + len(word)))
        text += word
        previous = word
    return text, places


def runs_of_labels(labels: list[str]) -> Iterator[tuple[int, int, str]]:
    """First and last index and name of each run of labels (IOB1 and IOB2)."""
    start = -1
    for index, label in enumerate([*labels, "O"]):
        inside = label.startswith("I-") and start >= 0 and label[2:] == labels[start][2:]
        if inside:
            continue
        if start >= 0:
            yield start, index - 1, labels[start][2:]
        start = index if label != "O" else -1


def _is_no_name(text: str, label: str) -> bool:
    if text.startswith("@"):
        return True
    words = text.replace("/s/", "").split()
    return label == "PER" and bool(words) and all(w.lower().rstrip(".") in _ROLES for w in words)


def _utterances(path: Path) -> list[str]:
    dialogues: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [turn["utterance"] for dialogue in dialogues for turn in dialogue["turns"]]


def lowered(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The same without capitals."""
    for one in samples:
        text = one.text.lower()
        if len(text) == len(one.text):
            yield Sample(text, one.spans)


def raised(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The same in nothing but capitals."""
    for one in samples:
        text = one.text.upper()
        if len(text) == len(one.text):
            yield Sample(text, one.spans)


def quiet(samples: Iterable[Sample], table: Mapping[str, int]) -> Iterator[Sample]:
    """Those without labels that can hold no name: nothing in them is in a list of names only.

    They teach what stands at the start of a sentence, and how people chat.
    """
    for one in samples:
        words = [(word_of(text, kind, table), text) for text, _, kind in tokens_of(one.text)]
        if not any(_telling(word.key, text, table) for word, text in words if word.candidate):
            yield one


def _telling(key: str, text: str, table: Mapping[str, int]) -> bool:
    entry = table.get(key)
    if entry is None:
        return text[0].isupper()
    return bool(entry & 15) and not entry >> COMMON_SHIFT
