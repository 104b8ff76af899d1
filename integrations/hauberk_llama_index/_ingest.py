"""Ingestion: what enters an index is screened, and masked, before it is embedded and stored.

Doors: `HauberkIngestionTransform` as the first transformation of a pipeline, a protected
`IngestionPipeline` (its inputs, before anything is done to them), and a protected index.

Rules:
* Text, metadata and templates of every node are looked at, and the metadata that it repeats of its
  document. The application's own nodes and documents are never changed.
* In a pipeline a refused node is left out and the rest goes on; the report says whose it was and why.
  A refusal that stops ends the run. At an index every refusal is an error: nothing is put in.
* What was looked at once on its way is not looked at again, unless something was made of it.
* Results that a pipeline keeps in its cache are those of one transform, and of no other guard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pickle import PicklingError
from typing import Any, NoReturn, Self, SupportsIndex
from uuid import uuid4

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import BaseNode, RelatedNodeInfo, TransformComponent
from pydantic import Field, PrivateAttr
from typing_extensions import override

from hauberk.events import Event, Segment, Stage
from hauberk.guard import Guard
from hauberk.ingest import IngestionReport, aingested, ingested, same_or
from hauberk.structure import TooDeepError
from hauberk_llama_index._armed import Scope
from hauberk_llama_index._copies import updated
from hauberk_llama_index._layers import Layers, Run
from hauberk_llama_index._nesting import INGESTING, inside, running
from hauberk_llama_index._node_texts import in_node
from hauberk_llama_index._texts import Visit, in_value, read, write

_NAMES = ("file_path", "file_name")
"""Where LlamaIndex's readers put the name of a file."""


class HauberkIngestionTransform(TransformComponent):
    """Screens and masks the nodes of an ingestion pipeline. Put it first.

    What comes before it in the pipeline sees, and may keep in the pipeline's cache, the clear text;
    so does the pipeline's document store. `protect(pipeline, guard)` looks at what goes in instead.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from llama_index.core.schema import TextNode
        >>> screen = HauberkIngestionTransform(Guard(Policy.unsafe_allow_all()))
        >>> [node.text for node in screen([TextNode(text="Paris")])]
        ['Paris']
        >>> screen.report.parts
        1
    """

    instance: str = Field(default_factory=lambda: uuid4().hex)
    """Keeps results of other transforms, of another guard perhaps, out of a pipeline's cache."""
    _guard: Guard = PrivateAttr()
    _report: IngestionReport = PrivateAttr(default_factory=IngestionReport)

    def __init__(self, guard: Guard, **fields: Any) -> None:
        """Screen with `guard`."""
        super().__init__(**fields)
        self._guard = guard

    @classmethod
    def class_name(cls) -> str:
        """Name for serialisation."""
        return "HauberkIngestionTransform"

    @property
    def guard(self) -> Guard:
        """What is asked."""
        return self._guard

    @property
    def report(self) -> IngestionReport:
        """What was seen, changed and left out so far, file by file. Prints as a table."""
        return self._report

    @override
    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The nodes that may go on, as they may go on.

        Raises:
            BlockedError: A refusal that stops the run.
        """
        with Scope(self._guard):
            return ingested(self._guard, nodes, _NODES, self._report)

    @override
    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The same, on an event loop.

        Raises:
            BlockedError: A refusal that stops the run.
        """
        with Scope(self._guard):
            return await aingested(self._guard, nodes, _NODES, self._report)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copies share the guard, which is one thing with its sessions and its trail."""
        return type(self)(self._guard)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse to be pickled: LlamaIndex would silently leave the guard out."""
        raise PicklingError(
            "a HauberkIngestionTransform cannot be pickled: make one where it is used. "
            "(A pipeline with `num_workers` pickles its transformations: protect(pipeline, guard) "
            "looks at what goes in before it is handed out.)"
        )


# --- one node ---------------------------------------------------------------------------------------


class _NodeCodec:
    """How a node is read and written, and which file it is of."""

    def read(self, item: BaseNode) -> tuple[Segment, ...]:
        """The texts of a node."""
        return read(lambda visit: _in_ingested(item, visit))

    def write(self, item: BaseNode, segments: tuple[Segment, ...]) -> BaseNode:
        """A copy of the node with these texts; itself when they are the same."""
        return write(lambda visit: _in_ingested(item, visit), segments)

    def file(self, item: BaseNode) -> str:
        """The name that a reader gave it, or the id of its document."""
        names = (item.metadata.get(name) for name in _NAMES)
        found = next((name for name in names if isinstance(name, str) and name), None)
        return found or item.ref_doc_id or item.node_id


_NODES = _NodeCodec()


def _event(guard: Guard, node: BaseNode) -> Event:
    """A node on its way into an index.

    Raises:
        BlockedError: It is nested too deeply to be read.
    """
    try:
        segments = _NODES.read(node)
    except TooDeepError as error:
        raise guard.refuse(Event(stage=Stage.INGEST), "adapter", error) from None
    return Event(stage=Stage.INGEST, segments=segments)


