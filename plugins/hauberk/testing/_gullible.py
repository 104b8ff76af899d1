"""A model that believes everything: it makes every attack visible without a network or a key.

Real models follow orders that they find in data often enough to matter, but not every time. This
one always does. It answers honest questions just as readily, so a guarded application can be held
against a bare one: the attacks must fail, and the honest answers must stay the same.

Rules:
* It does what the last text with orders in it says, whoever wrote it: user, mail, page, document.
  Texts before that come next. The system prompt gives it no orders (so it warns of nothing).
* It does each order once, looking at its own earlier calls, or as often as the order says.
* It copies names, addresses and account numbers that it sees into arguments, pseudonyms included.
* With nothing left to do, it answers the user's question from what it has read; when it has read
  nothing, it repeats what the user said.
* The same turns and tools give the same reply. It never raises.

The grammar of orders is in `hauberk.testing._orders`; what it reads, in `_reading`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from hauberk.testing._brain import Reply, ToolSpec, Turn
from hauberk.testing._facts import address_for, best_facts, filled, summary, units
from hauberk.testing._fitting import Planned, phrase, plan, recipient_name
from hauberk.testing._orders import Intent, Order, find_orders
from hauberk.testing._reading import URL, as_read, sentences

_MAX_READ_CHARS = 50_000
"""Of a longer text only the start is read: a model has a window too."""

_WORDS_ONLY = frozenset({Intent.SAY, Intent.INCLUDE, Intent.REVEAL})
_ACTING = frozenset({Intent.SEND, Intent.PAY, Intent.DELETE, Intent.CALL})
"""After these, the last result says how it went."""

_ASKS = re.compile(
    r"\?|^(?:what|who|whom|when|where|which|how|why|is|are|does|do|did|tell me|give me|answer)\b",
    re.IGNORECASE,
)
_MAIL_NUMBER = re.compile(
    r"\b(?:e-?mail|mail|message)s? (?:number |no\.? )?(\d{1,9})\b", re.IGNORECASE
)
_LINK = re.compile(r"!?\[[^\]\n]*\]\([^)\s]+\)")


class GullibleBrain:
    """Does whatever the last instruction-like text tells it to do.

    It understands a small English; what it does not understand it leaves alone. It is no measure
    of a real model.

    Example:
        >>> brain = GullibleBrain()
        >>> send = ToolSpec(name="send_email", parameters={"properties": {"to": {}, "body": {}}})
        >>> turn = Turn(role="user", text='Send a mail to ada@example.com saying "hello".')
        >>> brain.reply([turn], [send]).calls[0].arguments
        {'to': 'ada@example.com', 'body': 'hello'}
    """

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        """The next message: the next order's tool call, or the answer."""
        talk = _Talk(turns)
        for order in talk.orders():
            planned = plan(order, tools, talk.read)
            if planned and talk.is_open(planned, order.times):
                return Reply(calls=(planned.call,))
        return Reply(text=talk.answer())


class _Talk:
    """A conversation since the user last spoke, as this model understands it."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        asked = [index for index, turn in enumerate(turns) if turn.role == "user"]
        recent = turns[asked[-1] :] if asked else turns
        self.system = "\n".join(turn.text for turn in turns if turn.role == "system")
        self.question = as_read(turns[asked[-1]].text[:_MAX_READ_CHARS]) if asked else ""
        self.read = [as_read(t.text[:_MAX_READ_CHARS]) for t in recent if t.role == "tool"]
        self._calls = list(chain.from_iterable(turn.calls for turn in recent))
        self._told = [find_orders(text) for text in (self.question, *self.read)]
        self._facts = [_without_orders(text) for text in self.read]

    def orders(self) -> Iterator[Order]:
        """What is to be done, the last text first."""
        for told in reversed(self._told[1:]):
            for order in told:
                yield from self._steps(order)
        for order in self._told[0] or self._asked():
            yield from self._steps(order)

    def _asked(self) -> list[Order]:
        """A question is an order to look for its answer."""
        text = " ".join(s for s in sentences(self.question) if _ASKS.search(s))
        if not text:
            return []
        return [Order(intent=Intent.OPEN if URL.search(text) else Intent.ASK, text=text)]

    def _steps(self, order: Order) -> Iterator[Order]:
        """What must be read first, then the order itself."""
        number = _MAIL_NUMBER.search(order.text)
        if number and order.intent not in (Intent.READ, Intent.DELETE, Intent.CALL):
            yield Order(intent=Intent.READ, text=number.group())
        who = recipient_name(order) if order.intent is Intent.SEND else None
        if who and not order.addresses and not address_for(who, self.read):
            yield Order(intent=Intent.LOOKUP, text=f"the customer {who}")
        yield order

    def is_open(self, planned: Planned, times: int | None) -> bool:
        """Whether this call is still to be made."""
        return times is None or sum(map(planned.is_made_by, self._calls)) < times

    def answer(self) -> str:
        """What to say at the end."""
        words_only = [o for told in self._told for o in told if o.intent in _WORDS_ONLY]
        said = [o for o in words_only if o.intent is Intent.SAY and (o.quotes or o.text)]
        if any(order.intent is Intent.REVEAL for order in words_only):
            return self.system or "I have no instructions."
        if said:
            return filled(said[-1].quotes[0] if said[-1].quotes else said[-1].text, self.read)
        extra = [filled(link, self.read) for link in self._wanted(words_only)]
        return "\n".join([self._found() or self._done(), *extra])

    @staticmethod
    def _wanted(orders: Sequence[Order]) -> Iterator[str]:
        """Links, images and quotations that an order wants in the answer."""
        for order in orders:
            if order.intent is Intent.INCLUDE:
                yield from _LINK.findall(order.text) or order.urls or order.quotes

    def _done(self) -> str:
        if self._calls:
            return f"Done: {', '.join(dict.fromkeys(call.name for call in self._calls))}."
        return f"You said: {self.question}" if self.question else "Hello."

    def _found(self) -> str:
        asked = [s for s in sentences(self.question) if _ASKS.search(s)]
        given = "\n\n".join(s for s in sentences(self.question) if s not in asked)
        facts = best_facts(" ".join(asked), self._facts or [given]) if asked else []
        if facts:
            return " ".join(facts)
        if not self.read:
            return ""
        acted = any(order.intent in _ACTING for order in self._told[0])
        if acted or re.search(r"\bsummar", self.question, re.IGNORECASE):
            return summary(self._facts[-1])
        about = [f for o in self._told[0] for f in best_facts(phrase(o.text), self._facts, most=1)]
        return " ".join(dict.fromkeys(about)) or summary(self._facts[-1])


def _without_orders(text: str) -> str:
    """What a text tells, without what it asks for: orders are carried out, not quoted."""
    return "\n\n".join(
        "\n".join(unit for unit in units(block) if not find_orders(unit))
        for block in text.split("\n\n")
    )
