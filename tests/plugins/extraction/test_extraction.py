"""Model extraction: who copies is slowed down, people are not; counted once, everywhere, within bounds."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Guard, Policy, PolicyError, Segment, Session, Stage, StoreError
from hauberk.events import Event
from hauberk.extraction import (
    Breach,
    CallerStore,
    ExtractionPlugin,
    ExtractionPolicy,
    MemoryCallers,
    Query,
    Reaction,
    SqliteCallers,
    Volume,
    Watch,
)
from hauberk.extraction._frames import Frames
from hauberk.extraction._rules import History, judge
from hauberk.plugin import Plugin
from hauberk.testing import PluginContract

CALLER = b"ada"
CITIES = [f"{a}{b}" for a, b in itertools.product(("Os", "Ber", "Lin", "Gra", "Tor"), range(40))]
QUIET = ExtractionPolicy(volume=(), sweep=False, repeats=False, short=False, scores=False)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CallerStore]:
    if request.param == "memory":
        yield MemoryCallers()
        return
    made = SqliteCallers(tmp_path / "callers.db")
    yield made
    made.close()


def asked(
    store: CallerStore,
    texts: Iterable[str],
    policy: ExtractionPolicy,
    *,
    step_s: float = 1.0,
) -> list[tuple[Breach, ...]]:
    return [
        store.admit(CALLER, Query.of(text), 1000.0 + number * step_s, policy)
        for number, text in enumerate(texts)
    ]


def kinds(found: Iterable[tuple[Breach, ...]]) -> Counter[str]:
    return Counter(breach.kind for one in found for breach in one)


# --- what is found ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("sweep", [f"Is {city} a city in the north of Norway?" for city in CITIES]),
        ("sweep", [f"What does the model say about the word {city}?" for city in CITIES]),
        ("sweep", [f"Classify the sentiment of this: {city} " * 3 for city in CITIES]),
        ("sweep", [f"{city * 9} is positive or negative, choose one." for city in CITIES]),
        ("repeats", ["Tell me the first word that you think of."] * 100),
        ("repeats", ["Tell me  the FIRST word, that you think of"] * 100),
        ("short", [f"{city} {number}" for number, city in enumerate(CITIES * 2)]),
        ("scores", [f"{city}: give the log probabilities of it" for city in CITIES]),
        ("scores", [f"{city * 3}? Show confidence scores for all labels" for city in CITIES]),
    ],
)
def test_systematic_probing_is_slowed_down(store: CallerStore, kind: str, texts: list[str]) -> None:
    found = kinds(asked(store, texts, ExtractionPolicy(volume=())))
    assert found[kind] > len(texts) // 5


def test_a_limit_is_passed_by_the_query_after_the_last_that_it_allows(store: CallerStore) -> None:
    policy = QUIET.model_copy(update={"volume": (Volume(queries=3, seconds=60),)})
    found = asked(store, ["hello"] * 5, policy, step_s=0)
    assert [len(one) for one in found] == [0, 0, 0, 1, 1]


@given(
    st.integers(1, 30),
    st.lists(st.floats(0, 40), max_size=120),
)
def test_whoever_waits_as_long_as_he_is_told_is_let_in(limit: int, pauses: list[float]) -> None:
    volume = (Volume(queries=limit, seconds=60),)
    policy = ExtractionPolicy(volume=volume, repeats=Watch(queries=limit), window_s=90)
    store, query, now = MemoryCallers(), Query.of("one two three"), 0.0
    for pause in pauses:
        now += pause
        found = store.admit(CALLER, query, now, policy)
        if found:
            now += max(one.retry_after_s for one in found) + 1e-6
            assert store.admit(CALLER, query, now, policy) == ()


@given(st.lists(st.floats(0, 30), max_size=150))
def test_no_stretch_of_time_holds_twice_what_volume_allows(pauses: list[float]) -> None:
    policy = QUIET.model_copy(update={"volume": (Volume(queries=10, seconds=60),)})
    store, now, passed = MemoryCallers(), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if not store.admit(CALLER, Query.of("x"), now, policy):
            passed.append(now)
    assert all(sum(start <= one < start + 60 for one in passed) <= 2 * 10 for start in passed)


def test_what_is_refused_does_not_count(store: CallerStore) -> None:
    policy = QUIET.model_copy(update={"volume": (Volume(queries=2, seconds=60),)})
    asked(store, ["hello"] * 50, policy, step_s=0.1)
    assert store.admit(CALLER, Query.of("hello"), 1000 + 121.0, policy) == ()


def test_what_is_only_flagged_counts_and_goes_on() -> None:
    policy = QUIET.model_copy(
        update={"volume": (Volume(queries=2, seconds=60, action=Reaction.FLAG),)}
    )
    plugin = ExtractionPlugin(policy, clock=lambda: 1000.0)
    decisions = [plugin.inspect(prompt("hello", user="ada")) for _ in range(4)]
    assert all(decision.passes for decision in decisions)
    assert [len(decision.findings) for decision in decisions] == [0, 0, 1, 1]


# --- who is left alone ------------------------------------------------------------------------

_OPENINGS = (
    "Can you tell me {}?", "Please explain {}.", "I wonder about {}, what do you think?", "{}",
    "My colleague asked {} and I had no answer.", "Write a short mail about {}.", "And {}?",
    "Summarise what you know of {} in two sentences, for somebody who is new to it.",
)  # fmt: skip
_TOPICS = (
    "the weather in Bergen tomorrow", "how to cancel an order", "why the sky is blue", "our refund rules",
    "the difference between lists and tuples", "a birthday present for my father", "train times to Bonn",
    "which tax form a student needs", "how compilers work", "the plot of the last season", "old maps",
    "removing coffee stains from wool", "good names for a cat", "my last three invoices", "opening hours",
)  # fmt: skip
_ACKNOWLEDGED = ("thanks", "ok", "yes please", "go on", "no", "great!")


def test_honest_chats_of_many_users_stay_silent() -> None:
    """200 users, 40 messages each within an hour, on the same topics and with the same phrases."""
    people = random.Random(5)  # noqa: S311 - people, not keys
    store = MemoryCallers()
    turns = sorted((people.uniform(0, 3600), user) for user in range(200) for _ in range(40))
    found = Counter[str]()
    for now, user in turns:
        said = people.choice(_OPENINGS).format(people.choice(_TOPICS))
        text = people.choice(_ACKNOWLEDGED) if people.random() < 0.2 else said
        found += kinds(
            [store.admit(str(user).encode(), Query.of(text), 1e9 + now, ExtractionPolicy())]
        )
    assert not found


def test_the_words_of_the_application_itself_are_no_sweep() -> None:
    """A template around every user's words and the documents: who uses it much is no copier."""
    template = (
        "Context information is below, use it and nothing else.\n{}\nAnswer the query in one line."
    )
    now = [1e9]
    plugin = ExtractionPlugin(clock=lambda: now[0])
    words = random.Random(3)  # noqa: S311 - words, not keys
    for _ in range(100):
        now[0] += 30
        for user in ("ada", "bob", "cy"):
            pages = " ".join(f"w{words.randrange(5000)}" for _ in range(80))
            assert not plugin.inspect(prompt(template.format(pages), user=user)).findings


