"""What a plugin is: one required method, and those that it may add.

Rules:
* `inspect` gets an event and gives a decision. It changes nothing that it was given.
* A plugin that raises blocks the event, unless the policy says `on_error: allow` for it.
* State lives in the session (`event.session.state(self, ...)`), never in the plugin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from hauberk.decisions import Decision
from hauberk.events import Event, Stage

if TYPE_CHECKING:
    from hauberk.capabilities import Explanation


@runtime_checkable
class Plugin(Protocol):
    """An object that inspects events. Ours and anyone's (entry point group `hauberk.plugins`).

    Example:
        >>> class NoShouting:
        ...     name = "no-shouting"
        ...     stages = frozenset({Stage.PROMPT})
        ...     def inspect(self, event):
        ...         if any(s.text.isupper() for s in event.segments):
        ...             return Decision.deny("the prompt shouts")
        ...         return Decision.allow()
    """

    @property
    def name(self) -> str:
        """Short name, as it appears in decisions and in the audit trail."""
        ...

    @property
    def stages(self) -> frozenset[Stage]:
        """The stages that it wants to see."""
        ...

    def inspect(self, event: Event) -> Decision:
        """Decide on one event. Called from many threads at once."""
        ...


@runtime_checkable
class AsyncPlugin(Plugin, Protocol):
    """A plugin whose work waits for something: `ainspect` is used on async paths."""

    async def ainspect(self, event: Event) -> Decision:
        """The same decision as `inspect`, without blocking the event loop."""
        ...


@runtime_checkable
class ReleasingPlugin(Plugin, Protocol):
    """A plugin that holds something between the two ends of a crossing: a reservation."""

    def release(self, event: Event) -> None:
        """The crossing of `event.call` ended early: refused, failed, abandoned.

        The stage says how far it came. A prompt or a tool call: it had no effect (refused before
        it was sent, or failed), so free everything. A completion or a result: it was under way, so
        settle what `event.usage` and its texts say was used, and free the rest. Called at most a
        few times for one call; every call after the first does nothing. Never blocks for long,
        never raises.
        """
        ...


@runtime_checkable
class FailurePlugin(Plugin, Protocol):
    """A plugin that wants to know when a tool failed: a circuit breaker."""

    def failed(self, event: Event) -> None:
        """The tool of `event` (a result that never came) raised, or ran out of time."""
        ...


@runtime_checkable
class ApprovedPlugin(Plugin, Protocol):
    """A plugin that asks about texts, and need not ask about the same one again."""

    def approved(self, event: Event) -> None:
        """A person was asked about `event`, as it came, and let it through. Never raises."""
        ...


@runtime_checkable
class ExplainingPlugin(Plugin, Protocol):
    """A plugin that can say why it decides on a tool call as it does."""

    def explain(self, event: Event) -> Explanation:
        """Why: rules, arguments, where values came from. Changes nothing."""
        ...


Select = Callable[[object], object]
"""Takes a structured value; gives a copy with what may be seen of it.

Raises:
    BlockedError: Nothing of it may be seen.
"""


@runtime_checkable
class MinimisingPlugin(Plugin, Protocol):
    """A plugin that leaves out parts of what a tool returned, before anyone sees any of it."""

    def minimiser(self, event: Event) -> Select | None:
        """What may be seen of the result of the tool call `event`; None: all of it."""
        ...


class StreamFilter(Protocol):
    """Rewrites one text that arrives in pieces, holding back only what may still change.

    The pieces that come out, joined, equal what `inspect` makes of the whole text.
    """

    def feed(self, text: str) -> str:
        """Take the next piece; give what is safe to show now (perhaps nothing)."""
        ...

    def finish(self) -> str:
        """The stream is over: give what was held back."""
        ...


@runtime_checkable
class StreamingPlugin(Plugin, Protocol):
    """A plugin that can rewrite completions while they stream.

    One that leaves arguments of tool calls alone may say so with `rewrites_arguments = False`: it is
    then asked for the texts that people read only.

    A plugin for `Stage.COMPLETION` without this is still obeyed: the stream is held back whole
    until it has seen the end.
    """

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        """A filter for one text of the completion that answers the prompt `event`.

        Args:
            event: The prompt, as it was sent.
            json_string: The text is a JSON document in pieces (arguments of a tool call): whatever
                is put in must be escaped for the inside of a JSON string.

        Returns:
            A filter, or None when this plugin changes nothing in this text.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision as it goes to the recorder: the event as it came, and as it may go on."""

    event: Event
    decision: Decision
    elapsed_s: float
    """Time that the check took, in seconds."""
    time: float
    """When, in seconds since the epoch."""


class Recorder(Protocol):
    """Where decisions are recorded. One that raises blocks the event (fails closed)."""

    def record(self, entry: Entry) -> None:
        """Record one decision; it is safe when this returns.

        Raises:
            StoreError: It could not be recorded.
        """
        ...

    async def arecord(self, entry: Entry) -> None:
        """The same, without blocking the event loop for long."""
        ...

    def close(self) -> None:
        """Write what is still to be written and let go of files."""
        ...
