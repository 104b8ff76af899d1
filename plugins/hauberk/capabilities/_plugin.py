"""The capabilities plugin: asks the rule book about each tool call."""

from __future__ import annotations

from dataclasses import replace

from hauberk.capabilities._breaker import Breakers
from hauberk.capabilities._changes import changes_for
from hauberk.capabilities._explanation import Explanation, ValueOrigin
from hauberk.capabilities._names import shown
from hauberk.capabilities._outcome import denied
from hauberk.capabilities._rules import RuleBook
from hauberk.capabilities.flow import Flow
from hauberk.decisions import Decision, Finding, Verdict
from hauberk.events import Event, Stage
from hauberk.policy import CapabilitiesPolicy


class CapabilitiesPlugin:
    """Lets a tool call through only when the policy names the tool and its arguments satisfy it.

    With flow rules in the policy it also reads what passes by, to know where each value came from.

    Does not promise that a permitted call is harmless: it judges names, arguments and where they
    came from, not what the tool does with them.

    Example:
        >>> from hauberk.events import Event, Stage
        >>> from hauberk.policy import CapabilitiesPolicy, ToolRule
        >>> plugin = CapabilitiesPlugin(CapabilitiesPolicy(tools={"search": ToolRule()}))
        >>> plugin.inspect(Event(stage=Stage.TOOL_CALL, tool="search", arguments={})).passes
        True
        >>> plugin.inspect(Event(stage=Stage.TOOL_CALL, tool="delete", arguments={})).passes
        False
    """

    name = "capabilities"
    stages = frozenset({Stage.TOOL_CALL})

    def __init__(self, policy: CapabilitiesPolicy) -> None:
        """Compile the policy's rules.

        Raises:
            PolicyError: The JSON Schema of a tool's arguments cannot be used; `field` says which.
        """
        self._policy = policy
        self._book = RuleBook(policy)
        self._breakers = Breakers()
        if any(rule.breaker is not None for rule in policy.tools.values()):
            self.stages = self.stages | {Stage.TOOL_RESULT}
        self._flow = Flow(policy) if Flow.is_wanted(policy) else None
        if self._flow is not None:
            self.stages = self.stages | Flow.stages

    def inspect(self, event: Event) -> Decision:
        """Allow (with the tool's time limit), ask for approval, or deny with the reason.

        A denial never stops the run: the agent is told why, and may go on without the tool.
        """
        if event.stage not in self.stages:
            return Decision.allow()
        if event.stage is Stage.TOOL_CALL:
            return self._resting(event) or self._judge(event)
        if event.stage is Stage.TOOL_RESULT:
            self._breakers.succeeded(event.tool or "", event.call)
        return Decision.allow() if self._flow is None else self._flow.observe(event)

    def explain(self, event: Event) -> Explanation:
        """Why a call is decided as it is, for people. Changes nothing."""
        meant = event if self._flow is None else self._flow.revealed(event)
        outcome = self._book.outcome(meant)
        decision, changes = outcome.decision, changes_for(self._policy, meant, outcome)
        values: tuple[ValueOrigin, ...] = ()
        if self._flow is not None:
            decision, values, more = self._flow.explain(meant, decision)
            changes = (*changes, *more)
        tool = event.tool or ""
        return Explanation(tool=tool, decision=decision, values=values, changes=changes)

    def failed(self, event: Event) -> None:
        """The tool raised, or ran out of time: its circuit breaker counts that."""
        tool = event.tool or ""
        breaker = self._book.breaker(tool)
        if breaker is not None:
            self._breakers.failed(tool, event.call, breaker)

    def release(self, event: Event) -> None:
        """The call ended early: if it was the one that tries a resting tool, another may try."""
        self._breakers.left(event.tool or "", event.call)

    def _judge(self, event: Event) -> Decision:
        flow = self._flow
        if flow is None:
            return self._book.judge(event)
        meant = flow.revealed(event)
        decision = self._book.judge(meant)
        joined = _with_rewrite(flow.judge(event, meant, decision), decision)
        if joined.verdict is Verdict.ASK and decision.verdict is not Verdict.ASK:
            answer = self._book.remembered(meant, "flow")
            return joined if answer is None else _answered(joined, answer)
        return joined

    def _resting(self, event: Event) -> Decision | None:
        """The refusal of a call whose tool has failed too often."""
        tool = event.tool or ""
        breaker = self._book.breaker(tool)
        wait = None if breaker is None else self._breakers.wait_s(tool, event.call, breaker)
        if wait is None:
            return None
        return denied(
            "capability.breaker",
            f"the tool {shown(tool)} failed too often and is left alone; try again in {wait:.0f} s",
        ).decision


def _answered(question: Decision, answer: Finding) -> Decision:
    verdict = Verdict.ALLOW if question.arguments is None else Verdict.REWRITE
    findings = (*question.findings, answer)
    return replace(question, verdict=verdict, reason="", findings=findings)


def _with_rewrite(joined: Decision, book: Decision) -> Decision:
    """What flow says, with the rewrite and the time limit of the rule book."""
    if joined.verdict is Verdict.DENY or (book.arguments is None and book.timeout_s is None):
        return joined
    arguments = joined.arguments if book.arguments is None else book.arguments
    verdict = joined.verdict
    if verdict is Verdict.ALLOW and arguments is not None:
        verdict = Verdict.REWRITE
    return replace(joined, verdict=verdict, arguments=arguments, timeout_s=book.timeout_s)
