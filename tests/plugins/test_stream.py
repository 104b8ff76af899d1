"""Completions that stream: the same words as whole ones, nothing too early, nothing left behind."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import BlockedError, Decision, Event, Guard, Policy, Segment, Stage, Usage
from hauberk._stream import GuardStream, StreamEnd
from hauberk.budget import BudgetPlugin
from hauberk.plugin import StreamFilter
from hauberk.policy import BudgetPolicy
from hauberk.session import Session
from hauberk.structure import MAX_DEPTH, replace_leaves

MARK, NAME = "<P>", 'Ada "the first"'
"""What `Restorer` looks for, and what it writes: with a sign that JSON escapes."""


# --- doubles --------------------------------------------------------------------------------


@dataclass
class Restorer:
    """A plugin that writes `NAME` for `MARK` in completions, whole or in pieces."""

    name: str = "restorer"
    stages: frozenset[Stage] = frozenset({Stage.COMPLETION})

    def inspect(self, event: Event) -> Decision:
        return Decision.rewrite(
            segments=[s.with_text(s.text.replace(MARK, NAME)) for s in event.segments]
        )

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        return RestoringFilter(json.dumps(NAME)[1:-1] if json_string else NAME)


class RestoringFilter:
    def __init__(self, name: str) -> None:
        self._name = name
        self._held = ""

    def feed(self, text: str) -> str:
        text = (self._held + text).replace(MARK, self._name)
        keep = next((n for n in (2, 1) if text.endswith(MARK[:n])), 0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        return self._held


@dataclass
class WholeOnlyPlugin:
    """The same, by a plugin that cannot rewrite in pieces."""

    inner: Restorer = field(default_factory=Restorer)
    name: str = "whole-only"
    stages: frozenset[Stage] = frozenset({Stage.COMPLETION})

    def inspect(self, event: Event) -> Decision:
        return self.inner.inspect(event)


@dataclass
class Refuser:
    """Refuses completions that say `secret`."""

    name: str = "refuser"
    stages: frozenset[Stage] = frozenset({Stage.COMPLETION})

    def inspect(self, event: Event) -> Decision:
        if any("secret" in s.text for s in event.segments):
            return Decision.deny("a secret")
        return Decision.allow()

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        return None


@dataclass
class Brackets:
    """Writes `[` for `<`."""

    name: str = "brackets"
    stages: frozenset[Stage] = frozenset({Stage.COMPLETION})

    def inspect(self, event: Event) -> Decision:
        return Decision.rewrite(
            segments=[s.with_text(s.text.replace("<", "[")) for s in event.segments]
        )

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        return BracketsFilter()


class BracketsFilter:
    def feed(self, text: str) -> str:
        return text.replace("<", "[")

    def finish(self) -> str:
        return ""


class FailingFilter:
    def __init__(self, *, at_end: bool) -> None:
        self._at_end = at_end

    def feed(self, text: str) -> str:
        if self._at_end:
            return ""
        raise ValueError(f"cannot take {text}")

    def finish(self) -> str:
        raise ValueError("cannot end")


@dataclass
class Failing:
    at_end: bool
    name: str = "failing"
    stages: frozenset[Stage] = frozenset({Stage.COMPLETION})

    def inspect(self, event: Event) -> Decision:
        return Decision.allow()

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        return FailingFilter(at_end=self.at_end)


def guarded(*plugins: Any) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=plugins)


def opened(guard: Guard, session: Session | None = None) -> GuardStream:
    prompt = Event(
        stage=Stage.PROMPT, session=session or Session(), segments=(Segment.from_user("hello"),)
    )
    return guard.open_stream(guard.require(prompt))


def finished(stream: GuardStream, usage: Usage | None = None, *, is_async: bool) -> StreamEnd:
    if is_async:
        return asyncio.run(stream.afinish(usage=usage))
    return stream.finish(usage=usage)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# --- the same words -------------------------------------------------------------------------

_PIECES = st.lists(st.sampled_from((MARK, "<", "P", ">", "<P", "P>", "a", " ", '"')), max_size=12)


@given(pieces=_PIECES, whole=st.booleans(), is_async=st.booleans())
def test_what_comes_out_joined_is_what_a_check_of_the_whole_gives(
    pieces: list[str], *, whole: bool, is_async: bool
) -> None:
    guard = guarded(WholeOnlyPlugin() if whole else Restorer())
    stream = opened(guard)
    shown = "".join(stream.feed(piece) for piece in ["", *pieces])
    end = finished(stream, is_async=is_async)
    expected = "".join(pieces).replace(MARK, NAME)
    assert shown + end.tails["text"] == expected
    assert end.event.segments[0].text == expected


@given(pieces=_PIECES)
def test_what_one_filter_held_back_goes_through_the_next(pieces: list[str]) -> None:
    stream = opened(guarded(Restorer(), Brackets()))
    shown = "".join(stream.feed(piece) for piece in ["", *pieces])
    end = stream.finish()
    assert shown + end.tails["text"] == "".join(pieces).replace(MARK, NAME).replace("<", "[")
    assert shown + end.tails["text"] == end.event.segments[0].text


@given(data=st.data(), whole=st.booleans())
def test_arguments_of_a_tool_call_stay_json(data: st.DataObject, *, whole: bool) -> None:
    texts = st.sampled_from((MARK, f"to {MARK}!", "", "x", 'quoted "x"', "\u00e9"))
    value = data.draw(st.dictionaries(st.sampled_from("abc"), texts | st.lists(texts, max_size=2)))
    raw = json.dumps(value)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=6)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    stream = opened(guarded(WholeOnlyPlugin() if whole else Restorer()))
    shown = "".join(stream.feed(p, channel="call-1", json_string=True) for p in pieces)
    document = shown + stream.finish().tails["call-1"]
    expected = replace_leaves(value, lambda text: text.replace(MARK, NAME))
    assert json.loads(document) == expected


def test_channels_do_not_mix() -> None:
    stream = opened(guarded(Restorer()))
    text = stream.feed("hello <")
    arguments = stream.feed('{"to": "<', channel="call-1", json_string=True)
    text += stream.feed("P>")
    arguments += stream.feed('P>"}', channel="call-1", json_string=True)
    end = stream.finish()
    assert text + end.tails["text"] == f"hello {NAME}"
    assert json.loads(arguments + end.tails["call-1"]) == {"to": NAME}
    assert [s.where for s in end.event.segments] == ["text", "call-1.to"]


def test_an_answer_without_any_words_ends_well(is_async: bool) -> None:  # noqa: FBT001 - a fixture
    end = finished(opened(guarded(Restorer())), is_async=is_async)
    assert end.tails == {}
    assert end.event.segments == ()


@pytest.mark.parametrize("raw", ['{"to": "<P>', "<P>", "7", "", "nul", '"<P>"'])
def test_arguments_that_are_no_document_are_seen_as_text(raw: str) -> None:
    stream = opened(guarded(WholeOnlyPlugin()))
    assert stream.feed(raw, channel="call-1", json_string=True) == ""
    assert stream.finish().tails["call-1"] == raw.replace(MARK, NAME)


def test_arguments_nested_beyond_all_bounds_are_seen_as_text() -> None:
    raw = "[" * (MAX_DEPTH + 1) + '"secret"' + "]" * (MAX_DEPTH + 1)
    stream = opened(guarded(Refuser()))
    stream.feed(raw, channel="call-1", json_string=True)
    with pytest.raises(BlockedError):
        stream.finish()
    stream = opened(guarded(Refuser()))
    stream.feed("[" * 100_000, channel="call-1", json_string=True)
    assert stream.finish().event.segments[0].text == "[" * 100_000


# --- nothing too early ----------------------------------------------------------------------


def test_a_stream_shows_what_cannot_change_any_more() -> None:
    stream = opened(guarded(Restorer()))
    assert [stream.feed(piece) for piece in ("Dear ", "<", "P", "> and <b")] == [
        *("Dear ", "", "", f"{NAME} and <b")
    ]


def test_a_plugin_that_needs_the_whole_makes_the_stream_wait() -> None:
    stream = opened(guarded(Restorer(), WholeOnlyPlugin()))
    assert [stream.feed(piece) for piece in ("Dear ", MARK)] == ["", ""]
    assert stream.finish().tails["text"] == f"Dear {NAME}"


def test_a_refused_whole_ends_the_stream_with_an_error(is_async: bool) -> None:  # noqa: FBT001 - a fixture
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin, Refuser(), WholeOnlyPlugin()), session)
    assert stream.feed("a secret") == ""
    with pytest.raises(BlockedError):
        finished(stream, is_async=is_async)
    assert plugin.spent(session).model_calls == 1
    assert not any(plugin._store.balance(session).reserved)


# --- failures -------------------------------------------------------------------------------


def test_a_filter_that_fails_blocks_and_tells_no_text() -> None:
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin, Failing(at_end=False)), session)
    with pytest.raises(BlockedError) as caught:
        stream.feed("my secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert not any(plugin._store.balance(session).reserved)


def test_a_filter_that_fails_at_the_end_blocks(is_async: bool) -> None:  # noqa: FBT001 - a fixture
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin, Failing(at_end=True)), session)
    assert stream.feed("my secret") == ""
    with pytest.raises(BlockedError):
        finished(stream, is_async=is_async)
    assert not any(plugin._store.balance(session).reserved)


# --- nothing left behind --------------------------------------------------------------------

USAGE = Usage(input_tokens=30, output_tokens=12)


def spent(plugin: BudgetPlugin, session: Session) -> tuple[int, int]:
    assert not any(plugin._store.balance(session).reserved)
    return plugin.spent(session).model_calls, plugin.spent(session).tokens


def test_a_stream_that_ends_settles_once(is_async: bool) -> None:  # noqa: FBT001 - a fixture
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin), session)
    stream.feed("hello")
    finished(stream, USAGE, is_async=is_async)
    stream.abandon()
    stream.abandon(usage=USAGE)
    assert spent(plugin, session) == (1, 42)


def test_an_abandoned_stream_counts_what_came_and_frees_the_rest() -> None:
    plugin, session = BudgetPlugin(BudgetPolicy(reserve_output_tokens=1000)), Session()
    stream = opened(guarded(plugin), session)
    stream.feed("x" * 40)
    stream.abandon()
    # 4 + 2 for the prompt "hello", 4 + 10 for what came.
    assert spent(plugin, session) == (1, 20)


def test_an_abandoned_stream_with_a_count_is_settled_with_it() -> None:
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin), session)
    stream.feed("x")
    stream.abandon(usage=USAGE)
    assert spent(plugin, session) == (1, 42)


def test_a_stream_of_which_nothing_came_frees_everything() -> None:
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin), session)
    stream.abandon()
    assert spent(plugin, session) == (0, 0)


def test_abandoning_releases_once() -> None:
    @dataclass
    class Counting:
        name: str = "counting"
        stages: frozenset[Stage] = frozenset({Stage.PROMPT})
        released: list[Event] = field(default_factory=list)

        def inspect(self, event: Event) -> Decision:
            return Decision.allow()

        def release(self, event: Event) -> None:
            self.released.append(event)

    plugin = Counting()
    stream = opened(guarded(plugin))
    stream.feed("x")
    for _ in range(3):
        stream.abandon()
    assert len(plugin.released) == 1
    assert plugin.released[0].stage is Stage.COMPLETION


def test_a_stream_may_be_abandoned_in_the_middle_of_deep_arguments() -> None:
    plugin, session = BudgetPlugin(BudgetPolicy()), Session()
    stream = opened(guarded(plugin), session)
    stream.feed("[" * 500 + "]" * 500, channel="call-1", json_string=True)
    stream.abandon()
    assert spent(plugin, session)[0] == 1
