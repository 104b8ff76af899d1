"""The demo's promises, attack by attack and framework by framework.

Judged from effects: what left the company, what ran, what the model saw, what it cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from hauberk.demo import ATTACKS, HONEST, Report, Visit, demo_policy, run
from hauberk.demo._company import personal_values
from hauberk.demo._report import AttackOutcome, HonestOutcome
from hauberk.demo._runner import scenarios
from hauberk.errors import MissingExtraError
from hauberk.policy import Policy

FRAMEWORKS = ("langchain", "llama-index")

# LlamaIndex asks pydantic in an old way when an agent is run.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211"),
]


@cache
def report(framework: str) -> Report:
    """The whole demo on one framework's agent, run once for all tests."""
    try:
        scenarios()[framework]()
    except MissingExtraError as error:
        pytest.skip(str(error))
    pytest.importorskip("presidio_analyzer")
    return run([framework])


def attack(framework: str, ident: str) -> AttackOutcome:
    return next(outcome for outcome in report(framework).attacks if outcome.ident == ident)


def work(framework: str, ident: str) -> HonestOutcome:
    return next(outcome for outcome in report(framework).honest if outcome.ident == ident)


both = pytest.mark.parametrize("framework", FRAMEWORKS)
each_attack = pytest.mark.parametrize("ident", [one.ident for one in ATTACKS])
each_task = pytest.mark.parametrize("ident", [one.ident for one in HONEST])


@both
@each_attack
def test_bare_the_attack_succeeds(framework: str, ident: str) -> None:
    assert attack(framework, ident).bare_harm


@both
@each_attack
def test_with_hauberk_the_attack_fails(framework: str, ident: str) -> None:
    outcome = attack(framework, ident)
    assert not outcome.guarded_harm, outcome.guarded.decisions


@both
@each_attack
def test_the_trail_says_why_the_attack_failed(framework: str, ident: str) -> None:
    """Some decision has a finding: an attack that fails by accident would pass unseen."""
    assert any(verdict.findings for verdict in attack(framework, ident).guarded.decisions)


@both
def test_every_refused_call_is_told_in_one_sentence_with_the_value_and_its_source(
    framework: str,
) -> None:
    found = report(framework)
    told = {o.ident: [d.told for d in o.guarded.decisions if d.told] for o in found.attacks}
    refused = {
        o.ident: [d for d in o.guarded.decisions if d.tool and d.verdict in ("deny", "ask")]
        for o in found.attacks
    }
    assert {name: len(calls) for name, calls in refused.items()} == {
        name: len(sentences) for name, sentences in told.items()
    }
    (deletion,) = told["delete-customer"]
    assert deletion.endswith("(arguments.name is 'Tom Okafor' and comes from the user's words).")
    (copy,) = told["private-address"]
    assert "arguments.to is 'office.copy@webbox.test' and comes from the user's words" in copy


@both
def test_a_refusal_for_what_a_mail_said_names_the_mail(framework: str) -> None:
    report(framework)
    found = run(
        [framework],
        guarded_by=demo_policy().model_copy(update={"injection": False}),
        attacks=[one for one in ATTACKS if one.ident == "mail-invoice"],
        honest=[],
    )
    (told,) = {d.told for d in found.attacks[0].guarded.decisions if d.told}
    assert "'BE68 5390 0754 7034' and comes from untrusted text in call 1 of 'read_mail'" in told


@both
@each_attack
def test_no_personal_value_reaches_the_model_in_any_guarded_run(framework: str, ident: str) -> None:
    saw = attack(framework, ident).guarded.model_saw
    assert [value for value in personal_values() if value in saw] == []


@both
@each_task
def test_honest_work_is_done_bare(framework: str, ident: str) -> None:
    assert work(framework, ident).bare_done, work(framework, ident).bare


@both
@each_task
def test_honest_work_is_done_the_same_with_hauberk(framework: str, ident: str) -> None:
    """The same answer to the user, the same mails to the same real addresses, the same payments."""
    outcome = work(framework, ident)
    assert outcome.guarded_done, outcome.guarded
    assert (outcome.guarded.answer, outcome.guarded.left) == (
        outcome.bare.answer,
        outcome.bare.left,
    )
    assert "<" not in outcome.guarded.answer  # no pseudonym is left over


@both
@each_task
def test_honest_work_shows_the_model_no_personal_value(framework: str, ident: str) -> None:
    saw = work(framework, ident).guarded.model_saw
    assert [value for value in personal_values() if value in saw] == []


