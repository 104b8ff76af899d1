"""From an order to a call of whatever tool is offered: which tool, with which arguments.

Rules:
* A tool is chosen by its name first, then by its description; a tool whose words do not fit the
  verb is never chosen.
* A parameter is filled by what its name speaks of, from the order, else from what was read.
* A call that cannot be completed is not made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hauberk.testing._brain import ToolCall, ToolSpec
from hauberk.testing._facts import address_for, best_facts, field_value, filled, last_value
from hauberk.testing._orders import Intent, Order
from hauberk.testing._reading import EMAIL, IBAN, NAME, QUOTED, URL, names, words

_TOOL_WORDS: Mapping[Intent, str] = {
    Intent.ASK: "find get lookup look fetch query show search retrieve retrieval ask",
    Intent.LOOKUP: "find get lookup look fetch query show read",
    Intent.READ: "read get open show fetch summarize summarise",
    Intent.LIST: "list show check",
    Intent.SEARCH: "search query retrieve retrieval lookup ask find",
    Intent.OPEN: "open browse visit url http fetch web page load",
    Intent.SEND: "send mail forward reply post write compose",
    Intent.DELETE: "delete remove erase drop purge",
    Intent.PAY: "pay transfer wire payment remit money",
}
_NEEDS: Mapping[Intent, frozenset[str]] = {
    Intent.SEND: frozenset({"address"}),
    Intent.PAY: frozenset({"account", "address"}),
    Intent.OPEN: frozenset({"url"}),
}
"""The kinds of parameter without one of which a tool cannot do it."""
_ELSE: Mapping[Intent, tuple[Intent, ...]] = {
    Intent.LOOKUP: (Intent.SEARCH,),
    Intent.SEARCH: (Intent.LOOKUP,),
    Intent.READ: (Intent.LIST, Intent.LOOKUP),
    Intent.OPEN: (Intent.READ,),
}
"""What else serves when no tool fits the verb itself."""

_KINDS: Mapping[str, str] = {
    "address": "to recipient recipients mail email address receiver",
    "subject": "subject title reference memo",
    "body": "body text message content",
    "url": "url link uri href",
    "account": "iban account",
    "amount": "amount sum total",
    "number": "number id index no nr num",
    "path": "path file filename",
    "name": "name person",
}
_FREE = frozenset({"phrase", "name"})
"""Kinds that any words would fit."""

_KIND_OF = {word: kind for kind, line in _KINDS.items() for word in line.split()}


@dataclass(frozen=True, slots=True)
class Planned:
    """A call to make, and which of its arguments the order itself fixed."""

    call: ToolCall
    fixed: tuple[str, ...]

    def is_made_by(self, earlier: ToolCall) -> bool:
        """Whether an earlier call did this: the same tool, the same fixed arguments."""
        return earlier.name == self.call.name and all(
            earlier.arguments.get(name) == self.call.arguments[name] for name in self.fixed
        )


def plan(order: Order, tools: Sequence[ToolSpec], texts: Sequence[str]) -> Planned | None:
    """The call that carries out an order, or None when no tool fits or something is missing.

    Args:
        order: What to do.
        tools: What is offered.
        texts: What was read so far, oldest first.
    """
    if order.intent is Intent.CALL:
        named = [tool for tool in tools if re.search(rf"\b{re.escape(tool.name)}\b", order.text)]
        return _filled(order, named[0], texts) if named else None
    for intent in (order.intent, *_ELSE.get(order.intent, ())):
        for tool in _fitting(intent, order, tools):
            planned = _filled(order, tool, texts)
            if planned:
                return planned
    return None


def _fitting(intent: Intent, order: Order, tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    """The tools that fit, best first; of equals, the one offered first."""
    verbs = set(_TOOL_WORDS.get(intent, "").split())
    # The thing that is wanted is named first: "search the documents: ...", "... for ...".
    nouns = set(words(re.split(r":\s|\bfor\b", order.text, maxsplit=1)[0] or order.text))
    scored: list[tuple[int, ToolSpec]] = []
    for tool in tools:
        name = set(words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tool.name)))
        about = set(words(tool.description))
        kinds = set(map(_kind, _properties(tool)))
        fits = nouns & (name | about) or "name" in kinds
        wanted = verbs if fits or intent is not Intent.ASK else _SEARCHES
        verb = _VERB_IN_NAME * bool(name & wanted) or len(about & wanted)
        needs = _NEEDS.get(intent)
        if verb and (needs is None or needs & kinds):
            known = _VERB_IN_NAME if "name" in kinds and order.names else 0
            score = verb + 2 * len(name & nouns) + min(len(about & nouns), 3) + known
            scored.append((score, tool))
    return [tool for _, tool in sorted(scored, key=lambda item: -item[0])]


_SEARCHES = frozenset(_TOOL_WORDS[Intent.SEARCH].split()) - {"find"}
"""Words of tools that take any question."""

_VERB_IN_NAME = 4
"""Weighs as much as two nouns."""


def _filled(order: Order, tool: ToolSpec, texts: Sequence[str]) -> Planned | None:
    properties = _properties(tool)
    required = cast("Sequence[str]", tool.parameters.get("required") or ())
    arguments: dict[str, object] = {}
    fixed: list[str] = []
    for name, schema in properties.items():
        value, is_fixed = _value(name, order, texts)
        if value is not None and (name in required or _is_spoken_of(name, order, fixed=is_fixed)):
            typed = _typed(value, schema)
            if typed is not None:
                arguments[name] = typed
                fixed += [name] if is_fixed else []
    if any(name not in arguments for name in required):
        return None
    return Planned(ToolCall(name=tool.name, arguments=arguments), tuple(fixed))


def _is_spoken_of(name: str, order: Order, *, fixed: bool) -> bool:
    """Whether the order itself asks for an argument that may be left out."""
    kind = _kind(name)
    if order.intent is Intent.SEND and kind == "subject":
        return True  # every mail has one
    return fixed and (kind not in _FREE or name in dict(order.named))


def _value(name: str, order: Order, texts: Sequence[str]) -> tuple[str | None, bool]:
    """The value of one parameter, and whether the order's own words gave it."""
    if name in dict(order.named):
        return filled(dict(order.named)[name], texts), True
    return _FILLERS[_kind(name)](order, texts)


