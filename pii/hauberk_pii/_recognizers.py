"""Recognizers: Presidio's, kept from the network and made linear, and our own.

All are Presidio recognizers: any Presidio user can add them to a registry.

Rules:
* Nothing asks the network: domains are checked against the public suffix list that tldextract
  ships.
* A recognizer that would take quadratic time runs on the stretches that can hold a match.
* `gates` are RE2 patterns; where none of them matches, the recognizer finds nothing.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import tldextract
from presidio_analyzer import (
    Pattern,
    PatternRecognizer,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import (
    EmailRecognizer,
    UsPassportRecognizer,
)

from hauberk_pii._results import result_of
from hauberk_pii.recognizers._announced import gate_of
from hauberk_pii.recognizers._base import OneTypeRecognizer
from hauberk_pii.recognizers._key_forms import KEY_FORMS

_MAX_RUN = 1024
"""Longest stretch that an e-mail address is looked for in. Addresses have at most 320 characters
(RFC 3696, erratum 1690); only what is nearest to the `@` counts in longer ones."""


@cache
def _domains() -> tldextract.TLDExtract:
    # No address to fetch from and no cache folder: the list that is shipped, and nothing else.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def is_domain(text: str) -> bool:
    """Whether a text ends in a domain under a public suffix. Never asks the network."""
    return _domains()(text).fqdn != ""


class OfflineEmailRecognizer(EmailRecognizer):
    """Presidio's e-mail recognizer, without its download, on the stretches around each `@`."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="EmailRecognizer")

    def validate_result(self, pattern_text: str) -> bool:
        """Whether the domain is one."""
        return is_domain(pattern_text)

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """E-mail addresses in a text."""
        found: list[RecognizerResult] = []
        for left, right in _mail_runs(text):
            inner = super().analyze(text[left:right], entities, nlp_artifacts, regex_flags)
            found += _shifted(inner, left)
        return found


class UrlEmailRecognizer(PatternRecognizer):
    """E-mail addresses in paths and queries of URLs, percent-encoded ones too.

    Presidio's pattern takes the URL before the address along, and then finds no domain in it:
    `https://img.test/a.png?q=ada@example.com` has none for it.
    """

    # A space, a quote or a delimiter of a URL ends what is before and after.
    _ADDRESS = (
        r"[A-Za-z0-9][A-Za-z0-9._+\-]{0,63}(?:@|%40)(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,63}"
    )
    PATTERNS = (Pattern("E-mail in a URL", rf"(?<=[/?=&#;])(?:{_ADDRESS})(?![A-Za-z0-9\-])", 1.0),)
    gates = (rf"[/?=&#;]{_ADDRESS}",)

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(
            supported_entity="EMAIL_ADDRESS",
            patterns=list(self.PATTERNS),
            supported_language=supported_language,
            global_regex_flags=0,
        )

    def validate_result(self, pattern_text: str) -> bool:
        """Whether the domain is one."""
        return is_domain(pattern_text.replace("%40", "@"))


class PlainPassportRecognizer(UsPassportRecognizer):
    """Presidio's US passports, with context words that speak of passports: not "us" in "status"."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(
            context=["passport", "travel document"],
            supported_language=supported_language,
            name="UsPassportRecognizer",
        )


class SecretRecognizer(PatternRecognizer):
    """Keys and tokens that say what they are: by the prefix that their provider gives them.

    Does not find secrets without a known form: passwords in words, random strings.
    The forms and their sources: `recognizers/_key_forms.py`.
    """

    PATTERNS = (
        Pattern(
            "Key by prefix",
            r"(?<![A-Za-z0-9_\-])(?:" + "|".join(KEY_FORMS.values()) + r")(?![A-Za-z0-9_])",
            1.0,
        ),
    )
    gates = tuple(gate_of(form, fold=False) for form in KEY_FORMS.values())

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(
            supported_entity="API_KEY",
            patterns=list(self.PATTERNS),
            supported_language=supported_language,
            global_regex_flags=0,
        )


class PrivateKeyRecognizer(PatternRecognizer):
    """Private keys in PEM armour, whole or cut off, with real or escaped line ends."""

    PATTERNS = (
        Pattern(
            "PEM",
            r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"[A-Za-z0-9+/=\s\\:,.]{0,20000}"
            r"(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?",
            1.0,
        ),
    )

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(
            supported_entity="PRIVATE_KEY",
            patterns=list(self.PATTERNS),
            supported_language=supported_language,
            global_regex_flags=0,
        )

    # RE2 repeats at most a thousand times; the first line says enough.
    gates = (r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY",)


class UrlCredentialsRecognizer(OneTypeRecognizer):
    """`user:password@host` after `scheme://`.

    With the host: `password@host` alone would be taken for an e-mail address.
    """

    ENTITY = "URL_CREDENTIALS"
    gates = (r"://[^\s/:@]{0,64}:[^\s/@]{1,128}@",)
    _PATTERN = re.compile(r"://([^\s/:@]{0,64}:[^\s/@]{1,128}@[^\s/:?#\"'<>@]{1,255})")

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Credentials in the URLs of a text."""
        return [
            result_of(self, self.ENTITY, match.start(1), match.end(1), 1.0)
            for match in self._PATTERN.finditer(text)
        ]


def _shifted(results: list[RecognizerResult], by: int) -> Iterator[RecognizerResult]:
    for result in results:
        result.start += by
        result.end += by
        yield result


# ASCII that no address holds. What is not ASCII may be a letter.
_MAIL_STOP = re.compile(r"[\x00-\x20\x7f\"(),:;<>\[\\\]]")


def _mail_runs(text: str) -> Iterator[tuple[int, int]]:
    """Stretches around each `@` that can hold an address, with one more character on each side."""
    done = 0
    at = text.find("@")
    while at >= 0:
        stops = [m.end() for m in _MAIL_STOP.finditer(text, max(done, at - _MAX_RUN), at)]
        left = stops[-1] if stops else max(done, at - _MAX_RUN)
        stop = _MAIL_STOP.search(text, at, at + _MAX_RUN)
        right = stop.start() if stop else min(len(text), at + _MAX_RUN)
        yield max(0, left - 1), min(len(text), right + 1)
        done = right
        at = text.find("@", right)
