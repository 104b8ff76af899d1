"""Single objects behind a guard: models, tools, retrievers, chains; copies and pickles of them."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM, FakeStreamingListLLM
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import InjectedToolCallId, StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import InjectedState, ToolRuntime
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from hauberk import BlockedError, Guard, Policy, Session, Stage
from hauberk.testing._brain import ScriptedBrain
from hauberk_langchain import HauberkCallbackHandler, RunBlockedError, _seam, protect
from hauberk_langchain.testing import BrainChatModel, ScriptedChatModel

MAIL = "ada@example.com"
ECHO = "<MAIL_1> is known."
SHOWN = f"{MAIL} is known."


def guard_of(*plugins: Any) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=plugins)


class Shelf(BaseRetriever):
    """Two documents, one poisoned."""

    documents: list[Document]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents


class Place(BaseModel):
    """An argument that is a model."""

    city: str


class Answer(BaseModel):
    """The answer."""

    mail: str


MODEL_MODES: dict[str, Callable[[Any, Any], str]] = {
    "invoke": lambda m, c: m.invoke(f"mail {MAIL}", c).content,
    "ainvoke": lambda m, c: asyncio.run(m.ainvoke(f"mail {MAIL}", c)).content,
    "batch": lambda m, c: m.batch([f"mail {MAIL}"], c)[0].content,
    "abatch": lambda m, c: asyncio.run(m.abatch([f"mail {MAIL}"], c))[0].content,
    "generate": lambda m, c: (
        m.generate([[HumanMessage(f"mail {MAIL}")]], callbacks=(c or {}).get("callbacks"))
        .generations[0][0]
        .text
    ),
    "stream": lambda m, c: "".join(x.content for x in m.stream(f"mail {MAIL}", c)),
    "astream": lambda m, c: asyncio.run(_joined(m, c)),
    "v3": lambda m, c: str(m.stream_events(f"mail {MAIL}", c, version="v3").text),
    "av3": lambda m, c: asyncio.run(_v3(m, c)),
}


async def _joined(model: Any, config: Any) -> str:
    return "".join([x.content async for x in model.astream(f"mail {MAIL}", config)])


async def _v3(model: Any, config: Any) -> str:
    stream = await model.astream_events(f"mail {MAIL}", config, version="v3")
    return str(await stream.text)


@pytest.mark.filterwarnings("ignore:.*beta.*")
@pytest.mark.parametrize("how", MODEL_MODES)
@pytest.mark.parametrize("attach", ["protect", "handler", "both"])
def test_a_bare_model_masks_and_restores(kit: Any, how: str, attach: str) -> None:
    meter = kit.Meter()
    guard = guard_of(kit.Names(), meter)
    model = ScriptedChatModel(replies=[ECHO])
    if attach != "handler":
        protect(model, guard)
    config = {"callbacks": [HauberkCallbackHandler(guard)]} if attach != "protect" else None
    assert MODEL_MODES[how](model, config) == SHOWN
    assert model.seen_text == "mail <MAIL_1>"
    assert meter.count == {Stage.PROMPT: 1, Stage.COMPLETION: 1}
    assert meter.open == {}


def test_a_handler_guards_its_own_runs_only(kit: Any) -> None:
    model = ScriptedChatModel(replies=[ECHO])
    handler = HauberkCallbackHandler(guard_of(kit.Names()))
    assert model.invoke(f"mail {MAIL}", {"callbacks": [handler]}).content == SHOWN
    assert type(model) is ScriptedChatModel
    assert model.invoke(f"mail {MAIL}").content == ECHO
    assert model.seen[1][0].content == f"mail {MAIL}"


def test_protect_keeps_the_type_for_everyone_who_asks(kit: Any) -> None:
    model = ScriptedChatModel(replies=["ok"])
    before = repr(model)
    assert protect(model, guard_of()) is model
    assert isinstance(model, ScriptedChatModel)
    assert type(model).__name__ == "ScriptedChatModel"
    assert type(model).__module__ == "hauberk_langchain.testing"
    assert repr(model) == before


COPIES: dict[str, Callable[[Any], Any]] = {
    "model_copy": lambda m: m.model_copy(),
    "copy": copy.copy,
    "deepcopy-shallow-guard": lambda m: m.model_copy(update={"chunk_size": 3}),
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),  # noqa: S301 - our own bytes
    "same-class": lambda m: m.__class__(**dict(m)),
    "bind": lambda m: m.bind(stop=["x"]),
    "bind_tools": lambda m: m.bind_tools([Answer]),
    "with_config": lambda m: m.with_config(tags=["x"]),
    "with_retry": lambda m: m.with_retry(stop_after_attempt=2),
    "with_fallbacks": lambda m: m.with_fallbacks([ScriptedChatModel(replies=["bare"])]),
    "in-a-chain": lambda m: RunnableLambda(lambda text: text) | m,
}


@pytest.mark.parametrize("made", COPIES)
def test_whatever_is_made_of_a_protected_model_is_guarded(kit: Any, made: str) -> None:
    guard = guard_of(kit.Names())
    model = protect(ScriptedChatModel(replies=[ECHO]), guard)
    other = COPIES[made](model)
    with guard.session():
        assert other.invoke(f"mail {MAIL}").content == SHOWN


def test_an_object_from_a_process_that_knew_the_guard_refuses(kit: Any) -> None:
    guard = guard_of()
    pickled = pickle.dumps(protect(ScriptedChatModel(replies=["ok"]), guard))
    del guard
    _seam._seam_class.cache_clear()
    gc.collect()
    model = pickle.loads(pickled)  # noqa: S301 - our own bytes
    with pytest.raises(BlockedError, match="unpickled"):
        model.invoke("hi")
    assert model.seen == []
    protect(model, guard_of())
    assert model.invoke("hi").content == "ok"


def test_structured_output_and_its_arguments_are_restored(kit: Any) -> None:
    replies = [kit.calls(("Answer", {"mail": "<MAIL_1>"}))]
    model = protect(ScriptedChatModel(replies=replies), guard_of(kit.Names()))
    found = model.with_structured_output(Answer).invoke(f"mail {MAIL}")
    assert found == Answer(mail=MAIL)


@pytest.mark.parametrize("attach", ["protect", "handler"])
def test_a_string_model_masks_and_restores(kit: Any, attach: str) -> None:
    guard = guard_of(kit.Names())
    for kind in (FakeListLLM, FakeStreamingListLLM):
        model: Any = kind(responses=[ECHO] * 3)
        config: Any = {"callbacks": [HauberkCallbackHandler(guard)]}
        if attach == "protect":
            protect(model, guard)
            config = None
        with guard.session():
            assert model.invoke(f"mail {MAIL}", config) == SHOWN
            assert asyncio.run(model.ainvoke(f"mail {MAIL}", config)) == SHOWN


def test_with_retry_does_not_retry_a_refusal_endlessly(kit: Any) -> None:
    model = protect(ScriptedChatModel(replies=["ok"]), guard_of(kit.Screen()))
    with pytest.raises(RunBlockedError):
        model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False).invoke("ATTACK")
    assert model.seen == []


def test_a_chain_that_was_built_earlier_is_guarded_and_so_are_its_extensions(kit: Any) -> None:
    model = ScriptedChatModel(replies=[ECHO])
    chain = ChatPromptTemplate.from_messages([("user", "mail {who}")]) | model
    guard = guard_of(kit.Names())
    assert protect(chain, guard) is chain
    assert chain.invoke({"who": MAIL}).content == SHOWN
    longer = chain | StrOutputParser()
    assert longer.invoke({"who": MAIL}) == SHOWN
    assert "".join(longer.stream({"who": MAIL})) == SHOWN
    assert asyncio.run(longer.ainvoke({"who": MAIL})) == SHOWN
    assert longer.batch([{"who": MAIL}, {"who": "x@example.com"}]) == [
        SHOWN,
        "x@example.com is known.",
    ]
    assert "@" not in model.seen_text


def test_a_model_in_a_closure_or_a_global_is_guarded(kit: Any) -> None:
    model = ScriptedChatModel(replies=[ECHO])

    def ask(text: str) -> Any:
        return model.invoke(text)

    chain: Any = RunnableLambda(ask)
    protect(chain, guard_of(kit.Names()))
    assert chain.invoke(f"mail {MAIL}").content == SHOWN


def test_a_configurable_model_is_guarded(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = ScriptedChatModel(replies=[ECHO])
    base = "langchain.chat_models.base"
    monkeypatch.setattr(f"{base}._init_chat_model_helper", lambda *_, **__: inner)
    guard = guard_of(kit.Names())
    model = protect(init_chat_model(configurable_fields=("model",)), guard)
    for one in (model, model.bind_tools([Answer]), model.with_config(tags=["x"])):
        config: Any = {"configurable": {"model": "x"}}
        with guard.session():
            assert one.invoke(f"mail {MAIL}", config).content == SHOWN
    assert type(inner) is ScriptedChatModel


# --- streams ----------------------------------------------------------------------------------


def test_an_abandoned_stream_is_settled(kit: Any) -> None:
    meter = kit.Meter()
    model = protect(ScriptedChatModel(replies=["a long enough answer"]), guard_of(meter))
    stream: Any = model.stream("hi")
    next(stream)
    stream.close()
    assert meter.open == {}
    assert [event.stage for event in meter.released] == [Stage.COMPLETION]


async def test_a_cancelled_call_is_released(kit: Any) -> None:
    meter = kit.Meter()

    class Slow(BrainChatModel):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(60)

    model = protect(Slow(brain=ScriptedBrain(["never"])), guard_of(meter))
    task = asyncio.create_task(model.ainvoke("hi"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert meter.open == {}
    assert len(meter.released) == 1


def test_a_model_that_fails_is_released_and_its_error_goes_on(kit: Any) -> None:
    meter = kit.Meter()

    class Broken(BrainChatModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        protect(Broken(brain=ScriptedBrain(["x"])), guard_of(meter)).invoke("hi")
    assert meter.open == {}


def test_tokens_that_a_provider_sends_itself_are_not_shown_raw(kit: Any) -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    heard: list[str] = []

    class Ear(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, **_: Any) -> None:
            heard.append(str(token))

    class Chatty(BrainChatModel):
        def _generate(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> Any:
            for chunk in self._stream(messages, stop, run_manager, **kwargs):
                assert chunk is not None
            return super()._generate(messages, stop, None, **kwargs)

    model = protect(Chatty(brain=ScriptedBrain([ECHO])), guard_of(kit.Names()))
    assert model.invoke(f"mail {MAIL}", {"callbacks": [Ear()]}).content == SHOWN
    assert "MAIL_1" not in "".join(heard)
    assert (
        "".join(str(x.text) for x in model.stream(f"mail {MAIL}", {"callbacks": [Ear()]})) == SHOWN
    )
    assert "".join(heard) == SHOWN


def test_blocks_of_a_streamed_answer_are_restored_in_their_places(kit: Any) -> None:
    from langchain_core.messages import AIMessageChunk
    from langchain_core.outputs import ChatGenerationChunk

    pieces: list[Any] = [
        [{"type": "reasoning", "reasoning": "think <MA", "index": 0}],
        [{"type": "reasoning", "reasoning": "IL_1>", "index": 0}],
        [{"type": "text", "text": "for <MAI", "index": 1, "id": "b1"}],
        [{"type": "text", "text": "L_1", "index": 1}],
        [{"type": "text", "text": ">", "index": 1}],
    ]

    class Blocks(BrainChatModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            for piece in pieces:
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))

    model = protect(Blocks(brain=ScriptedBrain(["x"])), guard_of(kit.Names()))
    whole: Any = functools.reduce(lambda a, b: a + b, model.stream(f"mail {MAIL}"))
    texts = {b.get("reasoning") or b.get("text") for b in whole.content}
    assert texts == {f"think {MAIL}", f"for {MAIL}"}


# --- tools ------------------------------------------------------------------------------------


def _call(**args: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": "1", "name": "x", "args": args}


def test_final_arguments_have_defaults_and_partials_and_nothing_injected(kit: Any) -> None:
    def send(to: Place, ident: Annotated[str, InjectedToolCallId], subject: str = "hi") -> str:
        """Send."""
        return f"{to.city} {ident} {subject}"

    def send_as(sender: str, **rest: Any) -> str:
        return f"{send(**rest)} {sender}"

    rights = kit.Rights("send")
    made = StructuredTool.from_function(send, name="send")
    made.func = functools.partial(send_as, sender="me")
    protect(made, guard_of(rights))
    told = made.invoke(_call(to={"city": "Bern"}))
    assert told.content == "Bern 1 hi me"
    assert rights.seen == [("send", {"to": {"city": "Bern"}, "subject": "hi", "sender": "me"})]


def test_a_denied_direct_call_raises_and_a_models_call_is_answered(kit: Any) -> None:
    ran: list[int] = []

    @tool
    def remove(path: str) -> str:
        """Remove."""
        ran.append(1)
        return path

    protect(remove, guard_of(kit.Rights()))
    with pytest.raises(RunBlockedError, match="no right"):
        remove.invoke({"path": "/"})
    with pytest.raises(RunBlockedError, match="no right"):
        remove.run("/")
    with pytest.raises(RunBlockedError, match="no right"):
        asyncio.run(remove.ainvoke({"path": "/"}))
    told = remove.invoke(_call(path="/"))
    assert isinstance(told, ToolMessage)
    assert told.status == "error"
    assert not ran


RESULTS: dict[str, tuple[Any, Any]] = {
    "str": ("ATTACK", "[removed]"),
    "dict": ({"a": ["ATTACK", 1, None]}, {"a": ["[removed]", 1, None]}),
    "tuple": (("ATTACK", b"x"), ("[removed]", b"x")),
    "model": (Answer(mail="ATTACK"), Answer(mail="[removed]")),
    "document": (Document("ATTACK"), Document("[removed]")),
    "bytes": (b"ATTACK", b"ATTACK"),
    "none": (None, None),
    "number": (3, 3),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_results_of_every_kind_are_cleaned_on_copies(kit: Any, kind: str) -> None:
    value, clean = RESULTS[kind]
    before = copy.deepcopy(value)

    @tool
    def read() -> Any:
        """Read."""
        return value

    protect(read, guard_of(kit.Screen()))
    assert read.invoke({}) == clean
    assert asyncio.run(read.ainvoke({})) == clean
    assert value == before
    assert "ATTACK" not in str(read.invoke(_call()).content) or kind == "bytes"


def test_an_endless_generator_is_screened_item_by_item(kit: Any) -> None:
    @tool
    def lines() -> Any:
        """Read lines."""

        def endless() -> Iterator[str]:
            while True:
                yield "an ATTACK"

        return endless()

    protect(lines, guard_of(kit.Screen()))
    found = lines.invoke({})
    assert [next(found), next(found)] == ["an [removed]", "an [removed]"]


async def test_an_async_generator_is_screened_item_by_item(kit: Any) -> None:
    @tool
    async def lines() -> Any:
        """Read lines."""

        async def endless() -> AsyncIterator[str]:
            while True:
                yield "an ATTACK"

        return endless()

    protect(lines, guard_of(kit.Screen()))
    found = await lines.ainvoke({})
    assert await anext(found) == "an [removed]"


def test_the_artifact_of_a_result_is_cleaned_and_stays_an_artifact(kit: Any) -> None:
    @tool(response_format="content_and_artifact")
    def read() -> tuple[str, dict[str, Any]]:
        """Read."""
        return "ATTACK", {"raw": "ATTACK", "n": 1}

    protect(read, guard_of(kit.Screen()))
    told = read.invoke(_call())
    assert (told.content, told.artifact) == ("[removed]", {"raw": "[removed]", "n": 1})


def test_a_tool_that_hangs_is_not_waited_for(kit: Any) -> None:
    ended = threading.Event()

    @tool
    def slow() -> str:
        """Hang."""
        ended.wait(30)
        return "late"

    protect(slow, guard_of(kit.Rights("slow")))
    told = slow.invoke(_call())
    ended.set()
    assert told.status == "error"
    assert "no longer waited for" in told.content


def test_a_tool_that_raises_raises_as_before(kit: Any) -> None:
    @tool
    def broken() -> str:
        """Break."""
        raise KeyError("x")

    with pytest.raises(KeyError):
        protect(broken, guard_of(kit.Rights("broken"))).invoke({})


def test_arguments_nested_too_deep_are_refused(kit: Any) -> None:
    ran: list[int] = []

    @tool
    def dig(value: Any) -> str:
        """Dig."""
        ran.append(1)
        return "x"

    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    protect(dig, guard_of(kit.Rights("dig")))
    assert dig.invoke(_call(value=deep)).status == "error"
    assert not ran


def test_a_tool_that_calls_a_model_is_guarded_inside(kit: Any) -> None:
    meter = kit.Meter()
    bench = kit.Bench([kit.Names(), meter], [kit.calls(("send", {"to": MAIL})), "done"])
    inner = ScriptedChatModel(replies=["ok"])

    @tool
    def ask() -> str:
        """Ask."""
        return str(inner.invoke(f"mail {MAIL}").content)

    bench.tools.append(ask)
    bench.model = ScriptedChatModel(replies=[kit.calls(("ask", {})), "done"])
    for door in ("middleware", "handler", "protect"):
        inner.seen.clear()
        bench.agent(door).invoke(kit.user("go"), bench.config)
        assert inner.seen_text == "mail <MAIL_1>"


def test_injected_values_reach_the_tool_and_no_guard(kit: Any) -> None:
    rights = kit.Rights("look")
    bench = kit.Bench([rights], [kit.calls(("look", {"what": "x"})), "done"])
    found: list[Any] = []

    @tool
    def look(
        what: str, state: Annotated[dict[str, Any], InjectedState], runtime: ToolRuntime
    ) -> str:
        """Look."""
        found.append((what, len(state["messages"]), runtime.tool_call_id))
        return "seen"

    bench.tools = [look]
    for door in ("middleware", "handler", "protect"):
        outcome = bench.agent(door).invoke(kit.user("go"), bench.config)
        assert outcome["messages"][-2].content == "seen"
    assert found == [("x", 2, "call_1_0")] * 3
    assert rights.seen == [("look", {"what": "x"})] * 3


def test_a_command_of_a_tool_is_cleaned_and_obeyed(kit: Any) -> None:
    bench = kit.Bench([kit.Screen()], [kit.calls(("order", {})), "done"])

    @tool
    def order(ident: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Order."""
        return Command(update={"messages": [ToolMessage("ATTACK", tool_call_id=ident)]})

    bench.tools = [order]
    for door in ("middleware", "handler", "protect"):
        outcome = bench.agent(door).invoke(kit.user("go"), bench.config)
        assert outcome["messages"][-2].content == "[removed]"
    assert "ATTACK" not in bench.model.seen_text


