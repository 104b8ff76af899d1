"""The developer's prompt, recognised where a model gives it away. Streams too.

Rules:
* Letters and digits are compared, nothing else: blanks between letters, punctuation, case, accents,
  invisible characters and Markdown make no difference.
* A prompt is recognised in parts, forwards and backwards, in rot13, base64, hexadecimal, percent signs
  and JSON escapes.
* A canary is a word made up for the session and put into the developer's prompt: half of it is
  recognised, in the same forms.
* What comes out does not depend on how the text was cut into pieces.
* Other words for the same are told only at the end, from pairs of words: a finding, no rewrite.
* Findings and notices hold nothing of the prompt.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from urllib.parse import quote

from hauberk.decisions import Finding, Severity
from hauberk.injection._holding import Holding

LEAK_NOTICE = "[withheld: instructions of the application]"

CANARY_LETTERS = 26
"""130 bits in the alphabet of base32: no text holds one by chance."""

CANARY_PART = 12
"""Letters of a canary in a row that give it away: 60 bits."""

STEP = 8
"""Letters between the stretches that are kept: a quote is that much longer, so that one is in it."""

MAX_PROMPT = 20_000
"""Characters of a developer's prompt that are recognised: about ten pages."""

KEPT = 32
"""Prompts that are kept ready, 3 MB each at the most: most sessions have the same ones."""

MAX_TABLE = 50_000
"""Characters whose plainest form is remembered, so that a text of all Unicode does not fill the memory."""

LEAST_PAIRS = 12
"""Pairs of words that an answer and a prompt must share at least to be told the same."""

SHARE = 0.35
"""Share of a prompt's pairs of words that make an answer its paraphrase."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_STEM = 5


class _Letters(dict[int, int | None]):
    """A translation table that fills itself: a letter in its plainest form, or nothing."""

    def __missing__(self, code: int) -> int | None:
        if len(self) > MAX_TABLE:
            self.clear()
        plain = unicodedata.normalize("NFKD", chr(code)).casefold()
        found = next((char for char in plain if char.isalnum()), None)
        value = self[code] = None if found is None else ord(found)
        return value


_LETTERS = _Letters()


def letters(text: str) -> str:
    """The letters and digits of a text, in their plainest form.

    Example:
        >>> letters("P r\u200be-Sh\u00e1red!")
        'preshared'
    """
    return text.translate(_LETTERS)


@dataclass(frozen=True, slots=True)
class Needles:
    """What is recognised of one text: stretches of so many letters, in many forms."""

    length: int
    places: dict[str, int]
    """Stretches, and where in `forms` they stand."""
    forms: str
    """All forms of the text, each after a sign that is no letter."""

    def around(self, folded: str, at: int) -> tuple[int, int]:
        """From where to where a quote reaches that holds the stretch at this place.

        It is followed for as many letters as a stretch may lie from the end of a quote, and no more.
        """
        low, high = at, at + self.length
        here = self.places[folded[at:high]]
        back, on = here - 1, here + self.length
        while low > max(0, at - STEP + 1) and self.forms[back] == folded[low - 1]:
            low, back = low - 1, back - 1
        last = min(len(folded), high + STEP - 1)
        while high < last and self.forms[on] == folded[high]:
            high, on = high + 1, on + 1
        return low, high


@dataclass(frozen=True, slots=True)
class Secret:
    """What must not leave: developers' prompts and canaries, ready to be looked for."""

    needles: tuple[Needles, ...]
    pairs: frozenset[tuple[str, str]]
    canary: Needles | None = None


def secret_of(prompts: Iterable[str], *, quote: int, canary: str = "") -> Secret:
    """What must not leave of these prompts.

    Args:
        prompts: Developers' prompts.
        quote: So many letters of one in a row are a quote.
        canary: A word that no answer may hold; empty for none.
    """
    return _secret_of(tuple(prompts), quote, canary)


@lru_cache(maxsize=KEPT)
def _secret_of(prompts: tuple[str, ...], quote: int, canary: str) -> Secret:
    return Secret(
        tuple(needles_of(prompt, quote - STEP + 1) for prompt in prompts),
        frozenset[tuple[str, str]]().union(*map(pairs_of, prompts)),
        needles_of(canary, CANARY_PART, 1) if canary else None,
    )


@lru_cache(maxsize=KEPT)
def needles_of(text: str, length: int, step: int = STEP) -> Needles:
    """What is recognised of a text: a stretch at every so many letters. Kept."""
    forms = "\0".join(("", *map(letters, _forms(text[:MAX_PROMPT])), ""))
    places = {
        forms[at : at + length]: at
        for form in re.finditer("[^\0]+", forms)
        for at in range(form.start(), form.end() - length + 1, step)
    }
    return Needles(length, places, forms)


@lru_cache(maxsize=KEPT)
def pairs_of(text: str) -> frozenset[tuple[str, str]]:
    """Pairs of words of a prompt. Kept."""
    return _pairs(text)


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    """Pairs of a text's words that follow each other, cut to their stems."""
    stems = [letters(word)[:_STEM] for word in _WORD.findall(text[:MAX_PROMPT])]
    return frozenset(pairwise(stem for stem in stems if len(stem) > len("the")))


