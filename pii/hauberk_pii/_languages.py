"""Which language a text is in, and a finder for texts of several.

Rules:
* A language is told by its small words and its letters, in the beginning of the text; of two that are
  as likely, and where nothing tells, it is the first of those that can be.
* What needs no language is found in every text: check digits, and the words of our own recognizers.
* A finder for a language is made when the first text of it comes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from hauberk.policy import Difference, NamesModel
from hauberk_pii._finder import Finder, Languages, finder_for
from hauberk_pii._spans import Span

AUTO = ("en", "de", "es", "fr", "it", "nl", "pt")
"""What `auto` chooses from."""

MAX_CHARS = 2000
"""Characters in the beginning of a text that tell its language."""

_WORD = re.compile(r"[^\W\d_]+")
_SMALL = {
    "en": "the and of to is in that it for you was with on are have this be not from at by my your we "
    "has will would please what can do he she they his her our been which an if there",
    "de": "der die das und ist nicht ich sie mit den von zu ein eine für auf im dem des sich auch es wir "
    "ihr ihre mein meine haben hat wird werden bei nach wie aus über bitte oder sind wurde zum zur",
    "es": "el la los las de que y en un una es por con para su se del al lo como más pero mi está son "
    "ha este esta muy sin sobre también hay yo usted fue nos le favor nuestro tiene desde",
    "fr": "le la les de et est un une des du en que qui dans pour pas sur au avec je vous il elle nous ce "
    "cette mon ma votre son sa ses aux par plus sont a été mais ou être merci ai ne se",
    "it": "il lo la gli le di e è che un una per non con del della dei delle nel nella sono mi ha si al "
    "alla come più ma questo questa il mio mia suo sua anche stato grazie io da ho ci",
    "nl": "de het een en van is dat niet ik op te in voor met zijn aan er hij ze mijn uw we wij heeft "
    "worden werd bij naar ook maar om als dan deze dit door kan u jullie hebben graag",
    "pt": "o a os as de e é que um uma em para não com do da dos das no na por se mais meu minha seu sua "
    "ao como foi está são eu você ele ela mas nos já também obrigado tem muito pelo pela",
}
_LETTERS = {"ß": "de", "ñ": "es", "¿": "es", "¡": "es", "œ": "fr", "ê": "fr", "ã": "pt", "õ": "pt", "ĳ": "nl"}  # fmt: skip


@cache
def _languages_of() -> dict[str, tuple[str, ...]]:
    """The languages that a small word belongs to."""
    found: dict[str, tuple[str, ...]] = {}
    for language, words in _SMALL.items():
        for word in words.split():
            found[word] = (*(one for one in found.get(word, ()) if one != language), language)
    return found


def language_of(text: str, among: tuple[str, ...] = AUTO) -> str:
    """The language that a text seems to be in.

    Args:
        text: Any text; its beginning is looked at.
        among: Those that it can be in; the first where nothing tells.

    Example:
        >>> language_of("Bitte rufen Sie mich unter der Nummer an"), language_of("12345")
        ('de', 'en')
    """
    known, count = _languages_of(), Counter[str]()
    for word in _WORD.findall(text[:MAX_CHARS].casefold()):
        of = known.get(word, ())
        for language in of:
            count[language] += 6 // len(of)  # a word of two languages tells half as much
    for char in set(text[:MAX_CHARS].casefold()) & _LETTERS.keys():
        count[_LETTERS[char]] += 6
    return max(among, key=lambda language: count[language])


def first_language(language: Languages) -> str:
    """The language that counts where there is no text to tell it."""
    return _among(language)[0]


def _among(language: Languages) -> tuple[str, ...]:
    if isinstance(language, str):
        return AUTO if language == "auto" else (language,)
    return language


class ManyLanguages(Finder):
    """A finder that takes each text for what its language seems to be. Thread-safe.

    Example:
        >>> finder = finder_for(language="auto", entities=["PHONE_NUMBER"], names="off")
        >>> [span.score for span in finder.find("Mein Handy ist die 030 901820.")]
        [0.75]
    """

    def __init__(
        self,
        entities: Iterable[str],
        *,
        languages: Languages,
        threshold: float,
        names: str | NamesModel,
        strict: frozenset[Difference],
    ) -> None:
        """Make the finder of the first language; the others when they are needed.

        Args:
            entities: Types to find; each must be known in one of the languages.
            languages: Those that texts can be in.
            threshold: Least score, 0 to 1.
            names: Who finds names of people and places, as in `PiiPolicy.names`.
            strict: Differences from Presidio that are switched off.

        Raises:
            PolicyError: A type or a language is not known, or a model is not there.
        """
        from hauberk_pii._engine import engine_for  # noqa: PLC0415 - spaCy: half a second
        from hauberk_pii._registry import recognizers_by_entity  # noqa: PLC0415

        self._languages = _among(languages)
        self.entities = tuple(entities)
        self.threshold = threshold
        self._names_from = names
        self._off = strict
        self.language = self._languages[0]
        if languages != "auto":
            for language in self._languages:
                engine_for(language)  # refuses one that there is none for
        self._known = {
            language: recognizers_by_entity(language, off=strict).keys()
            for language in self._languages
        }
        self.recognizers = self._finder(self.language).recognizers

    def candidates(self, text: str) -> list[Span]:
        """Everything that is found, before overlaps are resolved."""
        return self._finder(language_of(text, self._languages)).candidates(text)

    def _finder(self, language: str) -> Finder:
        known = self._known[language]
        # What only another of the languages has is left out; what none has, a model may find.
        elsewhere = frozenset[str]().union(*self._known.values()) - known
        return finder_for(
            entities=[entity for entity in self.entities if entity not in elsewhere],
            language=language,
            threshold=self.threshold,
            names=self._names_from,
            strict=self._off,
        )
