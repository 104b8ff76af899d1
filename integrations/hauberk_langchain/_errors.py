"""Refusals that end a LangChain run.

    RunBlockedError                 a guard refused, and this step cannot answer anything instead
    ├── RunBudgetExceededError          ... because a budget is used up
    └── RunApprovalRequiredError        ... until a human approves, and nobody is there

Each is also the error of the core with the same name less `Run`.

Rules:
* They are `GraphBubbleUp` where LangGraph is installed: retry, fallback and error middleware, tool
  nodes and node retry policies let that pass, and would swallow anything else.
* They have no attribute `response`: LangChain would read it into its tracing events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hauberk.errors import ApprovalRequiredError, BlockedError, BudgetExceededError
from hauberk_langchain._run import around

if TYPE_CHECKING:
    from langgraph.errors import GraphBubbleUp as _BubbleUp
else:
    try:
        from langgraph.errors import GraphBubbleUp as _BubbleUp
    except ImportError:  # LangGraph comes with `langchain`, not with `langchain-core`
        _BubbleUp = Exception


class RunBlockedError(BlockedError, _BubbleUp):
    """A guard refused, and the run ends here. `decision` says why."""


class RunBudgetExceededError(RunBlockedError, BudgetExceededError):
    """A budget is used up, or the next call could pass it."""


class RunApprovalRequiredError(RunBlockedError, ApprovalRequiredError):
    """A human must approve, and nobody is there to ask."""


def run_error(error: BlockedError) -> RunBlockedError:
    """The same refusal, as the error that no part of LangChain swallows."""
    if isinstance(error, RunBlockedError):
        return error
    kind = RunBlockedError
    if isinstance(error, BudgetExceededError):
        kind = RunBudgetExceededError
    elif isinstance(error, ApprovalRequiredError):
        kind = RunApprovalRequiredError
    return kind(error.decision, stage=error.stage, tool=error.tool)


class HardStops:
    """A stretch of code in which every refusal of the core becomes one that ends the run."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, BlockedError):
            return
        stop = run_error(error)
        noted = around().refusals
        if noted is not None:
            noted.append(stop)
        if stop is not error:
            raise stop from None


hard_stops = HardStops()
