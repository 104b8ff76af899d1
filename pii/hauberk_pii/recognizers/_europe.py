"""National numbers of people in Europe.

Sources: the authorities that issue them, as collected in each class; the arithmetic was compared with
python-stdnum 2.2 in the tests. Austria, Belgium, Bulgaria, Croatia, Czechia and Slovakia, Denmark,
Estonia, Finland, France, Germany, Greece, Hungary, Ireland, Italy, Lithuania, the Netherlands, Norway,
Poland, Portugal, Romania, Spain, Sweden, Switzerland.
"""
# ruff: noqa: RUF001 - Greek and Cyrillic words

from __future__ import annotations

from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import (
    digits,
    ean,
    luhn,
    mod_11_10,
    mod_97,
    real_date,
    varied,
    weighted,
)

_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"


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


class BgEgnRecognizer(AnnouncedRecognizer):
    """Bulgaria: edinen grazhdanski nomer (GRAO; months plus 20 or 40 say the century)."""

    ENTITY = "BG_EGN"
    SHAPE = r"[0-9]{10}"
    WORDS = ("egn", "егн", "единен граждански номер", "bulgarian personal number")

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        month = int(value[2:4]) % 20
        sum_ = weighted(digits(value)[:9], (2, 4, 8, 5, 10, 9, 7, 3, 6))
        known = real_date(int(value[:2]), month, int(value[4:6]))
        return known and sum_ % 11 % 10 == int(value[9])


class ChAhvRecognizer(AnnouncedRecognizer):
    """Switzerland: AHV-Nummer, numéro AVS (756 and ten digits, checked as EAN-13; ZAS/CdC)."""

    ENTITY = "CH_AHV"
    SHAPE = r"756[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}"
    ALONE = SHAPE
    WORDS = ("ahv", "avs", "ahvn13", "ahv nummer", "navs", "sozialversicherungsnummer")

    def valid(self, value: str) -> bool:
        """The check digit."""
        return ean(value)


class CzBirthNumberRecognizer(AnnouncedRecognizer):
    """Czechia and Slovakia: rodné číslo (law 133/2000; divisible by 11)."""

    ENTITY = "CZ_BIRTH_NUMBER"
    SHAPE = r"[0-9]{2}[0-9]{2}[0-9]{2}/?[0-9]{4}"
    WORDS = ("rodné číslo", "rodne cislo", "rodného čísla", "r.č.", "rč", "birth number", "rc")

    def valid(self, value: str) -> bool:
        """Date (women's months plus 50, full registers plus 20) and divisibility by 11."""
        month = int(value[2:4]) % 50 % 20
        known = real_date(int(value[:2]), month, int(value[4:6]))
        # Until 1985 a remainder of ten was written as 0.
        return known and varied(value) and int(value[:9]) % 11 % 10 == int(value[9])


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


class DkCprRecognizer(AnnouncedRecognizer):
    """Denmark: personnummer of the CPR. Its check digit is not kept to since 2007; the date is."""

    ENTITY = "DK_CPR"
    SHAPE = rf"{_DAY}{_MONTH}[0-9]{{2}}[\- ]?[0-9]{{4}}"
    WORDS = ("cpr", "cpr nr", "personnummer", "danish personal number")

    def valid(self, value: str) -> bool:
        """A date."""
        return real_date(int(value[4:6]), int(value[2:4]), int(value[:2]))


