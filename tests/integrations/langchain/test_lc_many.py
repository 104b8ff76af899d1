"""Many users at once on one guard, and what applications do to guarded objects."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tools import tool

from hauberk import BlockedError, Decision, Guard, Policy, Stage
from hauberk.testing import Reply
from hauberk_langchain import HauberkCallbackHandler, HauberkMiddleware, protect
from hauberk_langchain.testing import BrainChatModel, ScriptedChatModel

_TOKEN = re.compile(r"<MAIL_\d+>")
_ADDRESS = re.compile(r"[\w.]+@[\w.]+\w")
THREADS = 200

make_agent: Any = create_agent


class Repeats:
    """Answers with every name of the last message, and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def reply(self, turns: Any, tools: Any) -> Reply:
        text = "\n".join(turn.text for turn in turns)
        self.seen.append(text)
        return Reply(text=" ".join(_TOKEN.findall(turns[-1].text)))


class Crowd(RuleBasedStateMachine):
    """200 threads talk in a few conversations; each must only meet its own people."""

    kit: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.brain = Repeats()
        self.guard = Guard(Policy.unsafe_allow_all(), plugins=[self.kit.Names()])
        self.bare = make_agent(BrainChatModel(brain=self.brain), [])
        self.agent = protect(make_agent(BrainChatModel(brain=self.brain), []), self.guard)
        self.pool = ThreadPoolExecutor(THREADS)
        self.wrong: list[tuple[str, str]] = []

    def _ask(self, user: int, number: int, door: str) -> None:
        people = [f"user{user}@example.com", f"friend{number}.of{user}@example.com"]
        config: dict[str, Any] = {"configurable": {"thread_id": f"t{user}"}}
        agent = self.agent
        if door == "handler":
            agent, config["callbacks"] = self.bare, [HauberkCallbackHandler(self.guard)]
        asked = {"messages": [("user", f"write to {people[0]} and {people[1]}")]}
        told = agent.invoke(asked, config)["messages"][-1].content
        if told != " ".join(people):
            self.wrong.append((told, " ".join(people)))

    @rule(
        users=st.lists(st.integers(0, 9), min_size=1, max_size=THREADS),
        door=st.sampled_from(["protect", "handler"]),
    )
    def talk(self, users: list[int], door: str) -> None:
        work = [self.pool.submit(self._ask, user, n, door) for n, user in enumerate(users)]
        for one in work:
            one.result(timeout=30)

    @rule()
    def all_at_once(self) -> None:
        self.talk([n % 10 for n in range(THREADS)], "protect")

    @precondition(lambda self: self.brain.seen)
    @rule(user=st.integers(0, 9))
    def forget(self, user: int) -> None:
        self.brain.seen.clear()

    @invariant()
    def nobody_meets_anyone_else(self) -> None:
        assert self.wrong == []

    @invariant()
    def the_provider_meets_nobody(self) -> None:
        assert not any(_ADDRESS.search(text) for text in self.brain.seen)

    def teardown(self) -> None:
        self.pool.shutdown()


def test_two_hundred_threads_leak_nothing_between_sessions(kit: Any) -> None:
    run: Any = type("Crowd", (Crowd,), {"kit": kit})
    run.TestCase.settings = settings(max_examples=4, stateful_step_count=5, deadline=None)
    run.TestCase("runTest").debug()


# --- copies and pickles -----------------------------------------------------------------------


def _masking(kit: Any) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=[kit.Names()])


_COPIES: dict[str, Any] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda model: model.model_copy(),
    "model_copy deep": lambda model: model.model_copy(deep=True),
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301 - our own
}


@pytest.mark.parametrize("how", _COPIES)
def test_a_copy_of_a_protected_model_or_tool_is_guarded(kit: Any, how: str) -> None:
    guard = _masking(kit)
    model = protect(BrainChatModel(brain=Repeats()), guard)
    made = _COPIES[how](model)
    assert made.invoke("mail ada@example.com").content == "ada@example.com"
    assert made.seen_text == "mail <MAIL_1>"


def _asked_in_another_process(data: bytes) -> str:
    model = pickle.loads(data)  # noqa: S301 - our own
    try:
        return str(model.invoke("mail ada@example.com").content)
    except BlockedError as error:
        return f"refused: {error.decision.reason}"


