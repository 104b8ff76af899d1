"""National numbers of people in the north and east of Europe.

Sources: the authorities that issue them, as collected in each class; the arithmetic was compared with
python-stdnum 2.2 in the tests. Bulgaria, Croatia, Czechia and Slovakia,
Denmark, Estonia, Finland, Hungary, Lithuania, Norway, Poland, Romania, Sweden.
"""

from __future__ import annotations

from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import (
    DAY,
    MONTH,
    digits,
    luhn,
    mod_11_10,
    real_date,
    varied,
    weighted,
)


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


class DkCprRecognizer(AnnouncedRecognizer):
    """Denmark: personnummer of the CPR. Its check digit is not kept to since 2007; the date is."""

    ENTITY = "DK_CPR"
    SHAPE = rf"{DAY}{MONTH}[0-9]{{2}}[\- ]?[0-9]{{4}}"
    WORDS = ("cpr", "cpr nr", "personnummer", "danish personal number")

    def valid(self, value: str) -> bool:
        """A date."""
        return real_date(int(value[4:6]), int(value[2:4]), int(value[:2]))


class EeLtPersonalCodeRecognizer(AnnouncedRecognizer):
    """Estonia (isikukood, EVS 585) and Lithuania (asmens kodas): the same form and check."""

    ENTITY = "EE_LT_PERSONAL_CODE"
    SHAPE = rf"[1-8][0-9]{{2}}{MONTH}{DAY}[0-9]{{4}}"
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


class FiHetuRecognizer(AnnouncedRecognizer):
    """Finland: henkilötunnus (decree 128/2010; the signs of 2023 too)."""

    ENTITY = "FI_PERSONAL_IDENTITY_CODE"
    SHAPE = rf"{DAY}{MONTH}[0-9]{{2}}[\-+A-FU-Y][0-9]{{3}}[0-9A-FHJ-NPR-Y]"
    ALONE = SHAPE
    WORDS = ("henkilötunnus", "hetu", "personbeteckning")

    def accepts(self, value: str) -> bool:
        """Date and check sign: its middle sign belongs to it."""
        known = real_date(int(value[4:6]), int(value[2:4]), int(value[:2]))
        rest = int(value[:6] + value[7:10]) % 31
        return known and "0123456789ABCDEFHJKLMNPRSTUVWXY"[rest] == value[10]


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


class NoBirthNumberRecognizer(AnnouncedRecognizer):
    """Norway: fødselsnummer, D-nummer (Skatteetaten; two check digits)."""

    ENTITY = "NO_FODSELSNUMMER"
    SHAPE = r"[0-7][0-9][0-9]{4}[ .]?[0-9]{5}"
    ALONE = rf"{DAY}{MONTH}[0-9]{{2}} [0-9]{{5}}"
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


class RoCnpRecognizer(AnnouncedRecognizer):
    """Romania: cod numeric personal (law 105/1996)."""

    ENTITY = "RO_CNP"
    SHAPE = rf"[1-9][0-9]{{2}}{MONTH}{DAY}[0-9]{{6}}"
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
    SHAPE = rf"(?:19|20)?[0-9]{{2}}{MONTH}[0-9]{{2}}[\-+ ]?[0-9]{{4}}"
    ALONE = rf"(?:19|20)[0-9]{{2}}{MONTH}[0-9]{{2}}[\-+][0-9]{{4}}"
    WORDS = ("personnummer", "pnr", "person nr", "samordningsnummer", "swedish personal number")

    def valid(self, value: str) -> bool:
        """Date (days plus 60 for samordningsnummer) and check digit."""
        value = value[-10:]
        known = real_date(int(value[:2]), int(value[2:4]), int(value[4:6]) % 60)
        return known and luhn(value)


EAST: tuple[type[AnnouncedRecognizer], ...] = (
    BgEgnRecognizer,
    CzBirthNumberRecognizer,
    DkCprRecognizer,
    EeLtPersonalCodeRecognizer,
    FiHetuRecognizer,
    HrOibRecognizer,
    HuTajRecognizer,
    NoBirthNumberRecognizer,
    PolishPeselRecognizer,
    PlNipRecognizer,
    RoCnpRecognizer,
    SwedishPersonnummerRecognizer,
)
