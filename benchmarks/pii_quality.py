"""How well personal data is found in a labelled file: ours and Presidio, side by side, in one run.

    python benchmarks/pii_quality.py --data FILE [FILE ...] [--lower] [--spacy NAME] [--json]

Systems: ours as it is by default; ours with names by structure only; Presidio with its default
recognizers and no model; Presidio with a spaCy model, when one is installed (or named by `--spacy`).
Each is asked for the types that the file labels, as far as it knows them.

Files: JSON lists with `full_text` and `spans` (presidio-research), with `input` and
`expected_entities` (datafog), or with `text` and `spans` or `entities`, also as JSON lines; columns
with a token and its label (`.conll`, `.txt`). Nothing is downloaded.

`exact`: type and both ends agree. `overlap`: type agrees and half of the span is covered. `chars`:
each character counts. Handles (`@name`) are not counted in columns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hauberk_pii import DEFAULT_ENTITIES, finder_for
from hauberk_pii.quality import WAYS, Labelled, Quality

TYPES = {
    "PER": "PERSON", "person": "PERSON", "NAME": "PERSON", "FIRSTNAME": "PERSON", "SURNAME": "PERSON",
    "LOC": "LOCATION", "GPE": "LOCATION", "location": "LOCATION", "FAC": "LOCATION", "CITY": "LOCATION",
    "COUNTRY": "LOCATION", "STATE": "LOCATION", "ORG": "ORGANIZATION", "EMAIL": "EMAIL_ADDRESS",
    "PHONE": "PHONE_NUMBER", "TELEPHONENUM": "PHONE_NUMBER", "SSN": "US_SSN", "IBAN": "IBAN_CODE",
    "DATE": "DATE_TIME", "TIME": "DATE_TIME", "DOB": "DATE_OF_BIRTH", "IP": "IP_ADDRESS",
    "CREDITCARD": "CREDIT_CARD", "CREDITCARDNUMBER": "CREDIT_CARD", "DOMAIN_NAME": "URL",
    "ZIP": "ZIP_CODE", "ADDRESS": "STREET_ADDRESS",
}  # fmt: skip
"""What files call the types, where that is not Presidio's name."""
OTHERS = ("group", "corporation", "product", "creative-work", "MISC")
"""Labels of corpora that are no type of personal data."""
MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
THRESHOLD = 0.4

Find = Callable[[str], Iterable[Labelled]]


@dataclass
class Text:
    """A labelled text."""

    text: str
    spans: list[Labelled] = field(default_factory=list)


def read(path: Path) -> list[Text]:
    """The texts of a file, with Presidio's names of types."""
    if path.suffix in (".json", ".jsonl"):
        content = path.read_text(encoding="utf-8")
        lines = path.suffix == ".jsonl"
        rows = map(json.loads, content.splitlines()) if lines else json.loads(content)
        return [from_row(row) for row in rows]
    from hauberk_pii.train._corpora import joined, read_columns, runs_of_labels

    texts: list[Text] = []
    for words, labels in read_columns(path):
        text, places = joined(words)
        spans = [
            (places[first][0], places[last][1], TYPES.get(label, label))
            for first, last, label in runs_of_labels(labels)
            if label not in OTHERS and not words[first].startswith("@")
        ]
        texts.append(Text(text, spans))
    return texts


def from_row(row: dict[str, Any]) -> Text:
    """One text of a JSON file."""
    text = next(
        str(row[key]) for key in ("full_text", "input", "text", "source_text") if key in row
    )
    found = next(
        (row[key] for key in ("spans", "expected_entities", "entities", "labels") if key in row), ()
    )
    return Text(text, list(map(_span, found or ())))


def _span(span: Any) -> Labelled:
    if isinstance(span, list):
        start, end, kind = span[:3]
    else:
        start = span.get("start_position", span.get("start"))
        end = span.get("end_position", span.get("end"))
        kind = span.get("entity_type", span.get("type", span.get("label")))
    return int(start), int(end), TYPES.get(str(kind), str(kind))


# --- systems ----------------------------------------------------------------------------------


def ours(wanted: Iterable[str], **names: Any) -> Find:
    """Ours, for the types of the file that it knows, beside its default ones."""
    from hauberk_pii._registry import recognizers_by_entity

    known = {"PERSON", "LOCATION", *recognizers_by_entity("en")}
    if names.get("names") == "structure":
        known.discard("LOCATION")
    entities = [*DEFAULT_ENTITIES, *sorted(set(wanted) & known - set(DEFAULT_ENTITIES))]
    finder = finder_for(entities=entities, threshold=THRESHOLD, **names)
    return lambda text: [(s.start, s.end, s.type) for s in finder.find(text)]


