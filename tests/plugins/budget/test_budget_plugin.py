"""What a session may spend: reserved before, settled after, released on an early end."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from weakref import ref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk import BudgetExceededError, Decision, Event, Guard, Policy, Segment, Stage, Usage
from hauberk.budget import BudgetPlugin, MemoryBudgetStore, Spent
from hauberk.budget._rules import estimated_tokens
from hauberk.policy import BudgetPolicy, ModelPrice
from hauberk.session import Session

UNLIMITED: dict[str, Any] = {
    "model_calls": None,
    "tool_calls": None,
    "tokens": None,
    "wall_time_s": None,
}


class Clock:
    """Time that passes when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def budget(clock: Clock | None = None, **limits: Any) -> BudgetPlugin:
    return BudgetPlugin(BudgetPolicy(**{**UNLIMITED, **limits}), clock=clock or Clock())


def prompt(session: Session, text: str = "", **fields: Any) -> Event:
    segments = (Segment.from_user(text),) if text else ()
    return Event(stage=Stage.PROMPT, session=session, segments=segments, **fields)


def call(session: Session, tool: str = "search") -> Event:
    return Event(stage=Stage.TOOL_CALL, session=session, tool=tool, arguments={})


def used(tokens_in: int, tokens_out: int, **more: Any) -> Usage:
    return Usage(input_tokens=tokens_in, output_tokens=tokens_out, **more)


def refused_by(decision: Decision) -> str:
    assert not decision.passes
    return decision.findings[0].rule


# --- model calls ----------------------------------------------------------------------------


def test_the_call_after_the_last_is_refused_and_stops_the_run() -> None:
    plugin, session = budget(model_calls=1), Session()
    first = prompt(session)
    assert plugin.inspect(first).passes
    plugin.inspect(first.answered((), usage=used(1, 1)))
    decision = plugin.inspect(prompt(session))
    assert refused_by(decision) == "budget.model-calls"
    assert decision.stop
    assert "1 used, 0 reserved, 1 asked for, limit 1" in decision.reason


def test_a_prompt_reserves_what_it_may_answer() -> None:
    plugin, session = budget(tokens=1000, reserve_output_tokens=600), Session()
    assert plugin.inspect(prompt(session)).passes
    assert refused_by(plugin.inspect(prompt(session))) == "budget.tokens"


def test_the_applications_own_limit_goes_before_the_default() -> None:
    plugin, session = budget(tokens=1000, reserve_output_tokens=600), Session()
    assert plugin.inspect(prompt(session, max_output_tokens=100)).passes
    assert plugin.inspect(prompt(session, max_output_tokens=900)).passes


def test_a_long_prompt_is_counted_before_it_is_sent() -> None:
    plugin, session = budget(tokens=1000, reserve_output_tokens=1), Session()
    assert plugin.inspect(prompt(session, "a" * 3980)).passes
    assert not plugin.inspect(prompt(Session(), "a" * 4000)).passes


def test_the_providers_count_replaces_the_reservation() -> None:
    plugin, session = budget(tokens=2000), Session()
    for _ in range(9):
        event = prompt(session)
        assert plugin.inspect(event).passes
        plugin.inspect(event.answered((), usage=used(60, 40)))
    assert plugin.spent(session).tokens == 900


def test_the_truth_is_booked_even_past_the_limit_and_the_next_call_is_refused() -> None:
    plugin, session = budget(tokens=2000), Session()
    event = prompt(session)
    plugin.inspect(event)
    assert plugin.inspect(event.answered((), usage=used(5000, 5000))).passes
    assert plugin.spent(session).tokens == 10_000
    assert refused_by(plugin.inspect(prompt(session, max_output_tokens=1))) == "budget.tokens"


def test_without_a_count_both_ends_are_estimated() -> None:
    plugin, session = budget(), Session()
    event = prompt(session, "a" * 400)
    plugin.inspect(event)
    plugin.inspect(event.answered([Segment.from_model("b" * 40)]))
    assert plugin.spent(session).tokens == 104 + 14


def test_an_answer_from_the_cache_costs_no_tokens() -> None:
    plugin, session = budget(prices={"m": ModelPrice(input_usd=1, output_usd=1)}), Session()
    event = prompt(session, model="m")
    plugin.inspect(event)
    plugin.inspect(event.answered((), usage=used(50, 50, cached=True)))
    spent = plugin.spent(session)
    assert (spent.model_calls, spent.tokens, spent.usd) == (1, 0, 0.0)


