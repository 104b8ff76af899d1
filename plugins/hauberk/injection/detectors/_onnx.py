"""Sequence classifiers in ONNX form, by onnxruntime and tokenizers.

Rules:
* One thread per model, so that a server's own threads are not starved; calls may be parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hauberk.injection.detectors._folder import OVERLAP, FolderDetector, refused

_FILES = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")


class OnnxDetector(FolderDetector):
    """A sequence classifier from a folder with `config.json`, `tokenizer.json` and `model.onnx`.

    Example:
        `OnnxDetector("models/prompt-guard-2", attack_labels=["LABEL_1"])`
    """

    needs = ("numpy", "onnxruntime", "tokenizers")

    def _load(self, *libraries: Any) -> None:
        self._np, runtime, tokenizers = libraries
        self._session = _session(runtime, self._folder.path)
        self._inputs = frozenset(one.name for one in self._session.get_inputs())
        self._tokenizer = _tokenizer(tokenizers, self._folder.path, self._folder.max_tokens)

    def _windows(self, text: str) -> tuple[int, Callable[[slice], list[float]]]:
        first = self._tokenizer.encode(text)
        windows = [first, *first.overflowing]
        return len(windows), lambda some: self._run(windows[some])

    def _run(self, batch: Sequence[Any]) -> list[float]:
        np = self._np
        longest = max(len(one.ids) for one in batch)
        feeds = {
            "input_ids": [_padded(one.ids, longest, self._pad) for one in batch],
            "attention_mask": [_padded(one.attention_mask, longest, 0) for one in batch],
            "token_type_ids": [_padded(one.type_ids, longest, 0) for one in batch],
        }
        arrays = {n: np.array(v, np.int64) for n, v in feeds.items() if n in self._inputs}
        logits = self._session.run(None, arrays)[0].astype(np.float64)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return [min(1.0, float(v)) for v in shares[:, self._folder.attacks].sum(axis=1)]

    @property
    def _pad(self) -> int:
        for token in ("[PAD]", "<pad>"):
            if (number := self._tokenizer.token_to_id(token)) is not None:
                return int(number)
        return 0


def _padded(numbers: Sequence[int], size: int, pad: int) -> list[int]:
    return [*numbers, *[pad] * (size - len(numbers))]


def _session(runtime: Any, folder: Path) -> Any:
    file = next((folder / name for name in _FILES if (folder / name).exists()), None)
    if file is None:
        raise refused(
            "the folder has no model.onnx", "Export the model with `optimum-cli export onnx`."
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        return runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common base
        problem = f"{file.name} cannot be loaded ({type(error).__name__})"
        raise refused(problem, "Export the model anew.") from None


def _tokenizer(tokenizers: Any, folder: Path, max_tokens: int) -> Any:
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # noqa: BLE001 - tokenizers raises plain Exception
        raise refused("tokenizer.json cannot be read", "Save the model's fast tokenizer.") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens, stride=min(OVERLAP, max_tokens // 4))
    return tokenizer
