"""A person is asked by an interrupt where a run can pause; else by the application; else it is refused."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import tool
from langgraph._internal import _constants
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from hauberk import Decision, Event, Guard, Policy, Stage
from hauberk.policy import ApprovalPolicy, load_policy
from hauberk_langchain import _approval, protect

CONFIG: Any = {"configurable": {"thread_id": "t"}}


class Asks:
    """Asks about these tools, and refuses an amount over 100."""

    name = "capabilities"
    stages = frozenset({Stage.TOOL_CALL})

    def __init__(self, *tools: str) -> None:
        self.tools = tools

    def inspect(self, event: Event) -> Decision:
        amount = (event.arguments or {}).get("amount", 0)
        if isinstance(amount, int) and amount > 100:
            return Decision.deny("too much")
        return Decision.ask("money leaves") if event.tool in self.tools else Decision.allow()


class Failures:
    """Counts the failures of tools, as a circuit breaker does."""

    name = "breaker"
    stages = frozenset({Stage.TOOL_CALL})

    def __init__(self) -> None:
        self.seen = 0

    def inspect(self, event: Event) -> Decision:
        return Decision.allow()

    def failed(self, event: Event) -> None:
        self.seen += 1


class Trail:
    """Keeps what happened at tool calls."""

    def __init__(self) -> None:
        self.verdicts: list[tuple[str, str]] = []

    def record(self, entry: Any) -> None:
        if entry.event.stage is Stage.TOOL_CALL:
            findings = [f.rule for f in entry.decision.findings]
            self.verdicts.append((entry.decision.verdict.value, ",".join(findings)))

    async def arecord(self, entry: Any) -> None:
        self.record(entry)

    def close(self) -> None: ...


# --- modes ----------------------------------------------------------------------------------------


def _stream(agent: Any, given: Any, config: Any) -> None:
    for _ in agent.stream(given, config, stream_mode=["messages", "updates"]):
        pass


async def _astream(agent: Any, given: Any, config: Any) -> None:
    async for _ in agent.astream(given, config, stream_mode=["messages", "updates"]):
        pass


RUNS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda agent, given, config: agent.invoke(given, config),
    "ainvoke": lambda agent, given, config: asyncio.run(agent.ainvoke(given, config)),
    "stream": _stream,
    "astream": lambda agent, given, config: asyncio.run(_astream(agent, given, config)),
}


@pytest.fixture(params=RUNS)
def go(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs an agent one step on, and gives its state."""

    def run(agent: Any, given: Any, config: Any = None) -> Any:
        config = {**CONFIG, **(config or {})}
        RUNS[request.param](agent, given, config)
        return agent.get_state({"configurable": config["configurable"]})

    return run


def questions(state: Any) -> list[Any]:
    return [one.value for one in state.interrupts]


def told(state: Any) -> list[ToolMessage]:
    return [m for m in state.values["messages"] if isinstance(m, ToolMessage)]


@pytest.fixture
def paying(kit: Any) -> Any:
    """One agent that pays by the tool `send`, and asks about it."""
    replies = [kit.calls(("send", {"to": "ada@example.com"})), "Done.", "Done again."]
    return kit.Bench([Asks("send"), kit.Meter()], replies)


def resume(state: Any, **words: Any) -> Command[Any]:
    (question,) = questions(state)
    return Command(resume={"id": question["id"], **words})


# --- doors and modes ------------------------------------------------------------------------------


def test_a_call_waits_for_a_person_and_runs_once(
    kit: Any, paying: Any, door: str, go: Callable[..., Any]
) -> None:
    agent = paying.agent(door, checkpointer=InMemorySaver())
    state = go(agent, kit.user("pay"), paying.config)
    (question,) = questions(state)
    assert paying.ran == []
    assert question["tool"] == "send"
    assert question["arguments"] == {"to": "ada@example.com", "body": "hello"}
    assert question["reason"] == "money leaves"
    state = go(agent, resume(state, type="approve"), paying.config)
    assert paying.ran == [("send", {"to": "ada@example.com", "body": "hello"})]
    assert [m.content for m in told(state)] == ["sent to ada@example.com"]
    assert state.values["messages"][-1].content == "Done."


