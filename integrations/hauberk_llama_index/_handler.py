"""The callback handler: a guard for what it is attached to, and for nothing else.

Rules:
* It is a mark, not a rewriter: changing messages inside a callback would change the application's own
  objects. LlamaIndex's classes find it in the callback manager and put the guard at the seam.
* It is asked where LlamaIndex asks nobody: no event is fired for tools and agents.
"""

from __future__ import annotations

from typing import Any, Self, SupportsIndex

from llama_index.core.callbacks import CBEventType
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from typing_extensions import override

from hauberk.guard import Guard
from hauberk_llama_index._armed import expect_handlers
from hauberk_llama_index._patch import teach
from hauberk_llama_index._swap import known_guard, name_of


class HauberkCallbackHandler(BaseCallbackHandler):
    """Guards what holds the `CallbackManager` that it is in, while it is called.

    In the manager of an engine, an index's retriever or a model: that object, and whatever it calls
    meanwhile. In the manager of an agent's model: the runs of the agent, its tools included.

    It does not promise to see an object that has no manager and is called on its own: a tool, a
    workflow that holds no model. `guard.coverage(obj)` says; `protect` and `install` reach them.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from hauberk_llama_index.testing import ScriptedLLM
        >>> from llama_index.core.callbacks import CallbackManager
        >>> handler = HauberkCallbackHandler(Guard(Policy.unsafe_allow_all()))
        >>> llm = ScriptedLLM(replies=["ok"], callback_manager=CallbackManager([handler]))
        >>> llm.complete("hi").text
        'ok'
    """

    def __init__(self, guard: Guard) -> None:
        """Make a handler for a guard.

        Args:
            guard: What the calls must obey.
        """
        super().__init__(list(CBEventType), list(CBEventType))  # no event is wanted
        teach()
        expect_handlers()
        self.hauberk_guard = guard

    @override
    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        """Nothing: the seam sees what matters."""
        return event_id

    @override
    def on_event_end(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        **kwargs: Any,
    ) -> None:
        """Nothing."""

    @override
    def start_trace(self, trace_id: str | None = None) -> None:
        """Nothing."""

    @override
    def end_trace(
        self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None
    ) -> None:
        """Nothing."""

    def __copy__(self) -> Self:
        """Itself: a guard is one thing with its sessions and its trail."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself, see `__copy__`."""
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """Comes back where its guard lives, and is refused everywhere else."""
        return _restored, (type(self), name_of(self.hauberk_guard))


def _restored(kind: type[HauberkCallbackHandler], name: str) -> HauberkCallbackHandler:
    return kind(known_guard(name, kind))
