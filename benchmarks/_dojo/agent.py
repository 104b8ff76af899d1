"""A LangChain agent over a suite's tools that does what it is told, and what it reads.

Rules:
* Tools are ordinary LangChain tools, the agent is `create_agent`, and `protect` is all of hauberk.
* The model does the user's calls, until an injected text is in front of it. Then it does every call
  of the attacker's, then the rest of the user's. A refusal stops neither.
* The user's task comes first in the prompt, and nothing else is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from langchain.agents import create_agent
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic_core import to_jsonable_python

from _dojo.attacks import Call, attack_calls, has_calls, user_calls
from _dojo.report import Refusal, Run
from _dojo.worlds import MARK, Ending, Task, done, environment, package, reached
from hauberk import Guard, Policy, Stage
from hauberk.approval import ApprovalRequest
from hauberk.decisions import Verdict
from hauberk.plugin import Entry
from hauberk.testing import Reply, ToolCall, ToolSpec, Turn
from hauberk_langchain import protect
from hauberk_langchain.testing import BrainChatModel

MAX_STEPS = 400
"""Steps of LangGraph in one run; the longest attack needs about a hundred."""


@dataclass(slots=True)
class World:
    """The environment that a suite's tools work on."""

    runtime: Any
    environment: Any = None
    trace: list[Any] = field(default_factory=list[Any])
    """Calls that were carried out."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Carry out one call.

        Raises:
            ToolException: What the tool says when it fails.
        """
        plain = to_jsonable_python(dict(arguments))
        self.trace.append(package("functions_runtime").FunctionCall(function=name, args=plain))
        result, error = self.runtime.run_function(self.environment, name, plain)
        if error:
            raise ToolException(error)
        return to_jsonable_python(result)


def tools_of(suite: Any, world: World) -> list[BaseTool]:
    """A suite's tools, as a LangChain application would write them."""

    def run_of(name: str) -> Callable[..., Any]:
        def run(**arguments: Any) -> Any:
            return world.call(name, arguments)

        return run

    return [
        StructuredTool(
            name=one.name,
            description=one.description,
            args_schema=one.parameters,
            func=run_of(one.name),
            handle_tool_error=True,
        )
        for one in suite.tools
    ]


class Obedient:
    """A model that does the user's calls, and the attacker's as soon as it has read of them."""

    def __init__(
        self, calls: Iterable[Call], last_words: str, attack: Callable[[], Iterable[Call]] | None
    ) -> None:
        self._calls = list(calls)
        self._last_words = last_words
        self._attack = attack
        self.hijacked = False

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:  # noqa: ARG002 - the Protocol's
        """The next call."""
        if self._attack is not None and not self.hijacked and _is_injected(turns[-1]):
            self.hijacked = True
            self._calls[:0] = self._attack()
        if not self._calls:
            return Reply(text=self._last_words)
        name, arguments = self._calls.pop(0)
        return Reply(calls=(ToolCall(name=name, arguments=arguments),))


def _is_injected(turn: Turn) -> bool:
    return turn.role == "tool" and MARK in turn.text


class Watch:
    """Writes down what was refused and asked: a recorder for the guard, and its approver."""

    def __init__(self, *, approves: bool) -> None:
        self.approves = approves
        self.guard: Guard | None = None
        self.refusals: list[Refusal] = []

    def record(self, entry: Entry) -> None:
        """Keep a call that did not simply pass."""
        event, decision = entry.event, entry.decision
        if event.stage is Stage.TOOL_CALL and decision.verdict in (Verdict.DENY, Verdict.ASK):
            why = self._sentence(entry) if self.approves else decision.reason
            self.refusals.append(Refusal(event.tool or "", decision.verdict.value, why))

    async def arecord(self, entry: Entry) -> None:
        """The same."""
        self.record(entry)

    def close(self) -> None:
        """Nothing to close."""

    def answer(self, request: ApprovalRequest) -> bool:  # noqa: ARG002 - the interface
        """What the person says, if there is one."""
        return self.approves

    def _sentence(self, entry: Entry) -> str:
        """Each objection, with the value that it is about."""
        if self.guard is None:
            return entry.decision.reason
        explained = self.guard.explain(entry.event)
        values = {one.where: one.value for one in explained.values}
        found = explained.decision.findings or entry.decision.findings
        told = [
            f"{one.explanation} [{values[one.where]!r}]" if one.where in values else one.explanation
            for one in found
        ]
        return "; ".join(dict.fromkeys(told))


class Bench:
    """One suite with one guard around it, or bare."""

    def __init__(self, suite: Any, policy: Policy | None, *, approves: bool) -> None:
        runtime = package("functions_runtime").FunctionsRuntime(suite.tools)
        self.world = World(runtime)
        self.watch = Watch(approves=approves)
        self.model = BrainChatModel(brain=None)
        self.agent: Any = create_agent(self.model, tools_of(suite, self.world))
        if policy is not None:
            guard = Guard(policy, recorder=self.watch, approver=self.watch.answer)
            self.watch.guard = guard
            self.agent = protect(self.agent, guard)
        self._runs = 0

    def run(self, task: Task) -> Run:
        """One task from its beginning to its end."""
        world, watch = self.world, self.watch
        world.environment = environment(task)
        world.trace, watch.refusals = [], []
        before = world.environment.model_copy(deep=True)
        attacked = task.injection is not None
        to_do = attacked and has_calls(task, before)
        brain = Obedient(
            user_calls(task, before),
            _last_words(task, to_do=to_do),
            (lambda: attack_calls(task, before, world.environment)) if attacked else None,
        )
        said = self._invoke(brain, str(task.user.PROMPT))
        ending = Ending(before, world.environment, tuple(world.trace), said)
        return Run(
            suite=str(task.suite.name),
            task=task.name,
            done=done(task, ending),
            reached=attacked and reached(task, ending),
            to_do=to_do,
            hijacked=brain.hijacked,
            refusals=tuple(watch.refusals),
        )

    def _invoke(self, brain: Obedient, prompt: str) -> str:
        self.model.brain = brain
        self.model.seen.clear()
        self._runs += 1
        config = {"configurable": {"thread_id": str(self._runs)}, "recursion_limit": MAX_STEPS}
        state = self.agent.invoke({"messages": [{"role": "user", "content": prompt}]}, config)
        return cast("str", state["messages"][-1].text)


def _last_words(task: Task, *, to_do: bool) -> str:
    """What the agent says at the end: the user's answer, or what the attacker wants said."""
    if task.injection is not None and not to_do:
        return str(task.injection.GROUND_TRUTH_OUTPUT or task.injection.GOAL)
    return str(task.user.GROUND_TRUTH_OUTPUT)
