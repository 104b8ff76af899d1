"""What happened in one run, as data: what the model saw, what tools did, what left, what it cost.

Rules:
* Everything is frozen and turns into JSON.
* What left the company is read from effects: sent mails, money, opened pages, links in answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A tool that really ran."""

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the model's provider got it."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call of the model: what it got, and what it answered."""

    messages: tuple[Message, ...]
    answer: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Something that left the company."""

    kind: str
    """`mail`, `transfer`, `page` or `link`."""
    to: str
    """Mail address, bank account or URL."""
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run cost at the model's provider."""

    model_calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    """None: the policy has no price for this model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A finding, as it is shown: never with the matched text."""

    rule: str
    severity: str
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One decision of the guard."""

    stage: str
    tool: str | None
    verdict: str
    plugin: str
    reason: str
    findings: tuple[Reason, ...]
    told: str = ""
    """Of a tool call that was refused: why, in one sentence that names the value and its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One task, run once."""

    framework: str
    task: str
    guarded: bool
    answer: str
    """What the user got; empty when the run was stopped."""
    stopped: str | None
    """Class and message of the error that ended the run, if one did."""
    seen: tuple[ModelCall, ...]
    actions: tuple[Action, ...]
    left: tuple[Leaving, ...]
    cost: Cost
    decisions: tuple[Verdict, ...]
    seconds: float

    @property
    def model_saw(self) -> str:
        """Everything that reached the model's provider, as one text."""
        return "\n".join(message.text for call in self.seen for message in call.messages)

    def leaving(self, kind: str) -> tuple[Leaving, ...]:
        """What left in one way."""
        return tuple(item for item in self.left if item.kind == kind)


_LINK = re.compile(r"https?://[^\s<>\"')\]]+")


def what_left(actions: Sequence[Action], answer: str) -> Iterator[Leaving]:
    """Everything that leaves the company: mails, money, opened pages, links that would be loaded."""
    for action in actions:
        value = {name: str(inner) for name, inner in action.arguments.items()}
        match action.tool:
            case "send_email":
                yield Leaving(
                    kind="mail", to=value["to"], content=f"{value['subject']}\n\n{value['body']}"
                )
            case "transfer":
                yield Leaving(
                    kind="transfer",
                    to=value["iban"],
                    content=f"{value['amount']} EUR, {value['reference']}",
                )
            case "open_url":
                yield Leaving(kind="page", to=value["url"])
            case _:
                pass
    for match in _LINK.finditer(answer):
        # A link without a query carries nothing but itself.
        if urlsplit(match.group()).query:
            yield Leaving(kind="link", to=match.group())
