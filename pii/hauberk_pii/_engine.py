"""Presidio's engine without a model: a blank tokenizer whose lemmas are the lower-cased words.

With Presidio's own engines without a model, context words silently count for nothing: their lemmas
are empty. (Seen with presidio-analyzer 2.2.366.)

Rules:
* No model is loaded and nothing is downloaded.
* Context words are looked for in a stretch of text before a match, not in the whole text; the
  stretch grows until it holds as many words as Presidio looks at.
* No text reaches a log line.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import spacy
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from spacy.language import Language

_MAX_STRINGS = 400_000
"""Words that a tokenizer may remember before it is made anew: spaCy's vocabulary only grows."""

_WINDOW = 600
"""Characters before a match in which context words are looked for first."""

_MAX_WINDOW = 20_000
"""Characters before a match that are looked at in the end, however few words they hold."""

_MAX_CHUNK = 2_000
"""Longest stretch without a space that is tokenized whole; tokenizing is quadratic in it."""


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

    def load(self) -> None:
        """Make the tokenizer."""
        try:
            self._nlp = spacy.blank(self._language)
        except ImportError:
            raise ValueError(f"no tokenizer for the language {self._language!r}") from None

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
    """Stands for the tokens of a text until somebody asks for some of them."""

    def __init__(self, text: str, engine: BlankEngine, language: str) -> None:
        self._text = text
        self._engine = engine
        self._language = language
        self._known: tuple[int, int, NlpArtifacts] | None = None

    def before(self, start: int, words: int) -> tuple[int, NlpArtifacts]:
        """Tokens around `start`, with at least `words` words before it where the text has them.

        Returns:
            Where the stretch begins, and its tokens.
        """
        width = _WINDOW
        while True:
            left, found = self._stretch(start, width)
            count = sum(
                lemma in found.keywords
                for lemma, at in zip(found.lemmas, found.tokens_indices, strict=True)
                if at + left <= start
            )
            if left == 0 or count > words or width >= _MAX_WINDOW:
                return left, found
            width *= 4

    def _stretch(self, start: int, width: int) -> tuple[int, NlpArtifacts]:
        if self._known is not None:
            left, right, found = self._known
            if start < right and (left == 0 or start - left >= width):
                return left, found
        left = _word_start(self._text, max(0, start - width))
        right = _word_end(self._text, start + width)
        found = self._engine.process_text(self._text[left:right], self._language)
        # Asked for membership only, and often: a list would be searched from its start each time.
        setattr(found, "keywords", frozenset(found.keywords))  # noqa: B010 - typed as a list
        self._known = (left, right, found)
        return left, found


class WindowedEnhancer(LemmaContextAwareEnhancer):
    """Presidio's context words, looked up near the match only."""

    def _extract_surrounding_words(
        self, nlp_artifacts: NlpArtifacts, word: str, start: int
    ) -> list[str]:
        if not isinstance(nlp_artifacts, LazyArtifacts):
            return list(super()._extract_surrounding_words(nlp_artifacts, word, start))
        left, found = nlp_artifacts.before(start, self.context_prefix_count + 1)
        index = self._find_index_of_match_token(
            "", start - left, found.tokens, found.tokens_indices
        )
        before = self._add_n_words_backward(
            index, self.context_prefix_count, found.lemmas, found.keywords
        )
        after = self._add_n_words_forward(
            index, self.context_suffix_count, found.lemmas, found.keywords
        )
        return list({*before, *after})


def _word_start(text: str, at: int) -> int:
    """The nearest place at or before `at` where a word starts after a space."""
    limit = max(0, at - _MAX_CHUNK)
    while at > limit and not (text[at - 1].isspace() and not text[at].isspace()):
        at -= 1
    return at


def _word_end(text: str, at: int) -> int:
    """The nearest place at or after `at` where a word has ended."""
    limit = min(len(text), at + _MAX_CHUNK)
    while at < limit and not text[at].isspace():
        at += 1
    return min(at, len(text))