class EeLtPersonalCodeRecognizer(AnnouncedRecognizer):
    """Estonia (isikukood, EVS 585) and Lithuania (asmens kodas): the same form and check."""

    ENTITY = "EE_LT_PERSONAL_CODE"
    SHAPE = rf"[1-8][0-9]{{2}}{_MONTH}{_DAY}[0-9]{{4}}"
    WORDS = ("isikukood", "isikukoodi", "asmens kodas", "asmens kodo", "estonian personal code",
             "lithuanian personal code", "a.k.")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Date, and a check digit in two steps."""
        numbers = digits(value)
        check = weighted(numbers[:10], (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
        if check == 10:  # noqa: PLR2004 - then the second weights are used
            check = weighted(numbers[:10], (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
        known = real_date(int(value[1:3]), int(value[3:5]), int(value[5:7]))
        return known and check == numbers[10]


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


class FiHetuRecognizer(AnnouncedRecognizer):
    """Finland: henkilötunnus (decree 128/2010; the signs of 2023 too)."""

    ENTITY = "FI_PERSONAL_IDENTITY_CODE"
    SHAPE = rf"{_DAY}{_MONTH}[0-9]{{2}}[\-+A-FU-Y][0-9]{{3}}[0-9A-FHJ-NPR-Y]"
    ALONE = SHAPE
    WORDS = ("henkilötunnus", "hetu", "personbeteckning")

    def accepts(self, value: str) -> bool:
        """Date and check sign: its middle sign belongs to it."""
        known = real_date(int(value[4:6]), int(value[2:4]), int(value[:2]))
        rest = int(value[:6] + value[7:10]) % 31
        return known and "0123456789ABCDEFHJKLMNPRSTUVWXY"[rest] == value[10]


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
    SHAPE = rf"{_DAY}{_MONTH}[0-9]{{7}}"
    WORDS = ("amka", "αμκα", "α.μ.κ.α.", "greek social security")

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        return real_date(int(value[4:6]), int(value[2:4]), int(value[:2])) and luhn(value)


class HrOibRecognizer(AnnouncedRecognizer):
    """Croatia: osobni identifikacijski broj (ISO 7064 MOD 11,10)."""

    ENTITY = "HR_OIB"
    SHAPE = r"[0-9]{11}"
    WORDS = ("oib", "osobni identifikacijski broj", "croatian personal number")

    def valid(self, value: str) -> bool:
        """The check digit."""
        return mod_11_10(value) and varied(value)


class HuTajRecognizer(AnnouncedRecognizer):
    """Hungary: TAJ szám, the number of social insurance."""

    ENTITY = "HU_TAJ"
    SHAPE = r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}"
    WORDS = ("taj", "taj szám", "tajszám", "társadalombiztosítási azonosító jel")

    def valid(self, value: str) -> bool:
        """Weights 3 and 7, modulo 10."""
        numbers = digits(value)
        return weighted(numbers[:8], (3, 7) * 4) % 10 == numbers[8] and varied(value)


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


class NoBirthNumberRecognizer(AnnouncedRecognizer):
    """Norway: fødselsnummer, D-nummer (Skatteetaten; two check digits)."""

    ENTITY = "NO_FODSELSNUMMER"
    SHAPE = r"[0-7][0-9][0-9]{4}[ .]?[0-9]{5}"
    ALONE = rf"{_DAY}{_MONTH}[0-9]{{2}} [0-9]{{5}}"
    WORDS = ("fødselsnummer", "fodselsnummer", "personnummer", "fnr", "d nummer", "dnr",
             "norwegian national id")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Date and both check digits."""
        numbers = digits(value)
        day = int(value[:2]) % 40
        first = -weighted(numbers[:9], (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
        second = -weighted(numbers[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        known = real_date(int(value[4:6]), int(value[2:4]) % 40, day)
        return known and [first, second] == numbers[9:]


class PolishPeselRecognizer(AnnouncedRecognizer):
    """Poland: PESEL (law of 24 September 2010; months say the century)."""

    ENTITY = "PL_PESEL"
    SHAPE = r"[0-9]{11}"
    WORDS = ("pesel", "polish national id", "numer pesel")

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        known = real_date(int(value[:2]), int(value[2:4]) % 20, int(value[4:6]))
        return known and weighted(digits(value), (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


class PlNipRecognizer(AnnouncedRecognizer):
    """Poland: NIP, the tax number (law of 13 October 1995)."""

    ENTITY = "PL_NIP"
    SHAPE = r"[0-9]{3}-?[0-9]{3}-?[0-9]{2}-?[0-9]{2}|[0-9]{3}-?[0-9]{2}-?[0-9]{2}-?[0-9]{3}"
    WORDS = ("nip", "numer identyfikacji podatkowej", "polish tax number")

    def valid(self, value: str) -> bool:
        """The check digit."""
        numbers = digits(value)
        check = weighted(numbers[:9], (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11
        return check == numbers[9] and varied(value)


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


class RoCnpRecognizer(AnnouncedRecognizer):
    """Romania: cod numeric personal (law 105/1996)."""

    ENTITY = "RO_CNP"
    SHAPE = rf"[1-9][0-9]{{2}}{_MONTH}{_DAY}[0-9]{{6}}"
    WORDS = ("cnp", "cod numeric personal", "romanian personal number")

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        numbers = digits(value)
        check = weighted(numbers[:12], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
        known = real_date(int(value[1:3]), int(value[3:5]), int(value[5:7]))
        return known and (1 if check == 10 else check) == numbers[12]  # noqa: PLR2004 - ten is 1


class SwedishPersonnummerRecognizer(AnnouncedRecognizer):
    """Sweden: personnummer, samordningsnummer (law 1991:481; Luhn over the last ten digits)."""

    ENTITY = "SE_PERSONNUMMER"
    SHAPE = rf"(?:19|20)?[0-9]{{2}}{_MONTH}[0-9]{{2}}[\-+ ]?[0-9]{{4}}"
    ALONE = rf"(?:19|20)[0-9]{{2}}{_MONTH}[0-9]{{2}}[\-+][0-9]{{4}}"
    WORDS = ("personnummer", "pnr", "person nr", "samordningsnummer", "swedish personal number")

    def valid(self, value: str) -> bool:
        """Date (days plus 60 for samordningsnummer) and check digit."""
        value = value[-10:]
        known = real_date(int(value[:2]), int(value[2:4]), int(value[4:6]) % 60)
        return known and luhn(value)


EUROPE: tuple[type[AnnouncedRecognizer], ...] = (
    AtSvnrRecognizer,
    BeNationalNumberRecognizer,
    BgEgnRecognizer,
    ChAhvRecognizer,
    CzBirthNumberRecognizer,
    GermanTaxIdRecognizer,
    DkCprRecognizer,
    EeLtPersonalCodeRecognizer,
    SpanishNifRecognizer,
    SpanishNieRecognizer,
    FiHetuRecognizer,
    FrNirRecognizer,
    GrAmkaRecognizer,
    HrOibRecognizer,
    HuTajRecognizer,
    IePpsnRecognizer,
    ItalianFiscalCodeRecognizer,
    NlBsnRecognizer,
    NoBirthNumberRecognizer,
    PolishPeselRecognizer,
    PlNipRecognizer,
    PtNifRecognizer,
    RoCnpRecognizer,
    SwedishPersonnummerRecognizer,
)
