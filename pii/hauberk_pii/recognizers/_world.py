"""National numbers of people outside Europe: the Americas, Asia, Africa.

Sources: the authorities that issue them; the arithmetic was compared with python-stdnum 2.2 in the
tests. Argentina, Brazil, Chile, China, Colombia, Ecuador, Hong Kong, Israel, Japan, Mexico, South
Africa, Taiwan, Uruguay.
"""

from __future__ import annotations

from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import (
    DAY,
    MONTH,
    base36,
    digits,
    luhn,
    mod_11_2,
    real_date,
    varied,
    weighted,
)

_TEN = 10


class ArCuitRecognizer(AnnouncedRecognizer):
    """Argentina: CUIT and CUIL (AFIP; two digits, the number of the identity card, a check digit)."""

    ENTITY = "AR_CUIT"
    SHAPE = r"(?:2[03-7]|3[034])[\- ]?[0-9]{8}[\- ]?[0-9]"
    ALONE = r"(?:2[03-7]|3[034])-[0-9]{8}-[0-9]"
    WORDS = ("cuit", "cuil", "clave única de identificación tributaria")

    def valid(self, value: str) -> bool:
        """The check digit, modulo 11."""
        numbers = digits(value)
        check = -weighted(numbers[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        return "01234567899"[check] == str(numbers[10])


class BrCpfRecognizer(AnnouncedRecognizer):
    """Brazil: CPF (Receita Federal; two check digits)."""

    ENTITY = "BR_CPF"
    SHAPE = r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}[\- ]?[0-9]{2}"
    ALONE = r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"
    WORDS = ("cpf", "cadastro de pessoa física", "cadastro de pessoas físicas", "c.p.f.")

    def valid(self, value: str) -> bool:
        """Both check digits."""
        numbers = digits(value)
        return varied(value) and all(
            weighted(numbers[:size], range(size + 1, 1, -1)) * 10 % 11 % 10 == numbers[size]
            for size in (9, 10)
        )


class BrCnpjRecognizer(AnnouncedRecognizer):
    """Brazil: CNPJ, of companies and sole traders (with letters since July 2026: IN RFB 2.229/2024)."""

    ENTITY = "BR_CNPJ"
    SHAPE = r"[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?[0-9]{2}"
    ALONE = r"[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}"
    WORDS = ("cnpj", "cadastro nacional da pessoa jurídica")

    def valid(self, value: str) -> bool:
        """Both check digits; a letter counts as its code minus 48."""
        numbers = [ord(char) - 48 for char in value]
        weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
        return varied(value) and all(
            weighted(numbers[:size], weights[13 - size :]) * 10 % 11 % 10 == numbers[size]
            for size in (12, 13)
        )


class ClRutRecognizer(AnnouncedRecognizer):
    """Chile: RUT and RUN (Registro Civil; modulo 11)."""

    ENTITY = "CL_RUT"
    SHAPE = r"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-?[0-9K]"
    ALONE = r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9K]"
    WORDS = ("rut", "run", "rol único tributario", "rol único nacional", "r.u.t.")
    FOLD = True

    def valid(self, value: str) -> bool:
        """The check digit; K is ten."""
        numbers = digits(value[:-1])[::-1]
        check = -weighted(numbers, (2, 3, 4, 5, 6, 7, 2, 3)) % 11
        return "0123456789K"[check] == value[-1].upper() and varied(value[:-1])


class CnResidentIdRecognizer(AnnouncedRecognizer):
    """China: resident identity number (GB 11643-1999; ISO 7064 MOD 11-2)."""

    ENTITY = "CN_RESIDENT_ID"
    SHAPE = rf"[1-8][0-9]{{5}}(?:19|20)[0-9]{{2}}{MONTH}{DAY}[0-9]{{3}}[0-9X]"
    ALONE = SHAPE
    WORDS = ("身份证", "身份证号", "身份证号码", "公民身份号码", "resident id", "chinese id")
    FOLD = True

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        return real_date(int(value[6:10]), int(value[10:12]), int(value[12:14])) and mod_11_2(value)


class CoNitRecognizer(AnnouncedRecognizer):
    """Colombia: NIT (DIAN; modulo 11). The cédula alone has no check digit."""

    ENTITY = "CO_NIT"
    SHAPE = r"[0-9]{1,3}(?:\.?[0-9]{3}){2}-[0-9]"
    WORDS = ("nit", "n.i.t.", "número de identificación tributaria", "rut colombia")

    def valid(self, value: str) -> bool:
        """The check digit."""
        numbers = digits(value)
        total = weighted(numbers[-2::-1], (3, 7, 13, 17, 19, 23, 29, 37, 41, 43)) % 11
        return (total if total < 2 else 11 - total) == numbers[-1]  # noqa: PLR2004 - 0 and 1 stay


class EcCedulaRecognizer(AnnouncedRecognizer):
    """Ecuador: cédula de identidad (Registro Civil; a province, Luhn)."""

    ENTITY = "EC_CEDULA"
    SHAPE = r"(?:0[1-9]|1[0-9]|2[0-4]|30)[0-6][0-9]{6}-?[0-9]"
    WORDS = ("cédula", "cedula", "cédula de identidad", "cédula de ciudadanía", "c.i.")

    def valid(self, value: str) -> bool:
        """The check digit."""
        return luhn(value)