def presidio(wanted: set[str], model: str = "") -> Find:
    """Presidio with its default recognizers: without a model, or with one of spaCy."""
    from importlib import import_module

    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    from hauberk_pii._engine import BlankEngine

    # The list that it ships, instead of a download with the first address.
    tldextract: Any = import_module("tldextract")
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    if model:
        name = {"lang_code": "en", "model_name": model}
        engine: Any = NlpEngineProvider(
            nlp_configuration={"nlp_engine_name": "spacy", "models": [name]}
        ).create_engine()
    else:
        engine = BlankEngine("en")
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    known = sorted(wanted & set(analyzer.get_supported_entities("en")))

    def find(text: str) -> list[Labelled]:
        found = analyzer.analyze(text, language="en", entities=known, score_threshold=THRESHOLD)
        return [(r.start, r.end, r.entity_type) for r in found]

    return find if known else lambda _: []


def systems(wanted: set[str], model: str) -> dict[str, Find]:
    """All that are measured."""
    found = {
        "ours": ours(wanted),
        "ours, names by structure": ours(wanted, names="structure"),
        "presidio": presidio(wanted),
    }
    if model:
        found[f"presidio + {Path(model).name[:24]}"] = presidio(wanted, model)
    return found


def installed_model() -> str:
    """A spaCy model that is there; none: an empty text."""
    return next((name for name in MODELS if find_spec(name) is not None), "")


# --- measuring --------------------------------------------------------------------------------


def measure(texts: list[Text], find: Find, wanted: set[str]) -> tuple[Quality, float]:
    """Counts of the wanted types, and seconds."""
    quality = Quality()
    started = time.perf_counter()
    found = [list(find(one.text)) for one in texts]
    took = time.perf_counter() - started
    for one, spans in zip(texts, found, strict=True):
        quality.add(one.spans, [span for span in spans if span[2] in wanted])
    return quality, took


def result_of(texts: list[Text], model: str) -> dict[str, Any]:
    """Scores of all systems on one file."""
    wanted = {kind for one in texts for _, _, kind in one.spans}
    result: dict[str, Any] = {
        "texts": len(texts),
        "characters": sum(len(one.text) for one in texts),
        "systems": {},
    }
    for name, find in systems(wanted, model).items():
        quality, took = measure(texts, find, wanted)
        rows: dict[str, Any] = {kind: _row(quality, [kind]) for kind in sorted(wanted)}
        rows["all"] = _row(quality, sorted(wanted))
        result["systems"][name] = {"seconds": round(took, 2), "types": rows}
    return result


def _row(quality: Quality, kinds: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for way in WAYS:
        count = quality.total(way, kinds)
        row[way] = {
            "precision": round(count.precision, 3),
            "recall": round(count.recall, 3),
            "f1": round(count.f1, 3),
        }
    count = quality.total("exact", kinds)
    return row | {"labelled": count.gold, "found": count.found}


def printed(results: dict[str, Any]) -> str:
    """The tables: a file after the other, a type after the other, the systems beneath each other."""
    lines: list[str] = []
    for path, result in results.items():
        lines.append(f"\n{path}: {result['texts']} texts, {result['characters']} characters")
        lines.append(f"{'':50}" + "".join(f"{way:>19}" for way in WAYS))
        lines.append(f"{'type, system':36}{'labelled':>9}{'found':>6}" + "     P    R   F1 " * 3)
        by_type: defaultdict[str, list[str]] = defaultdict(list)
        for name, system in result["systems"].items():
            for kind, row in system["types"].items():
                cells = "  ".join("".join(_cells(row[way])) for way in WAYS)
                by_type[kind].append(f"  {name:34}{row['labelled']:9}{row['found']:6} {cells}")
        for kind, rows in by_type.items():
            nobody = not any(
                system["types"][kind]["found"] for system in result["systems"].values()
            )
            lines += [f"{kind}: nobody finds it"] if nobody else [kind, *rows]
        times = (f"{name} {system['seconds']} s" for name, system in result["systems"].items())
        lines.append("time: " + ", ".join(times))
    return "\n".join(lines)


def _cells(scores: dict[str, float]) -> Iterator[str]:
    for key in ("precision", "recall", "f1"):
        yield f"{scores[key]:5.2f}"[:5] + " " * (key == "f1")


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--spacy", default=None, help="name or folder of a model; '' for none")
    parser.add_argument("--lower", action="store_true", help="the texts in lower case")
    parser.add_argument("--limit", type=int, default=0, help="only so many texts of each file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    model = installed_model() if options.spacy is None else options.spacy
    results: dict[str, Any] = {}
    for path in options.data:
        texts = read(path)[: options.limit or None]
        if options.lower:
            texts = [Text(one.text.lower(), one.spans) for one in texts if _keeps_length(one.text)]
        results[path.name + (" in lower case" if options.lower else "")] = result_of(texts, model)
    written = {
        "versions": {name: version(name) for name in ("hauberk", "presidio-analyzer", "spacy")},
        "python": sys.version.split()[0],
        "threshold": THRESHOLD,
        "files": results,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "pii_quality.json").write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    print(json.dumps(written, indent=1) if options.json else printed(results))


def _keeps_length(text: str) -> bool:
    return len(text.lower()) == len(text)


if __name__ == "__main__":
    main()
