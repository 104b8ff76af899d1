"""Sequence classifiers by transformers and torch.

Rules:
* From a folder on this machine only; no code of the folder is run.
* Long texts are read in windows that overlap; the worst window counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from hauberk.errors import MissingExtraError
from hauberk.injection._reading import Channel
from hauberk.injection.detectors._folder import (
    BATCH,
    MAX_WINDOWS,
    OVERLAP,
    TooLongError,
    read_folder,
    refused,
)


class TransformersDetector:
    """A sequence classifier from a folder as `save_pretrained` writes it.

    Slower than `OnnxDetector` and heavier to install; it takes models that are not exported. It makes
    no promise of its own: a model finds what it was trained to find.

    Example:
        `TransformersDetector("models/deberta-v3-base-prompt-injection-v2")`
    """

    def __init__(self, path: str, *, name: str = "", attack_labels: Sequence[str] = ()) -> None:
        """Load the model.

        Args:
            path: Folder of the model.
            name: Name in findings; the folder's when empty.
            attack_labels: Labels that mean an attack, where their names are not known ones.

        Raises:
            MissingExtraError: transformers or torch is not installed.
            PolicyError: The folder holds no model that can be used.
        """
        try:
            self._torch: Any = import_module("torch")
            transformers: Any = import_module("transformers")
        except ImportError:
            raise MissingExtraError("models", needed_for="a transformers detector") from None
        self._folder = read_folder(path, attack_labels)
        self.name = name or self._folder.path.name
        source = {"local_files_only": True, "trust_remote_code": False}
        place = str(self._folder.path)
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(place, **source)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(place, **source)
        except Exception as error:  # noqa: BLE001 - whatever the files bring about in a loader
            problem = f"it cannot be loaded ({type(error).__name__})"
            raise refused(problem, "Give a folder that save_pretrained wrote.") from None
        self._model = model.eval()

    def score(self, texts: Sequence[str], channel: Channel) -> list[float]:  # noqa: ARG002 - see class
        """The probability of the attack labels, in each text's worst window.

        Raises:
            TooLongError: A text has more windows than are read.
        """
        return [max(self._windows(text)) for text in texts]

    def _windows(self, text: str) -> Iterator[float]:
        encoded = self._tokenizer(
            text,
            truncation=True,
            max_length=self._folder.max_tokens,
            stride=min(OVERLAP, self._folder.max_tokens // 4),
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        encoded.pop("overflow_to_sample_mapping", None)
        count = len(encoded["input_ids"])
        if count > MAX_WINDOWS:
            raise TooLongError(f"more than {MAX_WINDOWS} windows")
        for start in range(0, count, BATCH):
            yield from self._run({n: v[start : start + BATCH] for n, v in encoded.items()})

    def _run(self, batch: dict[str, Any]) -> list[float]:
        with self._torch.inference_mode():
            shares = self._model(**batch).logits.double().softmax(dim=-1)
        attacks = shares[:, list(self._folder.attacks)].sum(dim=-1)
        return [min(1.0, float(value)) for value in attacks]
