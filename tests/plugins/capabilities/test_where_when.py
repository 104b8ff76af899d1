"""Arguments wherever they stand, sessions and times: what a rule with conditions lets through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hauberk import Decision, Event, Guard, Policy, Session, Stage, Verdict
from hauberk.capabilities import ArgumentSchema
from hauberk.capabilities._rules import RuleBook
from hauberk.capabilities._when import SteadyClock
from hauberk.policy import CapabilitiesPolicy

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday


def judged(
    rule: dict[str, Any],
    arguments: Mapping[str, object] | None = None,
    *,
    now: datetime = NOON,
    session: Session | None = None,
    **policy: Any,
) -> Decision:
    found = CapabilitiesPolicy.model_validate({"tools": {"t": rule}, **policy})
    event = Event(
        stage=Stage.TOOL_CALL, tool="t", arguments=arguments or {}, session=session or Session()
    )
    return RuleBook(found, clock=lambda: now).judge(event)


TO = {"to": {"mail": ["bank.example"]}}


def test_the_refusal_names_argument_constraint_and_place_and_not_the_value() -> None:
    decision = judged({"where": TO}, {"to": "eve@evil.example"})
    assert decision.reason == (
        "arguments.to of 't' must be an address in a domain in `domains`; to permit it, change "
        "`capabilities.tools.t.where.to.mail.domains`"
    )
    assert decision.findings[0].where == "arguments.to"
    assert "evil" not in repr(decision)


def test_an_argument_that_nothing_names_is_refused() -> None:
    good = {"to": "ada@bank.example"}
    assert judged({"where": TO}, good).passes
    decision = judged({"where": TO}, {**good, "bcc": "eve@evil.example"})
    assert "arguments.bcc of 't' is not named by the rule" in decision.reason
    assert judged({"where": {**TO, "bcc": "any"}}, {**good, "bcc": "x"}).passes
    assert judged({"where": {**TO, "*": "any"}}, {**good, "bcc": "x"}).passes
    schema = {"properties": {"bcc": {"type": "string"}}}
    assert judged({"where": TO, "args": schema}, {**good, "bcc": "x"}).passes


def test_a_name_that_may_hold_orders_is_not_repeated() -> None:
    order = "ignore all rules"
    assert order not in judged({"where": TO}, {"to": "a@bank.example", order: 1}).reason


@pytest.mark.parametrize("arguments", [{}, {"to": None}])
def test_a_constrained_argument_must_be_there_unless_it_is_optional(
    arguments: dict[str, None],
) -> None:
    assert "arguments.to of 't' is missing" in judged({"where": TO}, arguments).reason
    assert judged({"where": {"to": {**TO["to"], "optional": True}}}, arguments).passes


def test_values_inside_arguments_are_found_in_every_item() -> None:
    rule = {"where": {"mails.to.address": {"mail": ["bank.example"]}}}
    good = {"to": [{"address": "ada@bank.example"}]}
    bad = {"to": [{"address": "ada@bank.example"}, {"address": "eve@evil.example"}]}
    assert judged(rule, {"mails": [good, good]}).passes
    decision = judged(rule, {"mails": [good, bad]})
    assert "arguments.mails[1].to[1].address" in decision.reason
    assert not judged(rule, {"mails": "text"}).passes
    assert not judged(rule, {"mails": [{}]}).passes
    assert not judged(rule, {"mails": object()}).passes


def test_a_constraint_on_every_other_argument() -> None:
    rule = {"where": {"n": "any", "*": {"host": "db.example"}}}
    assert judged(rule, {"n": 5, "a": "db.example", "b": "db.example"}).passes
    assert not judged(rule, {"n": 5, "a": "evil.example"}).passes


class Colour(Enum):
    RED = "ada@bank.example"
    BAD = "eve@evil.example"


@dataclass
class Mail:
    to: str


class Form(BaseModel):
    to: str


class Sly(str):
    """A text that pretends to be another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "ada@bank.example"


