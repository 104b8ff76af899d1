"""Events: one crossing of one boundary, in words that no framework owns.

An adapter translates what its framework holds into an `Event`, asks the guard, and translates the
answer back. Rules see events only.

Rules:
* Events and segments are frozen; a rewrite makes new ones.
* Copies are written out field by field: `dataclasses.replace` takes several times as long, and an
  agent's run makes dozens.
* A repr never shows text or arguments: they may hold personal data.
* `Event.call` pairs the two ends of one crossing: a prompt with its completion, a tool call with
  its result. Reservations are kept under it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hauberk.session import Session, new_id

_ARGUMENT = re.compile(
    r"(?:^|\.)(?:tool_calls?|tool_call_chunks|invalid_tool_calls|function_call|args|arguments"
    r"|tool_kwargs|partial_json)(?=[.\[:]|$)"
)


def is_argument(where: str) -> bool:
    """Whether a place (as in `Segment.where`) is that of an argument of a tool call.

    Example:
        >>> is_argument("messages[1].tool_calls[0].args.to"), is_argument("messages[1].content")
        (True, False)
    """
    return _ARGUMENT.search(where) is not None


class Stage(StrEnum):
    """A point where data crosses a boundary."""

    PROMPT = "prompt"
    """Messages about to reach a model."""
    COMPLETION = "completion"
    """What the model answered, the arguments of its tool calls included."""
    TOOL_CALL = "tool_call"
    """A tool about to run, with its final arguments."""
    TOOL_RESULT = "tool_result"
    """What a tool returned, before anyone sees it."""
    RETRIEVAL = "retrieval"
    """Documents about to reach a prompt."""
    INGEST = "ingest"
    """Documents about to enter an index or a memory."""


class Trust(StrEnum):
    """Whether the writer of a text may give orders."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One text in an event, with who wrote it.

    Example:
        >>> Segment.from_tool("read_mail", "Dear agent ...").origin
        'tool:read_mail'
    """

    text: str = field(repr=False)
    """The text itself. Kept out of the repr."""
    origin: str
    """`user`, `developer`, `model`, `tool:NAME`, `document:ID` or `memory:NAME`."""
    trust: Trust = Trust.UNTRUSTED
    """Untrusted unless somebody says otherwise."""
    where: str = ""
    """The adapter's address of the text: `messages[2].content[0]`. Arguments of a tool call stand
    under a step that is named so: `tool_calls[0].args.to`, `arguments.to`."""

    @property
    def kind(self) -> str:
        """The origin without its name: `tool` for `tool:read_mail`."""
        return self.origin.partition(":")[0]

    @property
    def is_argument(self) -> bool:
        """Whether the text is an argument of a tool call: meant for a tool, shown to nobody."""
        return is_argument(self.where)

    def with_text(self, text: str) -> Segment:
        """The same segment with other words; itself when the words are the same."""
        if text == self.text:
            return self
        return Segment(text=text, origin=self.origin, trust=self.trust, where=self.where)

    @classmethod
    def from_user(cls, text: str, *, where: str = "") -> Segment:
        """A text that the user wrote."""
        return cls(text=text, origin="user", trust=Trust.TRUSTED, where=where)

    @classmethod
    def from_developer(cls, text: str, *, where: str = "") -> Segment:
        """A text of the application's owner: the system prompt."""
        return cls(text=text, origin="developer", trust=Trust.TRUSTED, where=where)

    @classmethod
    def from_model(cls, text: str, *, where: str = "") -> Segment:
        """A text that the model wrote, arguments of tool calls included."""
        return cls(text=text, origin="model", trust=Trust.UNTRUSTED, where=where)

    @classmethod
    def from_tool(cls, name: str, text: str, *, where: str = "") -> Segment:
        """A text that a tool returned."""
        return cls(text=text, origin=f"tool:{name}", trust=Trust.UNTRUSTED, where=where)

    @classmethod
    def from_document(cls, ident: str, text: str, *, where: str = "") -> Segment:
        """A text of a retrieved or ingested document."""
        return cls(text=text, origin=f"document:{ident}", trust=Trust.UNTRUSTED, where=where)

    @classmethod
    def from_memory(cls, name: str, text: str, *, where: str = "") -> Segment:
        """A text that comes back from a memory: a note or a fact of an earlier conversation."""
        return cls(text=text, origin=f"memory:{name}", trust=Trust.UNTRUSTED, where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one model call used, as the provider reported it (or as the adapter estimated it)."""

    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    """True when the provider gave no counts."""
    cached: bool = False
    """True when an application cache answered: nothing was bought."""


def _current_session() -> Session:
    return Session.current() or Session()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One crossing of one stage.

    Without a session given, the event belongs to the session that is open in this context, and to
    a fresh one of its own when none is.

    Example:
        >>> Event(stage=Stage.PROMPT, segments=(Segment.from_user("hello"),)).stage
        <Stage.PROMPT: 'prompt'>
    """

    stage: Stage
    segments: tuple[Segment, ...] = ()
    session: Session = field(default_factory=_current_session)
    tool: str | None = None
    """Name of the tool, for the two tool stages."""
    arguments: Mapping[str, object] | None = field(default=None, repr=False)
    """Final arguments of a tool call: after defaults and partials, plain JSON-like values."""
    model: str | None = None
    """Name of the model, for prompt and completion: prices hang on it."""
    max_output_tokens: int | None = None
    """The most tokens that the model may answer with, when the application limits it."""
    usage: Usage | None = None
    """For a completion: what the call used. None: not known."""
    call: str = field(default_factory=new_id)
    """Pairs a prompt with its completion and a tool call with its result."""

    def answered(self, segments: Iterable[Segment], *, usage: Usage | None = None) -> Event:
        """The completion that belongs to this prompt."""
        return self._at(Stage.COMPLETION, tuple(segments), self.arguments, usage)

    def returned(self, segments: Iterable[Segment]) -> Event:
        """The result that belongs to this tool call."""
        return self._at(Stage.TOOL_RESULT, tuple(segments), self.arguments, self.usage)

    def rewritten(
        self, segments: tuple[Segment, ...] | None, arguments: Mapping[str, object] | None
    ) -> Event:
        """The same crossing with other texts or arguments; None keeps what is there."""
        return self._at(
            self.stage,
            self.segments if segments is None else segments,
            self.arguments if arguments is None else arguments,
            self.usage,
        )

    def _at(
        self,
        stage: Stage,
        segments: tuple[Segment, ...],
        arguments: Mapping[str, object] | None,
        usage: Usage | None,
    ) -> Event:
        return Event(
            stage=stage,
            segments=segments,
            session=self.session,
            tool=self.tool,
            arguments=arguments,
            model=self.model,
            max_output_tokens=self.max_output_tokens,
            usage=usage,
            call=self.call,
        )
