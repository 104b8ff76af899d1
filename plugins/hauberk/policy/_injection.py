"""The shape of `injection:`: how texts are screened."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from hauberk.decisions import Severity
from hauberk.policy._base import Model, Section


class ScreenAction(StrEnum):
    """What happens to a text in which an injection is found."""

    BLOCK = "block"
    """Refuse the event and end the session."""
    QUARANTINE = "quarantine"
    """Replace the text by a notice; the rest goes on."""
    FLAG = "flag"
    """Record the finding; the text goes on."""
    OFF = "off"
    """Do not look."""


def _severity(value: object) -> object:
    if isinstance(value, str):
        names = [item.name.lower() for item in Severity]
        if value.lower() not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return Severity[value.upper()]
    return value


SeverityName = Annotated[
    Severity,
    BeforeValidator(
        _severity, json_schema_input_type=Literal["info", "low", "medium", "high", "critical"]
    ),
]


def _action(value: object) -> object:
    # YAML 1.1 reads a bare `off` as false.
    return ScreenAction.OFF if value is False else value


class Screen(Model):
    """How texts of one origin are screened."""

    action: Annotated[
        ScreenAction, BeforeValidator(_action, json_schema_input_type=ScreenAction | Literal[False])
    ] = ScreenAction.QUARANTINE
    """What happens when an injection is found."""
    at: SeverityName = Severity.MEDIUM
    """Least severity for the action; findings below it only flag."""


class InjectionPolicy(Section):
    """Screening for prompt injection, by origin of the text."""

    user: Screen = Screen(action=ScreenAction.BLOCK, at=Severity.HIGH)
    """What the user writes: orders are normal here, so only grave findings act."""
    tool: Screen = Screen()
    """What tools return."""
    document: Screen = Screen()
    """What is retrieved or ingested."""
    exfiltration: Screen = Screen()
    """What the model answers: links and images that would carry data away."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that answers may link to, with their subdomains. Links to others that carry data, and
    all images of others, are taken out."""
    max_chars: int = Field(default=1_000_000, ge=1)
    """Longest text that is screened, in characters. A longer one is refused unread."""
    max_decode_depth: int = Field(default=3, ge=0, le=8)
    """How many encodings inside each other are opened."""
