"""Events, decisions, errors, sessions: what they hold, what they refuse to hold, what they show."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest

import hauberk
from hauberk import (
    BlockedError,
    BudgetExceededError,
    Decision,
    Event,
    Finding,
    HauberkError,
    MissingExtraError,
    PolicyError,
    Segment,
    Session,
    Stage,
    StoreError,
    Usage,
)
from hauberk.decisions import Verdict

SECRET = "ada@example.com"


def event() -> Event:
    return Event(
        stage=Stage.TOOL_CALL,
        segments=(Segment.from_user(SECRET),),
        tool="mail",
        arguments={"to": SECRET},
    )


def test_no_repr_shows_text_or_arguments() -> None:
    rewrite = Decision.rewrite(segments=event().segments, arguments={"to": SECRET})
    assert SECRET not in repr(event()) + repr(rewrite) + repr(Session(user=SECRET))


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": Verdict.REWRITE},
        {"verdict": Verdict.ALLOW, "segments": ()},
        {"verdict": Verdict.DENY, "reason": "no", "arguments": {}},
        {"verdict": Verdict.DENY},
        {"verdict": Verdict.ASK},
        {"verdict": Verdict.ALLOW, "stop": True},
    ],
)
def test_decisions_that_mean_nothing_cannot_be_built(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Decision(**wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the point


def test_two_ends_of_a_crossing_share_session_and_call() -> None:
    call = event()
    result = call.returned([Segment.from_tool("mail", "sent")])
    assert (result.call, result.session, result.stage) == (
        call.call,
        call.session,
        Stage.TOOL_RESULT,
    )
    answer = call.answered([], usage=Usage(input_tokens=3))
    assert (answer.call, answer.usage) == (call.call, Usage(input_tokens=3))


def test_copies_of_events_and_segments_keep_every_field_that_was_not_changed() -> None:
    old = Event(
        stage=Stage.PROMPT,
        segments=(Segment.from_tool("read", "one", where="messages[0]"),),
        tool="read",
        arguments={"to": "ada"},
        model="m",
        max_output_tokens=7,
        usage=Usage(input_tokens=1),
    )
    fresh = Event(stage=Stage.INGEST)
    unset = [f.name for f in fields(Event) if getattr(old, f.name) == getattr(fresh, f.name)]
    assert not unset, "give `old` a value for a new field"
    new, used = (Segment.from_user("two"),), Usage(output_tokens=2)

    answered = replace(old, stage=Stage.COMPLETION, segments=new, usage=used)
    assert old.answered(new, usage=used) == answered
    assert old.returned(new) == replace(old, stage=Stage.TOOL_RESULT, segments=new)
    assert old.rewritten(new, {"to": "bob"}) == replace(old, segments=new, arguments={"to": "bob"})
    assert old.rewritten(None, None) == old
    one = old.segments[0]
    assert one.with_text("two") == replace(one, text="two")


def test_segment_knows_its_kind_and_keeps_itself_when_nothing_changes() -> None:
    segment = Segment.from_document("a/b:c.md", "text")
    assert segment.kind == "document"
    assert segment.with_text("text") is segment


def test_blocked_error_tells_stage_tool_reason_and_rules_and_survives_pickling() -> None:
    finding = Finding(rule="r1", category="c")
    error = BudgetExceededError(
        Decision.deny("used up", findings=[finding]), stage="tool_call", tool="mail"
    )
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is BudgetExceededError
    assert str(again) == str(error) == "blocked at tool_call (mail): used up [r1]"
    assert again.decision == error.decision


def test_every_error_is_a_hauberk_error_and_says_what_to_do() -> None:
    missing = MissingExtraError("pii", needed_for="hauberk_pii")
    assert isinstance(missing, ImportError)
    assert 'pip install "hauberk[pii]"' in str(missing)
    policy = PolicyError("unknown key", source="p.yaml", line=3, field="pii.x", remedy="Drop it.")
    assert str(policy) == "p.yaml:3: pii.x: unknown key. Drop it."
    store = StoreError("locked", store="trail.db", remedy="Close the other one.")
    assert str(store) == "trail.db: locked. Close the other one."
    for error in (missing, policy, store):
        assert isinstance(error, HauberkError)
        assert error.decision is None
    assert BlockedError(Decision.deny("no")).decision is not None


def test_session_state_is_made_once_under_threads() -> None:
    session = Session()
    made: list[object] = []

    def make() -> list[object]:
        made.append(object())
        return made

    with ThreadPoolExecutor(16) as pool:
        states = list(pool.map(lambda _: session.state("owner", make), range(200)))
    assert len(made) == 1
    assert all(state is made for state in states)


def test_session_keeps_the_first_reason_that_tripped_it() -> None:
    session = Session()
    session.trip(Decision.deny("first", stop=True))
    session.trip(Decision.deny("second", stop=True))
    assert session.tripped is not None
    assert session.tripped.reason == "first"


def test_all_public_names_resolve_and_nothing_else_is_public() -> None:
    for name in hauberk.__all__:
        assert getattr(hauberk, name) is not None
    homes = {name for names in hauberk._HOMES.values() for name in names}
    assert homes | {"__version__"} == set(hauberk.__all__)
    with pytest.raises(AttributeError):
        hauberk.nothing  # noqa: B018


def test_import_loads_no_framework_and_nothing_heavy() -> None:
    heavy = "langchain_core llama_index presidio_analyzer spacy numpy re2 jsonschema sqlite3 rich"
    code = (
        "import sys, hauberk, hauberk.guard, hauberk.policy\n"
        f"print([m for m in {heavy.split()!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
