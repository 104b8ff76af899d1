"""The plugin: a prompt is masked, an answer and a tool call are restored, and nothing is forgotten."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk import Decision, Event, Guard, Policy, PolicyError, Segment, Session, Stage, Verdict
from hauberk.plugin import Plugin, StreamingPlugin
from hauberk.policy import PiiPolicy
from hauberk_pii import DEFAULT_ENTITIES, PiiPlugin, build_plugin

MAIL = "ada@example.com"


class Talk:
    """One session with a plugin."""

    def __init__(self, **policy: object) -> None:
        self.plugin = build_plugin(PiiPolicy.model_validate(policy))
        self.session = Session()

    def decide(self, *texts: str | Segment) -> Decision:
        return self.plugin.inspect(self.prompt(*texts))

    def prompt(self, *texts: str | Segment) -> Event:
        made = tuple(Segment.from_user(t) if isinstance(t, str) else t for t in texts)
        return Event(stage=Stage.PROMPT, segments=made, session=self.session)

    def masked(self, *texts: str | Segment) -> list[str]:
        event = self.prompt(*texts)
        return [s.text for s in self.plugin.inspect(event).apply(event).segments]

    def restored(self, *texts: str) -> list[str]:
        event = Event(
            stage=Stage.COMPLETION,
            segments=tuple(map(Segment.from_model, texts)),
            session=self.session,
        )
        return [s.text for s in self.plugin.inspect(event).apply(event).segments]


def test_it_is_a_streaming_plugin() -> None:
    plugin = build_plugin(PiiPolicy())
    assert isinstance(plugin, Plugin)
    assert isinstance(plugin, StreamingPlugin)
    assert plugin.name == "pii"


def test_a_prompt_without_personal_data_goes_on_as_it_is() -> None:
    assert Talk().decide("What is 2 + 2?").verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "segment",
    [
        Segment.from_user(f"write to {MAIL}"),
        Segment.from_developer(f"write to {MAIL}"),
        Segment.from_model(f"write to {MAIL}"),
        Segment.from_tool("search", f"write to {MAIL}"),
        Segment.from_document("d1", f"write to {MAIL}"),
    ],
    ids=lambda s: s.kind,
)
def test_every_origin_is_masked(segment: Segment) -> None:
    assert Talk().masked(segment) == ["write to <EMAIL_ADDRESS_1>"]


def test_findings_say_what_and_where_and_never_the_value() -> None:
    decision = Talk().decide("hello", f"write to {MAIL}")
    [finding] = decision.findings
    assert (finding.rule, finding.category) == ("pii.email_address", "pii")
    assert (finding.segment, finding.start, finding.end, finding.score) == (1, 9, 24, 1.0)
    assert MAIL not in repr(decision)


def test_the_same_value_has_the_same_pseudonym_in_all_turns() -> None:
    talk = Talk()
    first = talk.masked(f"I am {MAIL}")
    assert first == ["I am <EMAIL_ADDRESS_1>"]
    assert talk.masked(f"I am {MAIL}", "ok", f"not bob@example.com but {MAIL}") == [
        "I am <EMAIL_ADDRESS_1>",
        "ok",
        "not <EMAIL_ADDRESS_2> but <EMAIL_ADDRESS_1>",
    ]


def test_each_writing_of_a_value_comes_back_as_it_was() -> None:
    talk = Talk()
    text = "Ada@example.com ada@example.com ADA@EXAMPLE.COM"
    assert talk.restored(*talk.masked(text)) == [text]


def test_sessions_know_nothing_of_each_other() -> None:
    talk, other = Talk(), Talk()
    talk.masked(MAIL)
    assert other.restored("<EMAIL_ADDRESS_1>") == ["<EMAIL_ADDRESS_1>"]


def test_answers_are_restored_and_otherwise_left_alone() -> None:
    talk = Talk()
    talk.masked(f"My name is Ada Byron, {MAIL}")
    assert talk.restored(
        "Hi <person_1>'s **<PERSON 1>**, PERSON_2 &lt;EMAIL_ADDRESS_1&gt; a < b"
    ) == [f"Hi Ada Byron's **Ada Byron**, PERSON_2 {MAIL} a < b"]


def test_an_answer_without_pseudonyms_goes_on_as_it_is() -> None:
    talk = Talk()
    event = Event(
        stage=Stage.COMPLETION, segments=(Segment.from_model("a < b"),), session=talk.session
    )
    assert talk.plugin.inspect(event).verdict is Verdict.ALLOW


def test_arguments_of_tools_get_the_real_values() -> None:
    talk = Talk()
    talk.masked(f"Mail Ada Byron <{MAIL}>")
    arguments = {"to": ["<EMAIL_ADDRESS_1>"], "n": 1, "body": {"text": "Dear <PERSON_1>"}}
    event = Event(
        stage=Stage.TOOL_CALL, tool="send_mail", arguments=arguments, session=talk.session
    )
    decision = talk.plugin.inspect(event)
    assert decision.arguments == {"to": [MAIL], "n": 1, "body": {"text": "Dear Ada Byron"}}
    assert arguments["to"] == ["<EMAIL_ADDRESS_1>"]


def test_a_tool_call_without_pseudonyms_goes_on_as_it_is() -> None:
    event = Event(stage=Stage.TOOL_CALL, tool="t", arguments={"q": "x"}, session=Session())
    assert build_plugin(PiiPolicy()).inspect(event).verdict is Verdict.ALLOW


# --- what is known ---------------------------------------------------------------------------


def test_a_known_name_is_masked_wherever_it_stands_again() -> None:
    talk = Talk(names="structure")
    talk.masked("Customer: Ada Byron")
    assert talk.masked(
        "ADA BYRON's friend met Ada; byron's dog and BYRON too, Adam and adage neither"
    ) == [
        "<PERSON_2>'s friend met <PERSON_3>; <PERSON_4>'s dog and <PERSON_5> too, Adam and adage neither"
    ]


def test_a_known_name_is_one_name_where_only_a_part_of_it_is_seen_again() -> None:
    """A finder that sees less of a name in another place does not cut it in two."""
    talk = Talk()
    assert talk.masked("My name is Ada Byron.") == ["My name is <PERSON_1>."]
    for text in ("Ada Byron", "q=Ada Byron", "ada byron"):
        assert len(re.findall(r"<PERSON_\d>", talk.masked(text)[0])) == 1
    assert talk.masked("Ada Byron") == ["<PERSON_1>"]


def test_a_part_that_is_a_word_counts_inside_of_a_sentence_only() -> None:
    talk = Talk(names="structure")
    talk.masked(
        "Customer: Grace May Hopper, Patient: Ada Brown, Patient: Mark Byron, Patient: Will Li"
    )
    plain = "Will you mark the brown dog? Brown is a colour. May I? In May. Mark it. grace will"
    assert talk.masked(plain) == [plain]
    assert talk.masked("we asked Brown, Mark and Li") == [
        "we asked <PERSON_5>, <PERSON_6> and <PERSON_7>"
    ]


def test_what_a_later_text_tells_hides_it_in_earlier_ones() -> None:
    """In the same prompt, and in the texts of earlier turns when they are sent again."""
    talk = Talk(names="structure")
    assert talk.masked("Is Byron here?") == ["Is Byron here?"]
    again = talk.masked("Is Byron here?", "Dear Mr. Byron,")
    assert again == ["Is <PERSON_1> here?", "Dear Mr. <PERSON_1>,"]


def test_a_number_that_was_known_by_its_context_is_masked_without_it() -> None:
    """The answer that was given to the user comes back as history: in clear, without "ssn"."""
    talk = Talk()
    assert talk.masked("my ssn is 536904399") == ["my ssn is <US_SSN_1>"]
    assert talk.masked("my ssn is 536904399", "It is 536904399, not 5369043991.") == [
        "my ssn is <US_SSN_1>",
        "It is <US_SSN_1>, not 5369043991.",
    ]


def test_values_that_are_allowed_are_never_masked() -> None:
    talk = Talk(allow=["help@example.com"])
    assert talk.masked(f"help@example.com {MAIL}") == ["help@example.com <EMAIL_ADDRESS_1>"]
    assert talk.masked("help@example.com") == ["help@example.com"]


# --- what could go wrong ---------------------------------------------------------------------


def test_a_text_that_looks_like_a_pseudonym_is_safe() -> None:
    talk = Talk()
    text = f"<EMAIL_ADDRESS_1> is not {MAIL}, EMAIL_ADDRESS_2"
    [hidden] = talk.masked(text)
    assert hidden == "<LITERAL_1> is not <EMAIL_ADDRESS_1>, <LITERAL_2>"
    assert talk.restored(hidden) == [text]
    assert [f.rule for f in talk.decide(text).findings] == ["pii.email_address"]


def test_a_full_vault_refuses() -> None:
    talk = Talk(max_values=2)
    assert talk.masked("a@example.com b@example.com") == ["<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2>"]
    decision = talk.decide("a@example.com", "c@example.com")
    assert decision.verdict is Verdict.DENY
    assert "c@example.com" not in repr(decision)
    assert talk.masked("a@example.com") == ["<EMAIL_ADDRESS_1>"]


def test_an_unknown_type_refuses_to_start() -> None:
    with pytest.raises(PolicyError, match="Did you mean 'PHONE_NUMBER'"):
        build_plugin(PiiPolicy(entities=("PHONENUMBER",)))


_odd = st.sampled_from(
    ["\ud800", "\x00", "\u200b", "😀", "<", ">", "PERSON_1", "<PERSON_1>", "\n", " ", "'", "Mr. Byron", MAIL,
     "Dear Ada,", "ssn 536904399", "536904399", "Ada", "212-555-4676", "4111 1111 1111 1111", "_1", "1"]
)  # fmt: skip
_texts = st.lists(_odd | st.text(max_size=3), max_size=10).map("".join)


@settings(deadline=None)
@given(st.lists(_texts, max_size=4))
def test_whatever_was_masked_comes_back(texts: list[str]) -> None:
    """In one prompt, and again in the next one, when more is known."""
    talk = Talk()
    for count in range(1, len(texts) + 1):
        assert talk.restored(*talk.masked(*texts[:count])) == texts[:count]


@settings(deadline=None)
@given(st.lists(_texts, min_size=1, max_size=4))
def test_a_prompt_that_is_sent_again_is_masked_the_same_way(texts: list[str]) -> None:
    talk = Talk()
    first = talk.masked(*texts)
    assert talk.masked(*texts) == first


def test_threads_of_one_session_agree() -> None:
    talk = Talk()
    texts = [f"Customer: Name{n % 7} Family{n % 5} user{n % 11}@example.com" for n in range(64)]

    def turn(text: str) -> list[str]:
        return talk.restored(*talk.masked(text))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(turn, texts)) == [[text] for text in texts]


class _Counting:
    """A finder that counts."""

    def __init__(self, inner: PiiPlugin) -> None:
        self.texts: list[str] = []
        self._find = inner._settings.finder.find
        self.entities = inner._settings.finder.entities

    def find(self, text: str) -> object:
        self.texts.append(text)
        return self._find(text)


def test_a_text_is_analysed_once() -> None:
    """The whole history comes each time: only what is new costs."""
    talk = Talk()
    counting = _Counting(talk.plugin)
    given: Any = counting
    talk.plugin._settings = replace(talk.plugin._settings, finder=given)
    history: list[str] = []
    for n in range(20):
        history.append(f"turn {n} of user{n}@example.com")
        talk.masked(*history)
    assert counting.texts == history


def test_through_a_guard() -> None:
    """From the policy to the answer, through the engine, and through a stream."""
    policy = Policy.model_validate(
        {"version": 1, "injection": False, "budget": False, "audit": False, "capabilities": False}
    )
    guard = Guard(policy)
    event = Event(stage=Stage.PROMPT, segments=(Segment.from_user(f"I am {MAIL}"),))
    sent = guard.require(event)
    assert sent.segments[0].text == "I am <EMAIL_ADDRESS_1>"
    stream = guard.open_stream(sent)
    shown = "".join(map(stream.feed, "Hello <EMAIL_ADDRESS_1>!"))
    end = stream.finish()
    assert shown + end.tails["text"] == f"Hello {MAIL}!"
    assert end.event.segments[0].text == f"Hello {MAIL}!"


def test_arguments_in_a_stream_are_restored_as_json() -> None:
    talk = Talk()
    prompt = talk.prompt("Patient: Zoë")
    talk.plugin.inspect(prompt)
    stream = talk.plugin.open_stream(prompt, json_string=True)
    assert stream is not None
    raw = '{"to": "<PERSON_1>"}'
    assert "".join(map(stream.feed, raw)) + stream.finish() == '{"to": "Zo\\u00eb"}'


def test_every_default_type_can_be_written() -> None:
    talk = Talk()
    for kind in DEFAULT_ENTITIES:
        [hidden] = talk.masked(f"<{kind}_1>")
        assert hidden.startswith("<LITERAL_")


def test_what_is_kept_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one unused for longest goes first, and is analysed anew with the same result."""
    monkeypatch.setattr("hauberk_pii._memory.MAX_SEEN_CHARS", 100)
    talk = Talk()
    texts = [f"turn {n} of user{n}@example.com" for n in range(9)]
    first = [talk.masked(text) for text in texts]
    memory = talk.plugin._memory(talk.prompt())
    assert 0 < memory._chars == sum(entry.size for entry in memory._entries.values()) <= 100
    assert [talk.masked(text) for text in texts] == first
