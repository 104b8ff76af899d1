"""Street addresses and coordinates.

Rules:
* A street has a name with a word or an ending that streets have, and a number; in the order of its
  country. A number alone, or a street alone, is no address.
* What goes on behind it belongs to it: the flat, the post code and the town, a state and a ZIP.
* A key that says "address" makes everything behind it one, if it holds a number and a word.

Does not find: houses with names only, villages without streets, other scripts than Latin.
Sources: USPS Publication 28 (suffixes, units), DIN 5008, the postal operators' pages of the other
countries, in 2026-11. The lists are ours.
"""
# ruff: noqa: ARG002, RUF001 - Presidio asks for these parameters

from __future__ import annotations

import re

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._results import result_of
from hauberk_pii._starts import Sparse
from hauberk_pii.recognizers._announced import gate_of
from hauberk_pii.recognizers._base import OneTypeRecognizer

_SCORE = 0.8
_KEYED = 0.75

_U = r"[A-ZÀ-ÖØ-ÞŁŚŠŽČĆŐŰĐĞİ]"
_L = r"[a-zà-öø-ÿłśšžčćőűđğıęąńźżřěůňťď]"
_W = rf"(?:{_U}[\w'’\-]{{0,24}})"
_UP = rf"(?:{_U}{{2,20}})"
_S = r"[ \t]{1,2}"
_GAP = r"(?:,?[ \t]{1,2}|,?[ \t]{0,2}\\?[\r\n]{1,2}[ \t]{0,4},?[ \t]{0,2}|, ?)"
_HOUSE = r"[0-9]{1,5}(?:[ ]?[a-zA-Z](?![\w]))?(?:[\-/][0-9]{1,4}[a-zA-Z]?)?"

_EN = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|"
    r"Terrace|Ter|Way|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Close|Crescent|Cres|Gardens|Gdns|"
    r"Grove|Mews|Row|Alley|Loop|Walk|Plaza|Plz|Quay|Pike|Turnpike|Expressway|Freeway|Crossing|"
    r"Broadway|Esplanade|Parade|Promenade|Wharf)"
)
_UNIT = (
    r"(?:(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Flat|Room|Rm|Bldg|Building|Box|Wohnung|Whg|Piso|"
    r"Étage|Appt|Interno|Int|Bus|Andar|Apto)\.?[ ]?#?[ ]?[0-9A-Z][0-9A-Za-z\-]{0,6}|#[ ]?[0-9]{1,5}[A-Z]?)"
)
_TOWN = rf"{_W}(?:[ \-]{_W}){{0,3}}"
_STATE_ZIP = r"(?:[A-Z]{2}[ ]{1,2}[0-9]{5}(?:-[0-9]{4})?|[A-Z]{1,2}[0-9][0-9A-Z]?[ ]?[0-9][A-Z]{2})"
_CODE_TOWN = rf"(?:(?:[A-Z]{{1,2}}[\- ])?[0-9]{{4,5}}(?:[\- ]?[A-Z]{{2}}(?![A-Za-z])|-[0-9]{{3}})?[ ]{_TOWN})"
_TAIL = (
    rf"(?:{_GAP}{_UNIT})?"
    rf"(?:{_GAP}(?:{_CODE_TOWN}|(?:{_TOWN}{_GAP})?{_STATE_ZIP}))?"
)
_NUMBERED = r"[0-9]{1,3}(?:st|nd|rd|th)"
_DIR = r"(?:[NSEW]|[NS][EW]|North|South|East|West)\.?"
_ENGLISH = (
    rf"(?:{_UNIT}{_GAP})?[0-9]{{1,6}}[A-Za-z]?(?:[\-/][0-9]{{1,4}})?{_S}(?:{_DIR}{_S})?"
    rf"(?:(?:{_W}|{_NUMBERED}){_S}){{1,4}}{_EN}(?![\w])\.?(?:{_S}{_DIR}(?![\w]))?{_TAIL}"
)
_SUFFIX = (
    r"(?:stra(?:ß|ss)e|str\.|gasse|allee|chaussee|laan|straat|gracht|plein|kade|dijk|singel|dreef|"
    r"gatan|gata|vägen|vejen|veien|vegen|gade|stien|katu|kuja|polku|tie|väylä|bakken|weg|platz|ring|"
    r"damm|ufer|steig|hof|markt|straße)"
)
_GERMANIC = (
    rf"(?:{_U}[\w\-]{{1,24}}{_SUFFIX}|(?:{_W}{_S}){{1,3}}(?:Stra(?:ß|ss)e|Str\.|Allee|Platz|Weg|Ring|Gasse|"
    rf"Damm|Ufer|Chaussee|Straat|Laan|Plein|Utca|utca|út|[Uu]lica))"
    rf"{_S}{_HOUSE}(?![\w%]){_TAIL}"
)
_OF = r"(?:de la|de l['’]|de los|de las|della|dello|delle|degli|del|dei|des|dos|das|du|do|da|di|de|d['’]|la|le|les|los|las|el|al|San|Santa|St\.)"
_ROMANCE_NAME = rf"(?:(?:{_OF}[ ]?)?(?:{_W}|[0-9]{{1,2}}(?=[ ]))[ ]){{0,5}}(?:{_OF}[ ]?)?{_W}"
_FRENCH = (
    r"[0-9]{1,4}(?:[ ]?(?:bis|ter|quater))?,?[ ]"
    r"(?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d\.?|[Pp]lace|[Cc]hemin|[Aa]llée|[Ii]mpasse|[Qq]uai|"
    r"[Cc]ours|[Rr]oute|[Ss]quare|[Pp]assage|[Ff]aubourg|[Ss]entier|[Vv]illa)[ ]"
    rf"{_ROMANCE_NAME}{_TAIL}"
)
_SOUTHERN = (
    r"(?:[Cc]alle|C/|[Aa]venida|Av\.|Avda\.?|[Pp]aseo|[Pp]laza|Pza\.|[Cc]arrera|[Cc]amino|[Rr]onda|"
    r"[Tt]ravesía|[Cc]arretera|[Cc]alzada|Via|Viale|Piazza|Piazzale|Corso|Largo|Vicolo|Strada|Lungotevere|"
    r"[Rr]ua|R\.|[Tt]ravessa|[Pp]raça|[Aa]lameda|[Ee]strada|[Rr]odovia|Ulica|ulica|ul\.)[ ]?"
    rf"{_ROMANCE_NAME},?[ ](?:n\.?[ºo°]\.?|nº|núm\.|num\.|numero|#)?[ ]?{_HOUSE}(?![\w%]){_TAIL}"
)
_BOX = rf"(?:P\.?[ ]?O\.?[ ]?Box|Postfach|Apartado|Caixa Postal|Casella Postale|Boîte Postale|Postbus)[ ][0-9]{{1,6}}{_TAIL}"

