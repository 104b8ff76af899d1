r"""Pseudonyms: how they are written, and how a model may spell them.

`<PERSON_1>` stands for one exact text. "Ada@x.com" and "ada@x.com" are two texts with two
pseudonyms: only so does each come back as it was.

Rules:
* Read tolerantly, in clear cases only: `<person_1>`, `<PERSON 1>`, `<PERSON\_1>`, `&lt;PERSON_1&gt;`,
  `%3CPERSON_1%3E`, `\u003cPERSON_1\u003e`, the type's name in other languages (`<PERSONNE_1>`), and the
  bare word `PERSON_1`, also with an `s` behind it. Nothing else is touched.
* Whatever in a text reads like a pseudonym is masked as `<LITERAL_1>`, so that restoring what was
  masked gives the same text, for all texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hauberk_pii._forms import Form, form_of
from hauberk_pii.vault import written

LITERAL = "LITERAL"
"""Type of the pseudonyms that stand for a text which only looks like one."""

_OPEN = ("<", "&lt;", "&#60;", "&#x3c;", "%3c", "\\u003c")
_CLOSE = (">", "&gt;", "&#62;", "&#x3e;", "%3e", "\\u003e")
_SEPARATOR = ("_", " ", "-", "\\_", "%20", "%5f")
_SIGN = re.compile(r"[<&\\]|%3[Cc]|_[1-9]")
"""In every spelling - what opens one, or the end of a bare one - and in few other texts."""
_OPENER = re.compile(r'["<&%\\]')
"""How every spelling with brackets, and a quotation mark before one, begins."""
_DIGITS = 9
"""Most digits of a number: a billion values in one session."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a text reads like a pseudonym."""

    start: int
    end: int
    name: str
    """The pseudonym as we write it. It may or may not have been issued."""
    form: Form = Form.PLAIN
    """How it is written, and so how its value has to be."""


class Grammar:
    """How pseudonyms of some types are spelt.

    Args:
        types: Entity types; `LITERAL` is always one.

    Example:
        >>> [m.name for m in Grammar(["PERSON"]).mentions("ask **<person_1>** or PERSON_2's")]
        ['<PERSON_1>', '<PERSON_2>']
    """

    def __init__(self, types: Iterable[str]) -> None:
        # Longest first: a type may begin like another one.
        known = sorted({*types, LITERAL}, key=_order)
        self._canon = {kind.upper(): kind for kind in known}
        for kind, words in TRANSLATED.items():
            if kind in self._canon.values():
                for word in words:
                    self._canon.setdefault(word, kind)
        called = sorted(self._canon, key=_order)
        # Only ASCII letters in either case: "\u212a" is a small "k" for some.
        number = rf"([1-9][0-9]{{0,{_DIGITS - 1}}})"
        bracketed = (
            rf"(?ai:{_either(_OPEN)}[ ]?({_either(called)}){_either(_SEPARATOR)}{number}"
            rf"[ ]?{_either(_CLOSE)})"
        )
        kinds = _either(known)
        token = rf'"\\u003c({kinds})_{number}>"'
        bracketed = rf"{token}|{bracketed}"
        bare = rf"({kinds})_{number}"
        self._mention = re.compile(rf"{bracketed}|(?<![0-9A-Za-z_]){bare}(?!(?!s\b)[0-9A-Za-z_])")
        # Without the bounds of a word: what is beside may be masked away.
        self._likeness = re.compile(rf"{bracketed}|{bare}")
        self._quoted = re.compile(rf"{token}\Z")
        self._begun = re.compile(_beginnings(known, called))
        self._ends = frozenset("".join(known) + "0123456789s")
        """What a bare one that is not finished can end with."""
        self.longest = max(map(len, called)) + _DIGITS + 2 * max(map(len, _OPEN)) + 7
        """Characters of the longest spelling."""

    def mentions(self, text: str, start: int = 0) -> Iterator[Mention]:
        """Where a text has pseudonyms, from `start` on."""
        return self._found(self._mention, text, start)

    def likenesses(self, text: str) -> Iterator[Mention]:
        """Where a text has anything that could be read as a pseudonym once other parts change."""
        return self._found(self._likeness, text, 0)

    def open_from(self, text: str, start: int = 0) -> int:
        """Where a pseudonym may have begun that the text does not finish; its length if none has.

        Args:
            text: What came so far.
            start: Where to look from: what lies before is settled.
        """
        low = max(start, len(text) - self.longest)
        # Most pieces of most streams: the pattern of all beginnings is long.
        if text[-1:] not in self._ends and _OPENER.search(text, low) is None:
            return len(text)
        match = self._begun.search(text, low)
        if match is None:
            return len(text)
        at = match.start()
        if text[at] == '"' and self._quoted.search(text, max(start, at - self.longest), at + 1):
            return at + 1  # the quotation mark ends one, and begins none
        return at

    def _found(self, pattern: re.Pattern[str], text: str, start: int) -> Iterator[Mention]:
        if _SIGN.search(text, start) is None:
            return
        for match in pattern.finditer(text, start):
            kind, number = match[1] or match[3] or match[5], match[2] or match[4] or match[6]
            name = written(self._canon[kind.upper()], int(number))
            yield Mention(match.start(), match.end(), name, form_of(match[0]))


