"""Numbers of things that belong to somebody: accounts, cars, phones, wallets; and announced numbers.

Rules:
* What Presidio finds by form alone is found here by the words before it too: a card of a network
  that is not listed, a social security number from an example, a phone number that nobody has.
* Driver licences and bank accounts are rows of letters and digits: only announced ones count, by whole
  words (Presidio takes the "lic" in "public" for one).
"""
# ruff: noqa: RUF001 - signs that people write

from __future__ import annotations

import re
from typing import ClassVar

from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import (
    base58check,
    bech32,
    digits,
    luhn,
    ripple_check,
    varied,
    weighted,
)


class BicRecognizer(AnnouncedRecognizer):
    """Bank identifier codes behind "BIC" or "SWIFT" (ISO 9362; the country is one of ISO 3166)."""

    ENTITY = "BIC"
    SHAPE = (
        r"[A-Z]{4}(?:A[DEFGILMOQRSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNORUVWXYZ]|D[EJKMOZ]|"
        r"E[CEGHRST]|F[IJKMOR]|G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|"
        r"L[ABCIKRSTUVY]|M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|R[EOSUW]|"
        r"S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|U[AGMSYZ]|V[ACEGINU]|W[FS]|XK|Y[ET]|Z[AMW])"
        r"[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?"
    )
    WORDS = (
        "bic",
        "swift",
        "swift bic",
        "bic swift",
        "código swift",
        "codice swift",
        "bankleitcode",
    )


class VinRecognizer(AnnouncedRecognizer):
    """Vehicle identification numbers (ISO 3779).

    Alone only those with the check digit of North America (49 CFR 565.15): Europe's have none.
    """

    ENTITY = "VIN"
    SHAPE = r"(?=[A-Z]{0,16}[0-9])[A-HJ-NPR-Z0-9]{13}[0-9]{4}"
    ALONE = (
        r"[1-5][A-HJ-NPR-Z0-9]{7}[0-9X][A-HJ-NPR-TV-Y1-9][A-HJ-NPR-Z0-9][A-HJ-NPR-Z0-9]{2}[0-9]{4}"
    )
    WORDS = ("vin", "vehicle identification", "chassis", "fahrgestellnummer", "fin", "fahrgestell",
             "fahrzeug identifizierungsnummer", "número de chasis", "numéro de châssis", "telaio",
             "chassi", "chassisnummer", "bastidor")  # fmt: skip

    def accepts(self, value: str) -> bool:
        """The check digit where there has to be one; letters and digits in any case."""
        has_letter = any(char.isalpha() for char in value)
        return has_letter and (value[0] not in "12345" or _vin_check(value))