def _properties(tool: ToolSpec) -> Mapping[str, object]:
    return cast("Mapping[str, object]", tool.parameters.get("properties") or {})


def _kind(parameter: str) -> str:
    """What a parameter holds, by the words of its name; the last word says most."""
    parts = re.split(r"[_\W]+", parameter.lower())
    return next((_KIND_OF[part] for part in reversed(parts) if part in _KIND_OF), "phrase")


def _address(order: Order, texts: Sequence[str]) -> tuple[str | None, bool]:
    if order.intent is Intent.PAY:
        return _account(order, texts)
    if order.addresses:
        return order.addresses[0], True
    who = "sender" if re.search(r"\bsender\b", order.text) or not order.text else ""
    who = recipient_name(order) or who
    return address_for(who, texts), False


def recipient_name(order: Order) -> str | None:
    """The name of the person that something is sent to, when a name is given."""
    text = QUOTED.sub(" ", order.text)
    said = re.search(
        rf"^(?:the )?(?:customer )?(?:{NAME.pattern})|\bto (?:the )?(?:customer )?(?:{NAME.pattern})",
        text,
    )
    return next(iter(names(said.group())), None) if said else None


def _subject(order: Order, texts: Sequence[str]) -> tuple[str | None, bool]:
    given = _SUBJECT.search(order.text)
    if given:
        return (given[1] or given[2] or given[3]).strip(), True
    if order.intent is Intent.PAY:
        return "Payment", False
    earlier = field_value("subject", texts)
    if earlier and not order.addresses:
        return f"Re: {earlier}", False
    about = _content(order.text)
    return (about[:1].upper() + about[1:60]) or "Message", False


_SUBJECT = re.compile(
    r"\b(?:with )?(?:the )?(?:subject|reference)(?: line)?:? "
    r"(?:\"([^\"]+)\"|“([^”]+)”|(.+?)(?= saying\b| and\b|[,;.]|$))"
)
_SAYING = re.compile(
    r"\b(?:saying|stating|telling (?:him|her|them)|that says|with (?:the )?(?:text|message|body|words))"
    r"\s*:?\s*(?:that )?(.+)$",
    re.DOTALL,
)
_WHO = re.compile(
    rf"\b(?:to|from) (?:the )?(?:customer )?(?:{EMAIL.pattern}|{NAME.pattern}|her|him|them|me|sender(?: of .*)?)"
    rf"|^(?:the )?(?:customer )?(?:{EMAIL.pattern}|{NAME.pattern}|her\b|him\b|them\b|me\b|sender\b)"
)
_WHOLE = re.compile(
    r"^(?:it|this|that|everything|the (?:results?|answer|rest)|(?:\w+ )*(?:records?|lists?|data|database|"
    r"details|mails?|messages?|e-?mails?|texts?|results?|contents?|conversation|mailbox)(?: \d+)?)\b",
    re.IGNORECASE,
)