def test_a_checkpoint_keeps_the_real_values_and_the_thread_goes_on(kit: Any) -> None:
    bench = kit.Bench([kit.Names()], ["<MAIL_1> it is."])
    agent = bench.agent("protect", checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    agent.invoke(kit.user(f"remember {MAIL}"), config)
    outcome = agent.invoke(kit.user("who?"), config)
    assert [m.content for m in outcome["messages"]] == [
        f"remember {MAIL}",
        f"{MAIL} it is.",
        "who?",
        f"{MAIL} it is.",
    ]
    assert "@" not in bench.model.seen_text


def test_an_interrupt_of_a_tool_pauses_the_run_and_resumes(kit: Any) -> None:
    meter = kit.Meter()
    bench = kit.Bench([meter], [kit.calls(("confirm", {})), "done"])

    @tool
    def confirm() -> str:
        """Ask a human."""
        return f"human says {interrupt('sure?')}"

    bench.tools = [confirm]
    agent = bench.agent("protect", checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    assert "__interrupt__" in agent.invoke(kit.user("go"), config)
    outcome = agent.invoke(Command(resume="yes"), config)
    assert outcome["messages"][-2].content == "human says yes"


# --- retrievers -------------------------------------------------------------------------------


@pytest.mark.parametrize("attach", ["protect", "handler"])
def test_documents_are_cleaned_on_copies(kit: Any, attach: str) -> None:
    guard = guard_of(kit.Screen())
    stored = [
        Document("fine", id="a", metadata={"source": "s"}),
        Document("ATTACK", metadata={"title": "ATTACK", "page": 3}),
    ]
    before = copy.deepcopy(stored)
    shelf = Shelf(documents=stored)
    config: Any = {"callbacks": [HauberkCallbackHandler(guard)]}
    if attach == "protect":
        protect(shelf, guard)
        config = None
    for found in (shelf.invoke("q", config), asyncio.run(shelf.ainvoke("q", config))):
        assert [d.page_content for d in found] == ["fine", "[removed]"]
        assert found[1].metadata == {"title": "[removed]", "page": 3}
        assert found[0] is stored[0]
    assert stored == before


# --- sessions ---------------------------------------------------------------------------------


def test_a_session_is_found_in_the_documented_order(kit: Any) -> None:
    meter = kit.Meter()
    guard = guard_of(meter)
    model = protect(ScriptedChatModel(replies=["ok"]), guard)
    config: Any = {"configurable": {"thread_id": "t1", "user_id": "ada"}}

    def used(*args: Any) -> Session:
        model.invoke("hi", *args)
        found: Session = meter.sessions[-1]
        return found

    with guard.session(user="eve") as opened:
        assert used(config) is opened
    thread = used(config)
    assert (thread.ident, thread.user) == ("t1", "ada")
    assert used(config) is thread
    assert used({"metadata": {"thread_id": "t1"}}) is thread

    def ask(text: str) -> Any:
        return model.invoke(text)

    chain: Any = RunnableLambda(ask)
    chain.invoke("hi", config)
    assert meter.sessions[-1] is thread
    assert list(model.stream("hi", config))
    assert meter.sessions[-1] is thread
    assert used() is not used()


def test_twenty_users_at_once_see_their_own_values_only(kit: Any) -> None:
    bench = kit.Bench([kit.Names()], [kit.calls(("send", {"to": "<MAIL_1>"})), "sent to <MAIL_1>"])
    agent = bench.agent("protect")

    def work(number: int) -> str:
        config = {"configurable": {"thread_id": f"t{number}"}, "max_concurrency": 2}
        mail = f"user{number}@example.com"
        answers = [
            part["messages"][-1].content
            for part in agent.stream(kit.user(f"mail {mail}"), config, stream_mode="values")
        ]
        return str(answers[-1])

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(work, [n % 20 for n in range(60)]))
    assert found == [f"sent to user{n % 20}@example.com" for n in range(60)]
    assert {call["to"] for _, call in bench.ran} == {f"user{n}@example.com" for n in range(20)}


def test_nothing_that_cannot_be_guarded_is_taken() -> None:
    with pytest.raises(TypeError, match="not function"):
        protect([lambda: 1], guard_of())
    with pytest.raises(TypeError, match="not str"):
        protect("gpt", guard_of())


def test_a_message_that_cannot_be_read_is_not_sent(kit: Any) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    message = AIMessage("x", tool_calls=[{"name": "a", "args": {"v": deep}, "id": "1"}])
    model = protect(ScriptedChatModel(replies=["ok"]), guard_of(kit.Names()))
    with pytest.raises(BlockedError):
        model.invoke([HumanMessage("hi"), message])
    assert model.seen == []
