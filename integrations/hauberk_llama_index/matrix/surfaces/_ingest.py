"""What puts documents into an index."""

from __future__ import annotations

from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode

from hauberk_llama_index.matrix._modes import Calls, Talk, flat
from hauberk_llama_index.matrix._world import Vectors, documents
from hauberk_llama_index.matrix.surfaces._parts import (
    HELD,
    READING,
    USER,
    Parts,
    Surface,
    last_text,
)


def _pipeline(parts: Parts) -> Any:
    return IngestionPipeline(
        transformations=[*parts.transforms, Vectors(trace=parts.trace)], disable_cache=True
    )


def _nodes(talk: Talk) -> list[TextNode]:
    return [*documents(), TextNode(text=last_text(talk), id_="user")]


_INGEST: Calls = {
    "sync": lambda pipeline, talk: pipeline.run(nodes=_nodes(talk)),
    "async": lambda pipeline, talk: pipeline.arun(nodes=_nodes(talk)),
}


def _index(parts: Parts) -> Any:
    return VectorStoreIndex(nodes=[], embed_model=Vectors(trace=parts.trace))


def _inserted(index: Any, talk: Talk) -> str:
    index.insert_nodes(_nodes(talk))
    return flat(list(index.docstore.docs.values()))


async def _ainserted(index: Any, talk: Talk) -> str:
    await index.ainsert_nodes(_nodes(talk))
    return flat(list(index.docstore.docs.values()))


_INSERT: Calls = {"sync": _inserted, "async": _ainserted}


INGESTS = (
    Surface(
        "IngestionPipeline",
        _pipeline,
        READING | USER,
        _INGEST,
        doors=HELD | {"transform"},
        models=False,
    ),
    Surface("VectorStoreIndex: insert", _index, USER | READING, _INSERT, doors=HELD, models=False),
)