def test_thanks_and_yes_are_like_nothing(store: CallerStore) -> None:
    policy = ExtractionPolicy(volume=())
    assert not kinds(asked(store, ["thanks", "yes please"] * 200, policy))


def test_frames_are_remembered_within_a_bound() -> None:
    frames = Frames(most=50)
    for number in range(200):
        frames.own(Query.of(f"x{number} b c d e f g h"), CALLER)
    assert len(frames._callers) == 50


def test_an_agent_at_work_asks_once() -> None:
    """The steps of an agent end with what tools returned; its history is sent again with each."""
    policy = QUIET.model_copy(update={"volume": (Volume(queries=1, seconds=60),)})
    plugin, session = ExtractionPlugin(policy, clock=lambda: 1000.0), Session(user="ada")
    segments = [Segment.from_developer("Help."), Segment.from_user("Look at my mail.")]
    for step in range(5):
        event = Event(stage=Stage.PROMPT, segments=tuple(segments), session=session)
        assert plugin.inspect(event).passes
        segments += [Segment.from_model("call"), Segment.from_tool("read", f"mail {step}")]


# --- who a caller is --------------------------------------------------------------------------


def prompt(text: str, **who: str) -> Event:
    session = Session(**who)  # pyright: ignore[reportArgumentType] - names
    return Event(stage=Stage.PROMPT, segments=(Segment.from_user(text),), session=session)


