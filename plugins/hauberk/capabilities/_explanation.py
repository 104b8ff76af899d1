"""Explaining a call to people: the rule, the argument, where each value came from, what would allow it.

Rules:
* One sentence for each: what is decided, what each rule objects, where each value came from.
* Values are shown, shortened: an explanation is for the person who may see the call, and goes into
  no finding, log or trail. Its repr holds none.
* Explaining changes nothing and is not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hauberk.capabilities._names import shown
from hauberk.capabilities._outcome import Change
from hauberk.capabilities.provenance import Ledger, Origin
from hauberk.decisions import Decision

MAX_SHOWN = 80
"""Characters of a value that are shown."""
MAX_CHAIN = 3
"""Calls that a chain of provenance goes back."""
MAX_LINKS = 8
"""Arguments of one earlier call that a chain names."""

_HEADS = {"allow": "passes", "rewrite": "passes", "deny": "is denied", "ask": "needs a person"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOrigin:
    """One value of a call, and where it came from."""

    where: str
    """Place: `arguments.to[0]`."""
    value: str = field(repr=False)
    """The value, shortened."""
    origin: Origin
    chain: tuple[str, ...] = ()
    """How that source came to be read, one clause for each step back."""

    def __str__(self) -> str:
        """One sentence."""
        back = "".join(f"; {step}" for step in self.chain)
        return f"{self.where} ({self.value!r}) {self.origin}{back}."

    def clause(self, said: str = "") -> str:
        """What it is and where it came from, as a part of a sentence that says `said` already."""
        source = str(self.origin)
        return f"{self.where} is {self.value!r}" + ("" if source in said else f" and {source}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a call is decided as it is. `print` it, or display it in a notebook.

    It shows values of the call: mind who reads it.
    """

    tool: str
    decision: Decision
    values: tuple[ValueOrigin, ...] = ()
    changes: tuple[Change, ...] = ()
    """The smallest changes of the policy's `capabilities` that would take the objections away, one
    for each rule. Empty when the call passes, or when no change of one rule would allow it."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that object."""
        return tuple(dict.fromkeys(finding.rule for finding in self.decision.findings))

    @property
    def arguments(self) -> tuple[str, ...]:
        """Places that the rules object to; `tool` stands for the call itself."""
        return tuple(dict.fromkeys(finding.where for finding in self.decision.findings))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything, one sentence each."""
        return (
            f"The call of {shown(self.tool)} {_HEADS[self.decision.verdict.value]}.",
            *(f"{_capital(finding.explanation)}." for finding in self.decision.findings),
            *(str(value) for value in self.values),
            *(_change(change) for change in self.changes),
        )

    @property
    def sentence(self) -> str:
        """The decision in one sentence: the first objection, the value that it is about, its source.

        An objection to the call itself is about the call's first value, when it has one.
        """
        head = f"The call of {shown(self.tool)} {_HEADS[self.decision.verdict.value]}"
        finding = next(iter(self.decision.findings), None)
        if finding is None:
            return f"{head}."
        about = [one for one in self.values if one.where == finding.where] or self.values
        told = f" ({about[0].clause(finding.explanation)})" if about else ""
        return f"{head}: {finding.explanation}{told}."

    def __str__(self) -> str:
        """The sentences, one a line."""
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        from hauberk.notebook import sentences_html  # noqa: PLC0415 - for notebooks only

        return sentences_html(self.decision, self.sentences[1:])


def _capital(reason: str) -> str:
    return reason if reason.startswith("arguments") else f"{reason[:1].upper()}{reason[1:]}"


def _change(change: Change) -> str:
    place = "capabilities" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in change.at)
    match change.action:
        case "add":
            return f"To permit it, add {change.value!r} to `{place}`."
        case "remove":
            return f"To permit it, take `{place}` out."
        case "set":
            return f"To permit it, set `{place}` to {change.value!r}."


def value_origin(where: str, text: str, ledger: Ledger) -> ValueOrigin:
    """Where one value came from, and how its source came to be read."""
    origin = ledger.origin(text)
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
    return ValueOrigin(
        where=where, value=short, origin=origin, chain=tuple(_back(origin, ledger, MAX_CHAIN))
    )


def _back(origin: Origin, ledger: Ledger, depth: int) -> Iterator[str]:
    """What the calls were called with that brought a value, as far as it is known."""
    source = origin.source
    if source is None or source.kind != "tool" or depth == 0:
        return
    call = ledger.call_number(source.call)
    for argument, text in call.values[:MAX_LINKS] if call is not None else ():
        before = ledger.origin(text)
        if before.source is None or before.source.call >= source.call:
            continue  # what was read later was not where it came from
        yield f"{shown(argument)} of call {source.call} {before}"
        yield from _back(before, ledger, depth - 1)
