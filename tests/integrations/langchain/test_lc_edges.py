"""Where guards are usually lost: caches, models without streams, hand-made graphs, failing filters."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import LLM, BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from hauberk import BlockedError, Decision, Event, Guard, Policy, Stage
from hauberk.testing._brain import ScriptedBrain
from hauberk_langchain import HauberkCallbackHandler, install, protect, uninstall
from hauberk_langchain.testing import BrainChatModel, ScriptedChatModel

MAIL = "ada@example.com"
ECHO = "<MAIL_1> is known."
SHOWN = f"{MAIL} is known."


def guard_of(*plugins: Any) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=plugins)


class Plain(BaseChatModel):
    """A model that can only answer at once."""

    seen: list[str]

    @property
    def _llm_type(self) -> str:
        return "plain"

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.seen.append(messages[-1].content)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(ECHO))])


@pytest.mark.parametrize("attach", ["protect", "handler"])
def test_a_model_without_streams_is_asked_once_in_every_mode(kit: Any, attach: str) -> None:
    meter = kit.Meter()
    guard = guard_of(kit.Names(), meter)
    model = Plain(seen=[])
    config: Any = {"callbacks": [HauberkCallbackHandler(guard)]}
    if attach == "protect":
        protect(model, guard)
        config = None
    ask = f"mail {MAIL}"

    async def streamed() -> str:
        return "".join([str(x.text) async for x in model.astream(ask, config)])

    assert model.invoke(ask, config).content == SHOWN
    assert asyncio.run(model.ainvoke(ask, config)).content == SHOWN
    assert "".join(str(x.text) for x in model.stream(ask, config)) == SHOWN
    assert asyncio.run(streamed()) == SHOWN
    assert model.seen == ["mail <MAIL_1>"] * 4
    assert meter.count == {Stage.PROMPT: 4, Stage.COMPLETION: 4}


def test_a_cache_keeps_what_it_kept_without_a_guard_and_hits_cost_nothing(kit: Any) -> None:
    meter = kit.Meter()
    cache = InMemoryCache()
    model = protect(ScriptedChatModel(replies=[ECHO], cache=cache), guard_of(kit.Names(), meter))
    for _ in range(3):
        assert model.invoke(f"mail {MAIL}").content == SHOWN
    assert len(model.seen) == 1
    assert [usage.cached for usage in meter.usages] == [False, True, True]
    assert meter.open == {}
    assert MAIL in str(cache._cache)
    assert "MAIL_1" not in str(cache._cache)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_hit_of_a_cache_is_judged_and_a_session_that_was_ended_gets_none(
    kit: Any, colour: str
) -> None:
    """Hits are above the seam: they must not be a way around it."""
    cache, guard = InMemoryCache(), guard_of(kit.Screen())
    bare = ScriptedChatModel(replies=["ATTACK said"], cache=cache)
    bare.invoke("harmless")
    bare.invoke("ATTACK")
    model = protect(bare.model_copy(), guard)

    def ask(text: str) -> Any:
        return model.invoke(text) if colour == "sync" else asyncio.run(model.ainvoke(text))

    with guard.session():
        assert ask("harmless").content == "[removed] said"
        with pytest.raises(BlockedError):
            ask("ATTACK")
        with pytest.raises(BlockedError):
            ask("harmless")
    assert len(bare.seen) == 2


class Text(LLM):
    """A string model that says its prompt back."""

    seen: list[str]

    @property
    def _llm_type(self) -> str:
        return "text"

    def _call(self, prompt: str, *_: Any, **__: Any) -> str:
        self.seen.append(prompt)
        return f"{prompt} said"


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("way", ["protect", "handler"])
def test_a_hit_of_a_string_models_cache_is_judged_recorded_and_costs_nothing(
    kit: Any, colour: str, way: str
) -> None:
    meter, cache = kit.Meter(), InMemoryCache()
    guard = guard_of(kit.Screen(), kit.Names(), meter)
    bare = Text(cache=cache, seen=[])
    bare.batch(["harmless", "ATTACK", f"mail {MAIL}"])
    model = protect(bare.model_copy(), guard) if way == "protect" else bare.model_copy()
    config: Any = {"callbacks": [HauberkCallbackHandler(guard)] if way == "handler" else []}

    def ask(*texts: str) -> Any:
        if colour == "sync":
            return model.batch(list(texts), config)
        return asyncio.run(model.abatch(list(texts), config))

    with guard.session():
        found = ask("harmless", "new", f"mail {MAIL}", "harmless")
        assert found == ["harmless said", "new said", f"mail {MAIL} said", "harmless said"]
        assert [usage.cached for usage in meter.usages if usage].count(True) == 3
        assert meter.count == {Stage.PROMPT: 4, Stage.COMPLETION: 4}
        assert meter.open == {}
        with pytest.raises(BlockedError):
            ask("ATTACK")
        with pytest.raises(BlockedError):
            ask("harmless")
    assert bare.seen == ["harmless", "ATTACK", f"mail {MAIL}", "new"]
    assert "MAIL_1" not in str(cache._cache)


def test_what_a_model_asks_another_one_is_no_prompt_of_its_own(kit: Any) -> None:
    """A wrapper that asks another model what its own cache answers: the hit is judged all the same."""
    guard, cache = guard_of(kit.Screen()), InMemoryCache()
    inner = protect(Text(cache=False, seen=[]), guard)

    class Wrapper(Text):
        def _call(self, prompt: str, *_: Any, **__: Any) -> str:
            return "ATTACK said" if prompt == "harmless" else str(inner.invoke("harmless")) + prompt

    bare = Wrapper(cache=cache, seen=[])
    bare.invoke("harmless")
    model = protect(bare.model_copy(), guard)
    with guard.session():
        assert model.batch(["new", "harmless"]) == ["harmless saidnew", "[removed] said"]


def test_a_fallback_is_no_way_around_a_refusal(kit: Any) -> None:
    other = ScriptedChatModel(replies=["never said"])
    model = protect(ScriptedChatModel(replies=["never said"]), guard_of(kit.Screen()))
    chain: Any = RunnableLambda(str) | model
    made: list[Any] = [
        model.with_fallbacks([other]),
        model.bind(stop=["x"]).with_fallbacks([other]),
        chain.with_fallbacks([other]),
        chain.with_fallbacks([other]).with_fallbacks([RunnableLambda(lambda _: "never said")]),
    ]
    for one in made:
        with pytest.raises(BlockedError):
            one.invoke("ATTACK")
        with pytest.raises(BlockedError):
            list(one.stream("ATTACK"))
        with pytest.raises(BlockedError):
            asyncio.run(one.ainvoke("ATTACK"))
        with pytest.raises(BlockedError):
            one.batch(["ATTACK"])
    assert other.seen == []
    assert type(other) is ScriptedChatModel


def test_a_fallback_of_a_model_that_fails_is_guarded_too(kit: Any) -> None:
    class Broken(BrainChatModel):
        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            raise ConnectionError

    other = ScriptedChatModel(replies=[ECHO])
    model = protect(Broken(brain=ScriptedBrain(["x"])), guard_of(kit.Names()))
    for one in (model.with_fallbacks([other]), model.bind(stop=["x"]).with_fallbacks([other])):
        assert one.invoke(f"mail {MAIL}").content == SHOWN
    assert "@" not in other.seen_text


async def test_an_async_stream_that_is_left_early_is_settled(kit: Any) -> None:
    meter = kit.Meter()
    model = protect(ScriptedChatModel(replies=["a long enough answer"]), guard_of(meter))
    stream: Any = model.astream("hi")
    await anext(stream)
    await stream.aclose()
    assert meter.open == {}
    assert [event.stage for event in meter.released] == [Stage.COMPLETION]


def _graph(bench: Any, **options: Any) -> Any:
    model = bench.model.bind_tools(bench.tools)

    def think(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(bench.tools, **options))
    graph.add_edge("__start__", "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    return graph.compile()


@pytest.mark.parametrize("attach", ["protect", "handler", "install"])
def test_a_hand_made_graph_is_guarded_and_its_tool_node_swallows_no_stop(
    kit: Any, mode: str, attach: str
) -> None:
    bench = kit.Bench(
        [kit.Names(), kit.Rights("send")],
        [kit.calls(("send", {"to": "<MAIL_1>"}), ("remove", {"path": "/"})), "done"],
    )
    graph = _graph(bench, handle_tool_errors=True)
    if attach == "protect":
        assert protect(graph, bench.guard) is graph
    elif attach == "handler":
        bench.config["callbacks"] = [HauberkCallbackHandler(bench.guard)]
    else:
        install(bench.guard)
    outcome = kit.run(mode, graph, kit.user(f"mail {MAIL}"), bench.config)
    assert bench.ran == [("send", {"to": MAIL, "body": "hello"})]
    assert {m.name: m.status for m in kit.tool_messages(outcome)} == {
        "send": "success",
        "remove": "error",
    }
    assert "@" not in bench.model.seen_text
    bench.model.brain = ScriptedBrain([kit.calls(("stop", {})), "never said"])
    with pytest.raises(BlockedError):
        kit.run(mode, graph, kit.user("stop"), bench.config)


def test_a_filter_that_fails_ends_the_stream_and_shows_nothing_raw(kit: Any) -> None:
    class Faulty:
        name = "faulty"
        stages = frozenset({Stage.COMPLETION})

        def inspect(self, event: Event) -> Decision:
            return Decision.allow()

        def open_stream(self, event: Event, *, json_string: bool) -> Any:
            raise RuntimeError("secret")

    model = protect(ScriptedChatModel(replies=["secret"]), guard_of(Faulty()))
    shown: list[str] = []
    with pytest.raises(BlockedError) as caught:
        shown.extend(str(chunk.text) for chunk in model.stream("hi"))
    assert shown == []
    assert "secret" not in str(caught.value)


def test_an_answer_that_is_refused_at_its_end_raises(kit: Any) -> None:
    class NoSecrets:
        name = "no-secrets"
        stages = frozenset({Stage.COMPLETION})

        def inspect(self, event: Event) -> Decision:
            return Decision.deny("a secret") if "secret" in event.segments[0].text else _PASS

    model = protect(ScriptedChatModel(replies=["the secret is out"]), guard_of(NoSecrets()))
    shown: list[str] = []
    with pytest.raises(BlockedError):
        shown.extend(str(chunk.text) for chunk in model.stream("hi"))
    # It cannot rewrite in pieces, so nothing was shown before it had seen the end.
    assert "".join(shown) == ""
    with pytest.raises(BlockedError):
        model.invoke("hi")


_PASS = Decision.allow()


def test_the_last_chunk_stays_the_last(kit: Any) -> None:
    class Ends(BrainChatModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            yield ChatGenerationChunk(message=AIMessageChunk(content="to <MAIL"))
            last = AIMessageChunk(content="_1> or <", chunk_position="last", id="m1")
            yield ChatGenerationChunk(message=last)

    model = protect(Ends(brain=ScriptedBrain(["x"])), guard_of(kit.Names()))
    chunks = list(model.stream(f"mail {MAIL}"))
    assert [chunk.chunk_position for chunk in chunks] == [None, "last"]
    whole: Any = functools.reduce(lambda a, b: a + b, chunks)
    assert whole.content == f"to {MAIL} or <"


@pytest.mark.parametrize("attach", ["protect", "handler"])
def test_what_a_model_writes_to_its_class_its_class_gets(attach: str) -> None:
    class Counting(BrainChatModel):
        calls: ClassVar[int] = 0

        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            type(self).calls += 1
            return super()._generate(*args, **kwargs)

    model = Counting(brain=ScriptedBrain(["x"]))
    config: Any = {"callbacks": [HauberkCallbackHandler(guard_of())]}
    if attach == "protect":
        protect(model, guard_of())
        config = None
    model.invoke("hi", config)
    model.invoke("hi", config)
    assert Counting.calls == 2


def test_two_guards_are_asked_one_after_the_other(kit: Any) -> None:
    first, second = kit.Meter(), kit.Meter()
    model = ScriptedChatModel(replies=[ECHO])
    protect(protect(model, guard_of(kit.Names(), first)), guard_of(second))
    assert model.invoke(f"mail {MAIL}").content == SHOWN
    assert "".join(str(x.text) for x in model.stream(f"mail {MAIL}")) == SHOWN
    assert "@" not in model.seen_text
    assert first.count == second.count == {Stage.PROMPT: 2, Stage.COMPLETION: 2}


def test_a_model_that_asks_itself_is_guarded_each_time(kit: Any) -> None:
    class Twice(BrainChatModel):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
            if len(messages) == 1:
                return ChatResult(
                    generations=[
                        ChatGeneration(
                            message=self.invoke([*messages, HumanMessage("bob@example.com")])
                        )
                    ]
                )
            return super()._generate(messages, *args, **kwargs)

    meter = kit.Meter()
    model = protect(Twice(brain=ScriptedBrain(["ok"])), guard_of(kit.Names(), meter))
    assert model.invoke(f"mail {MAIL}").content == "ok"
    assert "@" not in model.seen_text
    assert meter.count[Stage.PROMPT] == 2


def test_installing_a_second_guard_is_refused_and_uninstalling_ends_it(kit: Any) -> None:
    model = ScriptedChatModel(replies=[ECHO])
    guard = guard_of(kit.Names())
    install(guard)
    install(guard)
    with pytest.raises(RuntimeError, match="uninstall"):
        install(guard_of())
    assert model.invoke(f"mail {MAIL}").content == SHOWN
    uninstall()
    assert model.invoke(f"mail {MAIL}").content == ECHO


def test_a_batch_keeps_its_items_apart(kit: Any) -> None:
    bench = kit.Bench([kit.Names()], [ECHO])
    agent = bench.agent("protect")
    given = [kit.user(f"mail user{n}@example.com") for n in range(8)]
    found = [out["messages"][-1].content for out in agent.batch(given)]
    assert found == [f"user{n}@example.com is known." for n in range(8)]

    async def run() -> Any:
        return await agent.abatch(given)

    assert [out["messages"][-1].content for out in asyncio.run(run())] == found


def test_the_callers_state_keeps_the_real_values(kit: Any) -> None:
    model = protect(ScriptedChatModel(replies=[ECHO]), guard_of(kit.Names()))
    asked = [HumanMessage(f"mail {MAIL}")]
    before = [message.model_copy(deep=True) for message in asked]

    def pick(value: Any) -> Any:
        return value["ask"]

    chain: Any = RunnableLambda(pick) | model
    state = {"ask": asked}
    assert chain.invoke(state).content == SHOWN
    assert asked == before
    assert state["ask"] is asked


def _mailer(sent: list[str]) -> Any:
    @tool
    def mail(to: str) -> str:
        """Write a mail."""
        sent.append(to)
        return "sent"

    return mail


class Looks:
    """Somebody who looks at tool calls, and lets them through."""

    name = "looks"
    stages = frozenset({Stage.TOOL_CALL})

    def inspect(self, event: Event) -> Decision:
        return Decision.allow()


CALL = {"name": "mail", "args": {"to": "a", "bcc": "eve"}, "id": "1", "type": "tool_call"}


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_argument_that_the_tool_does_not_have_is_refused_and_not_dropped(colour: str) -> None:
    sent: list[str] = []
    guarded = protect(_mailer(sent), guard_of(Looks()))
    call = guarded.invoke if colour == "sync" else lambda c: asyncio.run(guarded.ainvoke(c))
    answer = call(CALL)
    assert (answer.status, sent) == ("error", [])
    assert "no argument bcc" in answer.content
    with pytest.raises(BlockedError):
        call({"to": "a", "bcc": "eve"})
    assert call({"to": "a"}) == "sent"


def test_where_nobody_looks_at_tool_calls_the_framework_drops_it_as_ever() -> None:
    sent: list[str] = []
    assert protect(_mailer(sent), guard_of()).invoke(CALL).content == "sent"