def _either(words: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in words) + ")"


def _begun(words: Iterable[str]) -> str:
    """A pattern for every beginning of one of some words, the empty one left out."""
    return _either(
        sorted({word[:n] for word in words for n in range(1, len(word) + 1)}, key=_order)
    )


def _order(word: str) -> tuple[int, str]:
    return -len(word), word


def _beginnings(known: list[str], called: list[str]) -> str:
    """A pattern for every beginning of a pseudonym that reaches the end of the text."""
    kinds, seps = _either(called), _either(_SEPARATOR)
    number = rf"[1-9][0-9]{{0,{_DIGITS - 1}}}"
    # A quotation mark may belong to it: then it stands for a whole number.
    opened = rf'"?{_either(_OPEN)}[ ]?'
    steps = (
        '"',
        rf'"?{_begun(_OPEN)}',
        opened,
        rf"{opened}{_begun(called)}",
        rf"{opened}{kinds}{_begun(_SEPARATOR)}",
        rf"{opened}{kinds}{seps}{number}[ ]?",
        rf"{opened}{kinds}{seps}{number}[ ]?{_begun([c[:-1] for c in _CLOSE if len(c) > 1])}",
        rf'"\\u003c{kinds}_{number}>',
    )
    bare = rf"(?<![0-9A-Za-z_])(?:{_begun(known)}|{_either(known)}_(?:{number}s?)?)"
    return rf"(?:(?ai:{'|'.join(steps)})|{bare})\Z"


TRANSLATED: dict[str, tuple[str, ...]] = {
    "PERSON": ("PERSONA", "PERSONNE", "PERSOON", "PESSOA", "OSOBA"),
    "EMAIL_ADDRESS": (
        *("EMAIL", "E_MAIL_ADRESSE", "EMAIL_ADRESSE", "ADRESSE_EMAIL", "ADRESSE_E_MAIL"),
        *("DIRECCION_EMAIL", "DIRECCION_DE_EMAIL", "DIRECCION_DE_CORREO", "CORREO_ELECTRONICO"),
        *("INDIRIZZO_EMAIL", "INDIRIZZO_E_MAIL", "EMAIL_ADRES", "E_MAILADRES", "ENDERECO_EMAIL"),
        *("ENDERECO_DE_EMAIL", "DIRECCIÓN_DE_CORREO", "CORREO_ELECTRÓNICO", "ENDEREÇO_DE_EMAIL"),
    ),
    "PHONE_NUMBER": (
        *("PHONE", "TELEFONNUMMER", "NUMERO_DE_TELEFONO", "NUMERO_DE_TELEPHONE"),
        *("NUMERO_DI_TELEFONO", "TELEFOONNUMMER", "NUMERO_DE_TELEFONE", "NÚMERO_DE_TELÉFONO"),
        *("NUMÉRO_DE_TÉLÉPHONE", "NÚMERO_DE_TELEFONE"),
    ),
    "CREDIT_CARD": (
        *("KREDITKARTE", "TARJETA_DE_CREDITO", "CARTE_DE_CREDIT", "CARTA_DI_CREDITO"),
        *("CREDITCARD", "CARTAO_DE_CREDITO", "TARJETA_DE_CRÉDITO", "CARTE_DE_CRÉDIT"),
        "CARTÃO_DE_CRÉDITO",
    ),
    "STREET_ADDRESS": ("ADRESSE", "DIRECCION", "DIRECCIÓN", "INDIRIZZO", "ADRES", "ENDERECO"),
    "DATE_OF_BIRTH": (
        *("GEBURTSDATUM", "FECHA_DE_NACIMIENTO", "DATE_DE_NAISSANCE", "DATA_DI_NASCITA"),
        *("GEBOORTEDATUM", "DATA_DE_NASCIMENTO"),
    ),
    "LOCATION": (
        "ORT",
        "UBICACION",
        "UBICACIÓN",
        "LUGAR",
        "LIEU",
        "LUOGO",
        "LOCATIE",
        "LOCALIZACAO",
    ),
    "PASSWORD": ("PASSWORT", "CONTRASENA", "CONTRASEÑA", "MOT_DE_PASSE", "WACHTWOORD", "SENHA"),
    "USERNAME": ("BENUTZERNAME", "NOMBRE_DE_USUARIO", "NOM_D_UTILISATEUR", "GEBRUIKERSNAAM"),
    "IBAN_CODE": ("IBAN", "IBAN_NUMMER"),
    "IP_ADDRESS": ("IP_ADRESSE", "ADRESSE_IP", "DIRECCION_IP", "DIRECCIÓN_IP", "INDIRIZZO_IP"),
}
"""What a model that answers in another language makes of a type's name; inside brackets only."""
