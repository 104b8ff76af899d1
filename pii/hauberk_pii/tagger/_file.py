"""The file of the tagger: lists, weights and transitions, packed.

Rules:
* One file, made by `python -m hauberk_pii.train`; a report of how lies beside it.
* Reading it costs tens of milliseconds: it holds what the tagger needs as the tagger needs it.
* A file that is damaged, or made for other labels, is refused.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from hauberk import HauberkError
from hauberk_pii.tagger._model import LABELS, WIDTH, Table, Tagger, Weights

FILE = "names.bin"
REPORT = "names.json"
"""Sources, licences and scores of what `FILE` was made from."""
_MAGIC = b"hauberk-names-1\n"


class TaggerFileError(HauberkError):
    """The file of the tagger cannot be used. Attribute: `problem`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the names file {problem}; install hauberk anew")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes: errors cross process pools."""
        return TaggerFileError, (self.problem,)


def weights_of(weights: Mapping[str, int]) -> Weights:
    """Weights that were just made."""
    lanes = (value.to_bytes(WIDTH, "little", signed=True) for value in weights.values())
    return Weights(list(weights), b"".join(lanes))


def written(
    table: Mapping[str, int], weights: Mapping[str, int], transitions: list[list[float]]
) -> bytes:
    """The file that holds these. The same input gives the same bytes."""
    features = sorted(weights)
    lines, starts = _lines(table)
    parts = (
        lines,
        "\n".join(features).encode(),
        b"".join(weights[f].to_bytes(WIDTH, "little", signed=True) for f in features),
    )
    head = {
        "labels": LABELS,
        "starts": starts,
        "sizes": [len(part) for part in parts],
        "transitions": [[round(x, 3) for x in row] for row in transitions],
    }
    body = json.dumps(head, sort_keys=True).encode() + b"\n" + b"".join(parts)
    return _MAGIC + zlib.compress(body, 9)


def _lines(table: Mapping[str, int]) -> tuple[bytes, dict[str, list[int]]]:
    """What `Table` looks words up in."""
    lines = bytearray(b"\n")
    starts: dict[str, list[int]] = {}
    for key, entry in sorted((word.encode(), entry) for word, entry in table.items()):
        place = starts.setdefault(key[:2].hex(), [len(lines) - 1, 0])
        lines += key + b" %02x\n" % entry
        place[1] = len(lines)
    return bytes(lines), starts


def parsed(data: bytes) -> Tagger:
    """The tagger in a file.

    Raises:
        TaggerFileError: It is none, or damaged.
    """
    if not data.startswith(_MAGIC):
        raise TaggerFileError("is of another kind")
    try:
        body = zlib.decompress(data[len(_MAGIC) :])  # it has a check sum of its own
    except zlib.error:
        raise TaggerFileError("is damaged") from None
    line, _, rest = body.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    if tuple(head["labels"]) != LABELS:
        raise TaggerFileError("was made for other labels")
    parts: list[bytes] = []
    at = 0
    for size in head["sizes"]:
        parts.append(rest[at : at + size])
        at += size
    lines, features, lanes = parts
    return Tagger(
        Table(lines, head["starts"]),
        Weights(features.decode().split("\n"), lanes),
        head["transitions"],
    )


@cache
def load() -> Tagger:
    """The tagger that comes with this package, read once per process.

    Raises:
        TaggerFileError: Its file is damaged.
    """
    return parsed(files("hauberk_pii.tagger").joinpath(FILE).read_bytes())