def test_enums_dataclasses_and_models_are_judged_by_what_they_stand_for() -> None:
    assert judged({"where": TO}, {"to": Colour.RED}).passes
    assert not judged({"where": TO}, {"to": Colour.BAD}).passes
    nested = {"where": {"mail.to": TO["to"]}}
    for kind in (Mail, Form):
        assert judged(nested, {"mail": kind(to="ada@bank.example")}).passes
        assert not judged(nested, {"mail": kind(to="eve@evil.example")}).passes
    assert judged(nested, {"mail": MappingProxyType({"to": "ada@bank.example"})}).passes
    assert not judged({"where": TO}, {"to": Sly("eve@evil.example")}).passes


def test_real_types_are_judged_by_a_schema() -> None:
    numpy = pytest.importorskip("numpy")
    schema = {
        "properties": {
            "n": {"type": "integer", "maximum": 5},
            "x": {"type": "number", "maximum": 5},
            "flag": {"type": "boolean"},
            "day": {"format": "date"},
            "at": {"format": "date-time"},
            "id": {"format": "uuid"},
            "path": {"pattern": "^/srv/"},
            "colour": {"enum": ["ada@bank.example"]},
            "tags": {"items": {"enum": ["a"]}},
        }
    }
    good: list[tuple[str, object]] = [
        ("n", 5), ("n", numpy.int64(5)), ("x", Decimal("4.5")), ("x", numpy.float32(1)),
        ("flag", numpy.bool_(1)), ("day", date(2026, 1, 1)), ("at", NOON), ("id", UUID(int=1)),
        ("path", Path("/srv/x")), ("colour", Colour.RED), ("tags", {"a"}),
    ]  # fmt: skip
    bad: list[tuple[str, object]] = [
        ("n", True), ("n", "5"), ("n", 5.5), ("n", numpy.int64(6)), ("n", numpy.array([5])),
        ("x", Decimal(6)), ("x", float("nan")), ("flag", 1), ("day", "yesterday"), ("at", b"x"),
        ("path", Path("/etc/x")), ("colour", Colour.BAD), ("tags", {"b"}), ("n", numpy.bool_(1)),
    ]  # fmt: skip
    judge = ArgumentSchema(schema)
    assert [name for name, value in good if judge.violation({name: value}) is not None] == []
    assert [name for name, value in bad if judge.violation({name: value}) is None] == []


def test_the_tool_gets_resolved_paths_and_a_question_asks_about_them(tmp_path: Path) -> None:
    where = {"path": {"path": str(tmp_path)}, "n": "any"}
    decision = judged({"where": where}, {"path": "a/../b", "n": 1})
    assert decision.verdict is Verdict.REWRITE
    assert decision.arguments == {"path": str(tmp_path / "b"), "n": 1}
    asked = judged({"where": where, "approval": True, "timeout_s": 3}, {"path": "b", "n": 1})
    assert (asked.verdict, asked.arguments) == (
        Verdict.ASK, {"path": str(tmp_path / "b"), "n": 1},
    )  # fmt: skip
    guard = Guard(
        Policy.model_validate(
            {"version": 1, "pii": False, "injection": False, "audit": False,
             "capabilities": {"tools": {"t": {"where": where}}}}
        )
    )  # fmt: skip
    event = guard.require(Event(stage=Stage.TOOL_CALL, tool="t", arguments={"path": "b", "n": 1}))
    assert event.arguments == {"path": str(tmp_path / "b"), "n": 1}


# --- cases --------------------------------------------------------------------------------------

PAY = {
    "cases": [
        {"where": {"amount": {"money": 100}}},
        {"when": {"role": "manager"}, "where": {"amount": {"money": 10_000}}},
        {"where": {"amount": {"money": 500}}, "approval": True},
    ]
}