ONE = QUIET.model_copy(update={"volume": (Volume(queries=1, seconds=60),)})


def test_a_user_cannot_escape_into_a_new_session() -> None:
    plugin = ExtractionPlugin(ONE, clock=lambda: 1000.0)
    assert plugin.inspect(prompt("hello", user="ada", tenant="a")).passes
    assert not plugin.inspect(prompt("hello", user="ada", tenant="a")).passes
    assert plugin.inspect(prompt("hello", user="ada", tenant="b")).passes
    assert plugin.inspect(prompt("hello", user="bob", tenant="a")).passes


def test_without_a_user_the_session_is_the_caller() -> None:
    plugin = ExtractionPlugin(ONE, clock=lambda: 1000.0)
    assert plugin.inspect(prompt("hello", ident="s1")).passes
    assert plugin.inspect(prompt("hello", ident="s2")).passes
    assert not plugin.inspect(prompt("hello", ident="s1")).passes
    assert plugin.inspect(prompt("hello", user="s1")).passes


def test_a_refusal_says_when_to_ask_again_and_deny_ends_the_session() -> None:
    plugin = ExtractionPlugin(ONE, clock=lambda: 1000.0)
    plugin.inspect(prompt("hello", user="ada"))
    refused = plugin.inspect(prompt("hello", user="ada"))
    assert refused.retry_after_s == pytest.approx(80, abs=41)
    assert not refused.stop
    deny = ONE.model_copy(update={"volume": (Volume(queries=1, seconds=60, action=Reaction.DENY),)})
    harder = ExtractionPlugin(deny, clock=lambda: 1000.0)
    harder.inspect(prompt("hello", user="ada"))
    assert harder.inspect(prompt("hello", user="ada")).stop


# --- stores -----------------------------------------------------------------------------------


def test_many_threads_together_get_no_more_than_one_alone(store: CallerStore) -> None:
    policy = QUIET.model_copy(update={"volume": (Volume(queries=20, seconds=60),)})
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(
            lambda _: store.admit(CALLER, Query.of("hello"), 1000.0, policy), range(100)
        )
        assert sum(not one for one in found) == 20


_PROCESS = """
import sys
from hauberk.extraction import ExtractionPolicy, Query, SqliteCallers, Volume
policy = ExtractionPolicy(volume=(Volume(queries=30, seconds=60),), repeats=False)
store = SqliteCallers(sys.argv[1])
print(sum(not store.admit(b"ada", Query.of("hello"), 1000.0, policy) for _ in range(20)))
"""


def test_processes_that_share_a_file_share_the_limits(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROCESS, str(tmp_path / "callers.db")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(one.communicate()[0]) for one in started) == 30


def test_memory_is_bounded_and_forgets_who_was_silent_for_longest() -> None:
    store = MemoryCallers(max_callers=3, max_queries=50)
    for number in range(200):
        store.admit(str(number % 10).encode(), Query.of(f"a b {number}"), float(number), QUIET)
    assert len(store._callers) <= 3
    assert sum(len(one.rows) for one in store._callers.values()) == store._queries <= 50


def test_a_caller_is_remembered_within_a_bound() -> None:
    policy = QUIET.model_copy(update={"history": 16})
    history = History()
    for number in range(100):
        history = judge(history, Query.of(f"a b {number}"), float(number), policy).history
    assert len(history.rows) == 16


def test_the_file_holds_no_text_and_no_name(tmp_path: Path) -> None:
    file = tmp_path / "callers.db"
    store = SqliteCallers(file)
    plugin = ExtractionPlugin(store=store)
    plugin.inspect(prompt("a very secret question", user="ada@example.com"))
    store.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret" not in raw
    assert b"ada@example" not in raw


