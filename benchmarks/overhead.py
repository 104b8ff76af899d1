"""What hauberk adds to one agent run, beside LangChain's own middleware, in one process.

One run is two model calls and one tool call over texts of about 500 characters, with a scripted
model that costs next to nothing. Variants are interleaved: each round runs every variant once, in a
shuffled order; the table shows medians of the difference to the bare agent of the same round.

    python benchmarks/overhead.py [--rounds 300] [--framework langchain|llama-index|all] [--json]

`cold`: every run brings texts that were never seen. `warm`: every run repeats the same texts in the
same session. All five plugins are on, with the audit trail in a file.

Two more tables: what a conversation's history adds (one run behind 1, 10, 20 and 40 earlier turns that
the session has seen), and, for LlamaIndex, what protecting one tool adds to one call of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hauberk import Decision, Event, Guard, Policy, Session
from hauberk.plugin import Entry, Plugin, Recorder
from hauberk.testing import Reply, ScriptedBrain, ToolCall

Run = Callable[[int], object]
ARun = Callable[[int], Awaitable[object]]

TEXT = (
    "Hello, this is Ada Byron from Example Industries, you can reach me at ada.byron@example.com. "
    "I ordered forty widgets in spring and the invoice, number 2024-118, still shows the old "
    "address of our warehouse. Could you look the order up, tell me when it was shipped and by "
    "which carrier, and correct the address? The new one is in the attachment of my last message. "
    "If anything is unclear please write to me; I am in the office until five on most days, and "
    "my colleague Charles takes over after that. Thank you very much for your help with this."
)


def policy(trail: Path) -> Policy:
    """All five rooms on, with limits that this benchmark does not reach."""
    return Policy.model_validate(
        {
            "version": 1,
            "capabilities": {
                "tools": {
                    "look_up": {
                        "access": "read",
                        "args": {
                            "type": "object",
                            "properties": {"query": {"type": "string", "maxLength": 2000}},
                            "required": ["query"],
                        },
                    }
                }
            },
            "budget": {"model_calls": 10**9, "tool_calls": 10**9, "tokens": 10**12},
            "audit": {"path": str(trail)},
        }
    )


def brain() -> ScriptedBrain:
    """Asks for one tool call, then answers."""
    call = ToolCall(name="look_up", arguments={"query": TEXT[:200]})
    return _Quiet([Reply(calls=(call,)), Reply(text=TEXT)])


class _Quiet(ScriptedBrain):
    """Keeps nothing of what it sees: a benchmark must not grow."""

    def reply(self, turns: Any, tools: Any) -> Reply:
        answer = super().reply(turns, tools)
        self.seen.clear()
        return answer


@dataclass
class Variant:
    """One way of running the agent, in both colours."""

    name: str
    run: Run
    arun: ARun
    samples: dict[str, list[float]] = field(default_factory=dict[str, list[float]])


def _chat_model() -> Any:
    """Asks for one tool call, then answers, and reads no more than the last message."""
    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

    from hauberk_langchain.testing import BrainChatModel

    class Quick(BrainChatModel):
        def _answer(self, messages: list[BaseMessage], tools: Any = None) -> AIMessage:  # noqa: ARG002 - it knows the tool
            usage: Any = {"input_tokens": 200, "output_tokens": 100, "total_tokens": 300}
            if isinstance(messages[-1], ToolMessage):
                return AIMessage(TEXT, usage_metadata=usage)
            call = {"name": "look_up", "args": {"query": TEXT[:200]}, "id": "call_1"}
            return AIMessage("", tool_calls=[call], usage_metadata=usage)

    return Quick(brain=brain())


# --- LangChain --------------------------------------------------------------------------------


def langchain_variants(folder: Path) -> list[Variant]:
    """The bare agent, LangChain's three middlewares, and each door of hauberk."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import (
        ModelCallLimitMiddleware,
        PIIMiddleware,
        ToolCallLimitMiddleware,
    )
    from langchain_core.tools import tool

    from hauberk_langchain import HauberkCallbackHandler, HauberkMiddleware, protect

    def agent(*middleware: Any) -> Any:
        @tool
        def look_up(query: str) -> str:
            """Look something up."""
            return f"{TEXT} {query[:9]}"

        return create_agent(_chat_model(), [look_up], middleware=middleware)

    def variant(name: str, graph: Any, **config: Any) -> Variant:
        def ask(number: int) -> dict[str, Any]:
            return {"messages": [("user", TEXT if number < 0 else f"{TEXT} No. {number}")]}

        def run(number: int) -> object:
            with _session(number).active():
                return graph.invoke(ask(number), config)

        async def arun(number: int) -> object:
            async with _session(number).active():
                return await graph.ainvoke(ask(number), config)

        return Variant(name, run, arun)

    def guard(name: str) -> Guard:
        return Guard(policy(folder / f"{name}.db"))

    pii = [PIIMiddleware(kind, apply_to_tool_results=True) for kind in ("email", "credit_card")]
    theirs = (*pii, ModelCallLimitMiddleware(run_limit=99), ToolCallLimitMiddleware(run_limit=99))
    handler, middleware, protected = guard("handler"), guard("middleware"), guard("protect")
    return [
        variant("bare", agent()),
        variant("LangChain: PII x1 + 2 limits", agent(pii[0], *theirs[2:])),
        variant("LangChain: PII x2 + 2 limits", agent(*theirs)),
        variant("LangChain: a handler that does nothing", agent(), callbacks=[_idle_handler()]),
        variant(
            "hauberk: callback handler",
            agent(),
            callbacks=[HauberkCallbackHandler(handler)],
        ),
        variant("hauberk: middleware", agent(HauberkMiddleware(middleware))),
        variant("hauberk: protect", protect(agent(), protected)),
    ]


