"""Files as texts, one after the other, each with its place: CSV, JSON, JSON Lines, PDF, docx.

For commands that look at files, and for whoever wants to do the same.

Rules:
* The name of the column or the key comes with each value: it says what the value is.
* Running text is read piece by piece (`TextFile`), by whoever searches it. Of CSV and JSON Lines one row at a
  time is in memory; a JSON document, a page of a PDF and a part of a docx as a whole.
* What cannot be read is an error that names the file and nothing in it.
"""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Self, TextIO, cast
from xml.etree.ElementTree import XMLParser

from hauberk.errors import HauberkError, MissingExtraError
from hauberk.structure import TooDeepError, leaves

MAX_DOCX_BYTES = 200_000_000
"""Bytes of a document's words, unpacked: more is an attack on the reader."""
_WORDS = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
"""Namespace of WordprocessingML (ECMA-376, part 1)."""


class UnreadableFileError(HauberkError):
    """A file cannot be read. Attributes: `path`, `problem`."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path} cannot be read: {problem}")


@dataclass(frozen=True, slots=True)
class Unit:
    """One text of a file."""

    where: str
    """`row 2 mail`, `page 4`, `.orders[0].id`."""
    text: str = field(repr=False)
    name: str = ""
    """Of the column or the key; empty for running text."""


def is_text(path: Path) -> bool:
    """Whether a file is running text: it has the ending of no other kind."""
    return path.suffix.lower() not in _READERS


def units(path: Path) -> Iterator[Unit]:
    """The texts of a file that is not running text, by its ending.

    Raises:
        UnreadableFileError: It is not there, or not of its kind.
        MissingExtraError: A PDF, without the extra that reads it.
    """
    with _readable(path):
        yield from _READERS[path.suffix.lower()](path)


class TextFile:
    """Running text that is read in pieces.

    Raises:
        UnreadableFileError: It is not there, or not in UTF-8; when it is opened, or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable(path):
            self._file = opened(path)

    def __enter__(self) -> Self:
        """The file, which is closed in the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def read(self, size: int, /) -> str:
        """The next characters."""
        with _readable(self._path):
            return self._file.read(size)


@contextmanager
def _readable(path: Path) -> Generator[None]:
    """Name the file in what goes wrong with it."""
    try:
        yield
    except UnicodeDecodeError:
        raise UnreadableFileError(path, "it is no text in UTF-8") from None
    except OSError as error:
        # The system's own words: no such file, permission denied, is a directory.
        raise UnreadableFileError(path, error.strerror or type(error).__name__) from None
    except csv.Error as error:
        # The reader's own words, which quote nothing: a field is too long, a quote is not closed.
        raise UnreadableFileError(path, str(error)) from None
    except (ValueError, zipfile.BadZipFile, RecursionError) as error:
        raise UnreadableFileError(path, f"it is not of its kind ({type(error).__name__})") from None


def opened(path: Path) -> TextIO:
    """A text file; a byte order mark is no part of it."""
    return path.open(encoding="utf-8-sig", newline="")


def dialect_of(sample: str) -> type[csv.Dialect]:
    """How a CSV file is written: the delimiter of its first line."""
    line = sample.partition("\n")[0]
    best = max(",;\t|", key=line.count)

    class Found(csv.excel):
        delimiter = best
        lineterminator = "\n"

    return Found


def json_leaves(value: object) -> Iterator[Unit]:
    """Every string and number of a JSON document."""
    for where, text in leaves(_worded(value)):
        yield Unit(where, text, _key(where))


def _worded(value: object) -> object:
    """Numbers as texts: a card number is one in both forms."""
    if isinstance(value, dict):
        return {key: _worded(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_worded(item) for item in cast("list[object]", value)]
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _key(where: str) -> str:
    names = re.findall(r"\.([^.\[\]]+)", where)
    return names[-1] if names else ""


def _csv_units(path: Path) -> Iterator[Unit]:
    with opened(path) as file:
        dialect = dialect_of(file.readline())
        file.seek(0)
        rows = csv.reader(file, dialect)
        names = next(rows, list[str]())
        yield from (Unit("row 1", name) for name in names)
        for number, row in enumerate(rows, start=2):
            for at, cell in enumerate(row):
                name = names[at] if at < len(names) else ""
                yield Unit(f"row {number} {name}".rstrip(), cell, name)


def _json_units(path: Path) -> Iterator[Unit]:
    with opened(path) as file:
        try:
            yield from json_leaves(json.load(file))
        except TooDeepError:
            raise UnreadableFileError(path, "it is nested too deeply") from None


def _lines_units(path: Path) -> Iterator[Unit]:
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            for unit in json_leaves(json.loads(line)) if line.strip() else ():
                yield Unit(f"line {number} {unit.where}", unit.text, unit.name)


def _pdf_units(path: Path) -> Iterator[Unit]:
    try:
        pypdf: Any = import_module("pypdf")
    except ImportError:
        raise MissingExtraError("files", needed_for="reading PDF files") from None
    try:
        for number, page in enumerate(pypdf.PdfReader(path).pages, start=1):
            yield Unit(f"page {number}", page.extract_text())
    except pypdf.errors.PyPdfError as error:
        raise UnreadableFileError(path, type(error).__name__) from None


def _docx_units(path: Path) -> Iterator[Unit]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not re.fullmatch(
                r"word/(document|header\d*|footer\d*|comments|footnotes|endnotes)\.xml", name
            ):
                continue
            if archive.getinfo(name).file_size > MAX_DOCX_BYTES:
                raise UnreadableFileError(path, "it is too large when unpacked")
            words = _Words()
            parser = XMLParser(target=words)  # noqa: S314 - a document type is refused
            with archive.open(name) as file:
                while data := file.read(1 << 16):
                    parser.feed(data)
            parser.close()
            part = Path(name).stem
            for number, text in enumerate(words.paragraphs, start=1):
                yield Unit(f"{part} paragraph {number}", text)


class _Words:
    """Paragraphs of WordprocessingML."""

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self._text: list[str] = []
        self._inside = False

    def doctype(self, *_: object) -> None:
        """No document of Word has one; entities could be declared there."""
        raise ValueError("a document type")

    def start(self, tag: str, _attributes: object) -> None:
        self._inside = tag in (f"{_WORDS}t", f"{_WORDS}delText")
        if tag in (f"{_WORDS}tab", f"{_WORDS}br"):
            self._text.append(" ")

    def data(self, text: str) -> None:
        if self._inside:
            self._text.append(text)

    def end(self, tag: str) -> None:
        self._inside = False
        if tag == f"{_WORDS}p" and self._text:
            self.paragraphs.append("".join(self._text))
            self._text = []

    def close(self) -> None:
        """Nothing is left to do."""


_READERS: dict[str, Callable[[Path], Iterator[Unit]]] = {
    ".csv": _csv_units,
    ".tsv": _csv_units,
    ".json": _json_units,
    ".jsonl": _lines_units,
    ".ndjson": _lines_units,
    ".pdf": _pdf_units,
    ".docx": _docx_units,
}
