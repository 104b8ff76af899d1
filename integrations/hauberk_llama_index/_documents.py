"""Documents that a message hands to a model as bytes: those that are texts are read and written.

Rules:
* What says that it is a text (its media type, or the ending of its name) is read as one; so is what
  says nothing and is valid UTF-8.
* What cannot be decoded is left alone: a PDF is not opened here.
* A document that holds no new text stays as it was; a changed one is handed over as bytes.
"""

from __future__ import annotations

import base64
import binascii
from io import IOBase
from mimetypes import guess_type
from pathlib import Path

from llama_index.core.base.llms.types import DocumentBlock

from hauberk_llama_index._texts import Visit

_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/csv")
_SUFFIXES = ("+json", "+xml")
"""How media types of texts begin and end (RFC 6838, section 4.2.8)."""


def in_document_data(
    block: DocumentBlock, visit: Visit, where: str, origin: str
) -> dict[str, object]:
    """Walk what a document holds; the fields that change."""
    raw = _bytes(block) if _may_be_text(block) else None
    text = None if raw is None else _decoded(raw)
    if not text:
        return {}
    new = visit(text, f"{where}.data", origin)
    if new == text:
        return {}
    return {"data": base64.b64encode(new.encode("utf-8")), "path": None}


def _may_be_text(block: DocumentBlock) -> bool:
    kind = block.document_mimetype or (guess_type(str(block.path))[0] if block.path else None)
    return not kind or kind.startswith(_TEXTS) or kind.endswith(_SUFFIXES)


def _bytes(block: DocumentBlock) -> bytes | None:
    """The bytes of a document. A stream is read from its beginning, and put back to where it was."""
    data = block.data
    if isinstance(data, bytes):
        return _plain(data)
    if isinstance(data, IOBase):
        if not data.seekable():
            return None
        place = data.tell()
        data.seek(0)
        found = data.read()
        data.seek(place)
        return found if isinstance(found, bytes) else None
    try:
        return Path(block.path).read_bytes() if block.path else None
    except OSError:  # then the model's own code cannot read it either
        return None


def _plain(data: bytes) -> bytes:
    """LlamaIndex keeps bytes as base64."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return data


def _decoded(raw: bytes) -> str | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
