"""Sequence classifiers in ONNX form, by onnxruntime and tokenizers.

Rules:
* Long texts are read in windows that overlap; the worst window counts.
* One thread per model, so that a server's own threads are not starved; calls may be parallel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
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

_FILES = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")


class OnnxDetector:
    """A sequence classifier from a folder with `config.json`, `tokenizer.json` and `model.onnx`.

    It makes no promise of its own: a model finds what it was trained to find. The channel makes no
    difference to it.

    Example:
        `OnnxDetector("models/prompt-guard-2", attack_labels=["LABEL_1"])`
    """

    def __init__(self, path: str, *, name: str = "", attack_labels: Sequence[str] = ()) -> None:
        """Load the model.

        Args:
            path: Folder of the model.
            name: Name in findings; the folder's when empty.
            attack_labels: Labels that mean an attack, where their names are not known ones.

        Raises:
            MissingExtraError: onnxruntime or tokenizers is not installed.
            PolicyError: The folder holds no model that can be used.
        """
        try:
            self._np: Any = import_module("numpy")
            runtime: Any = import_module("onnxruntime")
            tokenizers: Any = import_module("tokenizers")
        except ImportError:
            raise MissingExtraError("models", needed_for="an ONNX detector") from None
        self._folder = read_folder(path, attack_labels)
        self.name = name or self._folder.path.name
        self._session = _session(runtime, self._folder.path)
        self._inputs = frozenset(one.name for one in self._session.get_inputs())
        self._tokenizer = _tokenizer(tokenizers, self._folder.path, self._folder.max_tokens)

    def score(self, texts: Sequence[str], channel: Channel) -> list[float]:  # noqa: ARG002 - see class
        """The probability of the attack labels, in each text's worst window.

        Raises:
            TooLongError: A text has more windows than are read.
        """
        return [max(self._windows(text)) for text in texts]

    def _windows(self, text: str) -> Iterator[float]:
        first = self._tokenizer.encode(text)
        windows = [first, *first.overflowing]
        if len(windows) > MAX_WINDOWS:
            raise TooLongError(f"more than {MAX_WINDOWS} windows")
        for start in range(0, len(windows), BATCH):
            yield from self._run(windows[start : start + BATCH])

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
