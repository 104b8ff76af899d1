"""Make the weights of the classifier, and the report of what they find.

    python -m hauberk.injection.train --data DIR [--out DIR] [--compare]

`DIR` holds `train.jsonl` and `dev.jsonl` (fields `text`, `label`, `source`, `context`; `span` and
`carrier` where known) and, for the licences, `SOURCES.md`. It takes minutes on one core. The same data
and the same versions of NumPy and SciPy give the same bytes. `--compare` judges the other recipes too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml

from hauberk.injection._reading import Channel
from hauberk.injection.classifier._concepts import Lexicon, compiled
from hauberk.injection.classifier._features import NONE, WORD_BITS
from hauberk.injection.classifier._file import FILE, REPORT, packed
from hauberk.injection.classifier._model import ANCHORS, Model, empty_table
from hauberk.injection.train._corpus import Corpus, Row, built, folds_of, read_rows
from hauberk.injection.train._fit import Recipe, Weights, fitted
from hauberk.injection.train._grammar import written
from hauberk.injection.train._report import compared, findings_of, findings_with_rules, sources_of
from hauberk.injection.train._validate import Judged, judge, learnt, left_out

RECIPES = {
    Channel.USER: Recipe(window=20, concepts=3.0),
    Channel.DATA: Recipe(window=12, concepts=1.0),
}
"""The simplest recipes that found most on sources left out."""

OTHERS: dict[Channel, dict[str, Recipe]] = {
    channel: {
        "words alone": replace(own, concepts=0.0),
        "concepts alone": replace(own, words=0.0),
        "concepts count as words": replace(own, concepts=1.0),
        "concepts count three times": replace(own, concepts=3.0),
        "windows twice as long": replace(own, window=2 * own.window),
        "four times the penalty": replace(own, strength=4 * own.strength),
        "without the grammar": own,
    }
    for channel, own in RECIPES.items()
}

_NO_GRAMMAR = "without the grammar"
_LEVELS = 2047
"""Of a weight. Most are small beside the largest: with one byte, sums of them were lost."""


def main() -> None:
    """Train, judge, and write both files."""
    parser = argparse.ArgumentParser(prog="python -m hauberk.injection.train")
    parser.add_argument("--data", type=Path, required=True, help="folder of train.jsonl, dev.jsonl")
    parser.add_argument(
        "--out", type=Path, help="folder to write to; the package's own if not given"
    )
    parser.add_argument("--compare", action="store_true", help="judge the other recipes too")
    options = parser.parse_args()
    out = options.out or Path(str(files("hauberk.injection.classifier")))
    weights, report = trained(options.data, compare=options.compare)
    out.joinpath(FILE).write_bytes(weights)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    out.joinpath(REPORT).write_text(text + "\n", encoding="utf-8")
    print(f"{len(weights)} bytes of weights, and the report, in {out}")  # noqa: T201 - the result


def trained(data: Path, *, compare: bool = False) -> tuple[bytes, dict[str, object]]:
    """The file of the classifier, and its report.

    Args:
        data: Folder that holds `train.jsonl` and `dev.jsonl`.
        compare: Judge the other recipes too; takes ten times as long.
    """
    lexicon = _lexicon()
    rows = read_rows(data / "train.jsonl")
    folds = folds_of(rows)
    rows += written([r for r in rows if not (r.label or r.user) and len(r.text) > _CARRIER])
    corpus = built(rows, lexicon)
    dev_rows = read_rows(data / "dev.jsonl")
    dev = built(dev_rows, lexicon)
    models: dict[Channel, Model] = {}
    report: dict[str, object] = {
        "trained_on": sources_of(rows, data / "SOURCES.md"),
        "judged_on_too": sources_of(dev_rows, data / "SOURCES.md"),
        "meaning": "left_out: each source judged by a model that has not seen it; dev: by the shipped one",
    }
    for channel, recipe in RECIPES.items():
        user = channel is Channel.USER
        held = left_out(corpus, folds, user=user, recipe=recipe)
        weights = fitted(corpus, learnt(corpus, user=user, out=set()), user=user, recipe=recipe)
        models[channel] = _model(weights, recipe, held)
        seen = judge(dev, weights, user=user, recipe=recipe)
        report[channel.value] = {
            "recipe": {name: getattr(recipe, name) for name in Recipe.__slots__},
            "left_out": findings_of(held, models[channel].anchors),
            "left_out_with_rules": findings_with_rules(held, corpus, held.margin_at(0.01)),
            "dev": findings_of(seen, models[channel].anchors),
            "recipes": dict(_others(corpus, dev, folds, channel)) if compare else {},
        }
    return packed(lexicon, models), report


_CARRIER = 200
"""Characters of a benign text that an attack may be hidden in."""


def _lexicon() -> Lexicon:
    text = files("hauberk.injection.classifier").joinpath("concepts.yaml").read_text("utf-8")
    concepts: Mapping[str, str] = yaml.safe_load(text)
    return compiled({name: str(words).split() for name, words in concepts.items()})


def _model(weights: Weights, recipe: Recipe, held: Judged) -> Model:
    words = weights.table[: 1 << WORD_BITS] * (recipe.words or 0)
    concepts = weights.table[1 << WORD_BITS : NONE] * recipe.concepts
    table = empty_table()
    scales: list[float] = []
    for place, values in ((0, words), (1 << WORD_BITS, concepts)):
        scale = float(f"{max(np.abs(values).max(), 1e-9) / _LEVELS:.6g}")
        table[place : place + len(values)] = np.rint(values / scale).astype(np.int16)
        scales.append(scale)
    anchors = tuple(round(held.margin_at(share), 4) for share, _ in ANCHORS)
    return Model(
        table=table,
        scale=scales[0],
        concept_scale=scales[1],
        bias=round(weights.bias, 6),
        window=recipe.window,
        least=recipe.least,
        anchors=anchors,
    )


def _others(
    corpus: Corpus, dev: Corpus, folds: Mapping[str, int], channel: Channel
) -> Iterator[tuple[str, Mapping[str, float]]]:
    user = channel is Channel.USER
    plain = _without_grammar(corpus)
    for name, recipe in {"shipped": RECIPES[channel], **OTHERS[channel]}.items():
        ours = plain if name == _NO_GRAMMAR else corpus
        held = left_out(ours, folds, user=user, recipe=recipe)
        weights = fitted(ours, learnt(ours, user=user, out=set()), user=user, recipe=recipe)
        yield name, compared(held, judge(dev, weights, user=user, recipe=recipe))


def _without_grammar(corpus: Corpus) -> Corpus:
    kept = [number for number, row in enumerate(corpus.rows) if not row.written]
    # The grammar's rows come last, so numbers stay as they are.
    rows: list[Row] = [corpus.rows[number] for number in kept]
    bounds = corpus.bounds[corpus.bounds[:, 0] < len(rows)]
    return Corpus(rows, corpus.buckets, bounds, corpus.spans[: len(rows)])


if __name__ == "__main__":
    main()
