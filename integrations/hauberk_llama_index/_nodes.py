"""Retrieval: nodes are screened on copies, with their metadata, before anybody sees them.

Rules:
* A node that a retriever keeps in memory is never changed.
* Metadata is screened too: LlamaIndex writes it into the prompt beside the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore

from hauberk.events import Event, Stage
from hauberk.guard import Guard
from hauberk.structure import TooDeepError
from hauberk_llama_index._swap import Above, Methods
from hauberk_llama_index._texts import in_nodes, read, write


def retriever_methods(_: type, guard: Guard, above: Above) -> Methods:
    """The methods of a guarded retriever."""

    def retrieve(self: Any, *args: Any, **kwargs: Any) -> Sequence[NodeWithScore]:
        nodes = above(self).retrieve(*args, **kwargs)
        event = _event(guard, nodes)
        return _written(nodes, event, guard.require(event))

    async def aretrieve(self: Any, *args: Any, **kwargs: Any) -> Sequence[NodeWithScore]:
        nodes = await above(self).aretrieve(*args, **kwargs)
        event = _event(guard, nodes)
        return _written(nodes, event, await guard.arequire(event))

    return {"retrieve": retrieve, "aretrieve": aretrieve}


def _event(guard: Guard, nodes: Sequence[NodeWithScore]) -> Event:
    try:
        segments = read(lambda visit: in_nodes(nodes, visit))
    except TooDeepError as error:
        raise guard.refuse(Event(stage=Stage.RETRIEVAL), "adapter", error) from None
    return Event(stage=Stage.RETRIEVAL, segments=segments)


def _written(nodes: Sequence[NodeWithScore], event: Event, done: Event) -> Sequence[NodeWithScore]:
    if done.segments == event.segments:
        return nodes
    return write(lambda visit: in_nodes(nodes, visit), done.segments)
