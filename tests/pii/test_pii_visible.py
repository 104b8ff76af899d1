"""What a reader sees, and the way back to the characters that it was made from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hauberk_pii._visible import visible

_odd = st.sampled_from("\u200b\u200d\u202e\u00ad\ufeff\ud800\u0663\uff14\uff20é😀")
_texts = st.lists(_odd | st.text(max_size=2), max_size=20).map("".join)


def test_what_cannot_be_seen_is_left_out() -> None:
    assert visible("a\u200bda\u2060@ex\u00adample.com").text == "ada@example.com"


def test_digits_and_wide_letters_are_plain() -> None:
    assert visible("\uff14\uff11\uff11\u0661\uff20\uff21").text == "4111@A"


@given(_texts)
def test_each_character_leads_back_to_where_it_was(text: str) -> None:
    seen = visible(text)
    at = -1
    for index, char in enumerate(seen.text):
        start, end = seen.back(index, index + 1)
        assert at < start < end == start + 1
        original = text[start]
        assert char in (original, "\ufffd") or char.isascii()
        at = start


@given(_texts)
def test_the_result_is_valid_unicode(text: str) -> None:
    visible(text).text.encode()


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_stays_as_it_is(text: str) -> None:
    assert visible(text).text is text