class HkIdRecognizer(AnnouncedRecognizer):
    """Hong Kong: identity card (Immigration Department; check digit in parentheses)."""

    ENTITY = "HK_ID"
    SHAPE = r"[A-Z]{1,2}[0-9]{6}\(?[0-9A]\)?"
    ALONE = r"[A-Z]{1,2}[0-9]{6}\([0-9A]\)"
    WORDS = ("hkid", "hong kong id", "hong kong identity card", "香港身份證", "身份證號碼")

    def valid(self, value: str) -> bool:
        """The check digit; before a single letter there is a space, which is 36."""
        letters = [base36(c) for c in value[:-7]]
        numbers = ([36, *letters] if len(letters) == 1 else letters) + digits(value[-7:-1])
        last = _TEN if value[-1] == "A" else int(value[-1])
        return (weighted(numbers, range(9, 1, -1)) + last) % 11 == 0


class IlIdRecognizer(AnnouncedRecognizer):
    """Israel: Mispar Zehut (Population Authority; Luhn over nine digits)."""

    ENTITY = "IL_ID"
    SHAPE = r"[0-9]{8}-?[0-9]"
    WORDS = ("teudat zehut", "mispar zehut", "תעודת זהות", "מספר זהות", "ת.ז.", "israeli id", "tz")

    def valid(self, value: str) -> bool:
        """The check digit."""
        return luhn(value)


class JpMyNumberRecognizer(AnnouncedRecognizer):
    """Japan: Individual Number, "My Number" (MIC ordinance 85 of 2014)."""

    ENTITY = "JP_MY_NUMBER"
    SHAPE = r"[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]{4}"
    WORDS = ("my number", "individual number", "マイナンバー", "個人番号")

    def valid(self, value: str) -> bool:
        """The check digit, modulo 11."""
        numbers = digits(value)
        rest = weighted(numbers[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
        return (0 if rest <= 1 else 11 - rest) == numbers[11] and varied(value)


class MxCurpRecognizer(AnnouncedRecognizer):
    """Mexico: CURP (RENAPO, DOF of 18 October 2021)."""

    ENTITY = "MX_CURP"
    SHAPE = (
        rf"[A-Z][AEIOUX][A-Z]{{2}}[0-9]{{2}}{MONTH}{DAY}[HMX](?:AS|BC|BS|CC|CL|CM|CS|CH|DF|DG|GT|GR|"
        r"HG|JC|MC|MN|MS|NT|NL|OC|PL|QT|QR|SP|SL|SR|TC|TS|TL|VZ|YN|ZS|NE)[B-DF-HJ-NP-TV-Z]{3}"
        r"[0-9A-Z][0-9]"
    )
    ALONE = SHAPE
    WORDS = ("curp", "clave única de registro de población")
    FOLD = True

    def valid(self, value: str) -> bool:
        """Date and check digit; Ñ stands between N and O."""
        signs = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
        numbers = [signs.index(char) for char in value.upper()]
        check = -weighted(numbers[:17], range(18, 1, -1)) % 10
        return check == numbers[17] and real_date(
            int(value[4:6]), int(value[6:8]), int(value[8:10])
        )


class TwNationalIdRecognizer(AnnouncedRecognizer):
    """Taiwan: national identification number (Ministry of the Interior)."""

    ENTITY = "TW_NATIONAL_ID"
    SHAPE = r"[A-Z][1289][0-9]{8}"
    WORDS = ("身分證", "身分證字號", "統一編號", "taiwan id", "roc id", "national id")

    def valid(self, value: str) -> bool:
        """The check digit; a letter stands for a number of two digits."""
        letter = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(value[0])
        numbers = [*divmod(letter, 10), *digits(value[1:])]
        return weighted(numbers, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


class UyCedulaRecognizer(AnnouncedRecognizer):
    """Uruguay: cédula de identidad (DNIC)."""

    ENTITY = "UY_CEDULA"
    SHAPE = r"[1-9]\.?[0-9]{3}\.?[0-9]{3}-?[0-9]"
    WORDS = ("cédula", "cedula", "cédula de identidad", "c.i.", "ci uruguay")

    def valid(self, value: str) -> bool:
        """The check digit."""
        numbers = digits(value)
        return -weighted(numbers[:7], (2, 9, 8, 7, 6, 3, 4)) % 10 == numbers[7] and varied(value)


class ZaIdRecognizer(AnnouncedRecognizer):
    """South Africa: identity number (Department of Home Affairs; a date, Luhn)."""

    ENTITY = "ZA_ID_NUMBER"
    SHAPE = rf"[0-9]{{2}}{MONTH}{DAY} ?[0-9]{{4}} ?[0-2][0-9]{{2}}"
    WORDS = ("id", "rsa id", "identity", "sa id", "identity document", "id book", "identiteitsnommer",
             "national id")  # fmt: skip

    def valid(self, value: str) -> bool:
        """Date and check digit."""
        return real_date(int(value[:2]), int(value[2:4]), int(value[4:6])) and luhn(value)


WORLD: tuple[type[AnnouncedRecognizer], ...] = (
    ArCuitRecognizer,
    BrCpfRecognizer,
    BrCnpjRecognizer,
    ClRutRecognizer,
    CnResidentIdRecognizer,
    CoNitRecognizer,
    EcCedulaRecognizer,
    HkIdRecognizer,
    IlIdRecognizer,
    JpMyNumberRecognizer,
    MxCurpRecognizer,
    TwNationalIdRecognizer,
    UyCedulaRecognizer,
    ZaIdRecognizer,
)
