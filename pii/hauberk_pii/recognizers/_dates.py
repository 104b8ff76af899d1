"""Dates of birth: dates behind a word that says so, in seven languages.

Rules:
* A date is written with numbers (in any order), with the name of its month, or as ISO 8601.
* Only what is announced is a date of birth; the other dates are `DATE_TIME`, which is off by default.
* A year alone counts behind "born in" and "year of birth".
"""
# ruff: noqa: RUF001 - signs that people write

from __future__ import annotations

from hauberk_pii.recognizers._announced import AnnouncedRecognizer
from hauberk_pii.recognizers._checks import digits

_MONTHS = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar|brero|braio|ruari)?|f[ée]v(?:rier|ereiro)?|m(?:ar(?:ch|s|zo|ço)?|ärz|rz|aart)|"
    r"apr(?:il|ile)?|a[vb]r(?:il)?|ma(?:y|i|yo|ggio|io|ei)|mei|jun(?:e|i|io|ho)?|juin|giu(?:gno)?|jul(?:y|i|io|ho)?|juil(?:let)?|"
    r"lug(?:lio)?|aug(?:ust|ustus)?|ao[uû]t|ago(?:sto)?|sep(?:t(?:ember|embre|iembre)?)?|set(?:tembre|embro)?|o[kc]t(?:ober|obre|ubre)?|"
    r"ott(?:obre)?|out(?:ubro)?|nov(?:ember|embre|iembre|embro)?|d(?:e[czk])(?:ember|embre|embro|iembre)?|d[ée]c(?:embre)?|dic(?:embre|iembre)?|"
    r"ene(?:ro)?|gen(?:naio)?|januari|janeiro)"
)
_YEAR = r"(?:(?:18|19|20)[0-9]{2})"
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_ORDINAL = r"(?:st|nd|rd|th|er|º|\.|°)?"
_NUMERIC = (
    rf"{_YEAR}[\-/.]{_MONTH}[\-/.]{_DAY}(?:T[0-9:.]{{4,12}}Z?)?|"
    rf"{_DAY}[\-/. ]{{1,2}}{_MONTH}[\-/. ]{{1,2}}(?:{_YEAR}|[0-9]{{2}})|{_MONTH}[\-/.]{_DAY}[\-/.](?:{_YEAR}|[0-9]{{2}})|"
    rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
)
_NAMED = (
    rf"{_DAY}{_ORDINAL}[ \-]?(?:of |de |d['’])?{_MONTHS}\.?,?[ \-]?(?:de |del )?(?:{_YEAR}|['’][0-9]{{2}})|"
    rf"{_MONTHS}\.?[ \-]{_DAY}{_ORDINAL},?[ \-]{_YEAR}"
)


class DateOfBirthRecognizer(AnnouncedRecognizer):
    """Dates behind "born on", "DOB", "Geburtsdatum", "né le", "fecha de nacimiento" and their like.

    Example:
        >>> text = "Born on 12 March 1985 in Ulm, hired 2019-02-01"
        >>> [text[r.start : r.end] for r in DateOfBirthRecognizer().analyze(text, ["DATE_OF_BIRTH"])]
        ['12 March 1985']
    """

    ENTITY = "DATE_OF_BIRTH"
    REACH = 16
    LIST = False
    SHAPE = rf"{_NUMERIC}|{_NAMED}"
    FOLD = True
    WORDS = (
        "date of birth", "dob", "d.o.b.", "birth date", "birthday", "birthdate", "born", "born on", "bday",
        "geburtsdatum", "geburtstag", "geb.", "geboren am", "geboren", "geb. am", "date de naissance",
        "né le", "née le", "né(e) le", "naissance", "fecha de nacimiento", "nacimiento", "nacido el", "nacida el",
        "nació el", "data di nascita", "nato il", "nata il", "nato a", "nata a", "geboortedatum",
        "geboren op", "data de nascimento", "nascimento", "nascido em", "nascida em", "nasceu em", "d.n.",
    )  # fmt: skip

    def valid(self, value: str) -> bool:
        """Digits enough for a day and a year."""
        return len(digits(value)) >= 3  # noqa: PLR2004 - "1 May '85"


class YearOfBirthRecognizer(AnnouncedRecognizer):
    """Years behind "born in" and "year of birth"."""

    ENTITY = "DATE_OF_BIRTH"
    REACH = 3
    LIST = False
    SHAPE = _YEAR
    WORDS = (
        "born in", "year of birth", "birth year", "yob", "geburtsjahr", "jahrgang", "né en", "née en",
        "año de nacimiento", "nacido en", "nacida en", "anno di nascita", "nato nel", "nata nel",
        "geboortejaar", "geboren in", "ano de nascimento", "nascido em", "nascida em",
    )  # fmt: skip
