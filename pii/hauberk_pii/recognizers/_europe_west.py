"""National numbers of people in the west and south of Europe.

Sources: the authorities that issue them, as collected in each class; the arithmetic was compared with
python-stdnum 2.2 in the tests. Austria, Belgium, France, Germany, Greece,
Ireland, Italy, the Netherlands, Portugal, Spain, Switzerland.
"""
# ruff: noqa: RUF001 - Greek and Cyrillic words

from __future__ import annotations

from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import (
    DAY,
    MONTH,
    digits,
    ean,
    luhn,
    mod_11_10,
    mod_97,
    real_date,
    varied,
    weighted,
)


class AtSvnrRecognizer(AnnouncedRecognizer):
    """Austria: Sozialversicherungsnummer (ASVG § 31; the fourth digit checks the others)."""

    ENTITY = "AT_SVNR"
    SHAPE = r"[1-9][0-9]{3} ?[0-9]{6}"
    WORDS = ("svnr", "sv nr", "sv nummer", "sozialversicherungsnummer", "versicherungsnummer",
             "sozialversicherungsnr", "e card", "austrian social insurance number")  # fmt: skip

    def valid(self, value: str) -> bool:
        """The weighted sum of the others, modulo 11, is the fourth digit."""
        return weighted(digits(value), (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(value[3])


class BeNationalNumberRecognizer(AnnouncedRecognizer):
    """Belgium: numéro de registre national, rijksregisternummer (royal decree of 3 April 1984)."""

    ENTITY = "BE_NATIONAL_NUMBER"
    SHAPE = r"[0-9]{2}[. ]?[0-9]{2}[. ]?[0-9]{2}[\- ]?[0-9]{3}[. ]?[0-9]{2}"
    ALONE = r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}"
    WORDS = ("registre national", "numéro national", "numero national", "nn", "niss", "insz", "bsn be",
             "rijksregisternummer", "rijksregister", "national register", "nrn",
             "belgian national number")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Modulo 97; for those born from 2000 on with a 2 before the number."""
        number, check = int(value[:9]), int(value[9:])
        return mod_97(number, check) or mod_97(2_000_000_000 + number, check)


class ChAhvRecognizer(AnnouncedRecognizer):
    """Switzerland: AHV-Nummer, numéro AVS (756 and ten digits, checked as EAN-13; ZAS/CdC)."""

    ENTITY = "CH_AHV"
    SHAPE = r"756[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}"
    ALONE = SHAPE
    WORDS = ("ahv", "avs", "ahvn13", "ahv nummer", "navs", "sozialversicherungsnummer")

    def valid(self, value: str) -> bool:
        """The check digit."""
        return ean(value)


class GermanTaxIdRecognizer(AnnouncedRecognizer):
    """Germany: steuerliche Identifikationsnummer (AO § 139b; BZSt)."""

    ENTITY = "DE_TAX_ID"
    SHAPE = r"[1-9][0-9](?: ?[0-9]{3}){3}"
    WORDS = ("steuer id", "steueridentifikationsnummer", "steuer identifikationsnummer", "idnr", "id nr",
             "steuerliche identifikationsnummer", "tin", "tax id", "tax identification number",
             "steuernummer", "identifikationsnummer")  # fmt: skip

    def valid(self, value: str) -> bool:
        """One digit stands two or three times among the first ten; ISO 7064 MOD 11,10."""
        counts = sorted(value[:10].count(digit) for digit in set(value[:10]))
        twice = counts[-1] in (2, 3) and all(count == 1 for count in counts[:-1])
        return twice and mod_11_10(value)


class SpanishNifRecognizer(AnnouncedRecognizer):
    """Spain: DNI and NIF of people (real decree 1065/2007)."""

    ENTITY = "ES_NIF"
    SHAPE = r"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}[\- ]?[A-Z]"
    ALONE = r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}-[A-Z]|[0-9]{8}-[A-Z]"
    WORDS = ("dni", "nif", "documento nacional de identidad", "documento de identidad",
             "número de identificación fiscal", "d.n.i.", "n.i.f.", "identificación")  # fmt: skip
    FOLD = True

    def valid(self, value: str) -> bool:
        """The letter."""
        return _spanish(value[:-1], value[-1])


class SpanishNieRecognizer(AnnouncedRecognizer):
    """Spain: NIE, the number of foreigners (real decree 557/2011)."""

    ENTITY = "ES_NIE"
    SHAPE = r"[XYZ][\- ]?[0-9]{7}[\- ]?[A-Z]"
    ALONE = r"[XYZ][0-9]{7}[A-Z]|[XYZ]-[0-9]{7}-[A-Z]"
    WORDS = ("nie", "n.i.e.", "número de identidad de extranjero", "extranjería")
    FOLD = True

    def valid(self, value: str) -> bool:
        """The letter."""
        return _spanish(str("XYZ".index(value[0].upper())) + value[1:-1], value[-1])


def _spanish(number: str, letter: str) -> bool:
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == letter.upper()


class FrNirRecognizer(AnnouncedRecognizer):
    """France: numéro de sécurité sociale (NIR, INSEE; Corsica's departments are 2A and 2B)."""

    ENTITY = "FR_NIR"
    _NUMBER = (
        r"[1-478] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3}"
    )
    SHAPE = rf"{_NUMBER} ?/? ?[0-9]{{2}}"
    ALONE = r"[12] [0-9]{2} (?:0[1-9]|1[0-2]) (?:[0-9]{2}|2[AB]) [0-9]{3} [0-9]{3} ?/? ?[0-9]{2}"
    WORDS = ("nir", "sécurité sociale", "securite sociale", "numéro de sécu", "numéro de sécurité sociale",
             "n° sécu", "insee", "carte vitale", "french social security")  # fmt: skip
    FOLD = True

    def valid(self, value: str) -> bool:
        """Modulo 97."""
        number = value[:13].upper().replace("2A", "19").replace("2B", "18")
        return number.isdigit() and mod_97(int(number), int(value[13:]))


class GrAmkaRecognizer(AnnouncedRecognizer):
    """Greece: AMKA (a date of birth, five digits, Luhn)."""

    ENTITY = "GR_AMKA"
    SHAPE = rf"{DAY}{MONTH}[0-9]{{7}}"
    WORDS = ("amka", "αμκα", "α.μ.κ.α.", "greek social security")

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        return real_date(int(value[4:6]), int(value[2:4]), int(value[:2])) and luhn(value)


class IePpsnRecognizer(AnnouncedRecognizer):
    """Ireland: PPS number (Department of Social Protection; the second letter since 2013)."""

    ENTITY = "IE_PPSN"
    SHAPE = r"[0-9]{7}[A-W][A-IW]?"
    WORDS = ("pps", "ppsn", "pps no", "personal public service number", "rsi")
    FOLD = True

    def valid(self, value: str) -> bool:
        """The check letter, which a second one takes part in."""
        value = value.upper()
        second = value[8:]
        extra = 0 if second in ("", "W") else ord(second) - 64
        total = weighted(digits(value[:7]), (8, 7, 6, 5, 4, 3, 2)) + 9 * extra
        return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == value[7]


class ItalianFiscalCodeRecognizer(AnnouncedRecognizer):
    """Italy: codice fiscale of people (DM 23 December 1976)."""

    ENTITY = "IT_FISCAL_CODE"
    _DIGIT = "[0-9LMNP-V]"
    SHAPE = rf"[A-Z]{{6}} ?{_DIGIT}{{2}}[A-EHLMPR-T]{_DIGIT}{{2}} ?[A-Z]{_DIGIT}{{3}}[A-Z]"
    ALONE = SHAPE
    WORDS = ("codice fiscale", "cod. fisc.", "c.f.", "fiscal code")
    FOLD = True
    _ODD = (
        1,
        0,
        5,
        7,
        9,
        13,
        15,
        17,
        19,
        21,
        2,
        4,
        18,
        20,
        11,
        3,
        6,
        8,
        12,
        14,
        16,
        10,
        22,
        25,
        24,
        23,
    )

    def valid(self, value: str) -> bool:
        """The check letter."""
        at = [int(c) if c.isdigit() else ord(c) - 65 for c in value.upper()]
        total = sum(self._ODD[one] if index % 2 == 0 else one for index, one in enumerate(at[:15]))
        return total % 26 == at[15]


class NlBsnRecognizer(AnnouncedRecognizer):
    """The Netherlands: burgerservicenummer (the "eleven test" of RvIG)."""

    ENTITY = "NL_BSN"
    SHAPE = r"[0-9]{9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3}"
    WORDS = ("bsn", "burgerservicenummer", "sofi nummer", "sofinummer", "citizen service number")

    def valid(self, value: str) -> bool:
        """The eleven test."""
        return weighted(digits(value), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and varied(value)


class PtNifRecognizer(AnnouncedRecognizer):
    """Portugal: NIF, número de contribuinte (Autoridade Tributária)."""

    ENTITY = "PT_NIF"
    SHAPE = r"[1-3568-9][0-9]{2} ?[0-9]{3} ?[0-9]{3}"
    WORDS = ("nif", "contribuinte", "número de contribuinte", "nº contribuinte", "nipc",
             "número de identificação fiscal")  # fmt: skip

    def valid(self, value: str) -> bool:
        """The check digit, modulo 11."""
        numbers = digits(value)
        return -weighted(numbers[:8], range(9, 1, -1)) % 11 % 10 == numbers[8] and varied(value)


WEST: tuple[type[AnnouncedRecognizer], ...] = (
    AtSvnrRecognizer,
    BeNationalNumberRecognizer,
    ChAhvRecognizer,
    GermanTaxIdRecognizer,
    SpanishNifRecognizer,
    SpanishNieRecognizer,
    FrNirRecognizer,
    GrAmkaRecognizer,
    IePpsnRecognizer,
    ItalianFiscalCodeRecognizer,
    NlBsnRecognizer,
    PtNifRecognizer,
)
