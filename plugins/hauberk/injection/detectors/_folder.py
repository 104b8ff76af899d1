"""Sequence classifiers from a folder: what the folder says of itself, and how texts are read.

Rules:
* Long texts are read in windows that overlap; the worst window counts.
* Nothing is downloaded, and no code of the folder is run.
* Which labels mean an attack is read from known names, or said in the policy; it is never guessed.
* A folder that cannot be used is a `PolicyError` with the remedy.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hauberk.errors import MissingExtraError, PolicyError
from hauberk.injection._reading import Channel

KNOWN_ATTACKS = frozenset(
    ("injection", "jailbreak", "malicious", "attack", "prompt_injection", "unsafe", "label_1")
)
"""Names of attack labels of Prompt Guard 1 and 2, ProtectAI's models and PIGuard, in lower case."""

MAX_TOKENS = 512
"""Most tokens of a window, where the model does not say: what these models were trained with."""

OVERLAP = 64
"""Tokens that two windows share, so that an attack is whole in one of them."""

MAX_WINDOWS = 256
"""Most windows of one text (100,000 tokens): a longer one is a failure, not a text half read."""

BATCH = 8
"""Windows that are run at once."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with `config.json`, read."""

    path: Path
    attacks: tuple[int, ...]
    """Numbers of the labels that mean an attack."""
    max_tokens: int


class TooLongError(ValueError):
    """A text has more windows than are read."""


class FolderDetector(ABC):
    """A sequence classifier from a folder; how it is loaded and run is its library's affair.

    It makes no promise of its own: a model finds what it was trained to find. The channel makes no
    difference to it.
    """

    def __init__(self, path: str, *, name: str = "", attack_labels: Sequence[str] = ()) -> None:
        """Load the model.

        Args:
            path: Folder of the model.
            name: Name in findings; the folder's when empty.
            attack_labels: Labels that mean an attack, where their names are not known ones.

        Raises:
            MissingExtraError: A library that it needs is not installed.
            PolicyError: The folder holds no model that can be used.
        """
        libraries = [_library(name, type(self).__name__) for name in self.needs]
        self._folder = read_folder(path, attack_labels)
        self.name = name or self._folder.path.name
        self._load(*libraries)

    needs: tuple[str, ...]
    """Names of the libraries that it needs, of the extra `models`."""

    def score(self, texts: Sequence[str], channel: Channel) -> list[float]:  # noqa: ARG002 - see class
        """The probability of the attack labels, in each text's worst window.

        Raises:
            TooLongError: A text has more windows than are read.
        """
        return [self._worst(text) for text in texts]

    def _worst(self, text: str) -> float:
        count, scores = self._windows(text)
        if count > MAX_WINDOWS:
            raise TooLongError(f"more than {MAX_WINDOWS} windows")
        starts = range(0, count, BATCH)
        return max(score for start in starts for score in scores(slice(start, start + BATCH)))

    @abstractmethod
    def _load(self, *libraries: Any) -> None:
        """Load the model of the folder with the libraries that it needs."""

    @abstractmethod
    def _windows(self, text: str) -> tuple[int, Callable[[slice], list[float]]]:
        """How many windows a text has, and what scores some of them."""


def _library(name: str, detector: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtraError("models", needed_for=detector) from None


def read_folder(path: str, attack_labels: Sequence[str]) -> Folder:
    """Read the configuration of a model.

    Raises:
        PolicyError: There is none, or its labels are not known.
    """
    folder = Path(path)
    file = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = f"{file} cannot be read ({type(error).__name__})"
        raise refused(problem, "Give the folder of a saved model.") from None
    labels = {int(k): str(v) for k, v in dict(config.get("id2label") or _PLAIN).items()}
    wanted = {label.lower() for label in attack_labels} or KNOWN_ATTACKS
    attacks = tuple(number for number, label in labels.items() if label.lower() in wanted)
    if not attacks or len(attacks) == len(labels):
        problem = f"its labels {sorted(labels.values())} do not say which mean an attack"
        raise refused(problem, "Name them in attack_labels.")
    limit = int(config.get("max_position_embeddings") or MAX_TOKENS)
    return Folder(folder, attacks, min(limit, MAX_TOKENS))


_PLAIN = {"0": "LABEL_0", "1": "LABEL_1"}
"""What Hugging Face writes (or leaves out) where labels have no names."""


def refused(problem: str, remedy: str) -> PolicyError:
    """The error for a model that cannot be used."""
    return PolicyError(
        f"the detector's model: {problem}", field="injection.detectors", remedy=remedy
    )
