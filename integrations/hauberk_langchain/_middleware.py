"""The middleware for `create_agent`: the same guard at the same seam, for one agent.

Rules:
* It arms the model and the tools of each request for the time of that request; what they call within
  themselves is armed too. Tokens that stream are guarded, because the seam is below the stream.
* A tool that the agent does not have is judged too: the tool node asks whoever is armed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_core.messages import ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from hauberk import Guard
from hauberk_langchain._patch import teach
from hauberk_langchain._run import Scope, run_scope
from hauberk_langchain._seam import view

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
        self.hauberk_guard = guard

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
        with self._armed():
            return handler(self._seen(request))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolAnswer]]
    ) -> ToolAnswer:
        """The same, on an event loop."""
        with self._armed():
            return await handler(self._seen(request))

    def _armed(self) -> Scope:
        return run_scope(None, (self.hauberk_guard,))

    def _model(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        # Beside the scope: for a model class that goes around LangChain's own methods.
        return request.override(model=view(request.model, (self.hauberk_guard,)))

    def _seen(self, request: ToolCallRequest) -> ToolCallRequest:
        if request.tool is None:
            return request
        return request.override(tool=view(request.tool, (self.hauberk_guard,)))
