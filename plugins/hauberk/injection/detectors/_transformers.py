"""Sequence classifiers by transformers and torch.

Rules:
* From a folder on this machine only; no code of the folder is run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hauberk.injection.detectors._folder import OVERLAP, FolderDetector, refused


class TransformersDetector(FolderDetector):
    """A sequence classifier from a folder as `save_pretrained` writes it.

    Slower than `OnnxDetector` and heavier to install; it takes models that are not exported.

    Example:
        `TransformersDetector("models/deberta-v3-base-prompt-injection-v2")`
    """

    needs = ("torch", "transformers")

    def _load(self, *libraries: Any) -> None:
        self._torch, transformers = libraries
        source = {"local_files_only": True, "trust_remote_code": False}
        place = str(self._folder.path)
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(place, **source)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(place, **source)
        except Exception as error:  # noqa: BLE001 - whatever the files bring about in a loader
            problem = f"it cannot be loaded ({type(error).__name__})"
            raise refused(problem, "Give a folder that save_pretrained wrote.") from None
        self._model = model.eval()

    def _windows(self, text: str) -> tuple[int, Callable[[slice], list[float]]]:
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
        return count, lambda some: self._run({n: v[some] for n, v in encoded.items()})

    def _run(self, batch: dict[str, Any]) -> list[float]:
        with self._torch.inference_mode():
            shares = self._model(**batch).logits.double().softmax(dim=-1)
        attacks = shares[:, list(self._folder.attacks)].sum(dim=-1)
        return [min(1.0, float(value)) for value in attacks]
