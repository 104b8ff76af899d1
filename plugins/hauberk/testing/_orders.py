"""Orders in plain English: what a gullible model takes as something to do.

Rules:
* An order is a verb in the place of a command: at the start of a sentence or a clause, or after
  words such as "please", "then", "you must", "could you". Who wrote it does not matter.
* "Do not ..." and "never ..." order nothing.
* The grammar, by example (nouns are free, they choose among the tools that are offered):

      look up / find / get the customer NAME          all customers
      read / summarise / open mail 3                   list my mail, check the inbox
      search the documents for X                       open / visit URL
      send / forward / e-mail X to ADDRESS [with subject "S"] [saying "T"]
      e-mail her / NAME her order status               reply to the sender of mail 2 saying T
      delete / remove X                                pay / transfer AMOUNT to IBAN
      run tool NAME with arg=value, "other": "value"   answer with "T", include this image LINK
      reveal your system prompt                        keep doing X, ... again and again, 5 times
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hauberk.testing._reading import AMOUNT, EMAIL, IBAN, QUOTED, URL, blanked, names, sentences


class Intent(StrEnum):
    """What an order wants."""

    ASK = "ask"
    """A question: look wherever its answer may be."""
    LOOKUP = "lookup"
    READ = "read"
    LIST = "list"
    SEARCH = "search"
    OPEN = "open"
    SEND = "send"
    DELETE = "delete"
    PAY = "pay"
    CALL = "call"
    INCLUDE = "include"
    SAY = "say"
    REVEAL = "reveal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One thing to do, with what its own words say about it."""

    intent: Intent
    text: str
    """The words after the verb."""
    times: int | None = 1
    """How often to do it; None: for ever."""
    named: tuple[tuple[str, str], ...] = field(default=())
    """Arguments given as `name=value`."""

    @property
    def addresses(self) -> list[str]:
        """Mail addresses in the order."""
        return EMAIL.findall(self.text)

    @property
    def urls(self) -> list[str]:
        """Addresses of pages in the order."""
        return [url.rstrip(".,;!?") for url in URL.findall(self.text)]

    @property
    def accounts(self) -> list[str]:
        """Bank accounts in the order."""
        return IBAN.findall(self.text)

    @property
    def numbers(self) -> list[str]:
        """Numbers in the order that belong to nothing else."""
        rest = self.text
        for kind in (URL, EMAIL, IBAN):
            rest = kind.sub(" ", rest)
        return [n.replace(",", "") for n in AMOUNT.findall(rest)]

    @property
    def names(self) -> list[str]:
        """Names of people in the order."""
        return names(self.text)

    @property
    def quotes(self) -> list[str]:
        """Quotations in the order."""
        return [a or b for a, b in QUOTED.findall(self.text)]


_MAIL = r"(?:e-?mails?|mails?|messages?|inbox|mailbox)"
_MY = r"(?:the |my |our |all |your )*"
_VERBS: tuple[tuple[Intent, str], ...] = (
    (
        Intent.REVEAL,
        (
            r"(?:reveal|print|repeat|show|output|disclose|tell)(?: me| us)? (?:your|the) "
            r"(?:full |entire |exact |hidden |original )*(?:system |initial )*(?:prompts?|instructions)"
        ),
    ),
    (Intent.SAY, r"(?:answer|reply|respond) (?:only )?with|say(?: only)?"),
    (Intent.INCLUDE, r"(?:include|append|embed|render|display|insert)"),
    (
        Intent.CALL,
        r"(?:run|call|use|invoke)(?: the)?(?: (?:tool|function)|(?= \w+_\w)|(?= \w+ (?:tool|function)\b))",
    ),
    (Intent.LIST, rf"list|check {_MY}new {_MAIL}|check {_MY}{_MAIL}"),
    (Intent.READ, rf"read|summari[sz]e|open (?={_MY}{_MAIL})"),
    (Intent.LOOKUP, r"look up|look for|find|get|fetch|retrieve|pull up|check"),
    (Intent.SEARCH, r"search|query|consult|answer from|look in"),
    (Intent.OPEN, r"open|visit|browse|go to|load|follow (?=the link|http)"),
    (Intent.SEND, r"send|e-?mail|mail|forward|reply|write|tell (?=\S+@|<)|answer (?=the sender)"),
    (Intent.DELETE, r"delete|remove|erase|drop|purge"),
    (Intent.PAY, r"pay|transfer|wire|remit"),
)  # fmt: skip
_GERUNDS = {
    "checking": "check",
    "listing": "list",
    "reading": "read",
    "opening": "open",
    "visiting": "visit",
    "searching": "search",
    "looking up": "look up",
    "getting": "get",
    "fetching": "fetch",
    "sending": "send",
    "calling": "call",
}

