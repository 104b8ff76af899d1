"""The demo's LlamaIndex agent, run bare or with hauberk: `scenario` (entry point `hauberk.demo`)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from hauberk.demo import Visit
from hauberk_llama_index.demo._agent import MAX_ITERATIONS, build_agent
from hauberk_llama_index.testing import BrainLLM

__all__ = ["scenario"]


def scenario(visit: Visit) -> str:
    """Run one task; give the answer."""
    # In a thread of its own: a notebook has an event loop already.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(copy_context().run, asyncio.run, _run(visit)).result()


async def _run(visit: Visit) -> str:
    agent = build_agent(BrainLLM(brain=visit.provider), visit.office)
    if visit.guard is not None:
        from hauberk_llama_index import protect  # noqa: PLC0415 - a bare run needs none of it

        agent = protect(agent, visit.guard)  # the one line
    done = agent.run(user_msg=visit.ask, max_iterations=MAX_ITERATIONS)  # pyright: ignore[reportDeprecated]  # this is the new form
    return str(await done)
