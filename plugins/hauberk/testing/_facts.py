"""What a gullible model finds in the texts that it has read: facts, records, addresses.

Rules:
* It copies; it invents nothing.
* The unit of a fact is a line `key: value`, else a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import cast

from hauberk.structure import MAX_DEPTH, TooDeepError, leaves
from hauberk.testing._reading import EMAIL, IBAN, QUOTED, URL, names, sentences, words

_FIELD = re.compile(r"^\s*[-*•]?\s*[\w-]{1,30}(?: [\w/-]{1,30}){0,2}:\s")
_SENDER = re.compile(r"^\s*(?:from|sender)\s*:", re.IGNORECASE)
_MAX_JSON_CHARS = 200_000
"""Longer texts are read as text: a model double need not parse a data dump."""


def units(text: str) -> list[str]:
    """A text in pieces that can be quoted: fields, and sentences of its paragraphs."""
    found: list[str] = []
    for block in _as_lines(text).split("\n\n"):
        lines: list[str] = []
        for line in block.splitlines():
            # A line that is no field goes on with what stands above it.
            if _FIELD.match(line) or line.lstrip().startswith(("#", "-", "*")):
                found += _unit(lines)
                lines = []
            lines.append(line.strip(" \t-*#") if not lines else line)
        found += _unit(lines)
    return [unit for unit in found if unit]


def _unit(lines: Sequence[str]) -> list[str]:
    single = len(lines) == 1 and _FIELD.match(lines[0])
    return list(lines) if single else sentences("\n".join(lines))


def _as_lines(text: str) -> str:
    """JSON as `key: value` lines, a line of its own for each record; other text as it is."""
    if not text.lstrip().startswith(("{", "[")) or len(text) > _MAX_JSON_CHARS:
        return text
    try:
        value = json.loads(text)
        pairs = list(leaves(_texts(value)))
    except (ValueError, RecursionError, TooDeepError):
        return text
    return "\n".join(f"{where.strip('.').split('.')[-1]}: {inner}" for where, inner in pairs)


def _texts(value: object, depth: int = MAX_DEPTH) -> object:
    if depth == 0:
        raise RecursionError
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return {key: _texts(inner, depth - 1) for key, inner in pairs}
    if isinstance(value, list):
        return [_texts(inner, depth - 1) for inner in cast("list[object]", value)]
    return value if isinstance(value, str) else json.dumps(value)


def best_facts(question: str, texts: Sequence[str], *, most: int = 2) -> list[str]:
    """The units that share most words with the question, best first; none when nothing is shared."""
    plain = QUOTED.sub(r"\1\2", question)
    subject = set(words(" ".join(names(plain))))
    # Whom it is about is in every line of a record or in none: what is asked about them decides.
    asked = set(words(plain)) - subject or subject
    scored: list[tuple[int, str]] = []
    for unit in dict.fromkeys(unit for text in texts for unit in units(text)):
        key, colon, _ = unit.partition(":")
        score = 2 * len(asked & set(words(unit)))
        score += len(asked & set(words(key))) if colon else 0
        scored.append((score, unit))
    top = max((score for score, _ in scored), default=0)
    return [unit for score, unit in scored if score == top][:most] if top else []


def summary(text: str) -> str:
    """The first two sentences of a text, without its head of fields; all of it when there are none."""
    prose = [unit for unit in units(text) if not _FIELD.match(unit)]
    return " ".join((prose or units(text))[:2])


def address_for(who: str, texts: Sequence[str]) -> str | None:
    """The mail address of somebody, from what was read last.

    Args:
        who: A name, `sender`, or empty for whoever the talk is of.
        texts: What was read, oldest first.
    """
    for text in reversed(texts):
        found = _near(who, text) if who else next(iter(EMAIL.findall(text)), None)
        if found:
            return str(found)
    return None


def _near(who: str, text: str) -> str | None:
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if _SENDER.match(line) if who == "sender" else who in line:
            found = EMAIL.findall("\n".join(_record(lines, index)))
            if found:
                return str(found[0])
    return None


def _record(lines: Sequence[str], index: int) -> Iterator[str]:
    """The line, and what follows it up to the next empty line."""
    for line in lines[index:]:
        if not line.strip():
            return
        yield line


def field_value(name: str, texts: Sequence[str]) -> str | None:
    """The value of the last line `name: value`."""
    wanted = re.compile(rf"^\s*{re.escape(name)}\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
    found = [match for text in texts for match in wanted.findall(text)]
    return str(found[-1]).strip() if found else None


def last_value(kind: re.Pattern[str], texts: Sequence[str]) -> str | None:
    """The first value of a kind in the text that was read last and has one."""
    for text in reversed(texts):
        found = kind.findall(text)
        if found:
            return str(found[0]).rstrip(".,;")
    return None


_HOLE = re.compile(r"\{([^{}<>]{1,40})\}|\[([A-Za-z][^\[\]()<>]{1,40})\](?!\()")
_KINDS = (("mail", EMAIL), ("iban", IBAN), ("account", IBAN), ("link", URL))


def filled(template: str, texts: Sequence[str]) -> str:
    """A text with its holes (`{e-mail}`, `[customer name]`) filled from what was read."""

    def fill(match: re.Match[str]) -> str:
        asked = words(match[1] or match[2])
        for name, kind in _KINDS:
            value = last_value(kind, texts) if name in asked else None
            if value:
                return value
        facts = best_facts(" ".join(asked), texts, most=1)
        return facts[0].partition(":")[2].strip() or facts[0] if facts else match.group()

    return _HOLE.sub(fill, template)
