"""The capabilities plugin: asks the rule book about each tool call."""

from __future__ import annotations

from hauberk.capabilities._rules import RuleBook
from hauberk.capabilities.flow import Flow
from hauberk.decisions import Decision
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
        self._book = RuleBook(policy)
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
            return self._book.judge(event) if self._flow is None else self._judge(event, self._flow)
        return Decision.allow() if self._flow is None else self._flow.observe(event)

    def _judge(self, event: Event, flow: Flow) -> Decision:
        meant = flow.revealed(event)
        decision = self._book.judge(meant)
        return flow.judge(event, meant, decision)
