"""JSON in a text is JSON still when values are hidden in it, and comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Event, Segment, Session, Stage
from hauberk.policy import Operator, PiiPolicy
from hauberk_pii import MemoryVault, PiiPlugin, Span
from hauberk_pii._json_places import documents_of, fitted
from hauberk_pii._mask import masked
from hauberk_pii._pseudonyms import Grammar
from hauberk_pii._restore import restored
from hauberk_pii._spans import resolved
from hauberk_pii.operators import Operators, Script, Writer

CARD = 4111111111111111
ROW = {
    "card": CARD,
    "name": "Zoë Müller",
    "note": 'Dear Ada Byron,\n"call" Bob Stone\t\\ tomorrow',
    "mail ada@example.com": {"ssn": "536904399", "at": ["10.0.0.1", 3.5, True, None]},
}
READABLE = ("pseudonymize", "surrogate")


class Talk:
    """One session with one plugin."""

    def __init__(self, **policy: Any) -> None:
        self.plugin = PiiPlugin(PiiPolicy.model_validate(policy))
        self.session = Session()

    def said(self, stage: Stage, text: str) -> str:
        event = Event(stage=stage, session=self.session, segments=(Segment.from_user(text),))
        return self.plugin.inspect(event).apply(event).segments[0].text

    def masked(self, text: str) -> str:
        return self.said(Stage.PROMPT, text)

    def restored(self, text: str) -> str:
        return self.said(Stage.COMPLETION, text)


def test_a_number_becomes_a_string_and_a_number_again() -> None:
    talk, text = Talk(), json.dumps({"card": CARD, "n": 12})
    hidden = talk.masked(text)
    assert json.loads(hidden) == {"card": "<CREDIT_CARD_1>", "n": 12}
    assert talk.restored(hidden) == text
    assert talk.restored("It is <CREDIT_CARD_1>.") == f"It is {CARD}."


def test_the_same_value_has_one_pseudonym_in_json_and_in_prose() -> None:
    """Escapes are read: what a tool gives as JSON is the person of whom the user speaks."""
    talk = Talk()
    assert talk.masked("Customer: Zoë Müller") == "Customer: <PERSON_1>"
    hidden = talk.masked(json.dumps({"customer": "Zoë Müller", "card": str(CARD)}))
    assert json.loads(hidden) == {"customer": "<PERSON_1>", "card": "<CREDIT_CARD_1>"}
    assert json.loads(talk.masked(json.dumps({"card": CARD}))) == {"card": "<CREDIT_CARD_1>"}
    assert talk.restored("Dear <PERSON_1>") == "Dear Zoë Müller"


@pytest.mark.parametrize("operator", [o.value for o in Operator if o is not Operator.BLOCK])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "around", ["%s", "Result:\n%s\nand {this} [one", "%s\n%s\n", "```json\n%s\n```"]
)
def test_a_document_stays_one(operator: str, *, ascii_only: bool, around: str) -> None:
    """Whatever is written for values, and wherever it stands."""
    text = around.replace("%s", json.dumps(ROW, ensure_ascii=ascii_only, indent=1))
    talk = Talk(operators={"*": operator})
    hidden = talk.masked(text)
    was, now = documents_of(text), documents_of(hidden)
    assert len(was.spans) == len(now.spans) == around.count("%s")
    for start, end in now.spans:
        assert list(json.loads(hidden[start:end]))[:3] == ["card", "name", "note"]
    if operator != "keep":
        assert not any(
            value in hidden for value in (str(CARD), "Müller", "fcller", "Ada Byron", "536904399")
        )
    if operator in READABLE:
        assert talk.restored(hidden) == text


@pytest.mark.parametrize(
    "text",
    [
        r'["\\u003cPERSON_1>", "\\\u003cPERSON_1\u003e", "\\nPERSON_1 x@example.com"]',
        '{"n": "Zo\\u00EB M\\u00FCller", "u": "https:\\/\\/x.test\\/?m=ada@example.com"}',
        '{"n": "Zo\\u00eb Müller"}',
        '{"a": "\\u003cPERSON_1\\u003e", "b": "<PERSON_1\\u003e", "c": "\\u003cPERSON_1>", "d": "<PERSON_1>"}',
        '["\\nAda Byron\\n", "\\\\Ada Byron\\\\", "C:\\\\users\\\\nada@example.com"]',
        '{"ada@example.com": -4111111111111111, "x": 4111111111111111.0, "y": 4.111111111111111e15}',
    ],
)  # fmt: skip
def test_unusual_writings_come_back_as_they_were(text: str) -> None:
    talk = Talk()
    hidden = talk.masked(text)
    assert hidden != text
    json.loads(hidden)
    assert talk.restored(hidden) == text


def test_a_span_over_the_structure_is_cut() -> None:
    text = '["Ada", "Byron", 12, true]'
    spans = fitted(text, [Span(3, 19, "PERSON", 0.9)], documents_of(text))
    assert [text[s.start : s.end] for s in spans] == ["da", "Byron", "12"]


def test_a_span_divides_no_escape() -> None:
    text = r'{"a": "\nAda \u00eb\\n"}'
    n, e = text.index("nAda"), text.index("00eb")
    spans = fitted(text, [Span(n, e, "PERSON", 0.9)], documents_of(text))
    assert [text[s.start : s.end] for s in spans] == [r"Ada \u00eb"]


def test_many_documents_and_values_cost_little() -> None:
    """Each value is looked up, and not looked for in all documents."""
    text = "\n".join(json.dumps({"n": "Ada", "x": "a\nb"}) for _ in range(5000))
    documents = documents_of(text)
    spans = [Span(place.start, place.end, "PERSON", 0.5) for place in documents.places]
    assert fitted(text, spans, documents) == spans


def test_prose_beside_a_document_is_hidden_as_it_was() -> None:
    text = 'Ada {"a": 1} Byron'
    spans = fitted(text, [Span(0, len(text), "PERSON", 0.9)], documents_of(text))
    assert [text[s.start : s.end] for s in spans] == ["Ada ", "a", "1", " Byron"]


GRAMMAR = Grammar(("PERSON", "US_SSN"))
_texts = st.lists(
    st.sampled_from(['"', "\\", "\\u003cPERSON_1>", "\n", "é", "😀", "\ud800", "<PERSON_1>", "PERSON_1", "\\u003cUS_SSN_1\\u003e", "/"])
    | st.text(max_size=3),
    max_size=5,
).map("".join)  # fmt: skip
_json = st.recursive(
    _texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@given(
    value=_json,
    around=st.tuples(_texts, _texts),
    ascii_only=st.booleans(),
    operator=st.sampled_from((Operator.PSEUDONYMIZE, Operator.SURROGATE, Operator.REDACT)),
    data=st.data(),
)
def test_whatever_is_hidden_in_json_comes_back(
    value: object,
    around: tuple[str, str],
    *,
    ascii_only: bool,
    operator: Operator,
    data: st.DataObject,
) -> None:
    """Any spans in any document between any texts: it is a document still, and the same one after."""
    raw = json.dumps(value, ensure_ascii=ascii_only)
    text = around[0] + raw + around[1]
    places = st.integers(0, len(text))
    pairs = data.draw(st.lists(st.tuples(places, places), max_size=5))
    spans = resolved([Span(min(p), max(p), "PERSON", 0.5) for p in pairs if p[0] != p[1]], text)
    vault, script = MemoryVault(), Script(GRAMMAR)
    writer = Writer(vault, script, "en")
    done = masked(text, spans, script, lambda v: writer.write(v, Operators({"*": operator})))
    if operator is not Operator.REDACT:
        assert restored(done.text, script, vault) == text
    if len(documents_of(text).spans) == 1 and text == raw:
        json.loads(done.text)


def test_many_beginnings_of_documents_cost_little() -> None:
    """Brackets that begin nothing are given up on."""
    text = '{"a' * 5000 + "[" * 5000 + json.dumps({"card": CARD})
    assert documents_of(text).spans == []
