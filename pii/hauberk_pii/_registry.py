"""Which recognizers there are: ours, and those of Presidio that need no model and no service.

Rules:
* A type that we have a recognizer for is ours; the rest is Presidio's. Where `strict` is set, what
  Presidio knows is as Presidio has it.
* Each is bounded: where it would take too long, the text is refused.
* National recognizers of the text's language are known beside the English and general ones.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from functools import cache
from typing import Any

from presidio_analyzer import (
    EntityRecognizer,
    PatternRecognizer,
    predefined_recognizers,
)

from hauberk_pii._bounds import BoundedIbanRecognizer, bound
from hauberk_pii._names import StructuredNameRecognizer
from hauberk_pii._phone import WindowedPhoneRecognizer
from hauberk_pii._recognizers import (
    OfflineEmailRecognizer,
    PlainPassportRecognizer,
    PrivateKeyRecognizer,
    SecretRecognizer,
    UrlCredentialsRecognizer,
    UrlEmailRecognizer,
)
from hauberk_pii.recognizers import INSTEAD, NEW

SAME: tuple[type[EntityRecognizer], ...] = (
    OfflineEmailRecognizer,
    BoundedIbanRecognizer,
    WindowedPhoneRecognizer,
    SecretRecognizer,
    PrivateKeyRecognizer,
    UrlCredentialsRecognizer,
    StructuredNameRecognizer,
)
"""Recognizers with the answers of Presidio's, or of types that it does not know."""

OURS: tuple[type[EntityRecognizer], ...] = (
    *(kind for kind in SAME if kind is not WindowedPhoneRecognizer),
    UrlEmailRecognizer,
    PlainPassportRecognizer,
    *INSTEAD,
    *NEW,
)
"""Recognizers that go before Presidio's of the same type."""


@cache
def recognizers_by_entity(
    language: str, *, strict: bool = False
) -> dict[str, list[EntityRecognizer]]:
    """Every recognizer that can be used for texts of a language, by entity type.

    Args:
        language: ISO 639-1 code.
        strict: For the types that Presidio knows, its answers and no others.
    """
    found: defaultdict[str, list[EntityRecognizer]] = defaultdict(list)
    for kind in SAME if strict else OURS:
        _add(found, _built(kind, language))
    ours = set(found)
    for kind in _patterned():
        native = _language_of(kind)
        if native not in ("en", language):
            continue
        recognizer = _built(kind, language)
        if ours.isdisjoint(recognizer.supported_entities):
            _add(found, recognizer)
    theirs = set(found) - ours
    for recognizer in (_built(kind, language) for kind in (NEW if strict else ())):
        if theirs.isdisjoint(recognizer.supported_entities):
            _add(found, recognizer)
    return dict(found)


def _add(found: dict[str, list[EntityRecognizer]], recognizer: EntityRecognizer) -> None:
    for entity in recognizer.supported_entities:
        found[entity].append(recognizer)


def _patterned() -> list[type[EntityRecognizer]]:
    """Presidio's recognizers that are patterns: no model, no service, no network."""
    kinds = [getattr(predefined_recognizers, name) for name in predefined_recognizers.__all__]
    return [k for k in kinds if isinstance(k, type) and issubclass(k, PatternRecognizer)]


def _language_of(kind: type[EntityRecognizer]) -> str:
    parameter = inspect.signature(kind).parameters.get("supported_language")
    return str(parameter.default) if parameter is not None else "en"


def _built(kind: type[EntityRecognizer], language: str) -> EntityRecognizer:
    make: Any = kind  # each takes its own arguments; the language is common to all
    recognizer: EntityRecognizer = make(supported_language=language)
    bound(recognizer)
    return recognizer