def test_a_completion_that_nobody_reserved_is_not_booked() -> None:
    plugin, session = budget(), Session()
    plugin.inspect(prompt(session).answered((), usage=used(5, 5)))
    assert plugin.spent(session).tokens == 0


def test_settling_twice_counts_once() -> None:
    plugin, session = budget(), Session()
    event = prompt(session)
    plugin.inspect(event)
    for _ in range(2):
        plugin.inspect(event.answered((), usage=used(5, 5)))
    assert plugin.spent(session).tokens == 10


def test_negative_counts_give_nothing_back() -> None:
    plugin, session = budget(), Session()
    event = prompt(session)
    plugin.inspect(event)
    plugin.inspect(event.answered((), usage=used(-500, 5)))
    assert plugin.spent(session).tokens == 5


# --- early ends -----------------------------------------------------------------------------


def test_a_call_that_was_refused_or_failed_frees_everything() -> None:
    plugin, session = budget(model_calls=1, tokens=2000), Session()
    event = prompt(session)
    plugin.inspect(event)
    plugin.release(event)
    assert plugin.spent(session) == Spent(
        model_calls=0, tool_calls=0, tokens=0, usd=0.0, wall_time_s=0.0
    )
    assert plugin.inspect(prompt(session)).passes


def test_a_failed_call_with_a_count_is_settled() -> None:
    plugin, session = budget(), Session()
    event = prompt(session)
    plugin.inspect(event)
    plugin.release(replace(event, usage=used(7, 1)))
    assert plugin.spent(session).tokens == 8


def test_an_abandoned_answer_counts_with_what_came() -> None:
    """It was sent and answered in part: providers bill both."""
    plugin, session = budget(), Session()
    event = prompt(session, "a" * 400)
    plugin.inspect(event)
    plugin.release(event.answered([Segment.from_model("b" * 40)]))
    assert plugin.spent(session).model_calls == 1
    assert plugin.spent(session).tokens == 104 + 14


def test_an_abandoned_answer_with_a_count_is_settled_with_it() -> None:
    plugin, session = budget(), Session()
    event = prompt(session, "a" * 400)
    plugin.inspect(event)
    plugin.release(event.answered((), usage=used(3, 4)))
    assert plugin.spent(session).tokens == 7


def test_after_a_release_nothing_more_is_booked() -> None:
    plugin, session = budget(), Session()
    event = prompt(session)
    plugin.inspect(event)
    plugin.release(event)
    plugin.inspect(event.answered((), usage=used(5, 5)))
    plugin.release(event.answered((), usage=used(5, 5)))
    assert plugin.spent(session).tokens == 0


# --- tool calls -----------------------------------------------------------------------------


def test_tool_calls_beyond_the_limit_are_denied_and_the_agent_goes_on() -> None:
    plugin, session = budget(tool_calls=2), Session()
    for _ in range(2):
        event = call(session)
        assert plugin.inspect(event).passes
        assert plugin.inspect(event.returned(())).passes
    decision = plugin.inspect(call(session))
    assert refused_by(decision) == "budget.tool-calls"
    assert not decision.stop
    assert "2 used, 0 reserved, 1 asked for, limit 2" in decision.reason
    assert "answer with what is known" in decision.reason


def test_a_tool_call_that_never_ran_is_not_counted() -> None:
    plugin, session = budget(tool_calls=1), Session()
    event = call(session)
    plugin.inspect(event)
    plugin.release(event)
    assert plugin.inspect(call(session)).passes


def test_a_tool_that_ran_and_failed_is_counted() -> None:
    plugin, session = budget(), Session()
    event = call(session)
    plugin.inspect(event)
    plugin.release(event.returned(()))
    assert plugin.spent(session).tool_calls == 1


def test_a_call_that_capabilities_deny_is_not_counted() -> None:
    guard = Guard.from_policy(
        {
            "version": 1,
            "pii": False,
            "injection": False,
            "audit": False,
            "budget": {"tool_calls": 1},
            "capabilities": {"tools": {"search": {}, "pay": {"approval": True}}},
        }
    )
    session = Session()
    for tool in ("delete", "pay", "delete", "pay"):
        assert not guard.check(call(session, tool)).passes
    assert guard.check(call(session)).passes
    assert guard.check(call(session)).plugin == "budget"


