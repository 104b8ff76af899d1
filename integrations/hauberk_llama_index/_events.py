"""The step of a workflow that runs here, and how it waits for an event.

Read from where LlamaIndex's own agents read it (`workflows.runtime.types.results`; `base_agent.py`,
0.14.25). With a version of workflows that does not have it, no step is known.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_index.core.workflow import Context

if TYPE_CHECKING:
    from workflows.runtime.types.results import (
        InternalContextVar,
        StepWorkerContext,
        StepWorkerStateContextVar,
        WaitingForEvent,
    )
else:
    try:
        from workflows.runtime.types.results import (
            InternalContextVar,
            StepWorkerStateContextVar,
            WaitingForEvent,
        )
    except ImportError:  # workflows before 2.9
        InternalContextVar = StepWorkerStateContextVar = ContextVar("never set")

        class WaitingForEvent(Exception):  # noqa: N818 - the name of theirs
            """Never raised."""


__all__ = ["Step", "WaitingForEvent", "current_step"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step at work on one event."""

    context: Context[Any]
    _state: StepWorkerContext

    @property
    def work(self) -> str:
        """Names the piece of work: the same each time that it is run again."""
        return str(self._state.state.work_item_id)

    def answered(self, waiter: str) -> int:
        """How many events this run has taken whose waiters have a name that begins so."""
        found = (getattr(one, "waiter_id", "") for one in self._state.returns.return_values)
        return sum(name.startswith(waiter) for name in found)


def current_step() -> Step | None:
    """The step that runs here; None outside a workflow."""
    reference, state = InternalContextVar.get(None), StepWorkerStateContextVar.get(None)
    context = None if reference is None else reference()
    return None if context is None or state is None else Step(context, state)
