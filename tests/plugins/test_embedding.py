"""What is embedded: which stages it crosses, and what the provider gets. Both colours alike."""

from collections.abc import Iterator
from typing import Any

import pytest

from hauberk import BlockedError, Decision, Event, Guard, Policy, Session, Stage
from hauberk.embedding import arun_embedding, embedding_event, run_embedding
from hauberk.plugin import Entry


class Loud:
    """Texts go on in capitals; the ones with a bomb in them do not go on."""

    name = "loud"
    stages = frozenset(Stage)

    def inspect(self, event: Event) -> Decision:
        if any("bomb" in segment.text for segment in event.segments):
            return Decision.deny("a bomb")
        return Decision.rewrite(segments=[s.with_text(s.text.upper()) for s in event.segments])


class Book:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, entry: Entry) -> None:
        self.events.append(entry.event)

    async def arecord(self, entry: Entry) -> None:
        self.record(entry)

    def close(self) -> None:
        """Nothing to close."""


book = Book()
guard = Guard(Policy.unsafe_allow_all(), plugins=[Loud()], recorder=book)


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    book.events.clear()


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def embedded(colour: str, event: Event) -> list[str]:
    """What the provider got."""
    got: list[str] = []

    async def acall(texts: list[str]) -> None:
        got.extend(texts)

    if colour == "sync":
        run_embedding(guard, event, got.extend)
    else:
        await arun_embedding(guard, event, acall)
    return got


@pytest.mark.parametrize(
    ("kind", "stages"),
    [
        ({"query": True}, ["prompt", "completion"]),
        ({"query": False}, ["ingest", "prompt", "completion"]),
        ({"query": False, "ingested": True}, ["prompt", "completion"]),
    ],
)
async def test_documents_cross_ingest_once_and_everything_is_a_prompt(
    colour: str, kind: dict[str, bool], stages: list[str]
) -> None:
    session = Session()
    event = embedding_event(guard, ["a", "b"], **kind, model="m", session=session)
    assert await embedded(colour, event) == ["A", "B"]
    assert [event.stage.value for event in book.events] == stages
    assert {event.session for event in book.events} == {session}
    assert {event.model for event in book.events} == {"m"}
    calls = {event.call for event in book.events if event.stage is not Stage.INGEST}
    assert len(calls) == 1  # what is reserved for the prompt is settled by its completion


async def test_what_is_refused_is_not_sent(colour: str) -> None:
    for query in (True, False):
        with pytest.raises(BlockedError):
            await embedded(colour, embedding_event(guard, ["a", "bomb"], query=query))


@pytest.mark.parametrize("texts", [["a", 7], [None], 7])
def test_what_is_no_text_is_refused_and_recorded(texts: Any) -> None:
    with pytest.raises(BlockedError):
        embedding_event(guard, texts, query=False)
    assert [event.stage for event in book.events] == [Stage.INGEST]


def test_queries_are_the_users_and_documents_are_nobodys() -> None:
    (asked,) = embedding_event(guard, ["a"], query=True).segments
    (kept,) = embedding_event(guard, ["a"], query=False).segments
    assert (asked.origin, kept.origin) == ("user", "document:0")