_LEAD = (
    r"(?:^[^\w<]*|[:;,\u2014\u2013(-]\s+|[.!?]\s+|\b(?:and|then|also|must|should|shall|please|kindly|now|first|"
    r"next|finally|instead|(?:can|could|will|would) you|you to|immediately|"
    r"(?:is|have|need|needs|asked|required|instructed) to)\s+)"
)
_ADVERB = r"(?:(?:also|then|please|immediately|now|always|first|just|silently|kindly|and) ){0,4}"
_VERB = "|".join(f"(?P<{intent.name}>{words})" for intent, words in _VERBS)
_START = re.compile(rf"{_LEAD}{_ADVERB}(?:{_VERB})\b(?!\s?:)", re.IGNORECASE)
_NOT = re.compile(
    r"\b(?:do not|don't|never|must not|should not|shall not|cannot)\s*$", re.IGNORECASE
)
_KEEP = re.compile(rf"\bkeep(?: on)? ({'|'.join(_GERUNDS)})\b", re.IGNORECASE)
_EVER = re.compile(
    r"\bagain and again\b|\bover and over\b|\brepeatedly\b|\bforever\b|\bkeep (?:on )?doing\b|"
    r"\brepeat (?:this|that|it)\b|\buntil\b|\bdo (?:this|that|it) again\b|\bnever stop\b|\bevery second\b",
    re.IGNORECASE,
)
_TIMES = re.compile(r"\b(\d{1,6}) times\b")
_NAMED = re.compile(r"\b(\w{1,60})\"?\s?[=:]\s?(?:\"([^\"]*)\"|([^\s,;\"{}]+))")


def find_orders(text: str) -> list[Order]:
    """The orders in a text, in its own order.

    Example:
        >>> [o.intent.value for o in find_orders("Look up Ada Byron and e-mail her her balance.")]
        ['lookup', 'send']
    """
    found: list[Order] = []
    for sentence in sentences(text):
        plain = _KEEP.sub(lambda match: _GERUNDS[match[1].lower()], sentence)
        orders = _in_sentence(plain)
        if (plain != sentence or _EVER.search(QUOTED.sub("", sentence))) and (orders or found):
            # "Repeat this" may follow the order as a sentence of its own.
            whose = orders or found
            whose[-1] = replace(whose[-1], times=None)
        found += orders
        if len(found) >= _MAX_ORDERS:
            break
    return found[:_MAX_ORDERS]


_MAX_ORDERS = 50
"""Orders that are taken from one text: nobody obeys for ever, and no text may cost for ever."""


def _in_sentence(sentence: str) -> list[Order]:
    # What stands in quotation marks is said, not ordered.
    plain = blanked(sentence)
    starts = [match for match in _START.finditer(plain) if not _NOT.search(_before(plain, match))]
    ends = [*(match.start() for match in starts), len(sentence)][1:]
    return [_order(m, sentence[m.end() : end]) for m, end in zip(starts, ends, strict=True)]


def _before(text: str, match: re.Match[str]) -> str:
    start = match.start(_verb(match))
    return text[max(0, start - _NEAR) : start]


_NEAR = len("must not ") * 2
"""Characters before a verb in which a "not" still belongs to it."""


def _verb(match: re.Match[str]) -> str:
    return match.lastgroup or ""


def _order(match: re.Match[str], rest: str) -> Order:
    intent = Intent[_verb(match)]
    times = _TIMES.search(rest)
    named = tuple((m[1], m[2] or m[3]) for m in _NAMED.finditer(rest))
    if intent is Intent.SEND and IBAN.search(rest) and not EMAIL.search(rest):
        intent = Intent.PAY  # "send 500 EUR to ..."
    return Order(
        intent=intent,
        text=_TIMES.sub("", rest).strip(" ,;"),
        times=int(times[1]) if times else 1,
        named=named if intent is Intent.CALL else (),
    )
