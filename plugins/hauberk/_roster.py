"""The plugins of a guard: who is asked at which stage and in which order, and what each can do.

Rules:
* The order of a stage is fixed: what one plugin makes is what the next one sees.
* Plugins that are not built in have one place in it, in the order in which they were given.
* A plugin that cannot let go of something is logged, and the others let go all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from hauberk._check import place_of
from hauberk.events import Event, Stage
from hauberk.plugin import (
    ApprovedPlugin,
    AsyncPlugin,
    ExplainingPlugin,
    FailurePlugin,
    MinimisingPlugin,
    Plugin,
    ReleasingPlugin,
    Select,
    StreamingPlugin,
)
from hauberk.policy import OnError, Policy, Section

if TYPE_CHECKING:
    from hauberk.capabilities import Explanation

_log = logging.getLogger("hauberk")

_EXTRA = "*"
"""Place of plugins that are not built in."""

_ORDER: Mapping[Stage, tuple[str, ...]] = {
    # Capabilities read what the model will read: after screening, and in clear. Marks come last: a
    # text with marks in it is no text for anybody else.
    Stage.PROMPT: ("budget", "injection", "capabilities", _EXTRA, "pii", "spotlight"),
    Stage.COMPLETION: ("budget", "spotlight", "injection", "pii", _EXTRA),
    # Real values first: rules judge what the tool will really get.
    Stage.TOOL_CALL: ("spotlight", "injection", "pii", "capabilities", _EXTRA, "budget"),
    Stage.TOOL_RESULT: ("budget", "injection", "capabilities", _EXTRA, "pii"),
    Stage.RETRIEVAL: ("injection", "capabilities", _EXTRA, "pii", "spotlight"),
    Stage.INGEST: ("injection", _EXTRA, "pii"),
}


class Roster:
    """The plugins of one guard.

    What each can do is asked once: a Protocol check costs microseconds.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        """Put them in order."""
        self.all = tuple(plugins)
        self.by_stage = {stage: tuple(_ordered(self.all, stage)) for stage in Stage}
        """Those of a stage, in the order in which they are asked."""
        self.waiting = {id(p): p for p in self.all if isinstance(p, AsyncPlugin)}
        """Those with a way of their own on an event loop, by identity."""
        self.streaming = tuple(
            plugin if isinstance(plugin, StreamingPlugin) else None
            for plugin in self.by_stage[Stage.COMPLETION]
        )
        """Those for completions; None for one that cannot rewrite in pieces."""
        self._releasing = tuple(p for p in self.all if isinstance(p, ReleasingPlugin))
        self._asking = tuple(p for p in self.all if isinstance(p, ApprovedPlugin))
        self._minimising = tuple(p for p in self.all if isinstance(p, MinimisingPlugin))
        self._watching_failures = tuple(p for p in self.all if isinstance(p, FailurePlugin))

    def release(self, event: Event) -> None:
        """Tell all that hold something for `event.call` to let go of it."""
        for plugin in self._releasing:
            try:
                plugin.release(event)
            except Exception as error:  # noqa: BLE001 - the rest must be released all the same
                _log.error("%s could not release: %s", plugin.name, place_of(error))

    def approved(self, event: Event) -> None:
        """Tell all that ask about texts that a person let `event` through."""
        for plugin in self._asking:
            try:
                plugin.approved(event)
            except Exception as error:  # noqa: BLE001 - then it asks again
                _log.error("%s could not note an approval: %s", plugin.name, place_of(error))

    def failed(self, event: Event) -> None:
        """Tell all that want to know that the tool of `event` failed."""
        for plugin in self._watching_failures:
            try:
                plugin.failed(event)
            except Exception as error:  # noqa: BLE001 - the tool's own error is what matters
                _log.error("%s could not note a failure: %s", plugin.name, place_of(error))

    def minimiser(self, event: Event) -> Select | None:
        """What may be seen of the result of the tool call `event`; None: all of it."""
        found = [p.minimiser(event) for p in self._minimising]
        chosen = [select for select in found if select is not None]
        return partial(_selected, chosen) if chosen else None

    def explain(self, event: Event) -> Explanation:
        """Why the tool call `event` is decided as it is.

        Raises:
            ValueError: No plugin can explain one.
        """
        for plugin in self.by_stage[Stage.TOOL_CALL]:
            if isinstance(plugin, ExplainingPlugin):
                return plugin.explain(event)
            event = plugin.inspect(event).apply(event)
        raise ValueError("no plugin of this guard explains tool calls: `capabilities` is off")


def _selected(chosen: Iterable[Select], value: object) -> object:
    for select in chosen:
        value = select(value)
    return value


def _ordered(plugins: Iterable[Plugin], stage: Stage) -> Iterator[Plugin]:
    wanted = [plugin for plugin in plugins if stage in plugin.stages]
    order = _ORDER[stage]
    for place in order:
        for plugin in wanted:
            if place == plugin.name or (place == _EXTRA and plugin.name not in order):
                yield plugin


def on_error(policy: Policy) -> dict[str, OnError]:
    """By the name of a plugin: what happens when it fails."""
    rooms: tuple[tuple[str, Section | Literal[False]], ...] = (
        ("injection", policy.injection),
        ("pii", policy.pii),
        ("capabilities", policy.capabilities),
        ("budget", policy.budget),
        ("audit", policy.audit),
        *((plugin.use, plugin) for plugin in policy.plugins),
    )
    return {name: room.on_error for name, room in rooms if room is not False}
