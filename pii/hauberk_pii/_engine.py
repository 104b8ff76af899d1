"""Presidio's engine without a model: a blank tokenizer whose lemmas are the lower-cased words.

With Presidio's own engines without a model, context words silently count for nothing: their lemmas
are empty. (Seen with presidio-analyzer 2.2.366.)

Rules:
* No model is loaded and nothing is downloaded.
* Context words are looked for backwards from a match, not in the whole text (`_context`).
* A result that is certain, or whose recognizer has no context words, costs no words.
* No text reaches a log line.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import spacy
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from spacy.language import Language
from spacy.tokenizer import Tokenizer  # type: ignore[import-not-found]  # compiled, without types
from spacy.tokens import Token

from hauberk import PolicyError
from hauberk_pii._context import MAX_CHUNK, Surroundings, Word

_MAX_STRINGS = 400_000
"""Words that a tokenizer may remember before it is made anew: spaCy's vocabulary only grows."""
_MAX_SPLITS = 20_000
"""Words with signs that are remembered as they are split, before they are forgotten."""
_MAX_WORD = 24
_WORDY = re.compile(r"[^\W\d_]*[^\w@]{0,2}[^\W\d_]*[^\w@]{0,2}")
"""A word with signs around it, as texts share it; nothing with digits, no address."""


class BlankEngine(NlpEngine):
    """An NLP engine that splits into words and knows nothing else. Thread-safe.

    Args:
        language: ISO 639-1 code of the only language.

    Raises:
        ValueError: spaCy knows no such language.
    """

    engine_name = "hauberk_blank"
    is_available = True

    def __init__(self, language: str) -> None:
        self._language = language
        self._lock = threading.Lock()
        self._nlp: Language | None = None
        self._special: frozenset[str] | None = None
        self._splits: dict[str, list[Word]] = {}

    def load(self) -> None:
        """Make the tokenizer."""
        try:
            self._nlp = spacy.blank(self._language)
        except ImportError:
            raise ValueError(f"no tokenizer for the language {self._language!r}") from None
        tokenizer: Any = self._nlp.tokenizer
        if type(tokenizer) is Tokenizer:  # others split words without a space
            self._special = frozenset(tokenizer.rules)

    def is_loaded(self) -> bool:
        """Whether the tokenizer is made."""
        return self._nlp is not None

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Tokens of a text, with lower-cased words as lemmas."""
        with self._lock:
            # Not nlp(text), which refuses texts of more than a million characters.
            tokens = self._fresh().tokenizer(text)
            lemmas = [token.lower_ for token in tokens]
            return NlpArtifacts(
                entities=[],
                tokens=tokens,
                tokens_indices=[token.idx for token in tokens],
                lemmas=lemmas,
                nlp_engine=self,
                language=language,
                scores=[],
            )

    def split(self, chunk: str) -> list[Word]:
        """The words of a stretch without a space, or of spaces, as `process_text` gives them."""
        with self._lock:
            known = self._splits.get(chunk)
            if known is None:
                known = self._split(chunk)
                if len(chunk) <= _MAX_WORD and _WORDY.fullmatch(chunk):
                    if len(self._splits) > _MAX_SPLITS:
                        self._splits = {}
                    self._splits[chunk] = known
            return known

    def _split(self, chunk: str) -> list[Word]:
        nlp = self._fresh()
        if self._is_one_word(chunk):
            low = chunk.lower()
            return [(low, len(chunk), low not in nlp.Defaults.stop_words and low != "be")]
        return [
            (token.lower_, token.idx + len(token), self._tells(token))
            for token in nlp.tokenizer(chunk)
        ]

    def _is_one_word(self, chunk: str) -> bool:
        """Whether a chunk is certainly a word by itself: letters are split by special cases only."""
        return (
            self._special is not None
            and chunk.isascii()
            and chunk.isalpha()
            and chunk not in self._special
        )

    @staticmethod
    def _tells(token: Token) -> bool:
        return not token.is_stop and not token.is_punct and token.lower_ != "be"

    def process_batch(
        self,
        texts: Iterable[Any],
        language: str,
        batch_size: int = 1,
        n_process: int = 1,
        *,
        as_tuples: bool = False,
        **_: Any,
    ) -> Iterator[Any]:
        """Each text with its tokens; with `as_tuples`, (text, context) pairs with theirs."""
        for item in texts:
            text, *context = item if as_tuples else (item,)
            yield (text, self.process_text(str(text), language), *context)

    def is_stopword(self, word: str, language: str) -> bool:
        """Whether a word says nothing by itself."""
        return bool(self._loaded().vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        """Whether a word is punctuation."""
        return bool(self._loaded().vocab[word].is_punct)

    def get_supported_entities(self) -> list[str]:
        """None: words are not labelled."""
        return []

    def get_supported_languages(self) -> list[str]:
        """The one language."""
        return [self._language]

    def _loaded(self) -> Language:
        if self._nlp is None:
            self.load()
        assert self._nlp is not None  # noqa: S101 - for the type checker: load has set it
        return self._nlp

    def _fresh(self) -> Language:
        if len(self._loaded().vocab.strings) > _MAX_STRINGS:
            self.load()
        return self._loaded()


class LazyArtifacts:
    """Stands for the tokens of a text: whether a context word is before a match is asked of it."""

    def __init__(self, text: str, engine: BlankEngine, language: str) -> None:
        self._text = text
        self._engine = engine
        self._language = language
        self._around: dict[int, Surroundings] = {}
        self._parts: frozenset[str] | None = None

    def hold(self, context: tuple[str, ...], offset: int, count: int) -> bool:
        """Whether one of the last `count` words that say something contains a context word."""
        if count not in self._around:
            self._around[count] = Surroundings(
                self._text, split=self._engine.split, stray=self._stray, count=count
            )
        return self._around[count].hold(context, offset)

    def _stray(self) -> frozenset[str]:
        """Parts of words with a colon, from the whole text.

        Presidio splits such words and counts the parts as keywords everywhere, even those that are
        stop words: after "of:5" every "of" is one.
        """
        if self._parts is None:
            spaced = self._text.split() if ":" in self._text else ()
            chunks = {one for one in spaced if ":" in one and len(one) < MAX_CHUNK}
            words = [
                self._engine.split(chunk) for chunk in chunks if not _PLAIN_COLON.fullmatch(chunk)
            ]
            telling = (word[0].split(":") for split in words for word in split if word[2])
            self._parts = frozenset(part for parts in telling for part in parts)
        return self._parts


@cache
def engine_for(language: str) -> BlankEngine:
    """The engine for a language, made once per process.

    Raises:
        PolicyError: There is no tokenizer for the language.
    """
    engine = BlankEngine(language)
    try:
        engine.load()
    except ValueError as error:
        raise PolicyError(
            str(error), field="pii.language", remedy="Use an ISO 639-1 code."
        ) from None
    return engine


_PLAIN_COLON = re.compile(r"[\"'({\[]*\w*[\"']?:|[\"'({\[]*\d[\w.\-]*(?::\d\w*)+[\"',;)}\]]*")
"""A chunk whose colon the tokenizer cuts off, or a time of day, whose parts say something anyway."""