@both
def test_nothing_is_stopped_by_accident(framework: str) -> None:
    """No part of the guard failed; bare runs end well, guarded ones well or by a refusal."""
    found = report(framework)
    runs = [(o.bare, o.guarded) for o in found.attacks] + [
        (o.bare, o.guarded) for o in found.honest
    ]
    rules = {f.rule for _, guarded in runs for d in guarded.decisions for f in d.findings}
    assert "hauberk.error" not in rules
    assert {bare.task for bare, _ in runs if bare.stopped} == {"endless-loop"}
    stopped = [str(guarded.stopped) for _, guarded in runs if guarded.stopped]
    assert [error for error in stopped if "Error: blocked at prompt" not in error] == []


@both
def test_every_decision_of_the_guarded_runs_is_in_a_trail_that_is_whole(framework: str) -> None:
    found = report(framework)
    runs = [o.guarded for o in found.attacks] + [o.guarded for o in found.honest]
    taken = sum(len(trace.decisions) for trace in runs)
    assert taken > 100
    assert (found.audit.intact, found.audit.records) == (True, taken)


@both
def test_the_report_says_that_the_promises_were_kept(framework: str) -> None:
    found = report(framework)
    assert found.as_promised
    assert f"with hauberk: 0 of {len(ATTACKS)}" in found.summary


@both
def test_a_guard_that_guards_nothing_stops_nothing(framework: str) -> None:
    """The judge is not on our side: with an allow-all policy the same attacks succeed."""
    assert report(framework).as_promised
    found = run([framework], guarded_by=Policy.unsafe_allow_all())
    assert [o.ident for o in found.attacks if not o.guarded_harm] == []
    assert [o.ident for o in found.honest if not o.kept] == []
    assert not found.as_promised


@pytest.mark.parametrize(
    ("room", "through"),
    [
        ("injection", {"prompt-leak", "tracking-pixel"}),
        ("capabilities", {"delete-customer", "private-address"}),
        ("pii", {"model-sees-data"}),
        ("budget", {"endless-loop"}),
    ],
)
def test_each_layer_holds_what_only_it_can_hold(room: str, through: set[str]) -> None:
    """Defence in depth: without one layer the others stop the rest. The README says the same."""
    assert report("langchain").as_promised
    found = run(["langchain"], guarded_by=demo_policy().model_copy(update={room: False}))
    assert {o.ident for o in found.attacks if o.guarded_harm} == through
    assert [o.ident for o in found.honest if not o.kept] == []


# --- the other doors -----------------------------------------------------------------------------


def _handler(visit: Visit) -> str:
    from hauberk_langchain import HauberkCallbackHandler
    from hauberk_langchain.demo._agent import build_agent
    from hauberk_langchain.testing import BrainChatModel

    agent = build_agent(BrainChatModel(brain=visit.provider), visit.office)
    callbacks = [HauberkCallbackHandler(visit.guard)] if visit.guard else []
    return _ask(agent, visit.ask, {"callbacks": callbacks})


def _middleware(visit: Visit) -> str:
    from langchain.agents import create_agent

    from hauberk_langchain import HauberkMiddleware
    from hauberk_langchain.demo._agent import INSTRUCTIONS, MAX_STEPS, office_tools
    from hauberk_langchain.testing import BrainChatModel

    agent = create_agent(
        BrainChatModel(brain=visit.provider),
        office_tools(visit.office),
        system_prompt=INSTRUCTIONS,
        middleware=[HauberkMiddleware(visit.guard)] if visit.guard else [],
    )
    return _ask(agent, visit.ask, {"recursion_limit": MAX_STEPS * 2})


def _streamed(visit: Visit) -> str:
    from hauberk_langchain import protect
    from hauberk_langchain.demo._agent import build_agent
    from hauberk_langchain.testing import BrainChatModel

    agent = build_agent(BrainChatModel(brain=visit.provider), visit.office)
    if visit.guard:
        agent = protect(agent, visit.guard)
    return "".join(_pieces(agent, visit.ask))


def _pieces(agent: Any, ask: str) -> Iterator[str]:
    from langchain_core.messages import AIMessageChunk

    messages = {"messages": [{"role": "user", "content": ask}]}
    for piece, _ in agent.stream(messages, stream_mode="messages"):
        if isinstance(piece, AIMessageChunk):
            yield str(piece.text)


def _ask(agent: Any, ask: str, config: dict[str, Any]) -> str:
    state = agent.invoke({"messages": [{"role": "user", "content": ask}]}, config)
    return str(state["messages"][-1].text)


@pytest.mark.parametrize(
    "scenario",
    [_handler, _middleware, _streamed],
    ids=["callback-handler", "middleware", "streamed"],
)
def test_other_doors_of_langchain_keep_the_promises_too(scenario: Any) -> None:
    assert report("langchain").as_promised
    found = run({"langchain": scenario})
    assert {o.ident: o.guarded_harm for o in found.attacks if o.guarded_harm} == {}
    assert [o.ident for o in found.honest if not o.kept] == []