def _idle_handler() -> Any:
    """What any callback handler costs, before it does anything."""
    from langchain_core.callbacks import BaseCallbackHandler

    wants = ("llm", "chain", "agent", "retriever", "chat_model", "retry", "custom_event")
    names = (*(f"ignore_{event}" for event in wants), "raise_error", "run_inline")
    idle: Any = type("Idle", (BaseCallbackHandler,), dict.fromkeys(names, True))
    return idle()


TURNS = (1, 10, 20, 40)
"""Lengths of the histories, in turns of one question and one answer."""


def history(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds that the callback handler adds to a run, by turns of history before it."""
    from langchain.agents import create_agent
    from langchain_core.messages import AIMessage, HumanMessage
    from langchain_core.tools import tool

    from hauberk_langchain import HauberkCallbackHandler

    @tool
    def look_up(query: str) -> str:
        """Look something up."""
        return f"{TEXT} {query[:9]}"

    past: list[Any] = []
    for turn in range(max(TURNS)):
        past += [HumanMessage(f"{TEXT} No. {turn}"), AIMessage(f"Order {turn}: {TEXT[:200]}")]
    guard = Guard(policy(folder / "history.db"))
    agent: Any = create_agent(_chat_model(), [look_up])
    configs: dict[str, dict[str, Any]] = {
        "bare": {},
        "handler": {"callbacks": [HauberkCallbackHandler(guard)]},
    }
    order, session = random.Random(1), Session()  # noqa: S311 - an order, not a secret
    samples: dict[tuple[str, int], list[float]] = {}
    steps = [(name, turns) for name in configs for turns in TURNS]
    for number in range(-3, rounds):
        for name, turns in order.sample(steps, len(steps)):
            messages = [*past[: 2 * turns], HumanMessage(TEXT)]
            with session.active():
                started = _now()
                agent.invoke({"messages": messages}, configs[name])
                took = (_now() - started) * 1e6
            if number >= 0:
                samples.setdefault((name, turns), []).append(took)
    return {
        str(turns): {
            "bare": statistics.median(samples["bare", turns]),
            "added": statistics.median(
                mine - base
                for mine, base in zip(
                    samples["handler", turns], samples["bare", turns], strict=True
                )
            ),
        }
        for turns in TURNS
    }


# --- LlamaIndex -------------------------------------------------------------------------------


def llama_index_variants(folder: Path) -> list[Variant]:
    """The bare FunctionAgent and the protected one; LlamaIndex has nothing of its own to compare."""
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.tools import FunctionTool

    from hauberk_llama_index import protect
    from hauberk_llama_index.testing import BrainLLM

    def look_up(query: str) -> str:
        """Look something up."""
        return f"{TEXT} {query[:9]}"

    def agent() -> Any:
        return FunctionAgent(
            llm=BrainLLM(brain=brain()), tools=[FunctionTool.from_defaults(look_up)]
        )

    def variant(name: str, one: Any) -> Variant:
        async def arun(number: int) -> object:
            async with _session(number).active():
                return await one.run(TEXT if number < 0 else f"{TEXT} No. {number}")

        return Variant(name, lambda number: asyncio.run(arun(number)), arun)

    guard = Guard(policy(folder / "llama-index.db"))
    return [variant("bare", agent()), variant("hauberk: protect", protect(agent(), guard))]


def llama_index_tool_variants(folder: Path) -> list[Variant]:
    """One tool called by itself: capability, screening of its 500 characters, and audit."""
    from llama_index.core.tools import FunctionTool

    from hauberk_llama_index import protect

    def look_up(query: str) -> str:
        """Look something up."""
        return f"{TEXT} {query[:9]}"

    def variant(name: str, tool: Any) -> Variant:
        def ask(number: int) -> str:
            return TEXT[:50] if number < 0 else f"{number} {TEXT[:50]}"

        def run(number: int) -> object:
            with _session(number).active():
                return tool.call(query=ask(number))

        async def arun(number: int) -> object:
            async with _session(number).active():
                return await tool.acall(query=ask(number))

        return Variant(name, run, arun)

    rooms = policy(folder / "tool.db").model_dump(exclude_unset=True)
    guard = Guard(Policy.model_validate({**rooms, "pii": False, "budget": False}))
    return [
        variant("bare", FunctionTool.from_defaults(look_up)),
        variant("hauberk: protect(tool)", protect(FunctionTool.from_defaults(look_up), guard)),
    ]


_WARM = Session()


_clock: Callable[[], float] = time.perf_counter


def _now() -> float:
    return _clock()


def _session(number: int) -> Session:
    """A fresh session for a numbered run; always the same one for warm runs (number < 0)."""
    return _WARM if number < 0 else Session()


# --- measuring --------------------------------------------------------------------------------


def measure(variants: list[Variant], rounds: int) -> None:
    """Fill the samples of each variant, in microseconds, interleaved and shuffled."""
    order = random.Random(1)  # noqa: S311 - an order, not a secret
    for number in range(-5, rounds):
        for variant in order.sample(variants, len(variants)):
            for key, argument in (("cold", abs(number)), ("warm", -1)):
                started = _now()
                variant.run(argument)
                _keep(variant, f"sync {key}", started, number)

    async def rounds_async() -> None:
        for number in range(-5, rounds):
            for variant in order.sample(variants, len(variants)):
                for key, argument in (("cold", 10**6 + abs(number)), ("warm", -1)):
                    started = _now()
                    await variant.arun(argument)
                    _keep(variant, f"async {key}", started, number)

    asyncio.run(rounds_async())


def _keep(variant: Variant, key: str, started: float, number: int) -> None:
    if number >= 0:  # the first rounds warm up
        took = (_now() - started) * 1e6
        variant.samples.setdefault(key, []).append(took)


KEYS = ("sync cold", "sync warm", "async cold", "async warm")


def added(variant: Variant, bare: Variant) -> dict[str, float]:
    """Median microseconds that a variant adds to the bare run of the same round."""
    return {
        key: statistics.median(
            mine - base for mine, base in zip(variant.samples[key], bare.samples[key], strict=True)
        )
        for key in KEYS
    }


# --- where the time goes ----------------------------------------------------------------------


class TimedPlugin:
    """A plugin that adds up its own time."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.name = plugin.name
        self.stages = plugin.stages
        self.spent: dict[str, float] = {}

    def inspect(self, event: Event) -> Decision:
        """Inspect, and add the time up by stage."""
        started = time.perf_counter()
        decision = self.plugin.inspect(event)
        self.spent[event.stage] = self.spent.get(event.stage, 0.0) + time.perf_counter() - started
        return decision

    def release(self, event: Event) -> None:
        """Nothing is released in this benchmark."""


class TimedRecorder:
    """A recorder that adds up its own time, and that of the checks which it records."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.spent = 0.0
        self.checks = 0.0

    def record(self, entry: Entry) -> None:
        """Record, and add the time up."""
        started = time.perf_counter()
        self.recorder.record(entry)
        self.spent += time.perf_counter() - started
        self.checks += entry.elapsed_s

    async def arecord(self, entry: Entry) -> None:
        """Not used: the profile is of sync runs."""
        self.record(entry)

    def close(self) -> None:
        """Close the trail."""
        self.recorder.close()


def where(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of one run by part, cold and warm, for `protect` on a LangChain agent."""
    from langchain.agents import create_agent
    from langchain_core.tools import tool

    from hauberk_langchain import protect

    @tool
    def look_up(query: str) -> str:
        """Look something up."""
        return f"{TEXT} {query[:9]}"

    found: dict[str, dict[str, float]] = {}
    for key in ("cold", "warm"):
        real = Guard(policy(folder / f"where-{key}.db"))
        plugins = [TimedPlugin(plugin) for plugin in real.plugins]
        assert real.recorder is not None  # noqa: S101 - the policy above has a trail
        recorder = TimedRecorder(real.recorder)
        guard = Guard(Policy.unsafe_allow_all(), plugins=plugins, recorder=recorder)
        agent: Any = protect(create_agent(_chat_model(), [look_up]), guard)
        for number in range(rounds):
            with _session(-1 if key == "warm" else number).active():
                text = TEXT if key == "warm" else f"{TEXT} No. {number}"
                agent.invoke({"messages": [("user", text)]})
        parts = {
            f"{plugin.name} at {stage}": spent
            for plugin in plugins
            for stage, spent in plugin.spent.items()
        }
        parts["engine"] = recorder.checks - sum(parts.values())
        parts["audit trail"] = recorder.spent
        found[key] = {name: spent / rounds * 1e6 for name, spent in parts.items()}
    return found


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--framework", choices=("langchain", "llama-index", "all"), default="all")
    parser.add_argument(
        "--cpu", action="store_true", help="CPU time, not wall time: for a machine that is busy"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.cpu:
        globals()["_clock"] = time.process_time
    result: dict[str, Any] = {
        "versions": {
            name: version(name)
            for name in ("hauberk", "langchain", "langchain-core", "langgraph", "llama-index-core")
        },
        "python": sys.version.split()[0],
        "rounds": options.rounds,
        "clock": "cpu" if options.cpu else "wall",
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.framework != "llama-index":
            result["langchain"] = _table(langchain_variants(folder), options.rounds)
            result["history"] = history(folder, max(options.rounds // 4, 10))
            result["where"] = where(folder, options.rounds)
        if options.framework != "langchain":
            result["llama-index"] = _table(llama_index_variants(folder), options.rounds)
            tool = llama_index_tool_variants(folder)
            result["llama-index tool"] = _table(tool, 5 * options.rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "overhead.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2) if options.json else _printed(result))


def _table(variants: list[Variant], rounds: int) -> dict[str, dict[str, float]]:
    measure(variants, rounds)
    bare = variants[0]
    rows = {"bare (whole run)": {key: statistics.median(bare.samples[key]) for key in KEYS}}
    return rows | {variant.name: added(variant, bare) for variant in variants[1:]}


PARTS = {
    "langchain": "agent run",
    "llama-index": "agent run",
    "llama-index tool": "tool call",
}


def _printed(result: dict[str, Any]) -> str:
    lines: list[str] = []
    for part, what in PARTS.items():
        if part in result:
            lines += [f"\n{part}: microseconds added per {what} (median)"]
            lines += [f"{'':32}" + "".join(f"{key:>12}" for key in KEYS)]
            for name, row in result[part].items():
                lines.append(f"{name:32}" + "".join(f"{row[key]:12.0f}" for key in KEYS))
    if "history" in result:
        lines += [
            "\nhistory: microseconds per run behind so many turns (callback handler, sync, warm)"
        ]
        lines += [f"{'turns':32}{'bare':>12}{'added':>12}"]
        most = max(row["added"] for row in result["history"].values())
        for turns, row in result["history"].items():
            bar = "#" * round(40 * row["added"] / most)
            lines.append(f"{turns:32}{row['bare']:12.0f}{row['added']:12.0f}  {bar}")
    if "where" in result:
        lines += ["\nwhere it goes (protect, LangChain, sync): microseconds per run"]
        lines += [f"{'':32}{'cold':>12}{'warm':>12}"]
        cold, warm = result["where"]["cold"], result["where"]["warm"]
        for name in sorted(cold, key=lambda part: -cold[part]):
            lines.append(f"{name:32}{cold[name]:12.0f}{warm.get(name, 0.0):12.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
