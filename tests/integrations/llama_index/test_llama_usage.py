"""Counts and budgets: what providers report, in answers and in streams, and calls at the same time."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from pydantic import Field

from hauberk import BudgetExceededError, Event, Guard, Policy, Usage
from hauberk.policy import BudgetPolicy
from hauberk.testing import ScriptedBrain
from hauberk_llama_index import install, protect, uninstall
from hauberk_llama_index.testing import BrainLLM, ScriptedLLM

STREAMS = ("stream_chat", "astream_chat", "stream_complete", "astream_complete")


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()


class OpenAI(ScriptedLLM):
    """Behaves as LlamaIndex's OpenAI does: counts a stream only when it is asked to."""

    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    asked: list[Any] = Field(default_factory=list)

    def _pieces(self, messages: Any, reply: Any) -> Any:
        wanted = (self.asked[-1] or {}).get("include_usage")
        for piece in super()._pieces(messages, reply):
            yield piece if wanted else piece.model_copy(update={"raw": None})

    def _reply(self, messages: Any, kwargs: Any) -> Any:
        self.asked.append(
            kwargs.get("stream_options") or self.additional_kwargs.get("stream_options")
        )
        return super()._reply(messages, kwargs)


OpenAI.__module__ = "llama_index.llms.openai.base"


class Compatible(OpenAI):
    """A subclass, as those for compatible servers are."""


@pytest.mark.parametrize("method", STREAMS)
@pytest.mark.parametrize("kind", [OpenAI, Compatible])
async def test_a_stream_that_counts_on_demand_is_asked_to_count(
    kit: Any, method: str, kind: type[OpenAI]
) -> None:
    budget = kit.Calls(9)
    llm = protect(_made(kind, "four words are here"), kit.guard(budget))
    await kit.ask(llm, method, "hello")
    assert llm.asked == [{"include_usage": True}]
    assert budget.usage == [Usage(input_tokens=2, output_tokens=5)]


@pytest.mark.parametrize("method", ["chat", "acomplete"])
async def test_only_streams_are_asked_to_count(kit: Any, method: str) -> None:
    llm = protect(_made(OpenAI, "x"), kit.guard(kit.Calls(9)))
    await kit.ask(llm, method, "hello")
    assert llm.asked == [None]


async def test_what_the_application_says_of_counts_is_left_alone(kit: Any) -> None:
    own = {"include_usage": False}
    llm = protect(
        _made(OpenAI, "x", additional_kwargs={"stream_options": own}), kit.guard(kit.Calls(9))
    )
    await kit.ask(llm, "astream_chat", "hello")
    list(llm.stream_chat([ChatMessage("x")], stream_options=own))
    assert llm.asked == [own, own]


async def test_where_nobody_counts_nobody_is_asked_to(kit: Any) -> None:
    llm = protect(_made(OpenAI, "x"), kit.guard())
    await kit.ask(llm, "astream_chat", "hello")
    other = protect(ScriptedLLM(replies=["x"]), kit.guard(kit.Calls(9)))
    await kit.ask(other, "stream_chat", "hello")
    assert llm.asked == [None]


def _made(kind: Any, *replies: str, **fields: Any) -> Any:
    """A model of a class of ours: pydantic hides from type checkers what it is made with."""
    return kind(replies=list(replies), **fields)


class Silent(ScriptedLLM):
    """A model that never says what it used."""

    def _pieces(self, messages: Any, reply: Any) -> Any:
        for piece in super()._pieces(messages, reply):
            yield piece.model_copy(update={"raw": None})


async def test_where_nothing_is_reported_it_is_estimated() -> None:
    guard = Guard(Policy(version=1, pii=False, injection=False, capabilities=False))
    llm = protect(_made(Silent, "word " * 40), guard)
    async with guard.session() as session:
        [piece async for piece in await llm.astream_chat([ChatMessage("word " * 40)])]
        budget: Any = next(plugin for plugin in guard.plugins if plugin.name == "budget")
        assert budget.spent(session).tokens >= 80


class Slow(ScriptedBrain):
    """A model in which many calls are under way at once."""


class SlowLLM(ScriptedLLM):
    """Answers when everybody has asked."""

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.02)
        return await super().achat(messages, **kwargs)

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.02)
        return await super().astream_chat(messages, **kwargs)


@pytest.mark.parametrize("door", ["protect", "install"])
@pytest.mark.parametrize("stream", [False, True])
async def test_eight_calls_at_once_never_pass_a_budget_for_one(door: str, stream: Any) -> None:
    guard = Guard(
        Policy(
            version=1,
            pii=False,
            injection=False,
            capabilities=False,
            budget=BudgetPolicy(model_calls=1),
        )
    )
    llm = _made(SlowLLM, "ok")
    if door == "install":
        install(guard)
    else:
        protect(llm, guard)

    async def ask() -> str:
        if not stream:
            return str(await llm.achat([ChatMessage("x")]))
        return str([one async for one in await llm.astream_chat([ChatMessage("x")])][-1])

    async with guard.session():
        found = await asyncio.gather(*(ask() for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, BudgetExceededError) for one in found) == 7
    assert len(llm.seen) == 1


@pytest.mark.parametrize("door", ["protect", "install"])
def test_a_stream_that_nobody_reads_holds_nothing(kit: Any, door: str) -> None:
    budget = kit.Calls(1)
    llm = ScriptedLLM(replies=["ok"])
    guard = kit.guard(budget)
    if door == "install":
        install(guard)
    else:
        protect(llm, guard)
    llm.stream_chat([ChatMessage("x")])
    gc.collect()
    assert budget.open == set()


async def test_a_cancelled_call_holds_nothing(kit: Any) -> None:
    budget = kit.Calls(1)
    llm = protect(_made(SlowLLM, "ok"), kit.guard(budget))
    task = asyncio.create_task(llm.achat([ChatMessage("x")]))
    await asyncio.sleep(0.005)
    assert len(budget.open) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.open == set()


def test_the_name_that_prices_hang_on_is_the_models(kit: Any) -> None:
    seen: list[Event] = []

    class Looks(kit.Calls):  # type: ignore[misc]
        def inspect(self, event: Event) -> Any:
            seen.append(event)
            return super().inspect(event)

    protect(BrainLLM(brain=Slow(["x"]), model="gpt-x"), kit.guard(Looks(9))).complete("hi")
    assert {event.model for event in seen} == {"gpt-x"}
