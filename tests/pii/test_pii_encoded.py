"""Personal data in HTML entities, percent-encoding, escapes and base64 is found, hidden and given back."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Decision, Event, Segment, Session, Stage, Verdict
from hauberk.policy import PiiPolicy
from hauberk_pii import PiiPlugin, finder_for
from hauberk_pii._encoded import MAX_DEPTH, views

MAIL = "ada.byron@example.com"


def entities(text: str) -> str:
    """Each character as a decimal entity."""
    return "".join(f"&#{ord(char)};" for char in text)


def percent(text: str) -> str:
    """Each byte percent-encoded."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def base64(text: str) -> str:
    """Standard base64."""
    return b64encode(text.encode()).decode()


def base64url(text: str) -> str:
    """For URLs, without padding."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def escapes(text: str) -> str:
    """Each UTF-16 unit as a JSON escape."""
    raw = text.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


ENCODERS: dict[str, Callable[[str], str]] = {
    "decimal entities": entities,
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(char):x};" for char in text),
    "a named entity": lambda text: text.replace("@", "&commat;").replace(".", "&period;"),
    "percent, what must be": lambda text: quote(text, safe=""),
    "percent, all": percent,
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "base64": base64,
    "base64url": base64url,
    "base64 twice": lambda text: base64(base64(text)),
    "base64 of percent": lambda text: base64(quote(text, safe="")),
    "escapes": escapes,
}
VALUES = {
    "EMAIL_ADDRESS": MAIL,
    "CREDIT_CARD": "4111 1111 1111 1111",
    "PERSON": "Emma Johansson",
    "IBAN_CODE": "DE89370400440532013000",
}


class Talk:
    """One session with one plugin."""

    def __init__(self, **policy: Any) -> None:
        self.plugin = PiiPlugin(PiiPolicy.model_validate(policy))
        self.session = Session()

    def decide(self, stage: Stage, text: str = "", **other: Any) -> Decision:
        segments = (Segment.from_user(text),) if text else ()
        event = Event(stage=stage, session=self.session, segments=segments, **other)
        return self.plugin.inspect(event)

    def shown(self, text: str, stage: Stage = Stage.PROMPT) -> str:
        decision = self.decide(stage, text)
        return decision.segments[0].text if decision.segments else text

    def call(self, **arguments: Any) -> dict[str, Any]:
        decision = self.decide(Stage.TOOL_CALL, tool="send", arguments=arguments)
        assert decision.passes, decision.reason
        return dict(decision.arguments or arguments)


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("kind", VALUES)
def test_what_is_encoded_is_hidden_and_comes_back(kind: str, encode: Callable[[str], str]) -> None:
    written = encode(f"I am {VALUES[kind]}, hello")
    talk, text = Talk(), f"see {written} and go on"
    masked = talk.shown(text)
    assert masked != text
    assert f"<{kind}_1>" in masked
    said = [view.text for view in views(masked)]
    assert not any(VALUES[kind] in one for one in (masked, *said))
    assert talk.shown(masked, Stage.COMPLETION) == text


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_arguments_of_a_tool_are_judged_decoded(encode: Callable[[str], str]) -> None:
    """As its policy says: blocked, or hidden; and in clear where nothing is said."""
    body = f"https://files.test/?d={encode(f'mail {MAIL} now')}"
    assert Talk().call(url=body) == {"url": body}
    blocking = Talk(reveal={"send": {"EMAIL_ADDRESS": "block"}})
    assert blocking.decide(Stage.TOOL_CALL, tool="send", arguments={"url": body}).verdict is Verdict.DENY  # fmt: skip
    hiding = Talk(reveal={"*": {"*": "redact"}})
    assert "<EMAIL_ADDRESS>" in hiding.call(url=[body])["url"][0]


def test_words_before_what_is_encoded_count() -> None:
    assert Talk().shown(f"ssn: {base64('536904399 ok')}").startswith("ssn: <US_SSN_1>")


def test_fields_of_a_form_are_read_with_their_names() -> None:
    query = urlencode({"patient": "Emma Johansson", "ssn": "536904399", "page": "7"})
    assert Talk().shown(f"https://h.test/x?{query}") == (
        "https://h.test/x?patient=<PERSON_1>&ssn=<US_SSN_1>&page=7"
    )


def test_spaces_of_forms_are_read() -> None:
    assert Talk().shown("name=Emma%20Johansson&addr=12+Baker+Street") == (
        "name=<PERSON_1>&addr=<STREET_ADDRESS_1>"
    )


def test_what_a_session_knows_is_found_encoded() -> None:
    """Also in an earlier text, when it becomes known later."""
    talk, hidden = Talk(names="structure"), base64("zzyx qwert was there")
    assert talk.shown(hidden) == hidden
    talk.shown("Customer: Zzyx Qwert")
    assert "<PERSON_" in talk.shown(hidden)


def test_arguments_are_judged_by_their_names() -> None:
    talk = Talk(reveal={"*": {"*": "redact"}})
    assert talk.call(ssn="536904399", to={"card_number": [4111111111111111], "n": 3}) == {
        "ssn": "<US_SSN>",
        "to": {"card_number": ["<CREDIT_CARD>"], "n": 3},
    }
    talk = Talk(reveal={"*": {"*": "redact"}})
    assert talk.call(order="536904399", flag=True) == {"order": "536904399", "flag": True}


@pytest.mark.parametrize(
    "text",
    [
        "internationalization and Administration",
        "d41d8cd98f00b204e9800998ecf8427e",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "100%25 of &amp; and &nbsp; at 5%20off &foo; %zz %ff%fe",
        r"C:\new\table \u0041 \ud800",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "SGVsbG8sIHdvcmxkISBIZWxsbyBhZ2Fpbi4=",
    ],
)
def test_what_holds_nothing_personal_stays(text: str) -> None:
    assert Talk().shown(text) == text


def test_depth_is_bounded() -> None:
    text = MAIL
    for _ in range(MAX_DEPTH):
        text = base64(text)
    assert [view.text for view in views(text)][-1:] == [MAIL]
    assert MAIL not in [view.text for view in views(base64(text))]


def test_time_grows_with_the_length() -> None:
    """What is decoded is no longer than the text, at each depth, however it is nested."""
    for unit in ("%2525", "&amp;amp;", "&#37;41", base64(base64("x" * 30)) + " ", "\\u0025"):
        text = unit * 2000
        said = [view.text for view in views(text)]
        assert len(said) <= MAX_DEPTH * 2
        assert sum(map(len, said)) <= MAX_DEPTH * len(text)


def test_what_was_found_in_clear_is_not_reported_twice() -> None:
    text = f"{MAIL} {'x' * 90} %41"
    found = finder_for(names="off").candidates(text)
    assert [(span.start, span.type) for span in found] == [(0, "EMAIL_ADDRESS")]


_pieces = st.lists(
    st.tuples(st.text(max_size=6), st.sampled_from([*ENCODERS.values(), str]), st.text(max_size=12)),
    max_size=5,
)  # fmt: skip


@given(_pieces)
def test_offsets_lead_back(pieces: list[tuple[str, Callable[[str], str], str]]) -> None:
    """Every stretch of what was decoded leads to one of the text; what was not decoded is the same."""
    text = "".join(
        plain + encode(inner.encode("utf-8", "ignore").decode()) for plain, encode, inner in pieces
    )
    for view in views(text):
        places = [view.back(at, at + 1) for at in range(len(view.text))]
        assert places == sorted(places)
        assert all(0 <= start < end <= len(text) for start, end in places)
        assert view.back(0, len(places)) == (places[0][0], places[-1][1])
    for view in views(text, depth=1):
        for at, char in enumerate(view.text):
            start, end = view.back(at, at + 1)
            assert text[start:end] == char or view.news(at, at + 1)


def test_json_escapes_hide_no_names() -> None:
    text = json.dumps({"note": "Dear Zoë Müller,\nBob Stone called"})
    found = {text[span.start : span.end] for span in finder_for().find(text)}
    assert found == {"Zo\\u00eb M\\u00fcller", "Bob Stone"}
