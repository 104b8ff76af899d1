"""The capabilities plugin: asks the rule book about each tool call."""

from __future__ import annotations

from hauberk.capabilities._rules import RuleBook
from hauberk.decisions import Decision
from hauberk.events import Event, Stage
from hauberk.policy import CapabilitiesPolicy


class CapabilitiesPlugin:
    """Lets a tool call through only when the policy names the tool and its arguments satisfy it.

    Does not promise that a permitted call is harmless: it judges the name and the arguments of one
    call, not what the tool does with them, and not where a value came from.

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

    def inspect(self, event: Event) -> Decision:
        """Allow (with the tool's time limit), ask for approval, or deny with the reason.

        A denial never stops the run: the agent is told why, and may go on without the tool.
        """
        if event.stage not in self.stages:
            return Decision.allow()
        return self._book.judge(event)
