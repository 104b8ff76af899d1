"""Presidio's engine without a model: a blank tokenizer whose lemmas are the lower-cased words.

With Presidio's own engines without a model, context words silently count for nothing: their lemmas
are empty. (Seen with presidio-analyzer 2.2.366.)

Rules:
* No model is loaded and nothing is downloaded.
* Context words are looked for in a stretch of text before a match, not in the whole text; the
  stretch grows until it holds as many words as Presidio looks at.
* A result that is certain, or whose recognizer has no context words, costs no words.
* No text reaches a log line.
"""
# ruff: noqa: ARG002 - Presidio asks for these parameters

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import spacy
from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from spacy.attrs import (  # type: ignore[import-not-found]  # compiled, without types
    IDX,
    IS_PUNCT,
    IS_STOP,
    LENGTH,
    LOWER,
)
from spacy.language import Language

from hauberk_pii._limits import check_findings

_MAX_STRINGS = 400_000
"""Words that a tokenizer may remember before it is made anew: spaCy's vocabulary only grows."""

_WINDOW = 600
"""Characters before a match in which context words are looked for first."""

_MAX_WINDOW = 20_000
"""Characters before a match that are looked at in the end, however few words they hold."""

_MAX_CHUNK = 400
"""Longest stretch without a space that is tokenized whole; tokenizing is quadratic in it."""


_ATTRIBUTES = [LOWER, IDX, LENGTH, IS_STOP, IS_PUNCT]


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

    def stretch(self, text: str, start: int, end: int) -> Stretch:
        """The words of `text[start:end]`, with the same keywords as `process_text` gives."""
        with self._lock:
            nlp = self._fresh()
            # As an array: going through the tokens one by one takes longer than making them.
            rows = nlp.tokenizer(text[start:end]).to_array(_ATTRIBUTES).tolist()
            strings = nlp.vocab.strings
            lemmas = [strings[row[0]] for row in rows]
        parts = [
            lemma.split(":")
            for lemma, row in zip(lemmas, rows, strict=True)
            if not row[3] and not row[4] and lemma != "be"
        ]
        return Stretch(
            start=start,
            end=end,
            word_ends=[start + row[1] + row[2] for row in rows],
            lemmas=lemmas,
            keywords=frozenset(part for inner in parts for part in inner),
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


@dataclass(frozen=True, slots=True)
class Stretch:
    """The words of a part of a text, with offsets into the whole."""

    start: int
    end: int
    word_ends: list[int]
    lemmas: list[str]
    keywords: frozenset[str]
    """Lemmas that count as context: no stop words, no punctuation."""

    def word_at(self, offset: int) -> int:
        """Index of the first word that ends after an offset."""
        return min(bisect_right(self.word_ends, offset), len(self.word_ends) - 1)


class LazyArtifacts:
    """Stands for the tokens of a text until somebody asks for some of them."""

    def __init__(self, text: str, engine: BlankEngine, language: str) -> None:
        self._text = text
        self._engine = engine
        self._language = language
        self._last: Stretch | None = None
        self._parts: frozenset[str] | None = None

    def expect(self, hits: int) -> None:
        """Say that so many places will be asked for: many of them, and one go is cheaper."""
        few = hits * 2 * _WINDOW < len(self._text)
        if self._last is None and not few and _LONG_CHUNK.search(self._text) is None:
            self._last = self._engine.stretch(self._text, 0, len(self._text))

    def around(self, offset: int, words: int) -> Stretch:
        """The stretch around an offset, with as many keywords before it if the text has them."""
        width = _WINDOW
        while True:
            found = self._stretch(offset, width)
            if found.start == 0 or width >= _MAX_WINDOW or offset - found.start < width:
                return found
            before = found.lemmas[: found.word_at(offset) + 1]
            if sum(lemma in found.keywords for lemma in before) > words:
                return found
            width *= 4

    def _stretch(self, offset: int, width: int) -> Stretch:
        last = self._last
        if last is None or offset >= last.end or (last.start and offset - last.start < width):
            start, end = self._bounds(offset, width)
            whole = start == 0 and end == len(self._text)
            last = self._engine.stretch(self._text, start, end)
            if not whole:
                last = replace(last, keywords=last.keywords | self._stray())
            self._last = last
        return last

    def _bounds(self, offset: int, width: int) -> tuple[int, int]:
        """Where a stretch starts and ends: it holds no long chunk, which is no context anyway."""
        start = _word_start(self._text, max(0, offset - width))
        end = _word_end(self._text, offset + _WINDOW)
        for chunk in _LONG_PIECE.finditer(self._text, start, offset):
            inside = chunk.end() == offset
            start = max(start, offset - _MAX_CHUNK) if inside else chunk.end()
        ahead = _LONG_PIECE.search(self._text, offset, end)
        if ahead is not None:
            end = max(ahead.start(), min(end, offset + _MAX_CHUNK))
        return start, end

    def _stray(self) -> frozenset[str]:
        """Parts of words with a colon, from the whole text.

        Presidio splits such words and counts the parts as keywords everywhere, even those that are
        stop words: after "of:5" every "of" is one.
        """
        if self._parts is None:
            chunks = {m[0] for m in _WITH_COLON.finditer(self._text) if len(m[0]) < _MAX_CHUNK}
            odd = " ".join(chunk for chunk in chunks if not _PLAIN_KEY.fullmatch(chunk))
            found = self._engine.stretch(odd, 0, len(odd))
            self._parts = found.keywords
        return self._parts


class WindowedEnhancer(LemmaContextAwareEnhancer):
    """Presidio's context words, looked up near the match only."""

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        """Better scores for those results that have a word of their recognizer before them."""
        check_findings(len(raw_results))
        certain, open_ = _by_need(raw_results, recognizers)
        if open_ and not context:
            far, open_ = _by_words(text, open_, recognizers)
            certain += far
        if not open_:
            return certain
        if isinstance(nlp_artifacts, LazyArtifacts):
            nlp_artifacts.expect(len(open_))
        return certain + super().enhance_using_context(
            text, open_, nlp_artifacts, recognizers, context
        )

    def _extract_surrounding_words(
        self, nlp_artifacts: NlpArtifacts, word: str, start: int
    ) -> list[str]:
        if not isinstance(nlp_artifacts, LazyArtifacts):
            return list(super()._extract_surrounding_words(nlp_artifacts, word, start))
        near = nlp_artifacts.around(start, self.context_prefix_count)
        index = near.word_at(start)
        # Asked for membership only; a list would be searched from its start each time.
        keywords = cast("list[str]", near.keywords)
        words = (self.context_prefix_count, near.lemmas, keywords)
        after = (self.context_suffix_count, near.lemmas, keywords)
        return list(
            {*self._add_n_words_backward(index, *words), *self._add_n_words_forward(index, *after)}
        )


def _by_need(
    results: list[RecognizerResult], recognizers: list[EntityRecognizer]
) -> tuple[list[RecognizerResult], list[RecognizerResult]]:
    """Those whose score no context can raise, and the others."""
    best = LemmaContextAwareEnhancer.MAX_SCORE
    telling = {recognizer.id for recognizer in recognizers if recognizer.context}
    certain: list[RecognizerResult] = []
    open_: list[RecognizerResult] = []
    for result in results:
        owner = result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]
        (open_ if result.score < best and owner in telling else certain).append(result)
    return certain, open_


