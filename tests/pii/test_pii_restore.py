"""restore(mask(x)) == x for all texts, and for all ways to cut a stream."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hauberk.policy import Operator
from hauberk.structure import replace_leaves
from hauberk_pii import MemoryVault, Span, Value
from hauberk_pii._json_places import documents_of
from hauberk_pii._mask import masked
from hauberk_pii._pseudonyms import Grammar
from hauberk_pii._restore import JsonRestorer, TextRestorer, restored
from hauberk_pii._spans import resolved
from hauberk_pii.operators import Operators, Script, Writer

TYPES = ("PERSON", "EMAIL_ADDRESS", "US_SSN", "SSN")
GRAMMAR = Grammar(TYPES)
SCRIPT = Script(GRAMMAR)
PLAIN = Operators({"*": Operator.PSEUDONYMIZE})
VALUES = ("Ada Byron", 'a "quoted" \\ value\n', "<PERSON_2>", "zoë\ud800😀", "")

_bits = st.sampled_from(
    [
        "<", ">", "&lt;", "&gt;", "\\u003c", "\\u003e", "PERSON", "person", "EMAIL_ADDRESS", "US_",
        "SSN", "LITERAL", "_", " ", "-", "\\", "\\_", "1", "2", "3", "0", "9", "12", "x", "é", "\n", '"',
        "<PERSON_1>", "<person_1>", "PERSON_1", "<SSN_1>", "<LITERAL_1>", "&lt;PERSON_1&gt;", "'s", "**",
        "\\u003cPERSON_1\\u003e", "<PERSON_9>", "%3C", "%3e", "%3CPERSON_2%3E", "%20", "%3Cperson%201%3E",
        '"\\u003cPERSON_1>"', "<PERSON_2\\u003e", "<PERSONNE_1>", "&#60;PERSON_1&#62;", "\u212a", "{", "}", ":", "s", "PERSON_1s",
    ]
)  # fmt: skip
_texts = st.lists(_bits | st.text(max_size=3), max_size=14).map("".join)


def _vault() -> MemoryVault:
    vault = MemoryVault()
    vault.issue([Value("PERSON", v) for v in VALUES])
    vault.issue([Value("US_SSN", "536-90-4399"), Value("SSN", "s"), Value("LITERAL", "<SSN_7>")])
    return vault


def _cut(draw: st.DataObject, text: str) -> list[str]:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(_texts, st.data())
def test_masking_and_restoring_gives_the_same_text(text: str, data: st.DataObject) -> None:
    """Whatever is masked, and whatever the text itself looks like."""
    places = st.integers(0, len(text))
    pairs = data.draw(st.lists(st.tuples(places, places, st.sampled_from(TYPES)), max_size=6))
    spans = resolved([Span(min(a, b), max(a, b), t, 0.5) for a, b, t in pairs if a != b], text)
    vault = MemoryVault()
    writer = Writer(vault, SCRIPT, "en")
    done = masked(text, spans, SCRIPT, lambda values: writer.write(values, PLAIN))
    assert restored(done.text, SCRIPT, vault) == text
    if not documents_of(text).spans:  # in JSON spans end where strings do
        assert all(any(d.start <= s.start and s.end <= d.end for d in done.spans) for s in spans)


@given(_texts, st.data())
def test_a_stream_gives_the_same_as_the_whole(text: str, data: st.DataObject) -> None:
    vault = _vault()
    stream = TextRestorer(SCRIPT, vault)
    shown = "".join(stream.feed(piece) for piece in _cut(data, text)) + stream.finish()
    assert shown == restored(text, SCRIPT, vault)


@given(_texts)
def test_a_stream_is_held_back_by_less_than_a_pseudonym(text: str) -> None:
    """Character by character: what is held back is never longer than the longest spelling."""
    vault = MemoryVault()  # nothing issued: what comes out is what went in
    stream = TextRestorer(SCRIPT, vault)
    shown = 0
    for at, char in enumerate(text, start=1):
        shown += len(stream.feed(char))
        assert at - shown <= GRAMMAR.longest
    assert shown + len(stream.finish()) == len(text)


def test_prose_is_not_held_back() -> None:
    stream = TextRestorer(SCRIPT, _vault())
    for piece in ("Dear reader, ", "2 < 3 and ", "so on. ", "No hold."):
        assert stream.feed(piece) == piece
    assert stream.finish() == ""


_json = st.recursive(
    _texts | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@given(value=_json, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]), data=st.data())
def test_a_json_stream_gives_the_same_as_its_leaves(
    value: object, *, ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    """Values are escaped for a JSON string; names of members stay."""
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    vault = _vault()
    stream = JsonRestorer(SCRIPT, vault)
    shown = "".join(stream.feed(piece) for piece in _cut(data, raw)) + stream.finish()
    assert json.loads(shown) == replace_leaves(value, lambda t: restored(t, SCRIPT, vault))


@given(_texts | st.text(alphabet='{}[]":,\\u003c12PERSON_<> ', max_size=60), st.data())
def test_a_json_stream_that_is_no_json_does_not_fail(text: str, data: st.DataObject) -> None:
    """And with nothing to restore it is passed on as it is."""
    stream = JsonRestorer(SCRIPT, MemoryVault())
    shown = "".join(stream.feed(piece) for piece in _cut(data, text)) + stream.finish()
    assert shown == text


def test_escaped_spellings_inside_json_are_read() -> None:
    vault = _vault()
    stream = JsonRestorer(SCRIPT, vault)
    raw = r'{"PERSON_1": "\nPERSON_1 \u003cPERSON_2\u003e \\u003cPERSON_1\\u003e"}'
    shown = "".join(stream.feed(char) for char in raw) + stream.finish()
    assert json.loads(shown) == {"PERSON_1": f"\nAda Byron {VALUES[1]} Ada Byron"}


def test_a_value_is_written_in_the_form_of_its_pseudonym() -> None:
    """In a URL it is percent-encoded, in HTML and in JSON escaped; so a document stays one."""
    vault = MemoryVault()
    vault.issue([Value("PERSON", 'Zoë <O\'Hara> & "Co"'), Value("US_SSN", "536904399")])
    read = {
        "/?q=%3CPERSON_1%3E&b=1": "/?q=Zo%C3%AB%20%3CO%27Hara%3E%20%26%20%22Co%22&b=1",
        "/?q=%3cperson%201%3e": "/?q=Zo%C3%AB%20%3CO%27Hara%3E%20%26%20%22Co%22",
        "<b>&lt;PERSON_1&gt;</b>": '<b>Zoë &lt;O\'Hara&gt; &amp; "Co"</b>',
        "&#60;US_SSN_1&#62;": "536904399",
        '"\\u003cPERSON_1\\u003e"': '"Zo\\u00eb <O\'Hara> & \\"Co\\""',
        '"<PERSON_1\\u003e"': '"Zoë <O\'Hara> & \\"Co\\""',
        '{"n": "\\u003cUS_SSN_1>"}': '{"n": 536904399}',
        '{"n": "<US_SSN_1>"}': '{"n": "536904399"}',
        "<PERSON_1>": 'Zoë <O\'Hara> & "Co"',
    }
    for text, wanted in read.items():
        assert restored(text, SCRIPT, vault) == wanted
        stream = TextRestorer(SCRIPT, vault)
        assert "".join(map(stream.feed, text)) + stream.finish() == wanted


def test_possessives_and_plurals_are_read() -> None:
    text = "PERSON_1's, PERSON_1s, <PERSON_1>s, PERSON_1st, PERSON_1_s, PERSON_1sé"
    wanted = "Ada Byron's, Ada Byrons, Ada Byrons, PERSON_1st, PERSON_1_s, PERSON_1sé"
    assert restored(text, SCRIPT, _vault()) == wanted
    stream = TextRestorer(SCRIPT, _vault())
    assert "".join(map(stream.feed, text)) + stream.finish() == wanted


def test_the_type_in_another_language_is_read_in_brackets_only() -> None:
    vault = _vault()
    assert restored("<PERSONNE_1>, <persona_1>", SCRIPT, vault) == "Ada Byron, Ada Byron"
    assert restored("PERSONA_1 <CARA_1>", SCRIPT, vault) == "PERSONA_1 <CARA_1>"


def test_letters_that_only_look_like_those_of_a_type_are_none() -> None:
    """The Kelvin sign is a small "k" for some: it is no reason to fail."""
    text = "<PER\u017fON_1> <US_\u017fSN_1>"
    assert restored(text, SCRIPT, _vault()) == text
    kelvin = Grammar(["BANK"])
    assert not list(kelvin.mentions("<BAN\u212a_1>"))


def test_only_what_was_issued_is_restored() -> None:
    text = "<PERSON_99> <US_SSN_2> PERSON_77 <EMAIL_ADDRESS_1>"
    assert restored(text, SCRIPT, _vault()) == text


def test_a_restored_value_is_not_read_again() -> None:
    """A value that looks like a pseudonym comes back as it is."""
    assert restored("<PERSON_3>", SCRIPT, _vault()) == "<PERSON_2>"
