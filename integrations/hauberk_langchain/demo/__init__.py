"""The demo's LangChain agent, run bare or with hauberk: `scenario` (entry point `hauberk.demo`)."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel

from hauberk.demo import Visit
from hauberk_langchain.demo._agent import build_agent
from hauberk_langchain.testing import BrainChatModel

__all__ = ["scenario"]


def scenario(visit: Visit) -> str:
    """Run one task; give the answer."""
    agent = build_agent(_model(visit), visit.office)
    if visit.guard is not None:
        from hauberk_langchain import protect  # noqa: PLC0415 - a bare run needs none of it

        agent = protect(agent, visit.guard)  # the one line
    state: dict[str, Any] = agent.invoke({"messages": [{"role": "user", "content": visit.ask}]})
    return str(state["messages"][-1].text)


def _model(visit: Visit) -> BaseChatModel:
    if visit.provider.model is None:
        return BrainChatModel(brain=visit.provider)
    from hauberk_langchain.demo._real import real_model  # noqa: PLC0415 - only with a key

    return real_model(visit.provider)
