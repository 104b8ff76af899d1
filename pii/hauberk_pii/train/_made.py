"""Texts that are made: our own sentences with names from the lists.

Rules:
* The same seed gives the same texts.
* Names come from many locales; half of the texts in a language take that language's own.
* A share of the texts has typing errors, no capitals, or nothing but capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from random import Random

from hauberk_pii.train._corpora import Sample
from hauberk_pii.train._lists import Lists, People

_SLOT = re.compile(r"\{([pfltcnordejhws#])\}")
_LABEL = {"p": "PER", "f": "PER", "l": "PER", "c": "LOC", "n": "LOC", "o": "X", "r": "X", "s": "X"}
_TITLES = {
    "en": ("Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "Mr", "Dr", "Miss", "Sir", "Judge", "Captain"),
    "de": ("Herr", "Frau", "Dr.", "Herr Dr.", "Herrn", "Herrn", "Frau Dr.", "Frau Prof."), "es": ("Sr.", "Sra.", "Don", "Doña"),
    "fr": ("M.", "Mme", "Monsieur", "Madame", "Mlle", "Maître"), "it": ("Sig.", "Signora", "Dott."),
    "nl": ("Dhr.", "Mevr.", "Meneer"), "pt": ("Sr.", "Sra.", "Dona"),
}  # fmt: skip
_DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January",
    "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December", "Christmas", "Easter", "Thanksgiving", "Q3", "Ramadan", "Diwali",
)  # fmt: skip
_OTHER_DAYS = {
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag Januar März Mai Juli Oktober "
    "Dezember Weihnachten Ostern",
    "es": "Lunes Martes Miércoles Jueves Viernes Sábado Domingo enero marzo julio octubre Navidad "
    "martes viernes",
    "fr": "Lundi Mardi Mercredi Jeudi Vendredi Samedi Dimanche janvier mars juillet décembre Noël "
    "Pâques mardi",
    "it": "Lunedì Martedì Mercoledì Giovedì Venerdì Sabato Domenica gennaio marzo luglio Natale Pasqua",
    "nl": "maandag dinsdag Woensdag Donderdag Vrijdag Zaterdag Zondag januari maart juli Kerstmis",
    "pt": "Segunda Terça Quarta Quinta Sexta Sábado Domingo janeiro março julho Natal Páscoa",
}
_FORMS = ("Inc.", "Ltd", "GmbH", "LLC", "Corp", "AG", "Group", "Bank", "Insurance", "University",
          "Hospital", "Airlines", "Systems", "Labs", "Foundation", "& Co", "Partners", "Media",
          "College", "S.A.", "Software", "Energy", "Hotel", "Motors", "Foods", "Clinic")  # fmt: skip
_BRANDS = ("Google", "Amazon", "Microsoft", "Apple", "Netflix", "Facebook", "Uber", "PayPal", "Visa",
           "Lufthansa", "Siemens", "Toyota", "Ikea", "Zara", "NASA", "FBI", "UPS", "DHL", "FedEx",
           "Walmart", "Target", "McDonalds", "McDonald's", "Wendy's", "Macy's", "Boeing", "Ford", "Honda",
           "Philips", "Hermès", "Chanel", "Adidas", "Porsche", "Hilton", "Marriott", "Lidl", "Aldi", "Costco", "Stripe", "Salesforce", "Oracle", "Nestlé", "Bosch")  # fmt: skip
_PRODUCTS = (
    "iPhone", "Excel", "Word", "Slack", "Jira", "GitHub", "Kindle", "Galaxy", "Windows",
    "Android", "Photoshop", "Outlook", "Teams", "Alexa", "Siri", "Cortana", "ChatGPT", "Claude",
    "PlayStation", "Tesla", "Corolla", "Gmail", "Zoom", "Python", "Kubernetes", "Postgres",
    "Minecraft", "Prime", "Office", "Acrobat", "Fitbit", "Roomba", "Nutella", "LangChain",
    "Safari", "Firefox", "Chrome", "Java", "Gradle", "Maven", "Jenkins", "Docker", "Ubuntu",
    "Debian", "Django", "Ruby", "Kafka", "Redis", "Grafana", "Gemini", "Llama", "Mistral",
    "Bard", "Copilot", "Civic", "Golf", "Polo", "Fiesta", "Aspirin", "Ibuprofen", "Tylenol",
    "Botox", "Hamlet", "Monopoly", "Scrabble", "Lego", "Barbie", "Oreo", "Pepsi", "Guinness",
)  # fmt: skip
_KINDS = ("Pro", "Max", "Plus", "Mini", "2", "11", "X", "Premium", "Cloud", "One", "S", "Lite")
_HOME = {"en": "en_US", "de": "de_DE", "es": "es_ES", "fr": "fr_FR", "it": "it_IT", "nl": "nl_NL", "pt": "pt_BR"}  # fmt: skip


class Maker:
    """Makes texts.

    Args:
        lists: Where names come from.
        seed: Of the random choices.
    """

    def __init__(self, lists: Lists, seed: int) -> None:
        self._lists = lists
        self._rng = Random(seed)  # noqa: S311 - not for secrets
        self._templates = templates()
        self._locales = sorted(lists.people)
        self._nobody = People(["Ada"], ["Byron"])

    def samples(self, count: int) -> Iterator[Sample]:
        """So many texts."""
        for _ in range(count):
            language, template = self._rng.choice(self._templates)
            yield self._filled(template, language)

    def _filled(self, template: str, language: str) -> Sample:
        text, at = "", 0
        spans: list[tuple[int, int, str]] = []
        for slot in _SLOT.finditer(template):
            text += template[at : slot.start()]
            at = slot.end()
            for value, label in self._value(slot[1], language):
                if label:
                    spans.append((len(text), len(text) + len(value), label))
                text += value
        return self._worn(Sample(text + template[at:], tuple(spans)))

    def _value(self, slot: str, language: str) -> list[tuple[str, str]]:
        if slot == "t":
            title = self._rng.choice(_TITLES[language])
            name = self._person("l" if self._rng.random() < _SHORT else "p", language)
            return [(title + " ", ""), (name, "PER")]
        if slot in "pfl":
            return [(self._person(slot, language), "PER")]
        makers: dict[str, Callable[[], str]] = {
            "c": self._city,
            "n": partial(self._country, language),
            "o": partial(self._organisation, language),
            "r": self._product,
            "j": partial(self._job, language),
            "s": partial(self._street, language),
            "w": partial(self._rng.choice, _days(language)),
        }
        make = makers.get(slot)
        return [(make() if make else self._number(slot), _LABEL.get(slot, ""))]

    def _people(self, language: str) -> People:
        people, rng = self._lists.people, self._rng
        draw = rng.random()
        if draw < _AT_HOME:
            return people.get(_HOME[language], self._nobody)
        own = [locale for locale in self._locales if locale.startswith(language)]
        return people[rng.choice(own if own and draw < _SAME_LANGUAGE else self._locales)]

    def _person(self, slot: str, language: str) -> str:
        rng, people = self._rng, self._people(language)
        first, last = rng.choice(people.first), rng.choice(people.last)
        if rng.random() < _STRANGE:
            # A name that no list holds: the place and the form must do.
            first, last = _strange(first, rng), _strange(last, rng)
        if slot == "f":
            return first
        draw = rng.random()
        if draw < _HYPHEN:
            last = f"{last}-{rng.choice(people.last)}"
        if slot == "l":
            return last
        middle = ""
        if draw > _MIDDLE:
            middle = f"{rng.choice('ABCDEFGHJKLMNPRSTW')}. "
        elif draw > _SECOND:
            middle = f"{rng.choice(people.first)} "
        return f"{first} {middle}{last}"

    def _city(self) -> str:
        cities = self._lists.cities
        top = 1500 if self._rng.random() < _BIG else len(cities)
        return cities[self._rng.randrange(top)]

    def _country(self, language: str) -> str:
        countries = self._lists.countries
        names = countries.get(_HOME[language]) or countries.get(language) or countries["en"]
        return self._rng.choice(names)

    def _organisation(self, language: str) -> str:
        rng = self._rng
        draw = rng.random()
        if draw < _SHORT:
            return rng.choice(_BRANDS)
        if draw < _AT_HOME + _SHORT:
            name = self._person("l", language)
            if rng.random() < _SHORT:
                other = self._person("l", language)
                return (
                    f"{name}, {self._person('l', language)} and {other}"
                    if draw < _HALF
                    else f"{name}-{other}"
                )
        else:
            name = self._city() if draw > _BIG else rng.choice(_WORDS)
        return f"{name} {rng.choice(_FORMS)}"

    def _product(self) -> str:
        rng = self._rng
        name = rng.choice(_PRODUCTS) if rng.random() < _BIG else rng.choice(_WORDS)
        return f"{name} {rng.choice(_KINDS)}" if rng.random() < _SHORT else name

    def _street(self, language: str) -> str:
        """Streets are named after people and places: that makes neither of them."""
        rng = self._rng
        name = self._person(rng.choice("plf"), language) if rng.random() < _BIG else self._city()
        sort, number = rng.choice(_STREETS), rng.randrange(1, 9999)
        street = f"{name} {sort}" if sort[0].isupper() else f"{sort[1:]} {name}"
        return rng.choice(
            (f"{number} {street}", f"{street} {number}", f"{number} {name} {number % 99}")
        )

    def _job(self, language: str) -> str:
        jobs = self._lists.jobs
        found = [
            n
            for locale, names in sorted(jobs.items())
            if locale.startswith(language)
            for n in names
        ]
        return self._rng.choice(found or jobs["en_US"]).split(",")[0]

    def _number(self, slot: str) -> str:
        rng = self._rng
        shape = rng.choice(_SHAPES[slot])
        return "".join(rng.choice("0123456789") if c == "9" else c for c in shape)

    def _worn(self, sample: Sample) -> Sample:
        draw = self._rng.random()
        if draw < _LOWER:
            text = sample.text.lower()
        elif draw < _UPPER:
            text = sample.text.upper()
        elif draw < _TYPO:
            text = _mistyped(sample, self._rng)
        else:
            return sample
        return Sample(text, sample.spans) if len(text) == len(sample.text) else sample


_AT_HOME, _SAME_LANGUAGE, _STRANGE, _SHORT = 0.3, 0.55, 0.15, 0.4
_HYPHEN, _SECOND, _MIDDLE, _BIG = 0.04, 0.88, 0.92, 0.6
_LOWER, _UPPER, _TYPO = 0.2, 0.23, 0.3
_HALF = 0.55
_STREETS = ("Street", "St", "Road", "Rd.", "Avenue", "Ave", "Lane", "Drive", "Way", "Court", "Square",
            "Straße", "Strasse", "Weg", "Platz", "Allee", "Laan", "Straat", "Crescent", "Close", "Blvd",
            "-rue", "-Rue", "-rue de", "-Calle", "-calle", "-Avenida", "-Via", "-via", "-Rua", "-ul.",
            "-Piazza", "-Plaza", "-Boulevard", "-the corner of", "Terrace", "Place", "Grove")  # fmt: skip
_WORDS = ("Blue", "Global", "North", "Sunrise", "Delta", "Prime", "Apex", "Pioneer", "Summit", "Nova",
          "Green", "Vertex", "Atlas", "Orion", "Quantum", "Silver", "Evergreen", "Horizon", "United",
          "First National", "Royal", "Metro", "Pacific", "Union", "Eagle", "Star", "Harbor")  # fmt: skip
_SHAPES = {
    "#": ("9", "99", "999", "99999", "9999999", "19.99", "9,999", "99-9999"),
    "d": ("99/99/1999", "2099-99-99", "9 March 2019", "May 9, 2029", "99.99.2099", "12 Oct", "3rd of June"),
    "e": ("user99@example.com", "a.b@example.org", "info@example.net"),
    "h": ("+49 30 999999", "(555) 999-9999", "555-9999", "+1 202 999 9999", "06 99 99 99 99"),
}  # fmt: skip


def templates() -> list[tuple[str, str]]:
    """Language and sentence of each template."""
    found: list[tuple[str, str]] = []
    language = "en"
    text = files("hauberk_pii.train").joinpath("templates.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]") and len(line) == len("[en]"):
            language = line[1:-1]
        elif line and not line.startswith("# "):
            found.append((language, line.replace("\\n", "\n").replace("\\t", "\t")))
    return found


def _days(language: str) -> Sequence[str]:
    own = _OTHER_DAYS.get(language)
    return own.split() if own else _DAYS


_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"


def _strange(name: str, rng: Random) -> str:
    """A name like another, which nobody has: its letters are changed, vowels for vowels."""
    letters = list(name)
    for index in rng.sample(range(len(letters)), min(len(letters), 2)):
        char = letters[index]
        for kind in (_VOWELS, _CONSONANTS):
            if char.lower() in kind:
                new = rng.choice(kind)
                letters[index] = new.upper() if char.isupper() else new
    return "".join(letters)


def _mistyped(sample: Sample, rng: Random) -> str:
    """The text with two neighbouring letters of some words swapped, outside of names."""
    inside = {at for start, end, _ in sample.spans for at in range(start - 1, end + 1)}
    letters = list(sample.text)
    for _ in range(max(1, len(letters) // 40)):
        at = rng.randrange(max(1, len(letters) - 1))
        both = letters[at : at + 2]
        if not inside & {at, at + 1} and all(c.islower() for c in both):
            letters[at : at + 2] = reversed(both)
    return "".join(letters)