def _by_words(
    text: str, results: list[RecognizerResult], recognizers: list[EntityRecognizer]
) -> tuple[list[RecognizerResult], list[RecognizerResult]]:
    """Those that no context word of their recognizer is near to, and the others.

    A context word counts wherever it is a part of a word before the match, so it must be a part of the
    text there. Most texts hold none, and need not be split into words at all.
    """
    low = text.lower()
    if len(low) != len(text):  # offsets would be off: a letter with two letters for its small form
        return [], results
    owners = {recognizer.id: recognizer for recognizer in recognizers}
    places: dict[str, list[int]] = {}
    far: list[RecognizerResult] = []
    near: list[RecognizerResult] = []
    for result in results:
        owner = result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]
        if owner not in places:
            found = _context_of(tuple(owners[owner].context or ())).finditer(low)
            places[owner] = [match.start() for match in found]
        at = bisect_left(places[owner], result.start - _MAX_WINDOW - 2 * _MAX_CHUNK)
        reach = result.start + _WINDOW + 2 * _MAX_CHUNK
        is_near = at < len(places[owner]) and places[owner][at] <= reach
        (near if is_near else far).append(result)
    return far, near


@lru_cache(maxsize=256)
def _context_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(sorted({re.escape(word.lower()) for word in words})))


# Both start where a chunk starts and never go back: linear in the text.
_LONG_CHUNK = re.compile(rf"(?<!\S)\S{{{_MAX_CHUNK},}}")
_LONG_PIECE = re.compile(rf"\S{{{_MAX_CHUNK},}}")
_WITH_COLON = re.compile(r"(?<!\S)[^\s:]*+:\S*+")
_PLAIN_KEY = re.compile(r"[\"'({\[]*\w*[\"']?:")
"""A chunk whose colon the tokenizer cuts off."""


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