def _vin_check(value: str) -> bool:
    letters = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
    numbers = [int(letters.get(char, char)) for char in value]
    rest = weighted(numbers, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return "0123456789X"[rest] == value[8]


class ImeiRecognizer(AnnouncedRecognizer):
    """Numbers of phones: IMEI and IMEISV (3GPP TS 23.003; Luhn)."""

    ENTITY = "IMEI"
    SHAPE = r"[0-9]{2}[\- ]?[0-9]{6}[\- ]?[0-9]{6}[\- ]?[0-9]{1,2}|[0-9]{15,16}"
    WORDS = ("imei", "imeisv", "device imei", "imei1", "imei2")

    def valid(self, value: str) -> bool:
        """Luhn; the 16 digits of an IMEISV have no check digit."""
        return luhn(value) if len(value) == 15 else varied(value)  # noqa: PLR2004 - of an IMEI


class IccidRecognizer(AnnouncedRecognizer):
    """Numbers of SIM cards: ICCID (ITU-T E.118; 89, Luhn)."""

    ENTITY = "ICCID"
    SHAPE = r"89[0-9]{2}(?:[ ]?[0-9]{4}){3}[ ]?[0-9]{3,4}|89[0-9]{17,18}"
    ALONE = r"89[0-9]{17,18}"
    WORDS = ("iccid", "sim card", "sim", "simkarte", "sim serial")

    def valid(self, value: str) -> bool:
        """Luhn; twenty digits have it at the end as well."""
        return luhn(value)


class WalletRecognizer(AnnouncedRecognizer):
    """Wallets beside Bitcoin's: Ethereum, Litecoin, Dogecoin, Dash, Tron, XRP, Cardano, Monero.

    Ethereum's by form: its check (EIP-55) needs mixed case, which few write. Solana's, which are
    only base 58, are found behind a word.
    """

    ENTITY = "CRYPTO"
    _B = "[1-9A-HJ-NP-Za-km-z]"
    _SURE = (
        r"0x[0-9a-fA-F]{40}|(?:ltc1|addr1|stake1)[02-9ac-hj-np-z]{20,110}|"
        rf"[LMDTX7]{_B}{{32,34}}|r{_B}{{24,34}}|[48]{_B}{{94}}"
    )
    ALONE = _SURE
    SHAPE = rf"{_SURE}|{_B}{{43,44}}"
    WORDS = ("wallet", "wallet address", "solana", "sol address", "crypto address", "eth address",
             "bitcoin address", "deposit address")  # fmt: skip

    def accepts(self, value: str) -> bool:
        """The check sum that its kind has."""
        if value.startswith("0x"):
            return varied(value[2:])
        if value.startswith(("ltc1", "addr1", "stake1")):
            return bech32(value)
        if value.startswith("r") and len(value) <= 35:  # noqa: PLR2004 - longest of XRP's
            return ripple_check(value)
        if len(value) in (43, 44, 95):
            return any(c.isdigit() for c in value) and any(c.isupper() for c in value) and any(c.islower() for c in value)  # fmt: skip
        return base58check(value)


class WideCardRecognizer(AnnouncedRecognizer):
    """Payment cards of 12 to 19 digits, grouped or not, whatever the network (ISO/IEC 7812; Luhn).

    Alone those of 14 to 19 digits that begin like a network's; the rest behind a word.
    """

    ENTITY = "CREDIT_CARD"
    _GROUPS = r"[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]{1,4}(?:[ \-]?[0-9]{1,3})?"
    SHAPE = rf"{_GROUPS}|[0-9]{{4}}[ \-]?[0-9]{{6}}[ \-]?[0-9]{{4,5}}|[0-9]{{12,19}}"
    ALONE = (
        r"(?:4[0-9]{15}(?:[0-9]{3})?|5[0-8][0-9]{14}|6[0-9]{15}(?:[0-9]{3})?|2[2-7][0-9]{14}|35[0-9]{14}|"
        r"3[47][0-9]{13}|3[0689][0-9]{12})"
        r"|[2-6][0-9]{3}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?"
    )
    WORDS = ("card", "credit card", "debit card", "card number", "cc", "visa", "mastercard", "maestro", "amex",
             "american express", "discover", "diners", "jcb", "unionpay", "kreditkarte", "kreditkartennummer",
             "karte", "kartennummer", "tarjeta", "tarjeta de crédito", "carte", "carte bancaire",
             "carte de crédit", "carta", "carta di credito", "creditcard", "kaart", "kaartnummer", "cartão",
             "cartão de crédito")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Luhn."""
        return luhn(value) and 12 <= len(value) <= 19 and varied(value[:-1])  # noqa: PLR2004 - ISO


class ListedCardRecognizer(CreditCardRecognizer):
    """Presidio's cards, which know some forms that ours do not, in the lengths that networks have."""

    # A number of 15 digits that begins with 35 is a phone's, of 13 with 1 a moment's.
    _SHORT = re.compile(r"3[47][0-9]{13}|1[0-9]{14}|3[0689][0-9]{12}|4[0-9]{12}|[0-9]{16,19}")

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(supported_language=supported_language, name="CreditCardRecognizer")

    def validate_result(self, pattern_text: str) -> bool:
        """Luhn, and a length that the network has."""
        plain = re.sub("[ -]", "", pattern_text)
        return bool(self._SHORT.fullmatch(plain)) and super().validate_result(pattern_text)


class AnnouncedSsnRecognizer(AnnouncedRecognizer):
    """US social security numbers behind their name, those of examples and mistakes too.

    Presidio drops 123-45-6789 and what was never issued: whoever says that it is one gave it away.
    """

    ENTITY = "US_SSN"
    SHAPE = r"[0-9]{3}[\- .]?[0-9]{2}[\- .]?[0-9]{4}"
    REACH = 20
    WORDS = ("ssn", "ssns", "social security", "soc sec", "social sec", "ss#")

    def valid(self, value: str) -> bool:
        """Nothing but that it is no row of one digit."""
        return varied(value)


class AnnouncedNhsRecognizer(AnnouncedRecognizer):
    """UK NHS numbers (NHS Data Dictionary; modulo 11), behind their name or in groups of 3, 3 and 4.

    Presidio takes every eleventh number of ten digits for one.
    """

    ENTITY = "UK_NHS"
    SHAPE = r"[0-9]{3}[\- ]?[0-9]{3}[\- ]?[0-9]{4}"
    ALONE = r"[0-9]{3} [0-9]{3} [0-9]{4}"
    WORDS = ("nhs", "national health service", "patient", "patient id", "health service number")

    def valid(self, value: str) -> bool:
        """The check digit."""
        numbers = digits(value)
        return weighted(numbers, range(10, 0, -1)) % 11 == 0 and varied(value)


class DriverLicenseRecognizer(AnnouncedRecognizer):
    """Driver licences of any country behind their name (forms by state: AAMVA DL/ID standard, 2020)."""

    ENTITY = "US_DRIVER_LICENSE"
    SHAPE = r"(?=[A-Z0-9\-]{0,18}[0-9]{3})[A-Z0-9](?:-?[A-Z0-9]){4,17}"
    REACH = 20
    WORDS = ("driver license", "drivers license", "driver's license", "driving license", "driver licence",
             "driving licence", "driver’s license", "drivers licence", "license number", "licence number",
             "dl", "dln", "führerschein", "führerscheinnummer", "permis de conduire", "permiso de conducir",
             "patente di guida", "rijbewijs", "rijbewijsnummer", "carta de condução", "cnh")  # fmt: skip


class BankAccountRecognizer(AnnouncedRecognizer):
    """Bank accounts of 6 to 17 digits behind their name."""

    ENTITY = "US_BANK_NUMBER"
    SHAPE = r"[0-9]{3,8}(?:[\- ][0-9]{2,8}){1,3}|[0-9]{6,17}"
    REACH = 20
    WORDS = ("bank account", "account number", "acct", "checking account", "savings account", "acc no",
             "bank acct", "kontonummer", "konto nr", "número de cuenta", "cuenta bancaria",
             "numéro de compte", "conto corrente", "rekeningnummer", "conta bancária",
             "número da conta", "conta corrente")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Six to seventeen digits."""
        return 6 <= len(value) <= 17 and varied(value)  # noqa: PLR2004 - as above


class PassportRecognizer(AnnouncedRecognizer):
    """Passports behind the word in other languages (ICAO Doc 9303: at most nine letters and digits)."""

    ENTITY = "PASSPORT"
    REACH = 20
    SHAPE = r"(?=(?:[A-Z]{0,5}[0-9]){4})[A-Z0-9]{7,9}|[A-Z]{1,2} [0-9]{6,7}"
    WORDS: ClassVar[tuple[str, ...]] = ("reisepass", "reisepassnummer", "passnummer", "passeport", "pasaporte", "passaporto",
             "paspoort", "paspoortnummer", "passaporte", "passnr")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Nothing but that it is no row of one sign."""
        return varied(value)


class ForeignPassportRecognizer(PassportRecognizer):
    """Passports behind "passport" that do not have the form of the United States'."""

    WORDS = ("passport", "travel document")

    def valid(self, value: str) -> bool:
        """Neither nine digits, nor a letter and eight."""
        digits_ = value[1:] if value[:1].isalpha() else value
        return varied(value) and not (digits_.isdigit() and len(value) == 9)  # noqa: PLR2004 - nine
