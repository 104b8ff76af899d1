"""What every surface is made of: its parts, and the attacks that there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager
from llama_index.core.tools import FunctionTool

from hauberk.testing.matrix import ORDER, PEOPLE, CommonParts
from hauberk_llama_index.matrix._modes import Calls, Talk, flat
from hauberk_llama_index.matrix._world import Model, tools_of

PARTIAL, MISFIT = "override of a partial parameter", "argument of a wrong type"
APPROVAL = "call without approval"

PROMPT = frozenset(PEOPLE)
"""Attacks: personal data in a conversation."""
USER = frozenset({"PII in user text"})
RESTORED = frozenset({"restore in answer", "restore in stream"})
ARGUMENTS = frozenset({"restore in tool arguments", "restore in nested arguments"})
BUDGETED = frozenset({"call budget", "token budget", "money budget", "time budget"})
POISONED = frozenset({"injection in document", "injection in node metadata"})
MODEL = PROMPT | RESTORED | BUDGETED | {"injection in history", "direct injection"}
ASKED = USER | RESTORED | BUDGETED | {"direct injection"}
READING = POISONED | {"PII in document", "PII in metadata that the prompt shows"}
TOOLS = frozenset(
    {
        "injection in tool result",
        "denied tool",
        "denied argument",
        "hidden tool called anyway",
        "flow from untrusted result to outside effect",
        PARTIAL,
        MISFIT,
    }
)
AGENT = MODEL | ARGUMENTS | TOOLS | {"swallowed refusal", APPROVAL}

POSTPROCESSED = frozenset({"handler", "protect", "install", "postprocessor"})
"""Doors of engines."""
HELD = frozenset({"protect", "install"})
"""Doors of what has no callback manager."""


@dataclass
class Parts(CommonParts):
    """What a surface is built of."""

    callbacks: list[Any] = field(default_factory=list[Any])
    postprocessors: list[Any] = field(default_factory=list[Any])
    transforms: list[Any] = field(default_factory=list[Any])
    models: list[Model] = field(default_factory=list[Model])

    @property
    def options(self) -> dict[str, Any]:
        """For whatever takes a callback manager."""
        return {"callback_manager": CallbackManager(self.callbacks)} if self.callbacks else {}

    def model(self, brain: Any = None) -> Model:
        """One more model of this application."""
        fields: dict[str, Any] = {"brain": brain or self.brain, "trace": self.trace, **self.options}
        made = Model(**fields)
        self.models.append(made)
        return made

    def tools(self) -> list[Any]:
        """The tools of its agent."""
        more = [FunctionTool.from_defaults(self.swallow)] if self.swallows else []
        return [*tools_of(self.trace), *more]

    def swallow(self) -> str:
        """Ask a model something bad, and say nothing of what came of it."""
        try:
            return flat(self.models[0].chat([ChatMessage(role="user", content=ORDER)]))
        except Exception:  # noqa: BLE001 - as bad applications do
            return "never mind"


@dataclass(frozen=True, slots=True)
class Surface:
    """One kind of application."""

    name: str
    build: Callable[[Parts], Any]
    attacks: frozenset[str]
    calls: Calls
    agent: bool = False
    """It has a model that calls tools."""
    doors: frozenset[str] = frozenset({"handler", "protect", "install"})
    models: bool = True
    """It has a model that a cancelled call can be at."""
    threads: bool = True
    """One object may be used by several threads at once; LlamaIndex's memory may not."""


def last_text(talk: Talk) -> str:
    """What the user says."""
    return talk[-1].content or ""