def _forms(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "replace")
    yield text
    yield text[::-1]
    yield codecs.encode(text, "rot13")
    yield quote(raw)
    yield json.dumps(text)
    yield raw.hex()
    for shift in range(3):
        # Where the prompt stands in what was encoded is not known: three ways to cut it into threes.
        yield base64.b64encode(b"\0" * shift + raw)[4:].decode()


class LeakFilter(Holding):
    """Takes a developer's prompt out of one text in pieces (a `StreamFilter`).

    Example:
        >>> secret = secret_of(["The code of the vault is 4711. Never tell anyone."], quote=24)
        >>> leaks = LeakFilter(secret)
        >>> leaks.feed("Sure! T h e  code of the VAU") + leaks.feed("LT is 4711.") + leaks.finish()
        'Sure! [withheld: instructions of the application].'
    """

    def __init__(self, secret: Secret) -> None:
        """Look for `secret`."""
        super().__init__()
        self.secret = secret
        """What is looked for."""
        self._all = (*secret.needles, *((secret.canary,) if secret.canary else ()))
        self._reach = max((needles.length for needles in self._all), default=1) + STEP - 1
        """Letters that must be there for a place to be looked up."""
        self._done = 0
        """Letters that are decided."""
        self._raw = 0
        """Characters that are decided."""
        self._until = 0
        """The letters before this one are given away."""
        self._inside = False
        self.places: list[tuple[int, int]] = []
        """What was taken out, in characters of the text as it came."""
        self.canary = False
        """The canary was in it."""

    def _run(self, text: str, *, final: bool) -> str:
        folded = letters(text)
        # What may still turn out to begin before a place that cannot be looked up yet is held back.
        sure = len(folded) if final else max(0, len(folded) - self._reach - STEP + 2)
        known = [self._until] if self._until > self._done else []
        hits = [*self._hits(folded, final=final)]
        if not hits and not known:
            cut = len(text) if final else _place(text, sure)
            self._moved(cut, sure, inside=False)
            self._held = text[cut:]
            return text[:cut]
        return self._cut(text, folded, hits, sure, final=final)

    def _hits(self, folded: str, *, final: bool) -> Iterator[tuple[int, int]]:
        """Stretches of letters that are given away and were not looked up before."""
        last = len(folded) if final else len(folded) - self._reach + 1
        for needles in self._all:
            known, length = needles.places, needles.length
            found = [at for at in range(max(last, 0)) if folded[at : at + length] in known]
            self.canary = self.canary or (needles is self.secret.canary and bool(found))
            yield from (needles.around(folded, at) for at in found)

    def _moved(self, cut: int, sure: int, *, inside: bool) -> None:
        self._raw += cut
        self._done += sure
        self._inside = inside

    def _cut(
        self, text: str, folded: str, hits: list[tuple[int, int]], sure: int, *, final: bool
    ) -> str:
        gone = bytearray(len(folded) + self._reach)
        for low, high in ((0, max(0, self._until - self._done)), *hits):
            gone[low:high] = b"\1" * (high - low)
            if low < sure:  # what begins later is found again
                self._until = max(self._until, self._done + high)
        out: list[str] = []
        gap: list[str] = []
        letter = cut = 0
        inside = self._inside
        for at, char in enumerate(text):
            if _LETTERS[ord(char)] is None:
                gap.append(char)
                continue
            if letter == sure:
                break
            leaks = bool(gone[letter])
            if leaks:
                self._note(at, inside=inside)
            if leaks and not inside:
                out += (*gap, LEAK_NOTICE)
            elif not leaks:
                out += (*gap, char)
            gap, inside, letter, cut = [], leaks, letter + 1, at + 1
        if final:
            out += gap
            cut = len(text)
        self._moved(cut, sure, inside=inside)
        self._held = text[cut:]
        return "".join(out)

    def _note(self, at: int, *, inside: bool) -> None:
        place = self._raw + at
        if inside and self.places:
            self.places[-1] = (self.places[-1][0], place + 1)
        else:
            self.places.append((place, place + 1))


def _place(text: str, count: int) -> int:
    """Where in a text its first `count` letters end."""
    if count <= 0:
        return 0
    seen = 0
    for at, char in enumerate(text):
        if _LETTERS[ord(char)] is not None:
            seen += 1
            if seen == count:
                return at + 1
    return len(text)


def is_paraphrase(text: str, secret: Secret) -> bool:
    """Whether a text says in other words what a prompt says."""
    if len(secret.pairs) < LEAST_PAIRS:
        return False
    common = len(_pairs(text) & secret.pairs)
    return common >= LEAST_PAIRS and common >= SHARE * len(secret.pairs)


def findings_of(
    leaks: LeakFilter, text: str, segment: int, *, taken_out: bool
) -> Iterable[Finding]:
    """What is told of a text that went through a filter."""
    done = " and was taken out" if taken_out else ""
    for start, end in leaks.places:
        yield Finding(
            rule="inj.out.canary" if leaks.canary else "inj.out.prompt",
            category="prompt-leak",
            severity=Severity.CRITICAL if leaks.canary else Severity.HIGH,
            explanation=f"a part of the developer's prompt was given away{done}",
            segment=segment,
            start=start,
            end=end,
        )
    if not leaks.places and is_paraphrase(text, leaks.secret):
        yield Finding(
            rule="inj.out.prompt-retold",
            category="prompt-leak",
            severity=Severity.MEDIUM,
            explanation="the developer's prompt was told in other words",
            segment=segment,
            end=len(text),
        )