# --- money ----------------------------------------------------------------------------------

PRICES = {"tiny": ModelPrice(input_usd=1, output_usd=2)}


def test_money_is_counted_by_the_policys_price() -> None:
    plugin, session = budget(usd=1, prices=PRICES), Session()
    event = prompt(session, model="tiny")
    plugin.inspect(event)
    plugin.inspect(event.answered((), usage=used(1_000, 500)))
    assert plugin.spent(session).usd == 0.002


def test_a_call_that_could_cost_too_much_is_refused() -> None:
    plugin, session = budget(usd=0.003, prices=PRICES), Session()
    assert plugin.inspect(prompt(session, model="tiny", max_output_tokens=1500)).passes
    decision = plugin.inspect(prompt(session, model="tiny", max_output_tokens=1))
    assert refused_by(decision) == "budget.usd"
    assert "$0.003000 reserved, $0.000002 asked for, limit $0.003000" in decision.reason


@pytest.mark.parametrize("name", ["unheard-of", "tiny2", "TINY", "no-such-provider:gpt-4o", ""])
def test_an_unknown_price_is_refused_with_its_remedy(name: str) -> None:
    decision = budget(usd=1, prices=PRICES).inspect(prompt(Session(), model=name))
    assert refused_by(decision) == "budget.price"
    assert f"`budget.prices.{name}`" in decision.reason


def test_a_model_without_a_name_has_no_price() -> None:
    assert refused_by(budget(usd=1).inspect(prompt(Session()))) == "budget.price"


def test_prices_matter_only_when_money_is_limited() -> None:
    assert budget().inspect(prompt(Session(), model="unheard-of")).passes


@pytest.mark.parametrize("name", ["gpt-4o", "openai:gpt-4o", "models/gemini-2.5-pro"])
def test_known_models_have_a_price(name: str) -> None:
    plugin, session = budget(usd=100), Session()
    event = prompt(session, model=name)
    assert plugin.inspect(event).passes
    plugin.inspect(event.answered((), usage=used(1000, 1000)))
    assert plugin.spent(session).usd > 0


def test_the_policys_price_goes_before_the_list() -> None:
    prices = {"gpt-4o": ModelPrice(input_usd=0, output_usd=0)}
    plugin, session = budget(usd=1, prices=prices), Session()
    event = prompt(session, model="gpt-4o")
    plugin.inspect(event)
    plugin.inspect(event.answered((), usage=used(1000, 1000)))
    assert plugin.spent(session).usd == 0.0


def test_sums_of_money_do_not_drift() -> None:
    """Ten times ten cents are one dollar: in floats they are not."""
    prices = {"dime": ModelPrice(input_usd=0.1, output_usd=0)}
    plugin, session = budget(usd=1, prices=prices, reserve_output_tokens=1), Session()
    for _ in range(10):
        event = prompt(session, model="dime")
        assert plugin.inspect(event).passes
        plugin.inspect(event.answered((), usage=used(1_000_000, 0)))
    assert plugin.spent(session).usd == 1.0
    assert not plugin.inspect(prompt(session, "a", model="dime")).passes


# --- time -----------------------------------------------------------------------------------


def test_the_sessions_time_begins_with_its_first_event_and_ends() -> None:
    clock = Clock()
    plugin, session = budget(clock, wall_time_s=60), Session()
    clock.now += 500
    event = prompt(session)
    assert plugin.inspect(event).passes
    clock.now += 61
    for late in (prompt(session), call(session)):
        decision = plugin.inspect(late)
        assert refused_by(decision) == "budget.wall-time"
        assert decision.stop
    assert plugin.inspect(event.answered((), usage=used(1, 1))).passes
    assert plugin.spent(session).wall_time_s == 61


# --- many at once ---------------------------------------------------------------------------


def test_fifty_threads_share_a_budget_for_one_call() -> None:
    plugin, session = budget(model_calls=1), Session()
    with ThreadPoolExecutor(50) as pool:
        decisions = list(pool.map(plugin.inspect, [prompt(session) for _ in range(50)]))
    assert sum(decision.passes for decision in decisions) == 1