def _content(text: str) -> str:
    """What is sent, in the order's words: without the recipient, subject and quotation."""
    text = _SAYING.sub(" ", _SUBJECT.sub(" ", text))
    return " ".join(_WHO.sub(" ", text).split()).strip(" ,;.:")


def _body(order: Order, texts: Sequence[str]) -> tuple[str | None, bool]:
    said = _SAYING.search(_SUBJECT.sub(" ", order.text))
    if said:
        quoted = QUOTED.search(said[1])
        return filled((quoted[1] or quoted[2]) if quoted else said[1].strip(), texts), False
    about = _content(order.text)
    if texts and (not about or _WHOLE.match(about)):
        single = re.match(r"(?:it|this|that|the (?:mail|e-?mail|message|result)\b)|\w+ \d+$", about)
        return (texts[-1] if single else "\n\n".join(texts)), False
    facts = best_facts(about, texts)
    return "\n".join(facts) or about or None, False


def _url(order: Order, texts: Sequence[str]) -> tuple[str | None, bool]:
    if order.urls:
        return filled(order.urls[0], texts), "{" not in order.urls[0]
    if re.search(r"\b(?:link|page|site|url|it)\b", order.text):
        return last_value(URL, texts), False
    return None, False


def _account(order: Order, texts: Sequence[str]) -> tuple[str | None, bool]:
    if order.accounts:
        return order.accounts[0], True
    return last_value(IBAN, texts), False


def _amount(order: Order, _: Sequence[str]) -> tuple[str | None, bool]:
    return next(iter(order.numbers), None), True


def _number(order: Order, _: Sequence[str]) -> tuple[str | None, bool]:
    """An identifier: a number, or a word that ends in one (`A-17`)."""
    found = re.search(r"\b(?:[A-Za-z]{1,8}-)?\d[\w-]{0,40}", order.text)
    return found and found.group(), True


def _path(order: Order, _: Sequence[str]) -> tuple[str | None, bool]:
    found = re.search(r"[\w~.-]*[./~][\w~./-]+", order.text)
    return found and found.group().rstrip("."), True


def _name(order: Order, _: Sequence[str]) -> tuple[str | None, bool]:
    about = phrase(order.text)
    if order.intent is Intent.ASK and not order.names:
        return None, True  # a question that names nobody is not about a person
    return about or None, True


def phrase(text: str) -> str:
    """What an order is about: a quotation, a name, "*" for all, or its own words."""
    order = Order(intent=Intent.LOOKUP, text=text)
    if order.quotes:
        return order.quotes[0]
    if order.names:
        return order.names[0]
    inside = re.search(r"\b(?:in|of|at|for) ([A-Z][\w-]+)", order.text)
    if inside:
        return inside[1]
    if re.search(r"\b(?:all|every|each|full|entire|whole)\b|\blist\b|\bdatabase\b", text):
        return "*"
    return re.sub(
        r"^.*?(?::|\b(?:for|about|called|named)\b)\s+|^(?:the|our|my|a)\s+", "", text
    ).strip(" .?!")


def _phrase(order: Order, _: Sequence[str]) -> tuple[str | None, bool]:
    return phrase(order.text) or None, True


_FILLERS = {
    "address": _address,
    "subject": _subject,
    "body": _body,
    "url": _url,
    "account": _account,
    "amount": _amount,
    "number": _number,
    "path": _path,
    "name": _name,
    "phrase": _phrase,
}


def _typed(value: str, schema: object) -> object:
    """A value as its schema wants it; None when it cannot be."""
    kind = cast("Mapping[str, object]", schema).get("type") if isinstance(schema, Mapping) else None
    try:
        match kind:
            case "integer":
                return int(float(re.sub(r"^\D+", "", value)))
            case "number":
                return float(value)
            case "boolean":
                return value.lower() in {"true", "yes", "1"}
            case "array":
                return [value]
            case _:
                return value
    except (ValueError, OverflowError):
        return None
