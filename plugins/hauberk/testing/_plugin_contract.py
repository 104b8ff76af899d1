"""What every plugin must do, as a test suite.

Rules:
* `inspect` answers any event of its stages with a decision. It never raises, and changes nothing.
* Many threads get the same decision as one; both colours get the same decision.
* No text of an event enters a reason, a finding or a repr.
* A rewrite keeps the number and the origins of the segments.
* A stream filter, fed in any pieces, gives what `inspect` makes of the whole.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hauberk.decisions import Decision
from hauberk.events import Event, Segment, Stage, Trust, Usage
from hauberk.guard import Guard
from hauberk.plugin import Plugin, ReleasingPlugin, StreamingPlugin
from hauberk.policy import Policy
from hauberk.session import Session

CANARY = "Zq7xCanaryW4k"
"""Put into every text and argument of the leak test; no plugin may say it."""

THREADS = 8

_settings = settings(
    deadline=None,
    max_examples=50,
    # Explaining a failure takes several times as long as finding it.
    phases=set(Phase) - {Phase.explain},
    # One plugin serves all examples, and one suite many plugins: as in an application.
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)


class PluginContract:
    """Subclass it, give a `plugin` fixture, and pytest runs these promises against your plugin.

    Set `texts` and `tools` to what makes your plugin act, so that more than its "nothing found" is
    tested. Needs `pip install "hauberk[test]"`.

    Example:
        class TestNoShouting(PluginContract):
            texts = ("WHY DO YOU NOT ANSWER",)

            @pytest.fixture
            def plugin(self):
                return NoShouting()
    """

    texts: Sequence[str] = ()
    """Texts that the plugin acts on."""
    tools: Sequence[str] = ()
    """Names of tools that the plugin knows."""
    arguments: Sequence[str] = ()
    """Names of arguments that the plugin knows."""

    @pytest.fixture
    def plugin(self) -> Plugin:
        """The plugin under test. Give your own."""
        raise NotImplementedError("give a fixture `plugin` that makes your plugin")

    def test_it_is_a_plugin(self, plugin: Plugin) -> None:
        """It has a name, stages and `inspect`."""
        assert isinstance(plugin, Plugin)
        assert plugin.name
        assert plugin.stages
        assert plugin.stages <= frozenset(Stage)

    @_settings
    @given(data=st.data())
    def test_any_event_gets_a_decision(self, plugin: Plugin, data: st.DataObject) -> None:
        """Whatever an event holds, `inspect` answers with a decision and does not raise."""
        event = data.draw(self._events(plugin, values=_ODD))
        assert isinstance(plugin.inspect(event), Decision)

    @_settings
    @given(data=st.data())
    def test_the_event_is_not_changed(self, plugin: Plugin, data: st.DataObject) -> None:
        """Segments are frozen, arguments are not: they stay as they were."""
        event = data.draw(self._events(plugin, values=_ODD))
        before = copy.deepcopy(event.arguments), event.segments
        plugin.inspect(event)
        assert repr((event.arguments, event.segments)) == repr(before)

    @_settings
    @given(data=st.data())
    def test_a_rewrite_keeps_the_shape(self, plugin: Plugin, data: st.DataObject) -> None:
        """As many segments as before, each of the same origin and trust."""
        event = data.draw(self._events(plugin))
        decision = plugin.inspect(event)
        new = decision.apply(event).segments
        assert [(s.origin, s.trust) for s in new] == [(s.origin, s.trust) for s in event.segments]
        if decision.arguments is not None:
            assert event.stage is Stage.TOOL_CALL
            assert set(decision.arguments) == set(event.arguments or {})

    @_settings
    @given(data=st.data())
    def test_no_text_is_told(self, plugin: Plugin, data: st.DataObject) -> None:
        """Reasons, findings and reprs hold no text and no argument of the event."""
        event = data.draw(self._events(plugin, marked=True))
        decision = plugin.inspect(event)
        assert CANARY not in decision.reason
        assert CANARY not in repr(decision.findings)
        assert CANARY not in repr(decision)
        assert CANARY not in repr(plugin)

    @_settings
    @given(data=st.data())
    def test_findings_point_into_the_event(self, plugin: Plugin, data: st.DataObject) -> None:
        """Every finding names its rule and category; a span lies inside its segment."""
        event = data.draw(self._events(plugin))
        for finding in plugin.inspect(event).findings:
            assert finding.rule
            assert finding.category
            assert 0.0 <= finding.score <= 1.0
            if finding.segment is not None:
                text = event.segments[finding.segment].text
                assert 0 <= finding.start <= finding.end <= len(text)

    @_settings
    @given(data=st.data())
    def test_threads_agree(self, plugin: Plugin, data: st.DataObject) -> None:
        """Eight threads with one session get the decision that one alone gets."""
        event = data.draw(self._events(plugin))
        alone = plugin.inspect(_elsewhere(event))
        with ThreadPoolExecutor(THREADS) as pool:
            together = list(pool.map(plugin.inspect, [event] * THREADS))
        assert all(_said(decision) == _said(alone) for decision in together)

    @_settings
    @given(data=st.data())
    def test_both_colours_agree(self, plugin: Plugin, data: st.DataObject) -> None:
        """A guard with this plugin decides the same with `check` and with `acheck`."""
        event = data.draw(self._events(plugin))
        guard = Guard(Policy.unsafe_allow_all(), plugins=[plugin])
        done = guard.check(event)
        awaited = asyncio.run(guard.acheck(_elsewhere(event)))
        assert _said(awaited) == _said(done)

    @_settings
    @given(data=st.data())
    def test_streams_equal_the_whole(self, plugin: Plugin, data: st.DataObject) -> None:
        """A filter fed in pieces gives, joined, what `inspect` makes of the whole text."""
        if not isinstance(plugin, StreamingPlugin) or Stage.COMPLETION not in plugin.stages:
            return
        prompt = Event(stage=Stage.PROMPT, session=Session(), segments=data.draw(self._segments()))
        if Stage.PROMPT in plugin.stages:
            prompt = plugin.inspect(prompt).apply(prompt)
        pieces = data.draw(st.lists(self._texts(), max_size=6))
        opened = plugin.open_stream(prompt, json_string=False)
        shown = "".join(pieces)
        if opened is not None:
            shown = "".join([*(opened.feed(piece) for piece in pieces), opened.finish()])
        whole = prompt.answered([Segment.from_model("".join(pieces))])
        decision = plugin.inspect(whole)
        if decision.passes:
            assert shown == decision.apply(whole).segments[0].text

    @_settings
    @given(data=st.data())
    def test_release_is_safe(self, plugin: Plugin, data: st.DataObject) -> None:
        """`release` may come at any time, more than once, and never raises."""
        if isinstance(plugin, ReleasingPlugin):
            event = data.draw(self._events(plugin))
            plugin.release(event)
            plugin.inspect(event)
            plugin.release(event)
            plugin.release(event)

    # --- what events are made of ------------------------------------------------------------

    def _texts(self, *, marked: bool = False) -> st.SearchStrategy[str]:
        known = st.sampled_from(self.texts) if self.texts else st.nothing()
        texts = _TEXT | known | st.builds("{} {}".format, known, _TEXT)
        return texts.map(lambda text: f"{text} {CANARY}") if marked else texts

    def _segments(self, *, marked: bool = False) -> st.SearchStrategy[tuple[Segment, ...]]:
        one = st.builds(
            Segment,
            text=self._texts(marked=marked),
            origin=st.sampled_from(("user", "developer", "model", "tool:search", "document:7")),
            trust=st.sampled_from(Trust),
        )
        return st.lists(one, max_size=4).map(tuple)

    def _arguments(
        self, values: st.SearchStrategy[object] | None, *, marked: bool
    ) -> st.SearchStrategy[Mapping[str, object]]:
        names = st.sampled_from((*self.arguments, "query", "to"))
        inner = self._texts(marked=marked) if marked or values is None else values
        return st.dictionaries(names, inner | st.lists(inner, max_size=2), max_size=4)

    def _events(
        self,
        plugin: Plugin,
        *,
        values: st.SearchStrategy[object] | None = None,
        marked: bool = False,
    ) -> st.SearchStrategy[Event]:
        """Events of the plugin's stages, each in a session of its own."""
        names = st.sampled_from(self.tools) if self.tools else st.nothing()

        def build(stage: Stage) -> st.SearchStrategy[Event]:
            tool = stage in {Stage.TOOL_CALL, Stage.TOOL_RESULT}
            return st.builds(
                Event,
                stage=st.just(stage),
                session=st.builds(Session),
                segments=self._segments(marked=marked),
                tool=names | st.sampled_from(("search", "delete_all")) if tool else st.none(),
                arguments=self._arguments(values, marked=marked) if tool else st.none(),
                model=st.none() if tool else st.sampled_from((None, "gpt-4o", "unheard-of")),
                max_output_tokens=st.none() | st.integers(1, 4096),
                usage=st.none() if tool else st.none() | _USAGE,
            )

        return st.sampled_from(sorted(plugin.stages)).flatmap(build)


_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
"""Any text, halves of surrogate pairs included."""

_USAGE = st.builds(
    Usage,
    input_tokens=st.integers(0, 10_000),
    output_tokens=st.integers(0, 10_000),
    cached=st.booleans(),
)

_SCALARS: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    _TEXT,
    st.binary(max_size=8),
    st.sampled_from((Decimal("1.5"), Decimal("NaN"))),
    st.datetimes(),
)

_ODD = cast(
    "st.SearchStrategy[object]",
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(_TEXT | st.integers(), inner, max_size=3)
            | st.tuples(inner, inner)
        ),
        max_leaves=8,
    ),
)
"""Values that tools really get: what JSON has no word for, too."""


def _elsewhere(event: Event) -> Event:
    """The same event in a session that nobody has used."""
    return replace(event, session=Session(), call=f"{event.call}-again")


def _said(decision: Decision) -> tuple[object, ...]:
    return (
        decision.verdict,
        decision.reason,
        decision.findings,
        decision.segments,
        decision.arguments,
        decision.stop,
        decision.timeout_s,
    )
