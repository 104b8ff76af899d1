"""Doors, modes and small plugins: the axes of the LangChain tests."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, tool

from hauberk import Decision, Event, Guard, Policy, Severity, Stage
from hauberk.decisions import Finding
from hauberk.testing._brain import Reply, ToolCall
from hauberk_langchain import (
    HauberkCallbackHandler,
    HauberkMiddleware,
    install,
    protect,
    uninstall,
)
from hauberk_langchain.testing import ScriptedChatModel

ADDRESS = "ada@example.com"
_ADDRESSES = re.compile(r"[\w.]+@[\w.]+\w")
_TOKENS = re.compile(r"<MAIL_\d+>")


class Names:
    """Mail addresses become <MAIL_n> on the way to the model, and come back on the way out."""

    name = "pii"
    stages = frozenset({Stage.PROMPT, Stage.COMPLETION, Stage.TOOL_CALL})

    def inspect(self, event: Event) -> Decision:
        known = self._known(event)
        hide = event.stage is Stage.PROMPT
        if event.stage is Stage.TOOL_CALL:
            return Decision.allow()
        change = (lambda text: self._hidden(text, known)) if hide else known.shown
        return Decision.rewrite(segments=[s.with_text(change(s.text)) for s in event.segments])

    def open_stream(self, event: Event, *, json_string: bool) -> Any:
        return _Restorer(self._known(event))

    def _known(self, event: Event) -> _Known:
        return event.session.state(self, _Known)

    @staticmethod
    def _hidden(text: str, known: _Known) -> str:
        return _ADDRESSES.sub(lambda found: known.token(found[0]), text)


class _Known:
    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def token(self, value: str) -> str:
        return self._tokens.setdefault(value, f"<MAIL_{len(self._tokens) + 1}>")

    def shown(self, text: str) -> str:
        back = {token: value for value, token in self._tokens.items()}
        return _TOKENS.sub(lambda found: back.get(found[0], found[0]), text)


class _Restorer:
    def __init__(self, known: _Known) -> None:
        self._known, self._held = known, ""

    def feed(self, text: str) -> str:
        held = self._known.shown(self._held + text)
        cut = held.rfind("<")
        cut = len(held) if cut < 0 else cut
        self._held = held[cut:]
        return held[:cut]

    def finish(self) -> str:
        return self._held


class Rights:
    """Tools by name: what is not named is denied; `stop` ends the run; `slow` may take 50 ms."""

    name = "capabilities"
    stages = frozenset({Stage.TOOL_CALL})

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed
        self.seen: list[tuple[str | None, Mapping[str, object]]] = []

    def inspect(self, event: Event) -> Decision:
        self.seen.append((event.tool, dict(event.arguments or {})))
        if event.tool == "slow":
            return Decision.allow(timeout_s=0.05)
        if event.tool in self.allowed:
            return Decision.allow()
        return Decision.deny("no right to this tool", stop=event.tool == "stop")


class Screen:
    """ATTACK in a tool's or a document's text is replaced; in the user's it stops the run."""

    name = "injection"
    stages = frozenset({Stage.PROMPT, Stage.TOOL_RESULT, Stage.RETRIEVAL, Stage.COMPLETION})

    def inspect(self, event: Event) -> Decision:
        if any("ATTACK" in s.text and s.kind == "user" for s in event.segments):
            finding = Finding(rule="t.attack", category="prompt-injection", severity=Severity.HIGH)
            return Decision.deny("an attack", findings=[finding], stop=True)
        return Decision.rewrite(
            segments=[s.with_text(s.text.replace("ATTACK", "[removed]")) for s in event.segments]
        )

    def open_stream(self, event: Event, *, json_string: bool) -> Any:
        return None


class Meter:
    """Counts what it sees and what is still open; refuses the model call after `model_calls`."""

    name = "budget"
    stages = frozenset(Stage)

    def __init__(self, model_calls: int = 1000) -> None:
        self.limit = model_calls
        self.count: Counter[Stage] = Counter()
        self.open: dict[str, Event] = {}
        self.released: list[Event] = []
        self.usages: list[Any] = []
        self.models: list[str | None] = []
        self.sessions: list[Any] = []

    def inspect(self, event: Event) -> Decision:
        self.count[event.stage] += 1
        self.sessions.append(event.session)
        if event.stage is Stage.PROMPT:
            self.models.append(event.model)
            if self.count[event.stage] > self.limit:
                return Decision.deny("the budget is used up", stop=True)
            self.open[event.call] = event
        if event.stage is Stage.COMPLETION:
            self.usages.append(event.usage)
            self.open.pop(event.call, None)
        return Decision.allow()

    def open_stream(self, event: Event, *, json_string: bool) -> Any:
        return None

    def release(self, event: Event) -> None:
        self.released.append(event)
        self.open.pop(event.call, None)


def calls(*wanted: tuple[str, Mapping[str, object]], text: str = "") -> Reply:
    return Reply(text=text, calls=tuple(ToolCall(name=n, arguments=a) for n, a in wanted))