def test_a_person_who_refuses_is_heard_and_the_agent_goes_on(
    kit: Any, paying: Any, door: str, go: Callable[..., Any]
) -> None:
    agent = paying.agent(door, checkpointer=InMemorySaver())
    state = go(agent, kit.user("pay"), paying.config)
    state = go(agent, resume(state, type="reject", message="not today"), paying.config)
    (message,) = told(state)
    assert (paying.ran, message.status) == ([], "error")
    assert "not today" in message.content
    assert state.values["messages"][-1].content == "Done."


def test_a_call_that_a_person_edited_runs_as_edited(
    kit: Any, paying: Any, door: str, go: Callable[..., Any]
) -> None:
    agent = paying.agent(door, checkpointer=InMemorySaver())
    state = go(agent, kit.user("pay"), paying.config)
    go(agent, resume(state, type="edit", arguments={"to": "eve"}), paying.config)
    assert paying.ran == [("send", {"to": "eve", "body": "hello"})]


# --- answers --------------------------------------------------------------------------------------


def _paused(kit: Any, bench: Any, config: Any = None) -> tuple[Any, Any]:
    agent = bench.agent("protect", checkpointer=InMemorySaver())
    config = config or CONFIG
    agent.invoke(kit.user("pay"), config)
    return agent, agent.get_state(config)


