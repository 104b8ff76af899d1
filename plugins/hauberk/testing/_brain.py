"""Brains: what a model double answers, without any framework.

`hauberk_langchain.testing` and `hauberk_llama_index.testing` put a brain into a chat model of their
framework. So tests, the demo and the docs script a conversation once for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's wish to call a tool."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    ident: str = ""
    """Given by the adapter when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message as the model sees it."""

    role: Role
    text: str = ""
    tool: str | None = None
    """For `tool`: whose result it is."""
    calls: tuple[ToolCall, ...] = ()
    """For `assistant`: the tools that it wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool that the model was offered."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    """JSON Schema of the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answers: words, wishes to call tools, or both."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


class Brain(Protocol):
    """Something that answers. Deterministic: the same turns and tools give the same reply."""

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        """The next message."""
        ...


class ScriptedBrain:
    """Answers from a list: the n-th reply to a conversation with n answers so far.

    Counts the assistant turns that it sees, so one brain serves many conversations at once.
    Keeps what it saw in `seen`, for tests that ask what reached the model.
    """

    def __init__(self, replies: Sequence[Reply | str]) -> None:
        self._replies = [Reply(text=r) if isinstance(r, str) else r for r in replies]
        self.seen: list[tuple[Turn, ...]] = []

    def reply(
        self,
        turns: Sequence[Turn],
        tools: Sequence[ToolSpec],  # noqa: ARG002 - the Protocol's
    ) -> Reply:
        """The reply whose number is the number of answers so far; the last one goes on for ever."""
        self.seen.append(tuple(turns))
        since = [i for i, t in enumerate(turns) if t.role == "user"]
        start = since[-1] if since else 0
        answered = sum(turn.role == "assistant" for turn in turns[start:])
        return self._replies[min(answered, len(self._replies) - 1)]


def count_tokens(text: str) -> int:
    """A token count for model doubles: words and signs, deterministic, no tokenizer needed."""
    return max(1, (len(text) + 3) // 4) if text else 0
