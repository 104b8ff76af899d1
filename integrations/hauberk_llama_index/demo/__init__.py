"""The demo's LlamaIndex agent, run bare or with hauberk: `scenario` (entry point `hauberk.demo`).

`installed` runs the same through the process-wide door: the results are equal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from llama_index.core.agent.workflow import FunctionAgent

from hauberk import Guard
from hauberk.demo import Visit
from hauberk_llama_index.demo._agent import MAX_ITERATIONS, build_agent
from hauberk_llama_index.testing import BrainLLM

__all__ = ["installed", "scenario"]


def scenario(visit: Visit) -> str:
    """Run one task, the agent protected; give the answer."""
    return _apart(visit, _protected)


def installed(visit: Visit) -> str:
    """Run one task, the guard installed for the process; give the answer."""
    return _apart(visit, _installed)


def _apart(visit: Visit, run: Callable[[FunctionAgent, Guard, Visit], Awaitable[str]]) -> str:
    # In a thread of its own: a notebook has an event loop already.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(copy_context().run, asyncio.run, _run(visit, run)).result()


async def _run(visit: Visit, run: Callable[[FunctionAgent, Guard, Visit], Awaitable[str]]) -> str:
    agent = build_agent(BrainLLM(brain=visit.provider), visit.office)
    if visit.guard is None:
        return await _asked(agent, visit)
    return await run(agent, visit.guard, visit)


async def _protected(agent: FunctionAgent, guard: Guard, visit: Visit) -> str:
    from hauberk_llama_index import protect  # noqa: PLC0415 - a bare run needs none of it

    protect(agent, guard)  # the one line
    return await _asked(agent, visit)


async def _installed(agent: FunctionAgent, guard: Guard, visit: Visit) -> str:
    from hauberk_llama_index import install, uninstall  # noqa: PLC0415 - see above

    install(guard)  # the one line
    try:
        return await _asked(agent, visit)
    finally:
        uninstall()


async def _asked(agent: FunctionAgent, visit: Visit) -> str:
    done = agent.run(user_msg=visit.ask, max_iterations=MAX_ITERATIONS)  # pyright: ignore[reportDeprecated]  # this is the new form
    return str(await done)
