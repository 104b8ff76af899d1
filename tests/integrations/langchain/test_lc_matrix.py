"""Every door in every mode gives the same answer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.errors import GraphBubbleUp

from hauberk import BlockedError, Stage
from hauberk_langchain import RunBlockedError


def _mailing(kit: Any, *plugins: Any) -> Any:
    replies = [
        kit.calls(("send", {"to": "<MAIL_1>"}), text="I write to <MAIL_1> now."),
        "Done: <MAIL_1> has it.",
    ]
    return kit.Bench(plugins or [kit.Names(), kit.Rights("send")], replies)


def test_the_model_never_sees_an_address_and_everyone_else_does(
    kit: Any, door: str, mode: str
) -> None:
    bench = _mailing(kit)
    agent = bench.agent(door, system_prompt=f"You work for boss@example.com and {kit.ADDRESS}")
    outcome = kit.run(mode, agent, kit.user(f"mail {kit.ADDRESS}"), bench.config)
    assert "@" not in bench.model.seen_text
    assert "<MAIL_1>" in bench.model.seen_text
    # MAIL_1 is the first address of the prompt: the system prompt's.
    assert bench.ran == [("send", {"to": "boss@example.com", "body": "hello"})]
    assert outcome.messages[-1].content == "Done: boss@example.com has it."
    assert outcome.messages[1].content == "I write to boss@example.com now."


def test_streamed_pieces_are_restored(kit: Any, door: str, mode: str) -> None:
    bench = _mailing(kit)
    outcome = kit.run(mode, bench.agent(door), kit.user(f"mail {kit.ADDRESS}"), bench.config)
    if mode in ("stream", "astream", "astream_events"):
        assert outcome.shown == (
            f'I write to {kit.ADDRESS} now.{{"to": "{kit.ADDRESS}"}}Done: {kit.ADDRESS} has it.'
        )
    ai = outcome.messages[1]
    assert isinstance(ai, AIMessage)
    assert ai.tool_calls[0]["args"] == {"to": kit.ADDRESS}


def test_history_tool_calls_and_tool_results_are_masked_too(kit: Any, door: str, mode: str) -> None:
    bench = kit.Bench([kit.Names()], ["Fine."])
    nested = {"to": kit.ADDRESS, "cc": [{"mail": "bob@example.com"}]}
    history = [
        SystemMessage(f"owner {kit.ADDRESS}"),
        HumanMessage([{"type": "text", "text": f"write {kit.ADDRESS}"}]),
        AIMessage("ok", tool_calls=[{"name": "send", "args": nested, "id": "1"}]),
        ToolMessage(f"sent to {kit.ADDRESS}", tool_call_id="1", name="send"),
        HumanMessage("and now?"),
    ]
    before = copy.deepcopy(history)
    kit.run(mode, bench.agent(door), {"messages": history}, bench.config)
    assert "@" not in bench.model.seen_text
    assert [m.model_dump(exclude={"id"}) for m in history] == [
        m.model_dump(exclude={"id"}) for m in before
    ]


def test_a_denied_tool_answers_and_the_agent_goes_on(kit: Any, door: str, mode: str) -> None:
    bench = kit.Bench([kit.Rights("send")], [kit.calls(("remove", {"path": "/"})), "I could not."])
    outcome = kit.run(mode, bench.agent(door), kit.user("clean up"), bench.config)
    (told,) = kit.tool_messages(outcome)
    assert bench.ran == []
    assert told.status == "error"
    assert told.name == "remove"
    assert "no right to this tool" in str(told.content)
    assert outcome.messages[-1].content == "I could not."


def test_a_tool_that_nobody_has_is_judged_and_does_not_end_the_run(
    kit: Any, door: str, mode: str
) -> None:
    rights = kit.Rights("send")
    bench = kit.Bench([rights], [kit.calls(("format_disk", {"n": 1})), "I could not."])
    outcome = kit.run(mode, bench.agent(door), kit.user("clean up"), bench.config)
    (told,) = kit.tool_messages(outcome)
    assert told.status == "error"
    assert "no right to this tool" in str(told.content)
    assert rights.seen == [("format_disk", {"n": 1})]
    assert outcome.messages[-1].content == "I could not."


def test_a_hard_stop_is_not_swallowed_by_retries(kit: Any, door: str, mode: str) -> None:
    bench = kit.Bench([kit.Rights("send")], [kit.calls(("stop", {})), "never said"])
    agent = bench.agent(
        door,
        middleware=[ToolRetryMiddleware(initial_delay=0), ModelRetryMiddleware(initial_delay=0)],
    )
    with pytest.raises(RunBlockedError) as caught:
        kit.run(mode, agent, kit.user("stop"), bench.config)
    assert isinstance(caught.value, GraphBubbleUp)
    assert not hasattr(caught.value, "response")
    assert bench.ran == []
    assert len(bench.model.seen) == 1


def test_an_attack_of_the_user_reaches_no_model(kit: Any, door: str, mode: str) -> None:
    bench = kit.Bench([kit.Screen()], ["never said"])
    agent = bench.agent(door, middleware=[ModelRetryMiddleware(initial_delay=0)])
    with pytest.raises(BlockedError):
        kit.run(mode, agent, kit.user("ATTACK"), bench.config)
    assert bench.model.seen == []


def test_a_poisoned_result_is_cleaned_before_anyone_sees_it(kit: Any, door: str, mode: str) -> None:
    bench = kit.Bench(
        [kit.Screen()], [kit.calls(("send", {"to": "x"})), "Read."], answer="ATTACK {to}"
    )
    outcome = kit.run(mode, bench.agent(door), kit.user("go"), bench.config)
    assert kit.tool_messages(outcome)[0].content == "[removed] x"
    assert "ATTACK" not in bench.model.seen_text


def test_a_budget_ends_the_run(kit: Any, door: str, mode: str) -> None:
    meter = kit.Meter(model_calls=2)
    bench = kit.Bench([meter], [kit.calls(("send", {"to": "x"}))] * 9)
    with pytest.raises(BlockedError):
        kit.run(mode, bench.agent(door), kit.user("go"), bench.config | {"recursion_limit": 12})
    assert len(bench.model.seen) == 2
    assert meter.open == {}


def test_the_work_is_done_once(kit: Any, door: str, mode: str) -> None:
    meter = kit.Meter()
    bench = kit.Bench([meter], [kit.calls(("send", {"to": "x"})), "Read."])
    kit.run(mode, bench.agent(door), kit.user("go"), bench.config)
    assert meter.count == {
        Stage.PROMPT: 2,
        Stage.COMPLETION: 2,
        Stage.TOOL_CALL: 1,
        Stage.TOOL_RESULT: 1,
    }
    assert len(bench.model.seen) == 2
    assert all(usage and usage.input_tokens and usage.output_tokens for usage in meter.usages)
    assert meter.models == ["gullible", "gullible"]
    assert len({id(session) for session in meter.sessions}) == 1


def test_a_tripped_session_refuses_at_every_later_boundary(kit: Any, door: str, mode: str) -> None:
    bench = kit.Bench([kit.Rights("send")], [kit.calls(("stop", {})), "never said"])
    agent = bench.agent(door)
    config = {**bench.config, "configurable": {"thread_id": "t"}}
    with pytest.raises(BlockedError):
        kit.run(mode, agent, kit.user("stop"), config)
    with pytest.raises(BlockedError):
        kit.run(mode, agent, kit.user("hello again"), config)
    assert len(bench.model.seen) == 1
    other = {**bench.config, "configurable": {"thread_id": "u"}}
    with pytest.raises(BlockedError):
        kit.run(mode, agent, kit.user("stop"), other)
    assert len(bench.model.seen) == 2
