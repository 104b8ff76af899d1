"""The file of the classifier: weights, lexicon and anchors, packed.

Rules:
* One file, made by `python -m hauberk.injection.train`; a report of how lies beside it.
* A file that is damaged, or was made for other features, is refused with `ClassifierFileError`.
* The same training gives the same bytes: nothing in it hangs on time or place.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

import numpy as np

from hauberk.errors import HauberkError
from hauberk.injection._reading import Channel
from hauberk.injection.classifier._concepts import Lexicon
from hauberk.injection.classifier._features import NONE
from hauberk.injection.classifier._model import ANCHORS, Classifier, Model

FILE = "weights.bin"
REPORT = "report.json"
"""Sources, licences, recall and false alarms of what `FILE` was made from."""

_MAGIC = b"hauberk-injection-1\n"
_DIGEST = 32
_MAX_BYTES = 16 * 1024 * 1024
"""Most bytes that are unpacked; a file of today has half a megabyte."""


class ClassifierFileError(HauberkError):
    """The file of the classifier cannot be used. Attribute: `problem`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the injection classifier's file {problem}; install hauberk anew")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes: errors cross process pools."""
        return ClassifierFileError, (self.problem,)


def packed(lexicon: Lexicon, models: Mapping[Channel, Model]) -> bytes:
    """The file that holds these."""
    head = {
        "buckets": NONE,
        "anchors": [list(anchor) for anchor in ANCHORS],
        "entries": len(lexicon.keys),
        "models": {channel: _head(models[channel]) for channel in sorted(models)},
    }
    parts = [
        json.dumps(head, sort_keys=True).encode() + b"\n",
        lexicon.keys.astype("<u8").tobytes(),
        lexicon.concepts.tobytes(),
        # In the order of the head, whose keys are sorted.
        *(models[channel].table.astype("<i2").tobytes() for channel in sorted(models)),
    ]
    body = zlib.compress(b"".join(parts), 9)
    return _MAGIC + sha256(body).digest() + body


def unpacked(data: bytes) -> Classifier:
    """The classifier in a file.

    Raises:
        ClassifierFileError: The file is damaged, or made for other features.
    """
    start = len(_MAGIC) + _DIGEST
    body = data[start:]
    if not data.startswith(_MAGIC) or sha256(body).digest() != data[len(_MAGIC) : start]:
        raise ClassifierFileError("is damaged")
    raw = zlib.decompressobj().decompress(body, _MAX_BYTES)
    line, _, arrays = raw.partition(b"\n")
    head = json.loads(line)
    if head["buckets"] != NONE or head["anchors"] != [list(anchor) for anchor in ANCHORS]:
        raise ClassifierFileError("was made for another version")
    count = head["entries"]
    lexicon = Lexicon(
        np.frombuffer(arrays, "<u8", count), np.frombuffer(arrays, np.uint8, count, 8 * count)
    )
    models: dict[Channel, Model] = {}
    offset = 9 * count
    for name, numbers in head["models"].items():
        table = np.frombuffer(arrays, "<i2", NONE + 1, offset)
        offset += 2 * (NONE + 1)
        anchors = tuple(numbers.pop("anchors"))
        models[Channel(name)] = Model(table=table, anchors=anchors, **numbers)
    return Classifier(lexicon, models)


@cache
def load_classifier() -> Classifier:
    """The classifier that ships with hauberk. Loaded once.

    Raises:
        ClassifierFileError: Its file is damaged.
    """
    return unpacked(files("hauberk.injection.classifier").joinpath(FILE).read_bytes())


def _head(model: Model) -> dict[str, object]:
    return {
        "scale": model.scale,
        "concept_scale": model.concept_scale,
        "bias": model.bias,
        "window": model.window,
        "least": model.least,
        "anchors": list(model.anchors),
    }
