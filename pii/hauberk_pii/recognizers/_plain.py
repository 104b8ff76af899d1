"""Presidio's recognizers with fewer false alarms, and what they miss.

Rules:
* A number that a word calls something else (an order, an invoice, a part) is no phone number, and
  neither is a part of a longer code.
* A domain without a scheme, `www.` or a path is one where people would write it: all in lower case,
  or all in capitals, once dots are single; a file of a program is none.
* A part of a longer number with dots is no IP address, and neither is a version.
"""

from __future__ import annotations

import re

from presidio_analyzer import PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import (
    CryptoRecognizer,
    IpRecognizer,
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
    r"encomenda|bestelling|factuur|epoch|timestamp|time|ts|created|updated|modified|expires|unix|"
    r"(?<!caller )(?<!caller_)(?<!caller-)id|checksum|row|page)"
)
_CALLED = re.compile(
    rf"(?<![^\W_]){_THING}s?(?:[ _\-]?(?:numbers?|no|nr|num|ids?|nummer|número|numéro|numero|code|n[°º]|at|#))?"
    r"(?: (?:is|was|ist|lautet|es|est|è|é))?\.?[\"']?\W{0,4}$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r" (?:rows?|items?|people|customers|users|visitors|records|lines|files|bytes|pieces|units|times|"
    r"requests|events|tokens|points|ms|seconds|Zeilen|Stück|Personen|filas|lignes|righe|rijen|linhas)\b"
)
_DECIMAL = re.compile(r"[+\-]?(?:0|[1-9][0-9]{0,2})\.[0-9]{5,}")
_ASCENDING = "01234567890123456789"
_MOST_DIGITS = 15
"""Digits of a phone number (ITU-T E.164)."""
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
        return [
            one
            for one in found
            if not is_something_else(text, one.start, one.end)
            and not is_no_number(text[one.start : one.end])
        ]


def is_something_else(text: str, start: int, end: int) -> bool:
    """Whether a number is a part of a code, or a word beside it says that it is no phone number.

    Example:
        >>> is_something_else("order no. 212-555-4676", 10, 22)
        True
    """
    after, before = text[end : end + 2], text[max(0, start - 2) : start]
    if (after[:1] in {"-", "_"} and after[1:].isalnum()) or after[:1].isalpha():
        return True
    if before[1:] in {"-", "_", "#", "$", "€", "£"} and not before[:1].isspace() and before[:1]:
        return True
    if before[1:] == ":" and before[:1].isdigit():
        return True  # the seconds of a time
    if _COUNTED.match(text, end):
        return True
    return _CALLED.search(text, max(0, start - _LOOK_BACK), start) is not None


def is_no_number(value: str) -> bool:
    """Whether nobody writes a phone number so: a decimal, a row of digits in order, too many.

    Example:
        >>> is_no_number("122.4194155"), is_no_number("212.555.4676")
        (True, False)
    """
    if value in _ASCENDING or _DECIMAL.fullmatch(value):
        return True
    main = str(re.split(r"[a-zA-Z]", value, maxsplit=1)[0])  # without an extension
    return sum(char.isdigit() for char in main) > _MOST_DIGITS


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


class _OnlyMeant(PatternRecognizer):
    """Of what patterns find, that which the text around it lets be meant."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """What is meant in a text."""
        found = super().analyze(text, entities, nlp_artifacts, regex_flags)
        return [one for one in found if self.is_meant(text, one.start, one.end)]

    def is_meant(self, text: str, start: int, end: int) -> bool:
        """Whether a match is what it looks like."""
        raise NotImplementedError


class PlainUrlRecognizer(_OnlyMeant, UrlRecognizer):
    """URLs, and domains where somebody wrote one: not "though.Al"."""

    _SURE = re.compile(r"(?i)^['\"]?(?:[a-z][a-z0-9+.\-]{1,20}://|www\.)|/")
    _BARE = re.compile(
        r"(?:[a-z0-9\-]+\.)+[a-z]{2,24}(?::[0-9]{1,5})?|(?:[A-Z0-9\-]+\.)+[A-Z]{2,24}"
    )

    # Files of programs, whose endings are countries' too; what programs write with dots; "e.g.it".
    _CODE = re.compile(
        r"['\"]?(?:[\w\-]+\.(?:py|sh|zip|mov)|"
        r"(?:main|lib|mod|test\w*|readme|changelog|license|index|setup|config|build|run|utils?)"
        r"\.(?:rs|md|pl|cc|ps|so)|"
        r"(?:self|this|cls|obj|os|sys|np|pd|re|req|res|ctx|cfg|args)\.(?!com\b|org\b|net\b)\w+|"
        r"(?:\w\.){2,}\w+)['\"]?",
        re.IGNORECASE,
    )

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="UrlRecognizer")

    def is_meant(self, text: str, start: int, end: int) -> bool:
        """Whether it has a scheme or a path, or is written as a domain."""
        value = text[start:end]
        if self._SURE.search(value):
            return True
        if self._CODE.fullmatch(value) or text[end : end + 1].isalnum():
            return False
        beside = text[max(0, start - 1) : start] + text[end : end + 1]
        # Half of an address of mail, a part of a token, or the end of a sentence with its next word.
        inside = "@" in beside or "." in text[max(0, start - 1) : start]
        return not inside and self._BARE.fullmatch(value.strip("'\"")) is not None


class PlainIpRecognizer(_OnlyMeant, IpRecognizer):
    """Presidio's IP addresses that are no part of a longer number with dots, and no version."""

    _VERSION = re.compile(
        r"(?<![^\W_])(?:v|ver|version|release|build|section|chapter)\.? ?$", re.IGNORECASE
    )

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="IpRecognizer")

    def is_meant(self, text: str, start: int, end: int) -> bool:
        """Whether it stands by itself, and is called no version."""
        if ":" in text[start:end]:
            return True
        after, before = text[end : end + 2], text[max(0, start - 2) : start]
        longer = (after[:1] == "." and after[1:].isdigit()) or (
            before[1:] == "." and before[:1].isdigit()
        )
        called = self._VERSION.search(text, max(0, start - _LOOK_BACK), start)
        return not longer and called is None


class ListedSsnRecognizer(UsSsnRecognizer):
    """Presidio's social security numbers: those in a valid form."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="UsSsnRecognizer")


class BitcoinRecognizer(CryptoRecognizer):
    """Presidio's wallets: Bitcoin."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="CryptoRecognizer")
