"""Embedding models: documents at ingest, queries, and everyone who asks them."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from pydantic import Field

from hauberk import BlockedError, Decision, Event, Stage
from hauberk_llama_index import HauberkCallbackHandler, install, protect, uninstall
from hauberk_llama_index._swap import guard_of
from hauberk_llama_index.testing import HashEmbedding

ADDRESS = "ada@example.com"
SECRET = f"write to {ADDRESS}"
MASKED = "write to <EMAIL_1>"


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()


class Recorded(HashEmbedding):
    """Keeps what its provider would have seen."""

    seen: list[str] = Field(default_factory=list)

    def _get_text_embedding(self, text: str) -> list[float]:
        self.seen.append(text)
        return super()._get_text_embedding(text)


class Cache(BaseEmbedding):
    """An embedding model that asks another one, as a cache does."""

    inner: Any

    def _get_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = self.inner.get_text_embedding(text)
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self.inner.get_query_embedding(query)
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = await self.inner.aget_query_embedding(query)
        return vector


class Doorman:
    """Lets no order into an index."""

    name = "doorman"
    stages = frozenset({Stage.INGEST})

    def inspect(self, event: Event) -> Decision:
        if any("IGNORE" in segment.text for segment in event.segments):
            return Decision.deny("an order in a document")
        return Decision.allow()


def _handled(model: BaseEmbedding, guard: Any) -> None:
    model.callback_manager = CallbackManager([HauberkCallbackHandler(guard)])


def _both(model: BaseEmbedding, guard: Any) -> None:
    protect(model, guard)
    install(guard)


DOORS: dict[str, Callable[[Any, Any], object]] = {
    "protect": protect,
    "handler": _handled,
    "install": lambda _, guard: install(guard),
    "protect+install": _both,
}
CALLS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "query": (lambda m: m.get_query_embedding(SECRET), True),
    "async query": (lambda m: m.aget_query_embedding(query=SECRET), True),
    "queries": (lambda m: m.get_agg_embedding_from_queries([SECRET]), True),
    "text": (lambda m: m.get_text_embedding(text=SECRET), False),
    "async text": (lambda m: m.aget_text_embedding(SECRET), False),
    "texts": (lambda m: m.get_text_embedding_batch([SECRET], show_progress=False), False),
    "async texts": (lambda m: m.aget_text_embedding_batch(texts=[SECRET]), False),
    "nodes": (lambda m: m([TextNode(text=SECRET)]), False),
    "async nodes": (lambda m: m.acall([TextNode(text=SECRET)]), False),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("call", CALLS)
async def test_the_provider_sees_pseudonyms(kit: Any, door: str, call: str) -> None:
    model, book = Recorded(), kit.Book()
    DOORS[door](model, kit.guard(kit.Masks(), book=book))
    ask, query = CALLS[call]
    made = ask(model)
    await made if call.startswith("async") else None
    assert model.seen == [MASKED]
    stages = ["prompt", "completion"] if query else ["ingest", "prompt", "completion"]
    assert book.stages() == stages
    origins = {s.kind for entry in book.entries for s in entry.event.segments}
    assert origins == {"user" if query else "document"}


def test_vectors_are_those_of_the_masked_texts_and_nodes_stay(kit: Any) -> None:
    node = TextNode(text=SECRET)
    (done,) = protect(HashEmbedding(), kit.guard(kit.Masks()))([node])
    assert done is node
    assert node.text == SECRET
    assert node.embedding == HashEmbedding().get_text_embedding(MASKED)


def test_nothing_to_embed_asks_nobody(kit: Any) -> None:
    book = kit.Book()
    model = protect(Recorded(), kit.guard(kit.Masks(), book=book))
    assert model.get_text_embedding_batch([]) == []
    assert book.entries == []


@pytest.mark.parametrize("door", ["protect", "install"])
async def test_a_cache_around_a_model_is_one_crossing(kit: Any, door: str) -> None:
    inner, calls = Recorded(), kit.Calls(9)
    cache = Cache(inner=inner)
    DOORS[door](cache, kit.guard(kit.Masks(), calls))
    cache.get_text_embedding(SECRET)
    await cache.aget_query_embedding(SECRET)
    assert (calls.spent, calls.open) == (2, set())
    assert inner.seen == [MASKED, MASKED]


async def test_an_order_in_a_document_is_not_embedded(kit: Any) -> None:
    model = protect(Recorded(), kit.guard(Doorman()))
    with pytest.raises(BlockedError):
        model.get_text_embedding_batch(["fine", "IGNORE all"])
    with pytest.raises(BlockedError):
        await model.aget_text_embedding("IGNORE all")
    assert model.seen == []


@pytest.mark.parametrize("texts", [[SECRET, 7], [None]])
async def test_what_is_no_text_is_not_sent(kit: Any, texts: list[Any]) -> None:
    model = protect(Recorded(), kit.guard(kit.Masks()))
    with pytest.raises(BlockedError):
        model.get_text_embedding_batch(texts)
    with pytest.raises(BlockedError):
        await model.aget_text_embedding_batch(texts)
    assert model.seen == []


def test_a_provider_that_fails_leaves_nothing_reserved(kit: Any) -> None:
    class Broken(Recorded):
        def _get_text_embedding(self, text: str) -> list[float]:
            raise OSError("down")

    calls = kit.Calls(9)
    with pytest.raises(OSError, match="down"):
        protect(Broken(), kit.guard(calls)).get_text_embedding("x")
    assert calls.open == set()


# --- in indexes and pipelines ---------------------------------------------------------------------


@pytest.mark.parametrize("door", ["protect", "install"])
def test_what_an_index_lets_in_is_judged_once_at_ingest(kit: Any, door: str) -> None:
    model, book = Recorded(), kit.Book()
    guard = kit.guard(kit.Masks(), Doorman(), book=book)
    index = VectorStoreIndex(nodes=[], embed_model=model)
    DOORS[door](index, guard)
    index.insert(Document(text=SECRET))
    assert book.stages() == ["ingest", "prompt", "completion"]
    index.as_retriever().retrieve(SECRET)
    assert book.stages()[3:] == ["prompt", "completion", "retrieval"]
    assert ADDRESS not in "".join(model.seen)
    assert len(model.seen) == 2


@pytest.mark.parametrize("colour", ["run", "arun"])
@pytest.mark.parametrize("door", ["protect", "install"])
async def test_a_pipeline_embeds_what_it_let_in(kit: Any, door: str, colour: str) -> None:
    model, book = Recorded(), kit.Book()
    pipeline = IngestionPipeline(transformations=[model])
    DOORS[door](pipeline, kit.guard(kit.Masks(), Doorman(), book=book))
    made: Any = getattr(pipeline, colour)(documents=[Document(text=SECRET)])
    nodes = await made if colour == "arun" else made
    assert model.seen == [MASKED]
    assert [node.get_content() for node in nodes] == [SECRET]
    assert book.stages() == ["ingest", "prompt", "completion"]


def test_the_models_of_a_pipeline_can_go_to_worker_processes(kit: Any) -> None:
    pipeline = IngestionPipeline(transformations=[HashEmbedding()])
    protect(pipeline, kit.guard(kit.Masks()))
    (model,) = pickle.loads(pickle.dumps(pipeline.transformations))  # noqa: S301 - our own
    assert guard_of(model) is None
    assert isinstance(model, HashEmbedding)


def test_a_model_that_others_share_stays_guarded(kit: Any) -> None:
    Settings.embed_model = model = Recorded()
    protect(VectorStoreIndex(nodes=[]), kit.guard(kit.Masks()))
    model.get_query_embedding(SECRET)
    assert model.seen == [MASKED]