def _in_ingested(node: BaseNode, visit: Visit) -> BaseNode:
    """Walk a node, and the metadata of its document that it carries along."""
    origin = f"document:{node.ref_doc_id or node.node_id}"
    relations: dict[Any, Any] = {
        kind: _in_relation(info, visit, origin) for kind, info in node.relationships.items()
    }
    if any(relations[kind] is not info for kind, info in node.relationships.items()):
        node = updated(node, relationships=relations)
    return in_node(node, visit, "node", origin)


def _in_relation(info: Any, visit: Visit, origin: str) -> Any:
    if isinstance(info, list):
        new = [_in_relation(one, visit, origin) for one in info]
        return info if all(a is b for a, b in zip(new, info, strict=True)) else new
    if not isinstance(info, RelatedNodeInfo):
        return info
    return updated(info, metadata=in_value(info.metadata, visit, "node.metadata", origin))


# --- pipelines and indexes --------------------------------------------------------------------------


def pipeline_layers(_: type) -> Layers:
    """What lies around the methods of an ingestion pipeline."""
    return {"run": _run, "arun": _arun, "_prepare_inputs": _prepare}


def _run(guard: Guard, _: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with Scope(guard), inside(INGESTING, guard):
        return run(*args, **kwargs)


def _prepare(
    guard: Guard,
    pipeline: IngestionPipeline,
    run: Run,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    frame = running(pipeline, guard)
    if frame is not None:
        given, _ = frame.given
        return given[0] if given else run(*args, **kwargs)
    with inside(pipeline, guard):
        nodes = run(*args, **kwargs)
    if _screens_itself(pipeline, guard):
        return nodes
    return ingested(guard, nodes, _NODES, IngestionReport())


async def _arun(
    guard: Guard,
    pipeline: IngestionPipeline,
    run: Run,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    if running(pipeline, guard) is not None:
        return await run(*args, **kwargs)
    with Scope(guard), inside(INGESTING, guard):
        if _screens_itself(pipeline, guard):
            return await run(*args, **kwargs)
        with inside(pipeline, guard) as frame:
            nodes = pipeline._prepare_inputs(*_inputs(*args, **kwargs))  # noqa: SLF001 - the seam
            frame.given = ((await aingested(guard, nodes, _NODES, IngestionReport()),), {})
            return await run(*args, **kwargs)


def _inputs(
    show_progress: bool = False,  # noqa: ARG001, FBT001, FBT002 - as LlamaIndex declares it
    documents: Any = None,
    nodes: Any = None,
    *_: Any,
    **__: Any,
) -> tuple[Any, Any]:
    """Documents and nodes among the arguments of `run`."""
    return documents, nodes


def _screens_itself(pipeline: IngestionPipeline, guard: Guard) -> bool:
    """Whether the first thing that happens to the inputs is that this guard looks at them."""
    first = next(iter(pipeline.transformations), None)
    return isinstance(first, HauberkIngestionTransform) and first.guard is guard


def insert_layers(kind: type) -> Layers:
    """What lies around the methods of an index that put something in."""
    found = {
        "build_index_from_nodes": _insert,
        "insert_nodes": _insert,
        "ainsert_nodes": _ainsert,
    }
    return {name: layer for name, layer in found.items() if hasattr(kind, name)}


def _insert(
    guard: Guard, index: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(index, guard) is not None:
        return run(*args, **kwargs)
    nodes, rest, named = _given(*args, **kwargs)
    with Scope(guard):
        new = [_required(node, event, guard.require(event)) for node, event in _each(guard, nodes)]
        with inside(index, guard), inside(INGESTING, guard):
            return run(same_or(nodes, new), *rest, **named)


async def _ainsert(
    guard: Guard, index: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if running(index, guard) is not None:
        return await run(*args, **kwargs)
    nodes, rest, named = _given(*args, **kwargs)
    with Scope(guard):
        new = [
            _required(node, event, await guard.arequire(event))
            for node, event in _each(guard, nodes)
        ]
        with inside(index, guard), inside(INGESTING, guard):
            return await run(same_or(nodes, new), *rest, **named)


def _given(
    nodes: Sequence[BaseNode], *rest: Any, **named: Any
) -> tuple[Sequence[BaseNode], tuple[Any, ...], dict[str, Any]]:
    """The nodes among the arguments, and the others."""
    return nodes, rest, named


def _each(guard: Guard, nodes: Sequence[BaseNode]) -> Iterator[tuple[BaseNode, Event]]:
    return ((node, _event(guard, node)) for node in nodes)


def _required(node: BaseNode, event: Event, done: Event) -> BaseNode:
    if done.segments == event.segments:
        return node
    return _NODES.write(node, done.segments)
