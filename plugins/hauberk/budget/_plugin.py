"""The budget plugin: reserves before a call, settles after it.

Rules:
* A model call reserves one call, the tokens of its prompt (estimated), the most that it may answer,
  and their price. It is refused when any limit would be passed, and the run is stopped (unless
  other calls are under way).
* The completion settles with the provider's counts; without them, with an estimate of what was sent
  and what came back. An answer from an application's cache is a call, but costs no tokens.
* A tool call reserves one tool call; its result settles it.
* How far a call came decides what an early end costs. Released as `prompt` or `tool_call`: it had no
  effect (refused, or failed with an error, which providers do not bill), and all is freed. Released
  as `completion` or `tool_result`: it was under way, and counts, with what is known of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from hauberk.budget._prices import NANO_USD, PriceList
from hauberk.budget._rules import estimated_tokens, limits_of, refused, unpriced
from hauberk.budget._store import Amounts, BudgetStore, MemoryBudgetStore
from hauberk.decisions import ALLOWED, Decision
from hauberk.events import Event, Stage, Usage
from hauberk.plugin import StreamFilter
from hauberk.policy import BudgetPolicy
from hauberk.session import Session

_Prompts = dict[str, int]
_TOOL_CALL = Amounts(tool_calls=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a session has spent so far, for showing."""

    model_calls: int
    tool_calls: int
    tokens: int
    usd: float
    """US dollars. The account itself is kept in whole billionths."""
    wall_time_s: float
    """Seconds since the session's first event."""


class BudgetPlugin:
    """Lets a call through only while the session's budget has room for it.

    Does not promise to count what does not go through the guard, nor what a provider bills beside
    tokens. Money is counted only for models with a price in the policy, or when `usd` is limited.

    Example:
        >>> from hauberk.events import Segment
        >>> plugin, session = BudgetPlugin(BudgetPolicy(model_calls=1)), Session()
        >>> prompt = Event(
        ...     stage=Stage.PROMPT, session=session, segments=(Segment.from_user("Hello"),)
        ... )
        >>> plugin.inspect(prompt).passes
        True
        >>> answer = prompt.answered([], usage=Usage(input_tokens=9, output_tokens=12))
        >>> plugin.inspect(answer).passes, plugin.spent(session).tokens
        (True, 21)
        >>> plugin.inspect(Event(stage=Stage.PROMPT, session=session)).passes
        False
    """

    name = "budget"
    stages = frozenset({Stage.PROMPT, Stage.COMPLETION, Stage.TOOL_CALL, Stage.TOOL_RESULT})

    def __init__(
        self,
        policy: BudgetPolicy,
        *,
        store: BudgetStore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the policy's limits.

        Args:
            policy: The limits and prices.
            store: Where accounts are kept; in memory when not given.
            clock: Seconds, never running backwards.
        """
        self._limits = limits_of(policy)
        self._prices = PriceList(policy.prices, built_in=policy.usd is not None)
        self._output_tokens = policy.reserve_output_tokens
        self._store: BudgetStore = store or MemoryBudgetStore()
        self._clock = clock

    def inspect(self, event: Event) -> Decision:
        """Reserve before a call, settle after it."""
        match event.stage:
            case Stage.PROMPT:
                return self._reserve_model_call(event)
            case Stage.TOOL_CALL:
                return self._reserve(event, _TOOL_CALL)
            case Stage.COMPLETION:
                self._settle_model_call(event)
            case Stage.TOOL_RESULT:
                self._store.settle(event.session, event.call, _TOOL_CALL)
            case Stage.RETRIEVAL | Stage.INGEST:
                pass
            case _:
                assert_never(event.stage)
        return ALLOWED

    def release(self, event: Event) -> None:
        """The call ended early: free what it did not use. Once for each call."""
        match event.stage:
            case Stage.COMPLETION:
                self._settle_model_call(event)
            case Stage.PROMPT if event.usage is not None:
                self._settle_model_call(event)
            case Stage.TOOL_RESULT:
                self._store.settle(event.session, event.call, _TOOL_CALL)
            case _:
                self._prompts(event.session).pop(event.call, None)
                self._store.release(event.session, event.call)

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:  # noqa: ARG002 - the Protocol's signature
        """Nothing to change in a stream: it is settled at its end."""
        return None

    def spent(self, session: Session) -> Spent:
        """What a session has spent so far; reservations are not in it.

        Example:
            >>> BudgetPlugin(BudgetPolicy()).spent(Session()).model_calls
            0
        """
        balance = self._store.balance(session)
        started = self._clock() if balance.started is None else balance.started
        return Spent(
            model_calls=balance.spent.model_calls,
            tool_calls=balance.spent.tool_calls,
            tokens=balance.spent.tokens,
            usd=balance.spent.nano_usd / NANO_USD,
            wall_time_s=self._clock() - started,
        )

    def _reserve_model_call(self, event: Event) -> Decision:
        sent = estimated_tokens(event.segments)
        answer = max(event.max_output_tokens or self._output_tokens, 1)
        cost = self._prices.cost(event.model, sent, answer)
        if cost is None and self._limits.nano_usd is not None:
            return unpriced(event.model)
        decision = self._reserve(event, Amounts(1, 0, sent + answer, cost or 0))
        if decision is ALLOWED:
            self._prompts(event.session)[event.call] = sent
        return decision

    def _reserve(self, event: Event, amounts: Amounts) -> Decision:
        short = self._store.reserve(
            event.session, event.call, amounts, limits=self._limits, now=self._clock()
        )
        return ALLOWED if short is None else refused(short)

    def _settle_model_call(self, event: Event) -> None:
        sent = self._prompts(event.session).pop(event.call, 0)
        usage = event.usage or _estimated(event, sent)
        if usage.cached:
            amounts = Amounts(model_calls=1)
        else:
            taken, given = max(usage.input_tokens, 0), max(usage.output_tokens, 0)
            # Its price was known when the call was reserved; without a reservation nothing is
            # settled at all.
            cost = self._prices.cost(event.model, taken, given) or 0
            amounts = Amounts(1, 0, taken + given, cost)
        self._store.settle(event.session, event.call, amounts)

    def _prompts(self, session: Session) -> dict[str, int]:
        """Estimated tokens of the prompts that are open in this session, by call."""
        return session.state(self, _Prompts)


def _estimated(event: Event, sent: int) -> Usage:
    answered = estimated_tokens(event.segments)
    return Usage(input_tokens=sent, output_tokens=answered, estimated=True)
