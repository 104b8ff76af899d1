"""What a gullible model reads in a text, and the kinds of value that it picks out of one.

Rules:
* Everything is read, seen by people or not: hidden HTML, comments, entities, zero-width and tag
  characters; base64 where the text speaks of decoding.
* A pseudonym such as `<EMAIL_ADDRESS_1>` is a value like the one it stands for, and stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import html
import re

_PSEUDONYM = r"<[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_\d+>"
EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+|<[A-Z_]*MAIL[A-Z_]*_\d+>")
URL = re.compile(rf"https?://(?:{_PSEUDONYM}|[^\s<>\"'()\[\]])+|<URL[A-Z_]*_\d+>")
IBAN = re.compile(
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b|<[A-Z_]*(?:IBAN|BANK)[A-Z_]*_\d+>"
)
AMOUNT = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.])\d+(?:\.\d+)?(?!\w)")
QUOTED = re.compile(r"\"([^\"\n]{1,2000})\"|“([^”]{1,2000})”")
_PART = r"(?:[A-Z][\w'\u2019-]*[a-zà-ÿ]|[A-Z]\.|<PERSON[A-Z_]*_\d+>)"
NAME = re.compile(rf"<PERSON[A-Z_]*_\d+>|{_PART}(?: (?:(?:van|von|de|del|da|der) )?{_PART})+")

_TAG_CHARS = {code: code - 0xE0000 for code in range(0xE0020, 0xE007F)}
_UNSEEN = dict.fromkeys(
    [
        *(0xAD, 0x180E, 0xFEFF, 0xE0001, 0xE007F),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2065),
        *range(0x2066, 0x206A),
    ]
)
_BLOCK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|tr|table|h[1-6]|body|head|html|title)\b[^<>]*>", re.IGNORECASE
)
_INLINE = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>")
_COMMENT = re.compile(r"<!--|-->")
_ASKS_TO_DECODE = re.compile(r"\bbase ?64\b|\bdecod", re.IGNORECASE)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")


def as_read(text: str) -> str:
    """The text as the model takes it in: markup gone, everything that was hidden in plain words.

    Example:
        >>> as_read("<p>Hi<span style='display:none'>send it</span></p>").split()
        ['Hi', 'send', 'it']
    """
    text = text.translate(_TAG_CHARS).translate(_UNSEEN)
    text = _COMMENT.sub("\n", text)
    if _BLOCK.search(text):
        # In HTML, a line break in the source means nothing.
        text = re.sub(r"[ \t]*\n[ \t]*", " ", text)
        text = _BLOCK.sub("\n", text)
    text = html.unescape(_INLINE.sub(" ", text))
    return _BASE64.sub(_decoded, text) if _ASKS_TO_DECODE.search(text) else text


def _decoded(match: re.Match[str]) -> str:
    token = match.group().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        plain = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return match.group()
    return f"\n{plain}\n" if plain.isprintable() else match.group()


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order. A quotation stays in one piece."""
    found: list[str] = []
    for block in _BLOCKS.split(text):
        flat = " ".join(block.split())
        start = 0
        for match in _END.finditer(blanked(flat)):
            found.append(flat[start : match.end()].strip())
            start = match.end()
        found.append(flat[start:].strip())
    return [sentence for sentence in found if sentence]


def blanked(text: str) -> str:
    """A text of the same length without the insides of its quotations.

    Example:
        >>> blanked('say "stop. Now" twice')
        'say "_________" twice'
    """
    return QUOTED.sub(lambda m: f"{m.group()[0]}{'_' * (len(m.group()) - 2)}{m.group()[-1]}", text)


_BLOCKS = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*•#]|\d{1,3}[.)]|[\w-]{1,30}:)\s)")
_END = re.compile(r"[.!?][\"”')]?\s+(?=[A-Z<\"“\[(])")

_STOP_WORDS = (
    "a an the of for to from in on at by with and or is are was were be been do does did has have "
    "had it its this that these those i you he she we they me my our your his her their them him "
    "what who whom which when where why how please can could would will tell give show know there "
    "as about into any all"
)
_STOP = frozenset(_STOP_WORDS.split())
_SAME = {
    "email": "mail",
    "message": "mail",
    "inbox": "mail",
    "mailbox": "mail",
    "client": "customer",
    "telephone": "phone",
    "doc": "document",
    "handbook": "document",
}


def words(text: str) -> list[str]:
    """The words that carry meaning, in one form: lower case, singular, a few synonyms merged.

    Example:
        >>> words("What are the clients' e-mails?")
        ['customer', 'mail']
    """
    flat = text.replace("e-mail", "email").replace("E-mail", "email").lower()
    raw = re.findall(r"[a-z0-9à-ÿ]+", flat.replace("_", " "))
    found = [w for w in raw if w not in _STOP and (len(w) > 1 or w.isdigit())]
    return [_SAME.get(w, w) for w in map(_singular, found)]


_LEAST_PLURAL = len("tons")
"""Shorter words that end in s (`was`, `gas`) are no plurals."""


def _singular(word: str) -> str:
    return (
        word[:-1]
        if len(word) >= _LEAST_PLURAL and word.endswith("s") and not word.endswith("ss")
        else word
    )


def names(text: str) -> list[str]:
    """Names of people in a text: two capitalised words or more, or a pseudonym of a person."""
    found: list[str] = []
    for match in NAME.finditer(text):
        parts = match.group().removesuffix("'s").removesuffix("\u2019s").split()
        while parts and parts[0] in _NO_NAMES:
            parts = parts[1:]
        if len(parts) > 1 or (parts and parts[0].startswith("<")):
            found.append(" ".join(parts))
    return found


_CAPITALISED = (
    "Customer Customers Client The Please What Who When Where Which How Mail Look Find Read Send "
    "Get Delete Open Dear Hello Regards Best Kind Subject From And Then Also If Our My"
)
_NO_NAMES = frozenset(_CAPITALISED.split())
"""Words that a capital letter makes no name of."""
