"""Bigger detectors, for texts that rules and the built-in classifier leave open.

* `Detector`, `AsyncDetector`: what one is. `Layer`: one with its limits.
* `OnnxDetector`, `TransformersDetector`: sequence classifiers of Hugging Face from a folder on this
  machine (Prompt Guard 2, ProtectAI's DeBERTa, PIGuard), by onnxruntime or by transformers.
* `JudgeDetector`: asks the application's own model, with a prompt that the text cannot steer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hauberk._lazy import loaded
from hauberk.injection.detectors._layer import AsyncDetector, Detector, Layer
from hauberk.policy import DetectorPolicy

if TYPE_CHECKING:
    from hauberk.injection.detectors._judge import JudgeDetector
    from hauberk.injection.detectors._onnx import OnnxDetector
    from hauberk.injection.detectors._transformers import TransformersDetector

_HOMES = {
    "_judge": ("JudgeDetector",),
    "_onnx": ("OnnxDetector",),
    "_transformers": ("TransformersDetector",),
}

__all__ = [
    "AsyncDetector",
    "Detector",
    "JudgeDetector",
    "Layer",
    "OnnxDetector",
    "TransformersDetector",
    "load_layers",
]


def load_layers(policies: Iterable[DetectorPolicy]) -> Iterator[Layer]:
    """The detectors that a policy names, loaded.

    Raises:
        MissingExtraError: The extra `models` is not installed.
        PolicyError: A folder holds no model that can be used.
    """
    for policy in policies:
        yield Layer(
            detector=_load(policy),
            timeout_s=policy.timeout_s,
            on_error=policy.on_error,
            levels=policy.levels,
        )


def _load(policy: DetectorPolicy) -> Detector:
    if policy.use == "onnx":
        from hauberk.injection.detectors._onnx import OnnxDetector  # noqa: PLC0415 - its extra

        return OnnxDetector(policy.path, name=policy.name, attack_labels=policy.attack_labels)
    from hauberk.injection.detectors._transformers import (  # noqa: PLC0415 - its extra
        TransformersDetector,
    )

    return TransformersDetector(policy.path, name=policy.name, attack_labels=policy.attack_labels)


def __getattr__(name: str) -> object:
    return loaded(__name__, _HOMES, name)