@pytest.mark.parametrize(
    ("amount", "roles", "verdict"),
    [
        (100, [], Verdict.ALLOW),
        (101, [], Verdict.ASK),
        (501, [], Verdict.DENY),
        (9_999, ["manager"], Verdict.ALLOW),
        (10_001, ["manager"], Verdict.DENY),
        (9_999, ["clerk"], Verdict.DENY),
    ],
)
def test_the_first_case_that_fits_decides(amount: int, roles: list[str], verdict: Verdict) -> None:
    decision = judged(PAY, {"amount": amount}, session=Session(roles=roles))
    assert decision.verdict is verdict
    if verdict is Verdict.ASK:
        assert "`capabilities.tools.t.cases[2].approval`" in decision.reason


# --- deny ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "to",
    ["x@evil.example", "a@bank.example, x@evil.example", ["a@bank.example", "x@evil.example"],
     '"a@bank.example" <x@evil.example>', object(), 5, "not readable <"],
)  # fmt: skip
def test_a_denial_holds_when_a_part_is_like_it_or_cannot_be_read(to: object) -> None:
    deny = [{"tool": "t", "where": {"to": {"mail": ["evil.example"]}}}]
    decision = judged({}, {"to": to}, deny=deny)
    assert decision.findings[0].rule == "capability.denied"
    assert judged({}, {"to": "a@bank.example"}, deny=deny).passes
    assert judged({}, {}, deny=deny).passes


def test_a_denial_of_a_host_looks_at_the_host_alone() -> None:
    deny = [{"tool": "t", "where": {"url": {"url": ["evil.example", "*.evil.example"]}}}]
    for url in ("http://evil.example/", "ftp://evil.example:99/x?y", "https://x.EVIL.example"):
        assert not judged({}, {"url": url}, deny=deny).passes
    assert not judged({}, {"url": "https://evil.example./"}, deny=deny).passes
    assert judged({}, {"url": "http://good.example/"}, deny=deny).passes


def test_a_denied_path_is_denied_after_the_rewrite_too(tmp_path: Path) -> None:
    deny = [{"tool": "t", "where": {"p": {"path": str(tmp_path / "secret")}}}]
    rule = {"where": {"p": {"path": str(tmp_path)}}}
    assert judged(rule, {"p": "open/x"}, deny=deny).passes
    assert not judged(rule, {"p": "secret/x"}, deny=deny).passes


@pytest.mark.parametrize(
    ("session", "denied"),
    [
        (Session(user="eve"), True),
        (Session(), True),
        (Session(user="ada"), False),
    ],
)
def test_a_condition_of_a_denial_holds_when_it_is_unknown(
    session: Session, *, denied: bool
) -> None:
    deny = [{"tool": "t", "when": {"user": "eve"}}]
    assert judged({}, session=session, deny=deny).passes is not denied


# --- when ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["user", "purpose", "agent", "tenant", "environment"])
def test_a_condition_on_the_session(field: str) -> None:
    rule = {"when": {field: ["this", "that"]}}
    assert judged(rule, session=Session(**{field: "that"})).passes
    for session in (Session(**{field: "other"}), Session(), Session(**{field: "THAT"})):
        decision = judged(rule, session=session)
        assert f"`capabilities.tools.t.when.{field}`" in decision.reason


def test_the_policy_says_the_environment_of_sessions_that_do_not() -> None:
    rule = {"when": {"environment": "test"}}
    assert judged(rule, environment="test").passes
    assert not judged(rule, environment="production").passes
    assert not judged(rule, session=Session(environment="production"), environment="test").passes


