"""`protect`: guards an object that exists, in place, with everything in it."""

from __future__ import annotations

from typing import TypeVar

from hauberk.guard import Guard
from hauberk_llama_index._doors import reach
from hauberk_llama_index._patch import teach
from hauberk_llama_index._swap import require_free, swap, unswap

T = TypeVar("T")


def protect(obj: T, guard: Guard) -> T:
    """Guard a LlamaIndex object in place, with everything in it that talks to the world.

    Takes models, embedding models, tools, retrievers, indexes, ingestion pipelines, query engines,
    chat engines, agents, `AgentWorkflow`, workflows, and lists, tuples and mappings of them. It
    stays the same object, so everything that holds it already is guarded too; a model that is
    shared with other agents is guarded for them as well. Whatever an agent, an engine or a workflow
    calls while it runs is guarded too, found in it or not. Protecting twice with the same guard
    changes nothing.

    Args:
        obj: What to guard.
        guard: What to ask.

    Returns:
        `obj` itself.

    Raises:
        TypeError: There is nothing in `obj` that could be guarded.
        ValueError: Something in it is protected by another guard; nothing was changed.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from hauberk_llama_index import protect
        >>> from hauberk_llama_index.testing import ScriptedLLM
        >>> llm = ScriptedLLM(replies=["Hello."])
        >>> protect(llm, Guard(Policy.unsafe_allow_all())) is llm
        True

    It does not promise to see what goes around LlamaIndex: `tool.fn` called directly, a provider's
    own client, code that a `CodeActAgent` executes.
    """
    found = list(reach(obj))
    if not found:
        raise TypeError(
            f"nothing in this {type(obj).__name__} can be protected. Give a model, a tool (wrap "
            "functions in FunctionTool), a retriever, an index, an embedding model, a pipeline, an "
            "engine, an agent or a workflow."
        )
    for one, _ in found:
        require_free(one, guard)
    teach()
    for one, door in found:
        swap(one, guard, door)
    return obj


def unprotect(obj: T) -> T:
    """Take the guard off an object and everything in it. Returns the object.

    For giving it another guard, or for comparing; it leaves the application unguarded.
    """
    for one, _ in list(reach(obj)):
        unswap(one)
    return obj
