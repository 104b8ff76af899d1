"""Which recognizers there are: ours, and those of Presidio that need no model and no service.

Rules:
* A type that we have a recognizer for is ours; the rest is Presidio's. Of what Presidio knows, each
  difference can be switched off by itself (`hauberk.policy.Difference`).
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

from hauberk.policy import Difference
from hauberk_pii._bounds import BoundedIbanRecognizer, bound
from hauberk_pii._context_words import context_words
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
from hauberk_pii.recognizers import INSTEAD, NATIONAL, NEW, ShortPhoneRecognizer

Kinds = tuple[type[EntityRecognizer], ...]

SAME: Kinds = (
    OfflineEmailRecognizer,
    BoundedIbanRecognizer,
    SecretRecognizer,
    PrivateKeyRecognizer,
    UrlCredentialsRecognizer,
    StructuredNameRecognizer,
)
"""Recognizers with the answers of Presidio's, or of types that it does not know."""

DIFFERENT: dict[Difference, Kinds] = {
    **INSTEAD,
    Difference.MAIL_IN_URLS: (UrlEmailRecognizer,),
    Difference.PASSPORTS: (PlainPassportRecognizer,),
    Difference.NATIONAL_NUMBERS: NATIONAL,
}
"""Recognizers that go before Presidio's of the same type, by what they differ in."""

ALL = frozenset(Difference)


@cache
def recognizers_by_entity(
    language: str, *, off: frozenset[Difference] = frozenset()
) -> dict[str, list[EntityRecognizer]]:
    """Every recognizer that can be used for texts of a language, by entity type.

    Args:
        language: ISO 639-1 code.
        off: Differences from Presidio that are switched off.
    """
    found: defaultdict[str, list[EntityRecognizer]] = defaultdict(list)
    for kind in _ours(off):
        _add(found, _built(kind, language, off))
    ours = set(found)
    for kind in _patterned():
        native = _language_of(kind)
        if native not in ("en", language):
            continue
        recognizer = _built(kind, language, off)
        if ours.isdisjoint(recognizer.supported_entities):
            _add(found, recognizer)
    theirs = set(found) - ours
    for kind in NATIONAL if Difference.NATIONAL_NUMBERS in off else ():
        recognizer = _built(kind, language, off)
        if theirs.isdisjoint(recognizer.supported_entities):
            _add(found, recognizer)
    return dict(found)


def _ours(off: frozenset[Difference]) -> Kinds:
    if Difference.PHONES not in off:
        phone: Kinds = ()
    elif Difference.SHORT_PHONES in off:
        phone = (ShortPhoneRecognizer,)
    else:
        phone = (WindowedPhoneRecognizer,)
    differ = [kind for what, kinds in DIFFERENT.items() if what not in off for kind in kinds]
    return (*SAME, *phone, *differ, *NEW)


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


def _built(
    kind: type[EntityRecognizer], language: str, off: frozenset[Difference]
) -> EntityRecognizer:
    make: Any = kind  # each takes its own arguments; the language is common to all
    recognizer: EntityRecognizer = make(supported_language=language)
    if recognizer.context and Difference.CONTEXT_WORDS not in off:
        more = context_words(language, recognizer.supported_entities)
        recognizer.context = [*recognizer.context, *more]
    bound(recognizer)
    return recognizer
