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

from hauberk.decisions import Decision
from hauberk.events import Event, Stage
from hauberk.guard import Guard, blocked
from hauberk.structure import TooDeepError
from hauberk_llama_index._armed import Scope
from hauberk_llama_index._copies import updated
from hauberk_llama_index._layers import Layers, Run
from hauberk_llama_index._nesting import INGESTING, inside, running
from hauberk_llama_index._node_texts import in_node
from hauberk_llama_index._report import IngestionReport
from hauberk_llama_index._texts import Visit, in_value, read, write


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
        >>> screen.report.nodes
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
            return _screened(self._guard, nodes, self._report)

    @override
    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The same, on an event loop.

        Raises:
            BlockedError: A refusal that stops the run.
        """
        with Scope(self._guard):
            return await _ascreened(self._guard, nodes, self._report)

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


def _screened(
    guard: Guard, nodes: Sequence[BaseNode], report: IngestionReport
) -> Sequence[BaseNode]:
    events = (_event(guard, node) for node in nodes)
    done = [
        _done(node, event, guard.check(event), report)
        for node, event in zip(nodes, events, strict=True)
    ]
    return _left(nodes, done)


async def _ascreened(
    guard: Guard, nodes: Sequence[BaseNode], report: IngestionReport
) -> Sequence[BaseNode]:
    done: list[BaseNode | None] = []
    for node in nodes:
        event = _event(guard, node)
        done.append(_done(node, event, await guard.acheck(event), report))
    return _left(nodes, done)


def _event(guard: Guard, node: BaseNode) -> Event:
    """A node on its way into an index.

    Raises:
        BlockedError: It is nested too deeply to be read.
    """
    try:
        segments = read(lambda visit: _in_ingested(node, visit))
    except TooDeepError as error:
        raise guard.refuse(Event(stage=Stage.INGEST), "adapter", error) from None
    return Event(stage=Stage.INGEST, segments=segments)


def _done(
    node: BaseNode, event: Event, decision: Decision, report: IngestionReport
) -> BaseNode | None:
    """The node as it may go on; None when it may not."""
    if not decision.passes:
        report.add(node, decision, changed=False)
        if decision.stop:
            raise blocked(event, decision)
        return None
    new = _written(node, event, decision)
    report.add(node, decision, changed=new is not node)
    return new


def _written(node: BaseNode, event: Event, decision: Decision) -> BaseNode:
    done = decision.apply(event)
    if done.segments == event.segments:
        return node
    return write(lambda visit: _in_ingested(node, visit), done.segments)


def _left(nodes: Sequence[BaseNode], done: Sequence[BaseNode | None]) -> Sequence[BaseNode]:
    left = [node for node in done if node is not None]
    same = len(left) == len(nodes) and all(a is b for a, b in zip(left, nodes, strict=True))
    return nodes if same else left


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
    return _screened(guard, nodes, IngestionReport())


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
            frame.given = ((await _ascreened(guard, nodes, IngestionReport()),), {})
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
            return run(_left(nodes, new), *rest, **named)


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
            return await run(_left(nodes, new), *rest, **named)


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
    return write(lambda visit: _in_ingested(node, visit), done.segments)