_KEY = (
    r"(?:(?:home|billing|shipping|street|mailing|postal|delivery|residential|work|current|permanent)[ _\-]?"
    r"address|address(?:[ _\-]?line)?(?:[ _\-]?[12])?|street|anschrift|adresse|wohnadresse|dirección|domicilio|"
    r"indirizzo|adres|endereço|morada)"
)
_KEYED_VALUE = Sparse(
    re.compile(
        rf"(?i:(?<![^\W_])(?<!mail )(?<!ip )(?<!mac )(?<!wallet ){_KEY}\\?[\"']?[ ]?[:=][ ]?\\?[\"']?)"
        r"(?P<value>(?=[^\r\n\"<>@{}|\\]{0,60}[0-9])(?=[^\r\n\"<>@{}|\\]{0,60}[^\W\d_]{3})[^\r\n\"<>@{}|\\;=]{6,120}?)"
        r"(?=\\?[\"\r\n<{}|;=\\]|\.[ ]|\.?\Z)"
    )
)
_NO_STREET = re.compile(
    r"https?:|[0-9a-f]{12}|[0-9a-f]{2}(?:[:.\-][0-9a-f]{2,4}){3}|(?:\d{1,3}\.){3}", re.IGNORECASE
)


class StreetAddressRecognizer(OneTypeRecognizer):
    """Street addresses in English, German, Dutch, French, Spanish, Italian, Portuguese and Nordic style.

    Example:
        >>> text = "I live at 12 Baker Street, London NW1 6XE now"
        >>> [text[r.start : r.end] for r in StreetAddressRecognizer().analyze(text, ["STREET_ADDRESS"])]
        ['12 Baker Street, London NW1 6XE']
    """

    ENTITY = "STREET_ADDRESS"
    _FIND = tuple(
        Sparse(re.compile(rf"(?<![\w\-/.])(?:{one})"))
        for one in (_ENGLISH, _GERMANIC, _FRENCH, _SOUTHERN, _BOX)
    )
    gates = (
        gate_of(rf"[0-9][\w\-/]{{0,7}}[ \t].*[ \t]{_EN}", fold=False),
        gate_of(rf"(?:{_SUFFIX}|Stra(?:ß|ss)e|Str\.|Allee|Platz|Weg|Ring|Gasse|Damm|Ufer|Chaussee|Straat|Laan|Plein|[Uu]tca|út|[Uu]lica)[ \t]{{1,2}}[0-9]", fold=False),
        gate_of(r"[0-9][ a-z]{0,7},?[ ](?:rue|avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai|cours|route|square|passage|faubourg|sentier|villa)[ ]"),
        gate_of(r"(?:calle|c/|avenida|av\.|avda|paseo|plaza|pza\.|carrera|camino|ronda|travesía|carretera|calzada|via|viale|piazza|piazzale|corso|largo|vicolo|strada|lungotevere|rua|r\.|travessa|praça|alameda|estrada|rodovia|ulica|ul\.)[ ]?\w.*[0-9]"),
        gate_of(r"(?:p\.?[ ]?o\.?[ ]?box|postfach|apartado|caixa postal|casella postale|boîte postale|postbus)[ ][0-9]"),
        gate_of(rf"{_KEY}\\?[\"']?[ ]?[:=]"),
    )  # fmt: skip

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Addresses in a text."""
        found = {m.span(): _SCORE for one in self._FIND for m in one.finditer(text)}
        for match in _KEYED_VALUE.finditer(text):
            if not _NO_STREET.search(match["value"]):
                found.setdefault(match.span("value"), _KEYED)
        return [result_of(self, self.ENTITY, *span, score) for span, score in found.items()]


_NUMBER = r"[+\-]?[0-9]{1,3}\.[0-9]{3,15}"
_DMS = (
    r"[0-9]{1,3}[ ]?°[ ]?[0-9]{1,2}[ ]?['′’][ ]?(?:[0-9]{1,2}(?:\.[0-9]+)?[ ]?(?:[\"″”]|'')[ ]?)?"
)
_NAMED = re.compile(
    rf"(?<![^\W_])(?:(?P<lat>lat(?:itude)?|breite|breitengrad)|lon(?:g|gitude)?|lng|länge|längengrad|longitud|latitud)"
    rf"\\?[\"']?[ ]?[:=]?[ ]?\\?[\"']?(?P<value>{_NUMBER})",
    re.IGNORECASE,
)
_PAIR = re.compile(
    rf"(?<![\w.,\-])(?P<lat>{_NUMBER})[ ]?[,;/][ ]{{0,2}}(?P<lon>{_NUMBER})(?![\w.]|,[0-9])"
)
_DEGREES = re.compile(rf"(?<!\w){_DMS}[NSns][ ,;]{{0,3}}{_DMS}[EWOew](?!\w)")
_MAX_LAT, _MAX_LON = 90, 180
_EXACT = 4
"""Decimals from which a pair that nothing announces says where somebody is: eleven metres."""


class GeoCoordinatesRecognizer(OneTypeRecognizer):
    """Coordinates: pairs of decimal degrees, degrees with minutes, and numbers named latitude or longitude.

    A pair of at least three decimals; without a name at least one of the two has four.

    Example:
        >>> text = "meet me at 48.85837, 2.29448"
        >>> [text[r.start : r.end] for r in GeoCoordinatesRecognizer().analyze(text, [])]
        ['48.85837, 2.29448']
    """

    ENTITY = "GEO_COORDINATES"
    gates = (
        gate_of(r"[0-9]\.[0-9]{3,}[ ]?[,;/][ ]{0,2}[+\-]?[0-9]{1,3}\.[0-9]{3}"),
        gate_of(r"[0-9][ ]?°[ ]?[0-9]"),
        gate_of(r"(?:lat|lon|lng|breite|länge)[a-z]{0,9}\W{0,5}[+\-]?[0-9]{1,3}\.[0-9]{3}"),
    )

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Coordinates in a text."""
        spans = [m.span() for m in _PAIR.finditer(text) if _is_place(m["lat"], m["lon"])]
        spans += [m.span() for m in _DEGREES.finditer(text)]
        spans += [
            m.span("value")
            for m in _NAMED.finditer(text)
            if abs(float(m["value"])) <= (_MAX_LAT if m["lat"] else _MAX_LON)
        ]
        return [result_of(self, self.ENTITY, *span, _SCORE) for span in dict.fromkeys(spans)]


def _is_place(lat: str, lon: str) -> bool:
    exact = max(len(one.partition(".")[2]) for one in (lat, lon)) >= _EXACT
    return exact and abs(float(lat)) <= _MAX_LAT and abs(float(lon)) <= _MAX_LON