def test_a_file_that_cannot_be_used_is_an_error_and_blocks(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteCallers(tmp_path / "no" / "such" / "folder")
    file = tmp_path / "callers.db"
    guard = _guard({"store": f"sqlite:{file}"})
    assert guard.check(prompt("hello", user="ada")).passes
    with sqlite3.connect(file) as db:
        db.execute("UPDATE caller SET history = x'00'")
    db.close()
    refused = guard.check(prompt("hello", user="ada"))
    assert not refused.passes
    assert refused.plugin == "extraction"


@given(st.lists(st.text(max_size=30), max_size=20))
def test_a_history_survives_being_stored(texts: list[str]) -> None:
    history = History()
    for number, text in enumerate(texts):
        history = judge(history, Query.of(text), float(number), ExtractionPolicy()).history
    back = History.from_bytes(history.to_bytes())
    assert back.counts == history.counts
    assert back.rows.tobytes() == history.rows.tobytes()


# --- likeness ---------------------------------------------------------------------------------


@given(st.text())
def test_any_text_is_a_query_and_equals_itself(text: str) -> None:
    one, two = Query.of(text), Query.of(text)
    assert (one.digest, one.words) == (two.digest, two.words)
    assert (one.sketch == two.sketch).all()


@given(st.integers(1, 200), st.integers(0, 200))
def test_a_sketch_estimates_the_share_of_common_words(shared: int, own: int) -> None:
    common = " ".join(f"c{n}" for n in range(shared))
    one = Query.of(f"{common} {' '.join(f'a{n}' for n in range(own))}")
    two = Query.of(f"{common} {' '.join(f'b{n}' for n in range(own))}")
    true = (2 * shared - 1) / (2 * shared - 1 + 4 * own)
    assert float((one.sketch == two.sketch).mean()) == pytest.approx(true, abs=0.3)


def test_the_cost_of_a_query_does_not_grow_with_what_was_asked_before(
    count_steps: Callable[[Callable[[], object]], int],
) -> None:
    """Counted in Python's own steps: arrays are of bounded length."""
    store = MemoryCallers()
    policy = QUIET.model_copy(update={"history": 64})
    cost = [
        count_steps(partial(store.admit, CALLER, Query.of(f"what is number {n}"), n, policy))
        for n in range(300)
    ]
    # The median: whatever else runs in between (a collection of garbage) is traced too.
    assert median(cost[200:]) <= 1.05 * median(cost[100:200])


@pytest.fixture
def count_steps() -> Callable[[Callable[[], object]], int]:
    def counted(call: Callable[[], object]) -> int:
        steps = 0

        def trace(*_: object) -> object:
            nonlocal steps
            steps += 1
            return trace

        sys.settrace(trace)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - its type names itself
        try:
            call()
        finally:
            sys.settrace(None)
        return steps

    return counted


# --- in a policy ------------------------------------------------------------------------------


def _guard(config: dict[str, object]) -> Guard:
    rooms = {"injection": False, "pii": False, "budget": False, "audit": False}
    plugins = [{"use": "extraction", "config": config}]
    return Guard(Policy.model_validate({"version": 1, **rooms, "plugins": plugins}))


async def test_both_colours_decide_the_same(tmp_path: Path) -> None:
    for url in ("memory:", f"sqlite:{tmp_path / 'callers.db'}"):
        guard = _guard({"volume": [{"queries": 2, "seconds": 3600}], "store": url})
        events = [prompt("hello", user="ada") for _ in range(2)]
        assert all([(await guard.acheck(event)).passes for event in events])
        assert not guard.check(prompt("hello", user="ada")).passes
        decisions = await asyncio.gather(*(guard.acheck(event) for event in events))
        assert not any(decision.passes for decision in decisions)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"sweep": {"queries": 0}}, "plugins.extraction.sweep"),
        ({"sweeps": {"queries": 5}}, "plugins.extraction.sweeps"),
        ({"sweep": {"queries": 600}}, "plugins.extraction"),
        ({"store": "redis://x"}, "plugins.extraction.store"),
        ({"volume": [{"queries": 1, "seconds": 1}] * 2}, "plugins.extraction"),
    ],
)
def test_a_wrong_configuration_is_an_error_that_names_the_field(
    config: dict[str, object], field: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        _guard(config)
    assert caught.value.field.startswith(field)


class TestExtractionContract(PluginContract):
    texts = ("give the logits of it", "Is it a cat?")

    @pytest.fixture
    def plugin(self) -> Plugin:
        return ExtractionPlugin()
