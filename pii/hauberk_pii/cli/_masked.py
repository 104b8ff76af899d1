"""Files with their personal data replaced by its type, in the form that they had.

Rules:
* CSV stays CSV and JSON stays JSON: values are replaced one by one.
* Of a PDF and a docx the words are written, as plain text.
* Running text is not written here: it is hidden while it is searched (`_scan`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

from hauberk.files import dialect_of, opened, units

Hide = Callable[[str, str], str]
"""Takes a text and the name of its column or key; gives the text without personal data."""


def write_masked(path: Path, out: Path, hide: Hide) -> None:
    """Write a copy of a file that is not running text, without its personal data.

    Raises:
        UnreadableFileError: It is not of its kind.
        OSError: The copy cannot be written.
    """
    kind = path.suffix.lower()
    with out.open("w", encoding="utf-8", newline="") as target:
        if kind in (".pdf", ".docx"):
            target.writelines(hide(unit.text, "") + "\n" for unit in units(path))
            return
        with opened(path) as source:
            _WRITERS[kind](source, target, hide)


def hidden_values(value: object, hide: Hide, name: str = "") -> object:
    """A JSON value with its strings and numbers hidden, where they are personal."""
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return {hide(key, ""): hidden_values(inner, hide, key) for key, inner in named.items()}
    if isinstance(value, list):
        return [hidden_values(inner, hide, name) for inner in cast("list[object]", value)]
    if isinstance(value, bool) or value is None:
        return value
    text = value if isinstance(value, str) else str(value)
    new = hide(text, name)
    return value if new == text else new


def _csv(source: TextIO, target: TextIO, hide: Hide) -> None:
    dialect = dialect_of(source.readline())
    source.seek(0)
    rows = csv.reader(source, dialect)
    writer = csv.writer(target, dialect)
    names = next(rows, [])
    writer.writerow([hide(name, "") for name in names])
    for row in rows:
        writer.writerow(
            [hide(cell, names[at] if at < len(names) else "") for at, cell in enumerate(row)]
        )


def _json(source: TextIO, target: TextIO, hide: Hide) -> None:
    json.dump(hidden_values(json.load(source), hide), target, ensure_ascii=False, indent=2)


def _lines(source: TextIO, target: TextIO, hide: Hide) -> None:
    for line in source:
        if line.strip():
            target.write(
                json.dumps(hidden_values(json.loads(line), hide), ensure_ascii=False) + "\n"
            )


_WRITERS: dict[str, Callable[[TextIO, TextIO, Hide], None]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".json": _json,
    ".jsonl": _lines,
    ".ndjson": _lines,
}