@dataclass
class Bench:
    """One agent with fresh tools, one guard, and a way to attach it."""

    plugins: Sequence[Any]
    replies: Sequence[Reply | str]
    ran: list[tuple[str, Mapping[str, Any]]] = field(
        default_factory=list[tuple[str, Mapping[str, Any]]]
    )
    answer: str = "sent to {to}"

    def __post_init__(self) -> None:
        self.guard = Guard(Policy.unsafe_allow_all(), plugins=self.plugins)
        self.model = ScriptedChatModel(replies=self.replies)
        self.tools = self._tools()
        self.config: dict[str, Any] = {}

    def _tools(self) -> list[BaseTool]:
        ran, answer = self.ran, self.answer

        @tool
        def send(to: str, body: str = "hello") -> str:
            """Send a mail."""
            ran.append(("send", {"to": to, "body": body}))
            return answer.format(to=to)

        @tool
        def remove(path: str) -> str:
            """Remove a file."""
            ran.append(("remove", {"path": path}))
            return "removed"

        @tool
        def stop(why: str = "") -> str:
            """End it."""
            ran.append(("stop", {}))
            return "stopped"

        return [send, remove, stop]

    def agent(self, door: str, **options: Any) -> Any:
        """The agent, with the guard attached through `door`."""
        middleware = list(options.pop("middleware", []))
        if door in ("middleware", "all"):
            middleware.append(HauberkMiddleware(self.guard))
        if door == "parts":
            protect([self.model, *self.tools], self.guard)
        if door == "constructor":
            handler = HauberkCallbackHandler(self.guard)
            self.model.callbacks = [handler]
            for one in self.tools:
                one.callbacks = [handler]
        agent = create_agent(self.model, self.tools, middleware=middleware, **options)
        if door in ("protect", "all"):
            agent = protect(agent, self.guard)
        if door in ("handler", "all"):
            self.config["callbacks"] = [HauberkCallbackHandler(self.guard)]
        if door == "install":
            install(self.guard)
        return agent


DOORS = ["protect", "parts", "handler", "constructor", "middleware", "install", "all"]


@dataclass
class Outcome:
    """What came out of a run."""

    messages: list[BaseMessage]
    shown: str = ""
    """What was streamed of the model's words and arguments, piece by piece."""


def _invoke(agent: Any, given: Any, config: Any) -> Outcome:
    return Outcome(agent.invoke(given, config)["messages"])


def _ainvoke(agent: Any, given: Any, config: Any) -> Outcome:
    return Outcome(asyncio.run(agent.ainvoke(given, config))["messages"])


def _batch(agent: Any, given: Any, config: Any) -> Outcome:
    return Outcome(agent.batch([given], config)[0]["messages"])


def _abatch(agent: Any, given: Any, config: Any) -> Outcome:
    return Outcome(asyncio.run(agent.abatch([given], config))[0]["messages"])


def _stream(agent: Any, given: Any, config: Any) -> Outcome:
    parts = list(agent.stream(given, config, stream_mode=["messages", "values"]))
    return _gathered(parts)


def _astream(agent: Any, given: Any, config: Any) -> Outcome:
    async def run() -> Outcome:
        stream = agent.astream(given, config, stream_mode=["messages", "values"])
        return _gathered([part async for part in stream])

    return asyncio.run(run())


def _events(agent: Any, given: Any, config: Any) -> Outcome:
    async def run() -> Outcome:
        shown, last = "", {}
        async for event in agent.astream_events(given, config, version="v2"):
            if event["event"] == "on_chat_model_stream":
                shown += _words(event["data"]["chunk"])
            if event["event"] == "on_chain_end":
                last = event["data"]["output"]
        return Outcome(last["messages"], shown)

    return asyncio.run(run())


def _gathered(parts: list[Any]) -> Outcome:
    shown = "".join(_words(part[0]) for mode, part in parts if mode == "messages")
    return Outcome([part for mode, part in parts if mode == "values"][-1]["messages"], shown)


def _words(chunk: Any) -> str:
    if not isinstance(chunk, AIMessageChunk):
        return ""
    return str(chunk.text) + "".join(c["args"] or "" for c in chunk.tool_call_chunks)


MODES: dict[str, Callable[[Any, Any, Any], Outcome]] = {
    "invoke": _invoke,
    "ainvoke": _ainvoke,
    "batch": _batch,
    "abatch": _abatch,
    "stream": _stream,
    "astream": _astream,
    "astream_events": _events,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "door" in metafunc.fixturenames:
        metafunc.parametrize("door", DOORS)
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", MODES)


@pytest.fixture(autouse=True)
def _nothing_installed() -> Iterator[None]:
    yield
    uninstall()


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


class Kit:
    """What the tests share."""

    ADDRESS = ADDRESS
    Bench = Bench
    Names = Names
    Rights = Rights
    Screen = Screen
    Meter = Meter
    calls = staticmethod(calls)

    @staticmethod
    def run(mode: str, agent: Any, given: Any, config: Any = None) -> Outcome:
        return MODES[mode](agent, given, config or {})

    @staticmethod
    def user(text: str) -> dict[str, Any]:
        return {"messages": [("user", text)]}

    @staticmethod
    def tool_messages(outcome: Outcome) -> list[ToolMessage]:
        return [m for m in outcome.messages if isinstance(m, ToolMessage)]