@pytest.mark.parametrize("start", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_model_in_a_process_pool_refuses_or_is_guarded(kit: Any, start: str) -> None:
    """Forked, the guard is alive; spawned, nobody knows it, and everything is refused."""
    guard = _masking(kit)
    data = pickle.dumps(protect(BrainChatModel(brain=Repeats()), guard))
    with ProcessPoolExecutor(1, mp_context=get_context(start)) as pool:
        told = pool.submit(_forked if start == "fork" else _spawned, data).result(timeout=60)
    assert told == "ada@example.com" if start == "fork" else told.startswith("refused")


def _forked(data: bytes) -> str:
    return _asked_in_another_process(data)


def _spawned(data: bytes) -> str:
    return _asked_in_another_process(data)


# --- odd applications -------------------------------------------------------------------------


def test_a_tool_whose_name_shadows_another_is_judged_by_its_name(kit: Any) -> None:
    """Two tools of one name: whichever LangGraph takes, the rule of that name decides."""
    ran: list[str] = []

    def make(kind: str) -> Any:
        @tool("send")
        def send(to: str) -> str:
            """Send."""
            ran.append(kind)
            return kind

        return send

    for allowed in (("send",), ()):
        ran.clear()
        rights = kit.Rights(*allowed)
        guard = Guard(Policy.unsafe_allow_all(), plugins=[rights])
        model = ScriptedChatModel(replies=[kit.calls(("send", {"to": "x"})), "done"])
        agent = protect(make_agent(model, [make("first"), make("second")]), guard)
        agent.invoke({"messages": "go"})
        assert [name for name, _ in rights.seen] == ["send"]
        assert len(ran) == len(allowed)


def test_async_code_in_a_sync_callback_is_guarded(kit: Any) -> None:
    """A handler that runs a loop of its own, in a run that is guarded by another handler."""
    guard, brain = _masking(kit), Repeats()
    model = BrainChatModel(brain=brain)

    class Nested(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            if not asked:
                asked.append(1)
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(asyncio.run, inner()).result()

    asked: list[int] = []

    async def inner() -> None:
        await protected.ainvoke("mail bob@example.com")

    protected = protect(model.model_copy(), guard)
    model.invoke("mail ada@example.com", {"callbacks": [Nested(), HauberkCallbackHandler(guard)]})
    assert len(brain.seen) == 2
    assert not any("@" in text for text in brain.seen)


def test_a_door_twice_and_two_guards_do_their_work_once_each(kit: Any) -> None:
    one, other = kit.Meter(), kit.Meter()
    first = Guard(Policy.unsafe_allow_all(), plugins=[one])
    second = Guard(Policy.unsafe_allow_all(), plugins=[other])
    model = protect(protect(ScriptedChatModel(replies=["x"]), first), first)
    agent = make_agent(model, [], middleware=[HauberkMiddleware(second)])
    handlers = [HauberkCallbackHandler(guard) for guard in (first, second, first)]
    agent.invoke({"messages": "hi"}, {"callbacks": handlers})
    assert one.count == other.count == {Stage.PROMPT: 1, Stage.COMPLETION: 1}


def test_a_handler_that_comes_after_the_run_began_guards_what_is_still_to_come(kit: Any) -> None:
    guard, brain = _masking(kit), Repeats()
    model = BrainChatModel(brain=brain)

    @tool
    def late() -> str:
        """Attach the guard."""
        protect(model, guard)
        return "see ada@example.com"

    class Agent(Repeats):
        def reply(self, turns: Any, tools: Any) -> Any:
            super().reply(turns, tools)
            return "done" if turns[-1].role == "tool" else kit.calls(("late", {}))

    class Replies(Agent):
        def reply(self, turns: Any, tools: Any) -> Any:
            found = super().reply(turns, tools)
            return Reply(text=found) if isinstance(found, str) else found

    model.brain = seen = Replies()
    make_agent(model, [late]).invoke({"messages": "hello"})
    assert "ada@" not in "".join(seen.seen)


class Broken:
    """A plugin that fails with the guarded text in its message."""

    name = "pii"
    stages = frozenset(Stage)

    def inspect(self, event: Any) -> Decision:
        raise ValueError(event.segments[0].text if event.segments else "")


def test_an_exception_in_our_seam_refuses_and_tells_nothing(kit: Any, door: str) -> None:
    bench = kit.Bench([Broken()], ["never said"])
    with pytest.raises(BlockedError) as caught:
        kit.run("invoke", bench.agent(door), kit.user(f"mail {kit.ADDRESS}"), bench.config)
    assert bench.model.seen == []
    assert kit.ADDRESS not in str(caught.value)
    assert caught.value.__cause__ is None


# --- who acts ---------------------------------------------------------------------------------


@dataclass
class Who:
    user_id: str = "of-context"


def _identified(kit: Any, config: dict[str, Any], context: Any = None) -> tuple[Any, Any]:
    meter = kit.Meter()
    guard = Guard(Policy.unsafe_allow_all(), plugins=[meter])
    agent = protect(make_agent(ScriptedChatModel(), [], context_schema=Who), guard)
    agent.invoke({"messages": "hi"}, config, context=context)
    (session,) = set(meter.sessions)
    return session.ident, session.user


def test_the_places_that_name_a_user_have_an_order(kit: Any) -> None:
    configurable = {"configurable": {"thread_id": "t", "user_id": "of-configurable"}}
    metadata = {"metadata": {"thread_id": "m", "user_id": "of-metadata"}}
    assert _identified(kit, configurable | metadata, Who()) == ("t", "of-configurable")
    assert _identified(kit, metadata, Who()) == ("m", "of-metadata")
    assert _identified(kit, {"configurable": {"thread_id": "t"}}, Who()) == ("t", "of-context")
    assert _identified(kit, {"configurable": {"thread_id": "t"}}, {"user_id": "x"}) == ("t", "x")
    assert _identified(kit, {"configurable": {"thread_id": "t"}})[1] is None