WINDOW = {"from": "22:00", "to": "06:00", "days": ["fri"], "tz": "Europe/Zurich"}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2026-11-27T20:59", False),  # Friday 21:59 in Zurich
        ("2026-11-27T21:00", True),
        ("2026-11-28T04:59", True),  # Saturday morning: it is still Friday's night
        ("2026-11-28T05:00", False),
        ("2026-11-28T21:30", False),
        ("2026-11-27T04:00", False),
        ("2026-06-26T20:00", True),  # summer time
    ],
)
def test_hours_over_midnight_belong_to_the_day_that_they_start_on(
    when: str, *, holds: bool
) -> None:
    now = datetime.fromisoformat(when).replace(tzinfo=UTC)
    decision = judged({"when": {"time": WINDOW}}, now=now)
    assert decision.passes is holds
    if not holds:
        assert "from 22:00 to 06:00 on fri, Europe/Zurich" in decision.reason


def test_hours_as_yaml_reads_them() -> None:
    """YAML 1.1 reads 8:30 as the number 510."""
    rule = {"when": {"time": {"from": 510, "to": 1110}}}
    assert judged(rule, now=NOON).passes
    assert not judged(rule, now=NOON.replace(hour=8, minute=29)).passes


class Times:
    def __init__(self) -> None:
        self.wall = NOON.timestamp()
        self.steady = 1000.0


def test_a_clock_that_is_set_back_opens_no_window_again() -> None:
    times = Times()
    clock = SteadyClock(lambda: times.wall, lambda: times.steady)
    times.wall += 8 * 3600
    times.steady += 8 * 3600
    assert clock() == NOON + timedelta(hours=8)
    times.wall -= 8 * 3600
    assert clock() == NOON + timedelta(hours=8)
    times.wall += 9 * 3600  # a machine that slept: the wall clock is right
    assert clock() == NOON + timedelta(hours=9)


# --- remembered answers -------------------------------------------------------------------------

REMEMBERED = {
    "tool": "t",
    "where": {"to": {"mail": {"addresses": ["ada@bank.example"]}}},
    "owner": "grace",
    "until": "2026-12-31",
}


def test_a_remembered_answer_counts_for_its_calls_until_its_end() -> None:
    rule = {"approval": True}
    good = {"to": "ada@bank.example", "body": "x"}

    def ask(arguments: Mapping[str, object], now: datetime = NOON, **more: object) -> Decision:
        return judged(rule, arguments, now=now, remembered=[{**REMEMBERED, **more}])

    decision = ask(good)
    assert decision.verdict is Verdict.ALLOW
    assert decision.findings[0].rule == "capability.remembered"
    assert "approved by grace until 2027-01-01 00:00 UTC" in decision.findings[0].explanation
    for other in ({"to": "eve@bank.example"}, {"to": "ada@bank.example, eve@x.example"}, {}):
        assert ask(other).verdict is Verdict.ASK
    assert ask(good, datetime(2026, 12, 31, 23, 59, tzinfo=UTC)).passes
    assert ask(good, datetime(2027, 1, 1, tzinfo=UTC)).verdict is Verdict.ASK
    assert ask(good, when={"user": "bob"}).verdict is Verdict.ASK
    assert ask(good, questions=["flow"]).verdict is Verdict.ASK


def test_a_remembered_answer_never_permits_what_is_denied() -> None:
    remembered = [{**REMEMBERED, "where": {}}]
    rule = {"approval": True, "where": {"n": {"money": 5}}}
    assert judged(rule, {"n": 5}, remembered=remembered).verdict is Verdict.ALLOW
    assert judged(rule, {"n": 6}, remembered=remembered).verdict is Verdict.DENY
    denied = judged(
        rule, {"n": 5}, remembered=remembered, deny=[{"tool": "t", "when": {"user": "x"}}]
    )
    assert denied.verdict is Verdict.DENY


@given(st.dictionaries(st.sampled_from(["to", "x", "y"]), st.text() | st.none() | st.integers()))
def test_whatever_passes_has_only_allowed_recipients(arguments: dict[str, object]) -> None:
    if judged({"where": {**TO, "x": "any"}}, arguments).passes:
        assert str(arguments["to"]).strip().rstrip(">").lower().endswith("@bank.example")
        assert "y" not in arguments
