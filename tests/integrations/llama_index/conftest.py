"""Small plugins that make each door's work visible, and the surfaces of LlamaIndex by name."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.base.llms.types import ChatMessage

from hauberk import Decision, Event, Finding, Guard, Policy, Session, Stage
from hauberk.plugin import Entry, Plugin, StreamFilter
from hauberk_llama_index.testing import HashEmbedding, ScriptedLLM

_THEIR_WARNINGS = (
    # LlamaIndex looks for steps among all attributes of an agent, pydantic's deprecated ones too.
    "ignore::pydantic.warnings.PydanticDeprecatedSince20",
    "ignore::pydantic.warnings.PydanticDeprecatedSince211",
    # Its ReAct agent asks this of a workflow in a step.
    "ignore:is_running called from within a step:DeprecationWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """LlamaIndex's own warnings are no failures of ours."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            for warning in _THEIR_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


EMAIL = re.compile(r"[\w.]+@[\w.]+\w")
PSEUDONYM = re.compile(r"<EMAIL_\d+>")


class Masks:
    """E-mail addresses become <EMAIL_n> on the way to a model, and come back everywhere else."""

    name = "masks"
    stages = frozenset({Stage.PROMPT, Stage.COMPLETION, Stage.TOOL_CALL})

    def inspect(self, event: Event) -> Decision:
        known: dict[str, str] = event.session.state(self, dict[str, str])
        if event.stage is Stage.PROMPT:
            new = [
                s.with_text(EMAIL.sub(lambda m: _name(known, m[0]), s.text)) for s in event.segments
            ]
        else:
            new = [s.with_text(restored(known, s.text)) for s in event.segments]
        arguments = {k: _in(known, v) for k, v in (event.arguments or {}).items()}
        if new == list(event.segments) and arguments == (event.arguments or {}):
            return Decision.allow()
        if event.stage is Stage.TOOL_CALL:
            return Decision.rewrite(arguments=arguments)
        return Decision.rewrite(segments=new)

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter:
        return _Restore(event.session.state(self, dict[str, str]))


def _name(known: dict[str, str], value: str) -> str:
    return known.setdefault(value, f"<EMAIL_{len(known) + 1}>")


def restored(known: dict[str, str], text: str) -> str:
    values = {name: value for value, name in known.items()}
    return PSEUDONYM.sub(lambda m: values.get(m[0], m[0]), text)


def _in(known: dict[str, str], value: object) -> object:
    return restored(known, value) if isinstance(value, str) else value


class _Restore:
    """Holds back from the last `<` on, as long as it may become a pseudonym."""

    def __init__(self, known: dict[str, str]) -> None:
        self._known = known
        self._held = ""

    def feed(self, text: str) -> str:
        self._held += text
        start = self._held.rfind("<")
        cut = start if start >= 0 and ">" not in self._held[start:] else len(self._held)
        shown, self._held = self._held[:cut], self._held[cut:]
        return restored(self._known, shown)

    def finish(self) -> str:
        shown, self._held = self._held, ""
        return restored(self._known, shown)


class WholeMasks(Masks):
    """The same without a way to restore in pieces: streams must wait."""

    open_stream = None  # type: ignore[assignment]


class Screens:
    """Foreign texts with IGNORE in them are taken out."""

    name = "screens"
    stages = frozenset({Stage.TOOL_RESULT, Stage.RETRIEVAL})

    def inspect(self, event: Event) -> Decision:
        if not any("IGNORE" in s.text for s in event.segments):
            return Decision.allow()
        return Decision.rewrite(
            segments=[
                s.with_text("[withheld]") if "IGNORE" in s.text else s for s in event.segments
            ]
        )


@dataclass(eq=False)
class Rules:
    """Tools that are denied, that stop the run, that have little time."""

    deny: frozenset[str] = frozenset()
    stop: frozenset[str] = frozenset()
    timeout_s: float | None = None
    seen: list[Event] = field(default_factory=list)
    name: str = "rules"
    stages: frozenset[Stage] = frozenset({Stage.TOOL_CALL})

    def inspect(self, event: Event) -> Decision:
        self.seen.append(event)
        if event.tool in self.stop:
            return Decision.deny("this ends here", stop=True)
        if event.tool in self.deny:
            return Decision.deny("not allowed here")
        return Decision.allow(timeout_s=self.timeout_s)


class Calls:
    """So many model calls, all sessions together. Reserves, settles, releases."""

    name = "budget"
    stages = frozenset({Stage.PROMPT, Stage.COMPLETION})

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self.open: set[str] = set()
        self.usage: list[Any] = []
        self._lock = Lock()

    def inspect(self, event: Event) -> Decision:
        with self._lock:
            if event.stage is Stage.COMPLETION:
                self.open.discard(event.call)
                self.spent += 1
                self.usage.append(event.usage)
                return Decision.allow()
            if self.spent + len(self.open) >= self.limit:
                finding = Finding(rule="budget.calls", category="budget")
                return Decision.deny("no calls left", findings=[finding], stop=True)
            self.open.add(event.call)
            return Decision.allow()

    def release(self, event: Event) -> None:
        with self._lock:
            self.open.discard(event.call)

    def open_stream(self, event: Event, *, json_string: bool) -> StreamFilter | None:
        return None


class Book:
    """A recorder that keeps what it gets."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)

    async def arecord(self, entry: Entry) -> None:
        self.record(entry)

    def close(self) -> None:
        """Nothing to let go of."""

    def stages(self) -> list[str]:
        return [entry.event.stage.value for entry in self.entries]


def guard(*plugins: Plugin, book: Book | None = None) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=plugins, recorder=book)


# --- the eight methods of a model, as (whole text, joined deltas) --------------------------------


def _user(text: str) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text)]


async def ask(llm: Any, method: str, text: str) -> tuple[str, str]:
    """Ask a model through one of its eight methods; the text at the end, and what was streamed."""
    chat = method.endswith("chat")
    answer = getattr(llm, method)(_user(text) if chat else text)
    if method.startswith("a"):
        answer = await answer
    if "stream" not in method:
        whole = _text(answer)
        return whole, whole
    pieces = [one async for one in answer] if method.startswith("a") else list(answer)
    return _text(pieces[-1]), "".join(piece.delta or "" for piece in pieces)


def _text(answer: Any) -> str:
    return (answer.message.content or "") if hasattr(answer, "message") else answer.text


METHODS = (
    "chat",
    "achat",
    "stream_chat",
    "astream_chat",
    "complete",
    "acomplete",
    "stream_complete",
    "astream_complete",
)


async def run(agent: Any, message: str, **kwargs: Any) -> tuple[Any, list[Any]]:
    """Run an agent to its end: the result, or the error, and every event that was streamed."""
    handler = agent.run(user_msg=message, **kwargs)
    events: list[Any] = []

    async def read() -> None:
        events.extend([event async for event in handler.stream_events()])

    async def result() -> Any:
        try:
            return await handler
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    found, _ = await asyncio.wait_for(asyncio.gather(result(), read()), 20)
    return found, events


@pytest.fixture(name="kit")
def _kit() -> SimpleNamespace:
    return SimpleNamespace(
        Masks=Masks,
        WholeMasks=WholeMasks,
        Screens=Screens,
        Rules=Rules,
        Calls=Calls,
        Book=Book,
        guard=guard,
        ask=ask,
        run=run,
    )


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    """One of the eight methods of a model."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _offline() -> Iterable[None]:
    """Nothing may fall back to a provider that is not there; no session may stay open."""
    Settings.llm = ScriptedLLM(replies=["default"])
    Settings.embed_model = HashEmbedding()
    yield
    assert Session.current() is None
