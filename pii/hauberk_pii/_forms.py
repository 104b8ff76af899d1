r"""Forms: how a pseudonym is written says how its value has to be.

A model that writes `%3CPERSON_1%3E` writes a URL, and `\u003cPERSON_1\u003e` is in a JSON document:
the value goes there as it is written in such a place.

Rules:
* The form is told by the signs around a pseudonym, and by nothing else.
* A value in a form, read by a parser of that form, is the value.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from html import escape
from urllib.parse import quote


class Form(Enum):
    """How a pseudonym is written."""

    PLAIN = "<PERSON_1>"
    HTML = "&lt;PERSON_1&gt;"
    PERCENT = "%3CPERSON_1%3E"
    ASCII = "\\u003cPERSON_1\\u003e"
    """In a JSON string in which everything that is not ASCII is escaped."""
    JSON = "<PERSON_1\\u003e"
    """In a JSON string in which only what must be is escaped."""
    TOKEN = '"\\u003cPERSON_1>"'  # noqa: S105 - no secret
    """In place of a whole number or string of a JSON document."""


TOKEN = re.compile(
    r'-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+\-]?[0-9]+)?|"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+"'
)
"""A number or a string of a JSON document."""


def form_of(spelling: str) -> Form:
    """The form of a pseudonym with its signs."""
    if spelling.startswith('"'):
        return Form.TOKEN
    low = spelling[:2].lower()
    if low == "\\u":
        return Form.ASCII
    if low[0] == "<" and spelling[-1] in "eE":
        return Form.JSON
    if low == "%3":
        return Form.PERCENT
    return Form.HTML if low[0] == "&" else Form.PLAIN


def spelt(name: str, form: Form) -> str:
    """A pseudonym (`<PERSON_1>`), or a text that stands for a value, in a form of JSON."""
    match form:
        case Form.TOKEN:
            return f'"\\u003c{name[1:]}"'
        case Form.ASCII:
            return f"\\u003c{name[1:-1]}\\u003e"
        case Form.JSON:
            return f"{name[:-1]}\\u003e"
        case _:
            return name


def fitting(value: str, form: Form) -> str:
    r"""A value as it is written where a pseudonym of a form was.

    Example:
        >>> fitting("Zoë O'Hara", Form.PERCENT), fitting("Zoë", Form.ASCII)
        ('Zo%C3%AB%20O%27Hara', 'Zo\\u00eb')
    """
    match form:
        case Form.PLAIN:
            return value
        case Form.HTML:
            return escape(value, quote=False)
        case Form.PERCENT:
            return quote(value, safe="", errors="surrogatepass")
        case Form.ASCII:
            return in_json(value)
        case Form.JSON:
            return in_json(value, plain=True)
        case Form.TOKEN:
            return value if TOKEN.fullmatch(value) else json.dumps(value)


def in_json(value: str, *, plain: bool = False) -> str:
    """A text as it is written inside a JSON string; `plain`: with what is not ASCII as it is."""
    return json.dumps(value, ensure_ascii=not plain)[1:-1]
