"""A marked text escapes everything that it shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hauberk_pii import Shown, Span, show


def test_the_plain_form_names_each_span() -> None:
    assert str(show("write to ada@example.com.")) == "write to [EMAIL_ADDRESS: ada@example.com]."


def test_the_html_form_marks_each_span_and_escapes_the_rest() -> None:
    html = show("<script>x</script> ada@example.com")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert html.count("<mark ") == 1


def test_the_repr_holds_no_text() -> None:
    assert "ada@" not in repr(show("ada@example.com"))


@given(st.text(max_size=30), st.data())
def test_every_text_can_be_shown(text: str, data: st.DataObject) -> None:
    a, b = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    shown = Shown(text, (Span(a, b, "X", 1.0),))
    assert str(shown) == f"{text[:a]}[X: {text[a:b]}]{text[b:]}"
    assert shown._repr_html_().startswith("<div")