def test_a_refusal_beside_calls_under_way_leaves_them_their_answers() -> None:
    guard, session = Guard(Policy.unsafe_allow_all(), plugins=[budget(model_calls=1)]), Session()
    first = guard.require(prompt(session))
    with pytest.raises(BudgetExceededError):
        guard.require(prompt(session))
    guard.require(first.answered((), usage=used(1, 1)))
    with pytest.raises(BudgetExceededError) as caught:
        guard.require(prompt(session))
    assert caught.value.decision.stop


async def test_fifty_tasks_share_a_budget_for_one_call() -> None:
    guard = Guard(Policy.unsafe_allow_all(), plugins=[budget(model_calls=1)])
    session = Session()

    async def one() -> bool:
        event = await guard.arequire(prompt(session))
        await asyncio.sleep(0)
        await guard.arequire(event.answered((), usage=used(1, 1)))
        return True

    results = await asyncio.gather(*(one() for _ in range(50)), return_exceptions=True)
    assert results.count(True) == 1
    assert sum(isinstance(result, BudgetExceededError) for result in results) == 49


def test_an_account_is_forgotten_with_its_session() -> None:
    store = MemoryBudgetStore()
    plugin = BudgetPlugin(BudgetPolicy(), store=store)
    session = Session(ident="gone")
    plugin.inspect(prompt(session))
    gone = ref(session)
    del session
    gc.collect()
    assert gone() is None
    assert not store._accounts


@pytest.mark.parametrize("end", ["answered", "failed", "abandoned", "refused"])
def test_a_closed_call_leaves_nothing_in_the_session(end: str) -> None:
    plugin, session = budget(model_calls=1), Session()
    event = prompt(session, "hello")
    plugin.inspect(event)
    if end == "answered":
        plugin.inspect(event.answered((), usage=used(1, 1)))
    elif end == "abandoned":
        plugin.release(event.answered(()))
    elif end == "failed":
        plugin.release(event)
    else:
        plugin.inspect(prompt(session, "hello"))
        plugin.release(event)
    assert plugin._prompts(session) == {}


def test_two_plugins_do_not_mix_their_accounts() -> None:
    one, other, session = budget(model_calls=1), budget(model_calls=1), Session()
    assert one.inspect(prompt(session)).passes
    assert other.inspect(prompt(session)).passes


# --- estimates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [([], 0), ([""], 4), (["a"], 5), (["abcd"], 5), (["abcde"], 6), (["a", "b"], 10)],
)
def test_estimates_round_up_for_each_message(texts: list[str], tokens: int) -> None:
    assert estimated_tokens(Segment.from_user(text) for text in texts) == tokens


def test_other_scripts_and_broken_text_are_estimated_by_their_bytes() -> None:
    assert estimated_tokens([Segment.from_user("\u4f60\u597d\u4f60\u597d")]) == 4 + 3
    assert estimated_tokens([Segment.from_user("\ud800")]) == 4 + 1


# --- for all runs ---------------------------------------------------------------------------

_STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(("ask", "answer", "fail", "abandon")),
        st.integers(0, 300),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps=_STEPS)
def test_no_run_is_granted_a_call_past_its_limits(steps: list[tuple[int, str, int]]) -> None:
    """Whatever is asked, answered, failed and abandoned in whatever order, over and over."""
    limit = 1000
    plugin, session = budget(tokens=limit, reserve_output_tokens=200), Session()
    events = [prompt(session, "a" * 40, call=str(n)) for n in range(4)]
    for which, step, tokens in steps:
        event = events[which]
        match step:
            case "ask":
                before = plugin._store.balance(session)
                if plugin.inspect(event).passes:
                    after = plugin._store.balance(session)
                    assert after.spent.tokens + after.reserved.tokens <= limit
                else:
                    assert plugin._store.balance(session) == before
            case "answer":
                plugin.inspect(event.answered((), usage=used(tokens, tokens)))
            case "fail":
                plugin.release(event)
            case _:
                plugin.release(event.answered((), usage=used(tokens, 0)))
    for event in events:
        plugin.release(event)
    assert plugin._store.balance(session).reserved.tokens == 0
