"""Presidio's recognizers with fewer false alarms, and what they miss.

Rules:
* A number that a word calls something else (an order, an invoice, a part) is no phone number, and
  neither is a part of a longer code.
* A domain without a scheme, `www.` or a path is one where people would write it: all in lower case,
  or all in capitals, once dots are single.
"""

from __future__ import annotations

import re

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import (
    CryptoRecognizer,
    UrlRecognizer,
    UsSsnRecognizer,
)

from hauberk_pii._phone import WindowedPhoneRecognizer
from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import varied

_THING = (
    r"(?:order|invoice|ticket|case|ref(?:erence)?|sku|parts?|serial|tracking|isbn|issn|ean|upc|gtin|batch|lot|"
    r"version|build|transaction|claim|article|item|product|model|shipment|parcel|consignment|booking|"
    r"confirmation|request|incident|job|trace|span|commit|revision|asset|inventory|po|rma|doi|bestell|bestellung|"
    r"auftrag|rechnung|artikel|sendung|vorgang|pedido|factura|commande|facture|ordine|fattura|fatura|"
    r"encomenda|bestelling|factuur)"
)
_CALLED = re.compile(
    rf"(?<![^\W_]){_THING}s?[ _\-]?(?:numbers?|no|nr|num|ids?|nummer|número|numéro|numero|code|#)?"
    r"\.?[\"']?\W{0,4}$",
    re.IGNORECASE,
)
_LOOK_BACK = 40


class ShortPhoneRecognizer(WindowedPhoneRecognizer):
    """Phone numbers of any length, as Presidio has them: five digits are one in Germany."""

    _BASE = WindowedPhoneRecognizer
    gates = (_BASE.gates[0].removesuffix("{6}"),)
    _ENOUGH = re.compile(_BASE._ENOUGH.pattern.removesuffix("{6}"))  # noqa: SLF001 - of its base
    _RUN = re.compile(_BASE._RUN.pattern.replace("{7,}", "{2,}"))  # noqa: SLF001 - of its base


class PlainPhoneRecognizer(WindowedPhoneRecognizer):
    """Phone numbers that are called nothing else and are no part of a code."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Phone numbers in a text."""
        found = super().analyze(text, entities, nlp_artifacts)
        return [one for one in found if not is_something_else(text, one.start, one.end)]


def is_something_else(text: str, start: int, end: int) -> bool:
    """Whether a number is a part of a code, or a word before it says that it is no phone number.

    Example:
        >>> is_something_else("order no. 212-555-4676", 10, 22)
        True
    """
    after, before = text[end : end + 2], text[max(0, start - 2) : start]
    if (after[:1] in {"-", "_"} and after[1:].isalnum()) or after[:1].isalpha():
        return True
    if before[1:] in {"-", "_", "#", "$", "€", "£"} and not before[:1].isspace() and before[:1]:
        return True
    return _CALLED.search(text, max(0, start - _LOOK_BACK), start) is not None


class AnnouncedPhoneRecognizer(AnnouncedRecognizer):
    """Phone numbers that nobody has (555-0100), behind a word or as Americans write them."""

    ENTITY = "PHONE_NUMBER"
    REACH = 16
    SHAPE = (
        r"(?:\+|00)?\(?[0-9]{1,4}\)?(?:[ .\-/]{1,2}\(?[0-9]{2,5}\)?){1,5}(?:[ ]?(?:x|ext\.?)[ ]?[0-9]{1,5})?|"
        r"\+?[0-9]{7,15}"
    )
    ALONE = (
        r"(?:\+?1[\-. ])?[0-9]{3}([\-.])[0-9]{3}\1[0-9]{4}(?:[ ]?(?:x|ext\.?)[ ]?[0-9]{1,5})?|"
        r"(?:\+?1[\-. ]?)?\([0-9]{3}\)[ \-]?[0-9]{3}[\-. ][0-9]{4}(?:[ ]?(?:x|ext\.?)[ ]?[0-9]{1,5})?|"
        r"\+[1-9][0-9]{0,2}(?:[ \-.][0-9]{2,4}){2,4}"
    )
    WORDS = ("phone", "telephone", "tel", "tel.", "mobile", "mob.", "cell", "cellphone", "fax", "whatsapp", "sms",
             "call me at", "call me on", "telefon", "telefonnummer", "handy", "handynummer", "mobil", "rufnummer",
             "durchwahl", "teléfono", "móvil", "celular", "téléphone", "portable", "telefono", "cellulare",
             "telefoon", "telefoonnummer", "mobiel", "telefone", "telemóvel", "contact number")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Seven to fifteen digits (ITU-T E.164), and an extension."""
        count = sum(char.isdigit() for char in value)
        return 7 <= count <= 20 and varied(value)  # noqa: PLR2004 - as above

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Phone numbers in a text."""
        found = super().analyze(text, entities, nlp_artifacts)
        return [one for one in found if not is_something_else(text, one.start, one.end)]


class PlainUrlRecognizer(UrlRecognizer):
    """URLs, and domains where somebody wrote one: not "though.Al"."""

    _SURE = re.compile(r"(?i)^['\"]?(?:[a-z][a-z0-9+.\-]{1,20}://|www\.)|/")
    _BARE = re.compile(
        r"(?:[a-z0-9\-]+\.)+[a-z]{2,24}(?::[0-9]{1,5})?|(?:[A-Z0-9\-]+\.)+[A-Z]{2,24}"
    )

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="UrlRecognizer")

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """URLs in a text."""
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        return [one for one in found if self._is_meant(text, one.start, one.end)]

    def _is_meant(self, text: str, start: int, end: int) -> bool:
        value = text[start:end]
        if self._SURE.search(value):
            return True
        beside = text[max(0, start - 1) : start] + text[end : end + 1]
        # Half of an address of mail, a part of a token, or the end of a sentence with its next word.
        inside = "@" in beside or "." in text[max(0, start - 1) : start]
        return not inside and self._BARE.fullmatch(value.strip("'\"")) is not None


class ListedSsnRecognizer(UsSsnRecognizer):
    """Presidio's social security numbers: those in a valid form."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="UsSsnRecognizer")


class BitcoinRecognizer(CryptoRecognizer):
    """Presidio's wallets: Bitcoin."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="CryptoRecognizer")