SHAPES: dict[str, Callable[[str], Any]] = {
    "one": lambda ident: {"type": "approve", "id": ident},
    "list": lambda ident: [{"type": "approve", "id": ident}],
    "decisions": lambda ident: {"decisions": [{"type": "approve", "id": ident}]},
    "decisions, id outside": lambda ident: {"id": ident, "decisions": [{"type": "approve"}]},
    "by id": lambda ident: {ident: {"type": "approve"}},
    "by id, one word": lambda ident: {ident: "approve"},
    "by id, yes": lambda ident: {ident: True},
    "in a list, by id": lambda ident: [{ident: "approve"}],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_answers_come_in_many_shapes_and_name_their_question(
    kit: Any, paying: Any, shape: str
) -> None:
    agent, state = _paused(kit, paying)
    agent.invoke(Command(resume=SHAPES[shape](questions(state)[0]["id"])), CONFIG)
    assert len(paying.ran) == 1


WRONG: dict[str, Callable[[str], Any]] = {
    "a bare yes": lambda _: True,
    "a bare word": lambda _: "approve",
    "no id": lambda _: {"type": "approve"},
    "another id": lambda _: {"type": "approve", "id": "AAAA"},
    "an id that was changed": lambda ident: {"type": "approve", "id": "A" + ident[1:]},
    "no type": lambda ident: {"id": ident},
    "an unknown type": lambda ident: {"type": "respond", "id": ident},
    "an empty list": lambda _: [],
    "no decisions": lambda ident: {"id": ident, "decisions": []},
    "an id that is none": lambda _: {"type": "approve", "id": 7},
    "nested without end": lambda ident: [[[[[[{"type": "approve", "id": ident}]]]]]],
    "an edit of nothing": lambda ident: {"type": "edit", "id": ident},
    "an edit that is no mapping": lambda ident: {"type": "edit", "id": ident, "arguments": "all"},
    "another tool": lambda ident: {
        "type": "edit",
        "id": ident,
        "edited_action": {"name": "remove", "args": {"path": "/"}},
    },
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_does_not_fit_refuses_the_call_and_the_agent_goes_on(
    kit: Any, paying: Any, wrong: str
) -> None:
    agent, state = _paused(kit, paying)
    given = WRONG[wrong](questions(state)[0]["id"])
    state = agent.invoke(Command(resume=given), CONFIG)
    (message,) = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert paying.ran == []
    assert message.status == "error"
    assert "refused by the security policy" in message.content
    assert state["messages"][-1].content == "Done."


def test_langchains_own_edit_is_understood(kit: Any, paying: Any) -> None:
    agent, state = _paused(kit, paying)
    action = {"name": "send", "args": {"to": "eve", "body": "short"}}
    agent.invoke(resume(state, type="edit", edited_action=action), CONFIG)
    assert paying.ran == [("send", {"to": "eve", "body": "short"})]


def test_an_argument_that_the_person_took_away_does_not_reach_the_tool(kit: Any) -> None:
    bench = kit.Bench(
        [Asks("send")], [kit.calls(("send", {"to": "ada", "body": "SECRET"})), "Done."]
    )
    agent, state = _paused(kit, bench)
    agent.invoke(resume(state, type="edit", arguments={"to": "ada"}), CONFIG)
    assert bench.ran == [("send", {"to": "ada", "body": "hello"})]  # the tool's own default


def test_an_answer_counts_once(kit: Any) -> None:
    call = kit.calls(("send", {"to": "ada"}))
    bench = kit.Bench([Asks("send")], [call, "Done.", call, "Done."])
    agent, state = _paused(kit, bench)
    answer = resume(state, type="approve")
    agent.invoke(answer, CONFIG)
    agent.invoke(kit.user("again"), CONFIG)
    state = agent.invoke(answer, CONFIG)
    assert len(bench.ran) == 1
    assert "the answer was used already" in state["messages"][-2].content


def test_a_run_that_is_rolled_back_cannot_use_the_answer_again(kit: Any, paying: Any) -> None:
    agent, state = _paused(kit, paying)
    answer = resume(state, type="approve")
    agent.invoke(answer, CONFIG)
    again = agent.invoke(answer, state.config)
    assert len(paying.ran) == 1
    assert "__interrupt__" not in again


def test_a_late_answer_is_refused(kit: Any, paying: Any) -> None:
    clock = [1000.0]
    paying.guard.approvals._clock = lambda: clock[0]
    agent, state = _paused(kit, paying)
    clock[0] += 901
    state = agent.invoke(resume(state, type="approve"), CONFIG)
    assert paying.ran == []
    assert "came too late" in state["messages"][-2].content


def test_an_answer_for_another_conversation_is_refused(kit: Any) -> None:
    call = kit.calls(("send", {"to": "ada"}))
    bench = kit.Bench([Asks("send")], [call, call, "Done."])
    agent, state = _paused(kit, bench)
    other: Any = {"configurable": {"thread_id": "u"}}
    agent.invoke(kit.user("pay"), other)
    theirs = agent.invoke(resume(state, type="approve"), other)
    assert bench.ran == []
    assert "another question" in theirs["messages"][-2].content


def test_arguments_that_changed_while_the_person_thought_are_not_approved(
    kit: Any, paying: Any
) -> None:
    agent, state = _paused(kit, paying)
    answer = resume(state, type="approve")
    asked = state.values["messages"][-1]
    worse = asked.model_copy(
        update={"tool_calls": [{**asked.tool_calls[0], "args": {"to": "eve@example.com"}}]}
    )
    agent.update_state(CONFIG, {"messages": [worse]}, as_node="model")
    state = agent.invoke(answer, CONFIG)
    assert paying.ran == []
    assert not any("sent to" in str(m.content) for m in state["messages"])


def test_an_edited_call_is_judged_anew(kit: Any) -> None:
    @tool
    def pay(amount: int) -> str:
        """Pay."""
        raise AssertionError

    model = kit.Bench([], [kit.calls(("pay", {"amount": 5})), "Done."]).model
    guard = Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")])
    agent = protect(create_agent(model, [pay], checkpointer=InMemorySaver()), guard)
    agent.invoke(kit.user("pay"), CONFIG)
    answer = resume(agent.get_state(CONFIG), type="edit", arguments={"amount": 500})
    state = agent.invoke(answer, CONFIG)
    assert "too much" in state["messages"][-2].content


# --- who else may be asked ------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["approve", "reject"])
@pytest.mark.parametrize("run", RUNS)
def test_without_a_checkpointer_the_application_is_asked(
    kit: Any, paying: Any, answer: str, run: str
) -> None:
    asked: list[Any] = []

    def approver(question: Any) -> str:
        asked.append(question)
        return answer

    paying.guard = Guard(
        Policy.unsafe_allow_all(),
        plugins=[Asks("send")],
        approver=approver,
    )
    agent = paying.agent("protect")
    RUNS[run](agent, kit.user("pay"), {})
    assert len(asked) == 1
    assert len(paying.ran) == (1 if answer == "approve" else 0)


def test_without_anyone_the_call_is_refused(kit: Any, paying: Any, door: str) -> None:
    agent = paying.agent(door)
    state = agent.invoke(kit.user("pay"), paying.config)
    assert paying.ran == []
    assert "__interrupt__" not in state
    assert "money leaves" in state["messages"][-2].content


def test_a_bare_tool_asks_the_application(kit: Any, paying: Any) -> None:
    paying.guard = Guard(Policy.unsafe_allow_all(), plugins=[Asks("send")], approver=lambda _: True)
    send = protect(paying.tools[0], paying.guard)
    assert send.invoke({"to": "ada"}) == "sent to ada"


# --- several questions ----------------------------------------------------------------------------


def _two(kit: Any) -> Any:
    wanted = kit.calls(("send", {"to": "ada"}), ("send", {"to": "bob"}))
    return kit.Bench([Asks("send"), kit.Meter()], [wanted, "Done."])


def test_parallel_calls_each_wait_for_their_own_answer(kit: Any, go: Callable[..., Any]) -> None:
    bench = _two(kit)
    agent = bench.agent("protect", checkpointer=InMemorySaver())
    state = go(agent, kit.user("pay"))
    asked = {one.id: one.value for one in state.interrupts}
    assert len(asked) == 2
    answers = {
        ident: {"type": "approve" if q["arguments"]["to"] == "bob" else "reject", "id": q["id"]}
        for ident, q in asked.items()
    }
    state = go(agent, Command(resume=answers))
    assert [arguments["to"] for _, arguments in bench.ran] == ["bob"]
    assert sorted(m.status for m in told(state)) == ["error", "success"]


def test_parallel_calls_may_be_answered_one_after_the_other(
    kit: Any, go: Callable[..., Any]
) -> None:
    bench = _two(kit)
    agent = bench.agent("protect", checkpointer=InMemorySaver())
    state = go(agent, kit.user("pay"))
    for _ in range(2):
        one = state.interrupts[0]
        answer = {"type": "approve", "id": one.value["id"]}
        state = go(agent, Command(resume={one.id: answer}))
    assert sorted(arguments["to"] for _, arguments in bench.ran) == ["ada", "bob"]
    assert {m.status for m in told(state)} == {"success"}


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def _node(tools: Any, guard: Guard, saver: Any = None) -> Any:
    """A graph whose only node makes all the calls of a message."""
    graph = StateGraph(State)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "tools")
    return protect(graph.compile(checkpointer=saver or InMemorySaver()), guard)


def _wanting(*wanted: tuple[str, dict[str, Any]]) -> Any:
    calls = [
        {"name": name, "args": args, "id": f"c{n}", "type": "tool_call"}
        for n, (name, args) in enumerate(wanted)
    ]
    return {"messages": [AIMessage("", tool_calls=calls)]}


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def tools(ran: list[str]) -> Any:
    @tool
    def pay(to: str) -> str:
        """Pay."""
        ran.append(f"pay {to}")
        return f"paid {to}"

    @tool
    def look(at: str) -> str:
        """Look."""
        ran.append(f"look {at}")
        return f"saw {at}"

    @tool
    def confirm(what: str) -> str:
        """Ask the user, as the application does it."""
        ran.append(f"confirm {what}")
        return f"{what}: {interrupt('sure?')}"

    return [pay, look, confirm]


def _answered(graph: Any, go: Callable[..., Any], state: Any, kind: str = "approve") -> Any:
    return go(graph, resume(state, type=kind))


def test_calls_of_one_node_are_answered_one_by_one_and_each_runs_once(
    tools: Any, ran: list[str], go: Callable[..., Any]
) -> None:
    guard = Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")])
    graph = _node(tools, guard)
    state = go(graph, _wanting(("pay", {"to": "a"}), ("pay", {"to": "b"}), ("pay", {"to": "c"})))
    for _ in range(3):
        state = _answered(graph, go, state)
    assert sorted(ran) == ["pay a", "pay b", "pay c"]
    assert [m.content for m in told(state)] == ["paid a", "paid b", "paid c"]


def test_calls_of_one_node_that_are_the_same_are_two_calls(
    tools: Any, ran: list[str], go: Callable[..., Any]
) -> None:
    guard = Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")])
    graph = _node(tools, guard)
    state = go(graph, _wanting(("pay", {"to": "a"}), ("pay", {"to": "a"})))
    state = _answered(graph, go, state)
    assert ran == ["pay a"]
    state = _answered(graph, go, state, "reject")
    assert ran == ["pay a"]
    # Both run at the same time: either may have asked first.
    assert sorted(m.status for m in told(state)) == ["error", "success"]


def test_a_call_beside_a_question_runs_no_more_often_than_langgraph_runs_it(
    tools: Any, ran: list[str], go: Callable[..., Any]
) -> None:
    graph = _node(tools, Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")]))
    state = go(graph, _wanting(("look", {"at": "x"}), ("pay", {"to": "a"})))
    _answered(graph, go, state)
    assert ran.count("pay a") == 1
    assert ran.count("look x") <= 2  # once for each attempt at the node


def test_a_refusal_beside_a_question_is_a_refusal_still(tools: Any, go: Callable[..., Any]) -> None:
    graph = _node(tools, Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")]))
    state = go(graph, _wanting(("pay", {"to": "a"}), ("pay", {"to": "b"})))
    state = _answered(graph, go, state, "reject")
    state = _answered(graph, go, state)
    # Both run at the same time: either may have asked first.
    paid, refused = sorted(told(state), key=lambda message: message.status == "error")
    assert "a person refused it" in refused.content
    assert paid.content in ("paid a", "paid b")


def test_an_approved_tool_that_asks_the_user_itself_goes_on_with_one_approval(
    kit: Any, tools: Any, ran: list[str], go: Callable[..., Any]
) -> None:
    failures, meter = Failures(), kit.Meter()
    plugins = [Asks("confirm"), failures, meter]
    graph = _node(tools, Guard(Policy.unsafe_allow_all(), plugins=plugins))
    state = go(graph, _wanting(("confirm", {"what": "x"})))
    state = _answered(graph, go, state)
    assert questions(state) == ["sure?"]
    state = go(graph, Command(resume="yes"))
    assert [m.content for m in told(state)] == ["x: yes"]
    assert ran == ["confirm x"] * 2  # as LangGraph does it
    assert failures.seen == 0
    assert Stage.TOOL_CALL in [event.stage for event in meter.released]  # freed, not used up
    assert Stage.TOOL_RESULT not in [event.stage for event in meter.released]


def test_a_sub_agent_asks_through_its_parent(kit: Any, go: Callable[..., Any]) -> None:
    inner = kit.Bench([], [kit.calls(("send", {"to": "ada"})), "Paid."])
    sub = create_agent(inner.model, inner.tools)

    @tool
    def delegate(what: str) -> str:
        """Let somebody else do it."""
        return str(sub.invoke(kit.user(what))["messages"][-1].content)

    outer = kit.Bench([], [kit.calls(("delegate", {"what": "pay"})), "Done."])
    meter = kit.Meter()
    guard = Guard(Policy.unsafe_allow_all(), plugins=[Asks("delegate", "send"), meter])
    agent = protect(create_agent(outer.model, [delegate], checkpointer=InMemorySaver()), guard)
    state = go(agent, kit.user("pay"))
    assert questions(state)[0]["tool"] == "delegate"
    state = _answered(agent, go, state)
    assert questions(state)[0]["tool"] == "send"
    state = _answered(agent, go, state)
    assert [name for name, _ in inner.ran] == ["send"]
    assert [m.content for m in told(state)] == ["Paid."]
    assert meter.open == {}


def test_two_guards_both_ask(tools: Any, ran: list[str], go: Callable[..., Any]) -> None:
    graph = _node(tools, Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")]))
    protect(graph, Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")]))
    state = go(graph, _wanting(("pay", {"to": "a"})))
    state = _answered(graph, go, state)
    assert ran == []
    state = _answered(graph, go, state)
    assert ran == ["pay a"]
    assert [m.content for m in told(state)] == ["paid a"]


def test_code_that_calls_tools_in_a_row_repeats_none_of_them(
    tools: Any, ran: list[str], go: Callable[..., Any]
) -> None:
    pay = protect(tools[0], Guard(Policy.unsafe_allow_all(), plugins=[Asks("pay")]))

    @entrypoint(checkpointer=InMemorySaver())
    def work(names: list[str]) -> list[str]:
        return [pay.invoke({"to": name}) for name in names]

    state = go(work, ["a", "b"])
    assert ran == []
    for _ in range(2):
        state = _answered(work, go, state)
    assert ran == ["pay a", "pay b"]
    assert state.values == ["paid a", "paid b"]


# --- what is left behind --------------------------------------------------------------------------


def test_the_trail_shows_the_question_and_the_answer(kit: Any, go: Callable[..., Any]) -> None:
    for kind, last in (
        ("approve", ("allow", "approval.granted")),
        ("reject", ("deny", "approval.rejected")),
    ):
        trail = Trail()
        bench = kit.Bench([], [kit.calls(("send", {"to": "ada"})), "Done."])
        bench.guard = Guard(Policy.unsafe_allow_all(), plugins=[Asks("send")], recorder=trail)
        agent = bench.agent("protect", checkpointer=InMemorySaver())
        state = go(agent, kit.user("pay"))
        assert trail.verdicts == [("ask", "")]
        _answered(agent, go, state, kind)
        assert trail.verdicts[-1] == last
        assert {verdict for verdict, _ in trail.verdicts[:-1]} == {"ask"}


def test_a_pause_is_no_failure_and_leaves_nothing_reserved(
    kit: Any, paying: Any, go: Callable[..., Any]
) -> None:
    off = dict.fromkeys(("pii", "injection", "audit", "capabilities"), False)
    policy = load_policy({"version": 1, **off, "budget": {"tool_calls": 1}})
    guard = paying.guard = Guard(policy, plugins=[Asks("send")])
    agent = paying.agent("protect", checkpointer=InMemorySaver())
    state = go(agent, kit.user("pay"))
    session = guard.session_for("t")
    budget: Any = next(p for p in guard.plugins if p.name == "budget")
    assert budget.spent(session).tool_calls == 0
    assert budget._store.balance(session).reserved.tool_calls == 0
    assert session.tripped is None
    _answered(agent, go, state)
    assert budget.spent(session).tool_calls == 1
    assert len(paying.ran) == 1


def test_the_question_holds_the_arguments_as_they_came(kit: Any) -> None:
    class Reveals(Asks):
        def inspect(self, event: Event) -> Decision:
            if (event.arguments or {})["to"] == "<MAIL_1>":
                return Decision.rewrite(arguments={**(event.arguments or {}), "to": kit.ADDRESS})
            return Decision.allow()

    class Last(Asks):
        name = "last"

    bench = kit.Bench([], [kit.calls(("send", {"to": "<MAIL_1>"})), "Done."])
    bench.guard = Guard(Policy.unsafe_allow_all(), plugins=[Reveals(), Last("send")])
    saver = InMemorySaver()
    agent = bench.agent("protect", checkpointer=saver)
    agent.invoke(kit.user("pay"), CONFIG)
    state = agent.get_state(CONFIG)
    assert questions(state)[0]["arguments"]["to"] == "<MAIL_1>"
    assert kit.ADDRESS not in str(list(saver.list(CONFIG)))
    agent.invoke(resume(state, type="approve"), CONFIG)
    assert bench.ran[0][1]["to"] == kit.ADDRESS


def test_another_process_can_take_the_answer(
    kit: Any, tmp_path: Path, go: Callable[..., Any]
) -> None:
    approval = ApprovalPolicy(path=str(tmp_path / "approvals.db"))
    policy = Policy.unsafe_allow_all().model_copy(update={"approval": approval})
    saver = InMemorySaver()
    call = kit.calls(("send", {"to": "ada"}))

    def process(*replies: Any) -> tuple[Any, Any]:
        bench = kit.Bench([], replies)
        bench.guard = Guard(policy, plugins=[Asks("send")])
        return bench, bench.agent("protect", checkpointer=saver)

    _, first = process(call)
    state = go(first, kit.user("pay"))
    bench, second = process("Done.")
    _answered(second, go, state)
    assert len(bench.ran) == 1
    late, third = process("Done.")
    third.invoke(resume(state, type="approve"), state.config)
    assert late.ran == []


def test_the_names_in_a_config_are_langgraphs_own() -> None:
    assert _approval.CHECKPOINTER == _constants.CONFIG_KEY_CHECKPOINTER
    assert _approval.SCRATCHPAD == _constants.CONFIG_KEY_SCRATCHPAD


def test_nothing_is_kept_of_an_attempt_that_is_over(kit: Any, paying: Any) -> None:
    agent, state = _paused(kit, paying)
    agent.invoke(resume(state, type="approve"), CONFIG)
    gc.collect()
    assert len(_approval._attempts) == 0
