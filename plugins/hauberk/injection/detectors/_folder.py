"""What the folder of a sequence classifier says of itself.

Rules:
* Nothing is downloaded, and no code of the folder is run.
* Which labels mean an attack is read from known names, or said in the policy; it is never guessed.
* A folder that cannot be used is a `PolicyError` with the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.errors import PolicyError

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
