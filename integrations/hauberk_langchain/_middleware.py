"""The middleware for `create_agent`: the same guard at the same seam, for one agent.

Rules:
* It arms the model and the tools of each request for the time of that request; what they call within
  themselves is armed too. Tokens that stream are guarded, because the seam is below the stream.
* A tool that the agent does not have is judged as any other: the guard is asked by its name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from hauberk import Event, Guard, Stage
from hauberk.flows import Refused, arun_tool, run_tool
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._patch import teach
from hauberk_langchain._results import ResultCodec
from hauberk_langchain._run import Scope, armed_scope, session_of
from hauberk_langchain._seam import view
from hauberk_langchain._tools import denial

ToolAnswer = ToolMessage | Command[Any]


class HauberkMiddleware(AgentMiddleware[Any, Any, Any]):
    """Guards one agent: `create_agent(model, tools, middleware=[HauberkMiddleware(guard)])`.

    It does not promise to see nodes that other middleware adds and that call models of their own
    (a summariser): use `protect(agent, guard)` or the callback handler for those.
    """

    def __init__(self, guard: Guard) -> None:
        """Make a middleware for a guard.

        Args:
            guard: What the agent must obey.
        """
        super().__init__()
        teach()
        self.guard = guard

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """One model call, guarded."""
        with self._armed():
            return handler(self._model(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The same, on an event loop."""
        with self._armed():
            return await handler(self._model(request))

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolAnswer]
    ) -> ToolAnswer:
        """One tool call, guarded."""
        with self._armed(), hard_stops:
            if request.tool is not None:
                return handler(self._seen(request, request.tool))
            event = self._stray(request)
            codec = ResultCodec(event.tool or "")
            result = run_tool(self.guard, event, lambda _: handler(request), codec)
        return _told(result, request)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolAnswer]]
    ) -> ToolAnswer:
        """The same, on an event loop."""
        with self._armed(), hard_stops:
            if request.tool is not None:
                return await handler(self._seen(request, request.tool))
            event = self._stray(request)
            codec = ResultCodec(event.tool or "")
            result = await arun_tool(self.guard, event, lambda _: handler(request), codec)
        return _told(result, request)

    def _armed(self) -> Scope:
        return armed_scope((self.guard,))

    def _model(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        # Beside the scope: for a model class that goes around LangChain's own methods.
        return request.override(model=view(request.model, (self.guard,)))

    def _seen(self, request: ToolCallRequest, tool: BaseTool) -> ToolCallRequest:
        return request.override(tool=view(tool, (self.guard,)))

    def _stray(self, request: ToolCallRequest) -> Event:
        """The call of a tool that the agent does not have."""
        return Event(
            stage=Stage.TOOL_CALL,
            tool=request.tool_call["name"],
            arguments=request.tool_call["args"],
            session=session_of(self.guard),
        )


def _told(result: object, request: ToolCallRequest) -> ToolAnswer:
    if isinstance(result, Refused):
        return denial(result, request.tool_call["name"], request.tool_call["id"])
    return cast("ToolAnswer", result)
