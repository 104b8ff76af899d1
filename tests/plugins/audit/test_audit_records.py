"""What is in a record, and what never is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Decision, Event, Finding, Guard, Policy, Segment, Severity, Stage, Usage
from hauberk.audit import AuditTrail, MemoryStore, Record, Selection, SqliteStore, read_records
from hauberk.audit._chain import Head, Keys, genesis, own_number, seal
from hauberk.audit._digest import MAX_CACHED_CHARS, Cache, Digester
from hauberk.audit._record import MAX_FINDINGS, MAX_NAME, MAX_REASON, _place, encode
from hauberk.decisions import Verdict
from hauberk.plugin import Entry
from hauberk.session import Session

PERSONAL = (
    "Ada Lovelace",
    "ada.lovelace@example.org",
    "+44 20 7946 0958",
    "GB29 NWBK 6016 1331 9268 19",
    "4111111111111111",
)


def test_no_text_and_no_argument_is_in_any_file_of_the_trail(tmp_path: Path) -> None:
    """Names, mail addresses, phone, bank and card numbers go through every stage and every verdict."""
    trail = AuditTrail(SqliteStore.open(tmp_path / "trail.db"))
    segments = tuple(Segment.from_tool("crm", f"Dear {value}, hello") for value in PERSONAL)
    clean = tuple(segment.with_text("Dear <X>") for segment in segments)
    arguments = {"to": PERSONAL[1], PERSONAL[0]: {"iban": PERSONAL[3]}, "cc": list(PERSONAL)}
    found = [
        Finding(rule="r", category="pii", segment=i, start=5, end=9, where=f"arguments.{value}")
        for i, value in enumerate(PERSONAL)
    ]
    session = Session(user="u-17")
    for stage in Stage:
        event = Event(
            stage=stage, segments=segments, session=session, tool="send", arguments=arguments
        )
        for decision in (
            Decision.allow(findings=found),
            Decision.rewrite(segments=clean, arguments={"to": "<X>"}, findings=found),
            Decision.deny("not allowed", findings=found),
            Decision.ask("sure?", findings=found),
        ):
            trail.record(Entry(event=event, decision=decision, elapsed_s=0, time=0))
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert "trail.db-wal" in files, "the log is looked at as well"
    trail.close()
    files |= {f"closed {file.name}": file.read_bytes() for file in tmp_path.iterdir()}
    for name, raw in files.items():
        for value in (*PERSONAL, "Lovelace", "Dear"):
            assert value.encode() not in raw, name
            assert json.dumps(value).encode() not in raw, name


def test_a_record_says_who_where_what_and_why() -> None:
    trail = AuditTrail()
    session = Session(ident="s", agent="clerk", user="u", tenant="t", purpose="support")
    found = Finding(
        rule="pii.email",
        category="pii",
        severity=Severity.HIGH,
        score=0.85,
        explanation="an e-mail address",
        segment=1,
        start=2,
        end=5,
    )
    event = Event(
        stage=Stage.COMPLETION,
        segments=(Segment.from_model("abc"), Segment.from_model("12345")),
        session=session,
        model="gpt",
        call="c1",
        usage=Usage(input_tokens=3, output_tokens=4),
    )
    decision = Decision(
        verdict=Verdict.DENY, reason="no", findings=(found,), plugin="pii", stop=True
    )
    trail.record(Entry(event=event, decision=decision, elapsed_s=0.000123, time=1.5))
    (record,) = trail.records()
    assert record == Record(
        seq=1,
        time="1970-01-01T00:00:01.500000+00:00",
        session="s",
        agent="clerk",
        user="u",
        tenant="t",
        purpose="support",
        stage=Stage.COMPLETION,
        call="c1",
        model="gpt",
        verdict=Verdict.DENY,
        plugin="pii",
        reason="no",
        stop=True,
        findings=(found,),
        texts=2,
        chars=8,
        lengths={0: 3, 1: 5},
        input=trail.digest(event),
        output=None,
        elapsed_us=123,
        usage=Usage(input_tokens=3, output_tokens=4),
    )


def test_every_check_of_a_guard_is_one_record() -> None:
    trail = AuditTrail()
    guard = Guard(
        Policy(version=1, pii=False, injection=False, capabilities=False, budget=False),
        recorder=trail,
    )

    async def both() -> None:
        for stage in Stage:
            guard.check(Event(stage=stage))
            await guard.acheck(Event(stage=stage))

    asyncio.run(both())
    guard.deny(Event(stage=Stage.TOOL_CALL, tool="t"), Decision.deny("too slow"))
    assert [record.seq for record in trail.records()] == list(range(1, 2 * len(Stage) + 2))
    assert [record.reason for record in trail.records(verdict="deny")] == ["too slow"]


def test_a_rewrite_has_two_digests_and_a_refusal_has_one(make_entry: Callable[..., Entry]) -> None:
    trail = AuditTrail()
    new = (Segment.from_user("<X>"),)
    session = Session()
    trail.record(make_entry("Ada", session=session))
    trail.record(make_entry("Ada", session=session, decision=Decision.rewrite(segments=new)))
    trail.record(make_entry("<X>", session=session))
    trail.record(make_entry("Ada", session=session, decision=Decision.deny("no")))
    plain, rewritten, masked, denied = trail.records()
    assert plain.input == plain.output == rewritten.input == denied.input
    assert rewritten.output == masked.input != plain.input
    assert denied.output is None


def test_digests_of_two_trails_cannot_be_compared() -> None:
    """They are keyed: nobody finds out a short text by hashing guesses."""
    event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("yes"),))
    assert AuditTrail().digest(event) != AuditTrail().digest(event)


@given(
    texts=st.lists(st.text(max_size=5), max_size=4),
    others=st.lists(st.text(max_size=5), max_size=4),
    arguments=st.none() | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
def test_digests_tell_events_apart_and_know_them_again(
    texts: list[str], others: list[str], arguments: dict[str, object] | None
) -> None:
    digester, cache = Digester(b"k"), Cache()

    def event(of: list[str], tool: str | None) -> Event:
        segments = tuple(Segment.from_user(text) for text in of)
        return Event(stage=Stage.PROMPT, segments=segments, tool=tool, arguments=arguments)

    first = digester.event(event(texts, "t"), cache)
    assert first == digester.event(event(list(texts), "t"), Cache())
    assert (first == digester.event(event(others, "t"), cache)) == (texts == others)
    assert first != digester.event(event(texts, "u"), cache)


def test_the_memory_of_digests_is_bounded_and_forgets_nothing_that_matters() -> None:
    digester, cache = Digester(b"k"), Cache()
    for number in range(300):
        text = f"{number}" + "x" * 10_000
        event = Event(stage=Stage.PROMPT, segments=(Segment.from_user(text),))
        assert digester.event(event, cache) == digester.event(event, Cache())
        assert sum(map(len, cache.known)) <= MAX_CACHED_CHARS


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("", ""),
        ("arguments.to", "arguments.to"),
        ("arguments.items[3].name", "arguments.items[3].name"),
        ("messages[2].content[0]", "messages[2].content[0]"),
        ("arguments.ada@example.org", "arguments.*"),
        ("arguments.Ada Lovelace.mail", "arguments.*"),
        ("arguments.rows[0].+44 20", "arguments.*"),
        ("arguments.ada.lovelace@example.org", "arguments.*"),
        ("ada@example.org", "*"),
        ("\U0001f600", "*"),
    ],
)
def test_a_place_is_cut_where_a_key_is_no_identifier(where: str, kept: str) -> None:
    assert _place(where) == kept


def test_a_record_has_a_bounded_size() -> None:
    many = [
        Finding(rule="r" * 999, category="c" * 999, explanation="e" * 9_999, segment=i)
        for i in range(500)
    ]
    grave = Finding(rule="grave", category="c", severity=Severity.CRITICAL)
    segments = tuple(Segment.from_user("x") for _ in range(5_000))
    event = Event(
        stage=Stage.PROMPT, segments=segments, tool="t" * 10**6, session=Session(user="u" * 10**6)
    )
    trail = AuditTrail()
    decision = Decision.deny("n" * 10**6, findings=[*many, grave])
    trail.record(Entry(event=event, decision=decision, elapsed_s=0, time=0))
    (record,) = trail.records()
    assert (len(record.findings), record.omitted) == (MAX_FINDINGS, 501 - MAX_FINDINGS)
    assert record.findings[-1] == grave
    assert (len(record.tool or ""), len(record.reason)) == (MAX_NAME, MAX_REASON)
    assert record.texts == 5_000
    assert len(record.lengths) < 100


@given(
    name=st.none() | st.text(st.characters(), max_size=20),
    reason=st.text(st.characters(), min_size=1, max_size=20),
    score=st.floats(),
    time=st.floats(0, 4e9),
)
def test_what_is_written_can_be_read(
    name: str | None, reason: str, score: float, time: float
) -> None:
    """Lone surrogates, NUL, line breaks, infinite scores: one ASCII line a key, and back again."""
    found = Finding(rule=reason, category=reason, score=score, explanation=reason)
    event = Event(stage=Stage.PROMPT, session=Session(user=name, purpose=name), model=name)
    entry = Entry(
        event=event, decision=Decision.deny(reason, findings=[found]), elapsed_s=0, time=time
    )
    keys = Keys.random()
    first = genesis(keys)
    body = encode(entry, digest_in=None, digest_out=None)
    row = seal(keys, Head(first.seq, first.hash), body).row()
    assert row.body.isascii()
    assert own_number(row) == 1
    record = Record.from_body(row.body)
    assert (record.user or None, record.purpose or None, record.model or None) == (
        name or None,
    ) * 3
    assert record.reason == record.findings[0].explanation == reason
    json.loads(json.dumps(record.as_json(), allow_nan=False))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", b'{"seq":1}', b"\xff", b'"x"', b"null"])
def test_a_body_that_is_no_record_is_an_error_without_a_quote(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not a record$"):
        Record.from_body(body)


@pytest.fixture(params=["memory", "file"])
def busy(request: pytest.FixtureRequest, tmp_path: Path) -> AuditTrail:
    """Twelve records: two sessions, all stages, two verdicts, a minute apart."""
    store = MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "trail.db")
    trail = AuditTrail(store)
    for number in range(12):
        event = Event(stage=list(Stage)[number % 6], session=Session(ident=f"s{number % 2}"))
        decision = Decision.deny("allow") if number % 3 == 0 else Decision.allow()
        trail.record(Entry(event=event, decision=decision, elapsed_s=0, time=60.0 * number))
    return trail


def test_records_can_be_chosen(busy: AuditTrail) -> None:
    def seqs(**wanted: object) -> list[int]:
        found = [record.seq for record in busy.records(**wanted)]  # type: ignore[arg-type]  # a test's table
        if busy.path is not None:
            read = read_records(busy.path, Selection(**wanted))  # type: ignore[arg-type]  # ditto
            assert [record.seq for record in read] == found
        return found

    assert seqs() == list(range(1, 13))
    assert seqs(session="s1") == [2, 4, 6, 8, 10, 12]
    assert seqs(session="s") == []
    assert seqs(stage="prompt") == [1, 7]
    assert seqs(verdict="deny") == [1, 4, 7, 10]
    assert seqs(verdict="deny", session="s0") == [1, 7]
    assert seqs(last=3) == [10, 11, 12]
    assert seqs(last=2, verdict="deny") == [7, 10]
    assert seqs(since=datetime.fromtimestamp(600, UTC)) == [11, 12]
    assert seqs(since=datetime.fromtimestamp(600, UTC), last=1) == [12]


def test_a_record_with_next_to_nothing_in_it_is_found_all_the_same() -> None:
    """Whatever is left out of a body, the lines that are searched for end alike."""
    trail = AuditTrail()
    event = Event(stage=Stage.PROMPT, session=Session(ident="s" * 999), arguments={"x": object()})
    trail.record(Entry(event=event, decision=Decision.allow(), elapsed_s=0, time=0))
    for wanted in ({"session": "s" * 999}, {"stage": "prompt"}, {"verdict": "allow"}):
        assert len(list(trail.records(**wanted))) == 1  # type: ignore[arg-type]  # a test's table


def test_a_trail_in_memory_is_bounded() -> None:
    trail = AuditTrail(MemoryStore(limit=10))
    for _ in range(25):
        trail.record(
            Entry(event=Event(stage=Stage.PROMPT), decision=Decision.allow(), elapsed_s=0, time=0)
        )
    assert [record.seq for record in trail.records()] == list(range(16, 26))
    assert trail.verify().intact


def test_keys_and_trails_do_not_show_what_they_hold(tmp_path: Path) -> None:
    trail = AuditTrail(SqliteStore.open(tmp_path / "trail.db"))
    keys = trail.store.keys
    assert keys.chain.hex() not in repr(keys)
    assert repr(keys) == "Keys()"
    assert "trail.db" in repr(trail)
    assert "in memory" in repr(AuditTrail())


def test_the_files_of_a_trail_are_its_owners_only(tmp_path: Path) -> None:
    trail = AuditTrail(SqliteStore.open(tmp_path / "trail.db"))
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    trail.close()
    assert {file.name for file in tmp_path.iterdir()} == {
        "trail.db",
        "trail.db.key",
        "trail.db.head",
    }
