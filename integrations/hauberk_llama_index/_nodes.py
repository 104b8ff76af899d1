"""Retrieval: nodes are screened on copies, with their metadata, before anybody sees them.

Doors: the methods of a protected retriever, those of a protected engine's postprocessors (for the
nodes that they bring in), and `HauberkNodePostprocessor` for engines that should
have nothing else guarded.

Rules:
* A node that a retriever keeps in memory is never changed.
* Metadata is screened too: LlamaIndex writes it into the prompt beside the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pickle import PicklingError
from typing import Any, NoReturn, Self, SupportsIndex, cast

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import PrivateAttr
from typing_extensions import override

from hauberk.events import Event, Stage
from hauberk.guard import Guard
from hauberk.structure import TooDeepError
from hauberk_llama_index._layers import Layers, Run
from hauberk_llama_index._nesting import inside, running
from hauberk_llama_index._node_texts import in_nodes
from hauberk_llama_index._texts import read, write


def retriever_layers(_: type) -> Layers:
    """What lies around the methods of a retriever."""
    return {"retrieve": _retrieve, "aretrieve": _aretrieve}


def _retrieve(
    guard: Guard, retriever: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Sequence[NodeWithScore]:
    if running(retriever, guard) is not None:
        return cast("Sequence[NodeWithScore]", run(*args, **kwargs))
    with inside(retriever, guard):
        nodes = run(*args, **kwargs)
    return _screened(guard, nodes)


async def _aretrieve(
    guard: Guard, retriever: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Sequence[NodeWithScore]:
    if running(retriever, guard) is not None:
        return cast("Sequence[NodeWithScore]", await run(*args, **kwargs))
    with inside(retriever, guard):
        nodes = await run(*args, **kwargs)
    return await _ascreened(guard, nodes)


def postprocessor_layers(kind: type) -> Layers:
    """What lies around the methods of a postprocessor: some fetch nodes that no retriever gave."""
    if issubclass(kind, HauberkNodePostprocessor):
        return {}  # it screens already
    return {"postprocess_nodes": _postprocess, "apostprocess_nodes": _apostprocess}


def _postprocess(
    guard: Guard, post: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(post, guard) is not None:
        return run(*args, **kwargs)
    known = _texts(_nodes_of(*args, **kwargs))
    with inside(post, guard):
        done = run(*args, **kwargs)
    return done if _texts(done) <= known else list(_screened(guard, done))


async def _apostprocess(
    guard: Guard, post: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(post, guard) is not None:
        return await run(*args, **kwargs)
    known = _texts(_nodes_of(*args, **kwargs))
    with inside(post, guard):
        done = await run(*args, **kwargs)
    return done if _texts(done) <= known else list(await _ascreened(guard, done))


def _nodes_of(nodes: Sequence[NodeWithScore], *_: Any, **__: Any) -> Sequence[NodeWithScore]:
    return nodes


def _texts(nodes: Sequence[NodeWithScore]) -> set[str]:
    """What a model would read of these nodes."""
    return {one.node.get_content(MetadataMode.ALL) for one in nodes}


class HauberkNodePostprocessor(BaseNodePostprocessor):
    """Screens the nodes of one query engine or chat engine.

    It does not promise more: what goes to the model and to tools is not its business. `protect` the
    engine for that; then this is not needed.

    Example:
        >>> from hauberk import Guard, Policy
        >>> screen = HauberkNodePostprocessor(Guard(Policy.unsafe_allow_all()))
        >>> screen.postprocess_nodes([])
        []
    """

    _guard: Guard = PrivateAttr()

    def __init__(self, guard: Guard, **fields: Any) -> None:
        """Screen with `guard`."""
        super().__init__(**fields)
        self._guard = guard

    @property
    def guard(self) -> Guard:
        """What is asked."""
        return self._guard

    @classmethod
    def class_name(cls) -> str:
        """Name for serialisation."""
        return "HauberkNodePostprocessor"

    @override
    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return list(_screened(self._guard, nodes))

    @override
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return list(await _ascreened(self._guard, nodes))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copies share the guard, which is one thing with its sessions and its trail."""
        return type(self)(self._guard, callback_manager=self.callback_manager)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse to be pickled: LlamaIndex would silently leave the guard out."""
        raise PicklingError(
            "a HauberkNodePostprocessor cannot be pickled: make one where it is used"
        )


def _screened(guard: Guard, nodes: Sequence[NodeWithScore]) -> Sequence[NodeWithScore]:
    event = _event(guard, nodes)
    return _written(nodes, event, guard.require(event))


async def _ascreened(guard: Guard, nodes: Sequence[NodeWithScore]) -> Sequence[NodeWithScore]:
    event = _event(guard, nodes)
    return _written(nodes, event, await guard.arequire(event))


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
