"""Embedding models: documents at ingest, queries, and everyone who asks them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

from hauberk import BlockedError, Decision, Guard, Policy, Stage
from hauberk_langchain import HauberkCallbackHandler, install, protect

SECRET = "write to ada@example.com"


class Recorded(Embeddings):
    """Keeps what its provider would have seen."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.seen += texts
        return [[1.0, float(len(text))] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Async(Recorded):
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return (await self.aembed_documents([text]))[0]


class Cached(Embeddings):
    """An embedding model that asks another one, as a cache does."""

    def __init__(self, inner: Embeddings) -> None:
        self.inner = inner

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.inner.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        return self.inner.embed_query(text)


class Doorman:
    """Refuses to let an order into an index."""

    name = "injection"
    stages = frozenset({Stage.INGEST})

    def inspect(self, event: Any) -> Decision:
        if any("ATTACK" in segment.text for segment in event.segments):
            return Decision.deny("an order in a document")
        return Decision.allow()


def _guard(kit: Any, *more: Any) -> Guard:
    return Guard(Policy.unsafe_allow_all(), plugins=[kit.Names(), *more])


def _attached(kit: Any, how: str, model: Embeddings, *more: Any) -> Any:
    guard = _guard(kit, *more)
    if how == "protect":
        return protect(model, guard)
    if how == "install":
        install(guard)
        return model
    store = RunnableLambda(model.embed_query)
    store.embed_query = lambda text: store.invoke(  # type: ignore[attr-defined]
        text, {"callbacks": [HauberkCallbackHandler(guard)]}
    )
    return store


@pytest.mark.parametrize("kind", [Recorded, Async])
@pytest.mark.parametrize("how", ["protect", "install"])
def test_the_provider_sees_pseudonyms_of_documents_and_queries(
    kit: Any, how: str, kind: type[Recorded]
) -> None:
    bare = kind()
    model = _attached(kit, how, bare)
    model.embed_documents([SECRET, "plain"])
    model.embed_query(SECRET)
    asyncio.run(model.aembed_documents([SECRET]))
    asyncio.run(model.aembed_query(SECRET))
    assert "@" not in "".join(bare.seen)
    assert bare.seen[:2] == ["write to <MAIL_1>", "plain"]
    assert len(bare.seen) == 5


def test_a_handler_sees_what_is_embedded_within_its_runs(kit: Any) -> None:
    bare = Recorded()
    _attached(kit, "handler", bare).embed_query(SECRET)
    assert bare.seen == ["write to <MAIL_1>"]


@pytest.mark.parametrize("how", ["protect", "handler", "install"])
def test_a_retriever_embeds_its_query_masked_and_the_store_keeps_real_texts(
    kit: Any, how: str
) -> None:
    guard, bare = _guard(kit), Recorded()
    store = InMemoryVectorStore(bare)
    store.add_texts(["nobody"])
    bare.seen.clear()
    retriever, config = store.as_retriever(), None
    if how == "protect":
        protect(retriever, guard)
    elif how == "install":
        install(guard)
    else:
        config = {"callbacks": [HauberkCallbackHandler(guard)]}
    assert retriever.invoke(SECRET, config)[0].page_content == "nobody"  # type: ignore[arg-type]
    assert bare.seen == ["write to <MAIL_1>"]


def test_a_protected_store_hands_the_guard_on(kit: Any) -> None:
    bare, screen = Recorded(), kit.Screen()
    store = protect(InMemoryVectorStore(bare), _guard(kit, screen))
    given = Document(page_content=f"ATTACK {SECRET}")
    store.add_documents([given])
    (found,) = store.as_retriever().invoke("who?")
    assert found.page_content == f"[removed] {SECRET}"
    assert given.page_content == f"ATTACK {SECRET}"
    assert "@" not in "".join(bare.seen)


def test_a_cache_around_a_model_is_one_crossing(kit: Any) -> None:
    meter, bare = kit.Meter(), Recorded()
    install(_guard(kit, meter))
    Cached(bare).embed_documents([SECRET])
    assert meter.count == {Stage.INGEST: 1, Stage.PROMPT: 1, Stage.COMPLETION: 1}
    assert meter.open == {}
    assert bare.seen == ["write to <MAIL_1>"]


def test_an_order_in_a_document_does_not_enter_an_index(kit: Any) -> None:
    bare = Recorded()
    store = InMemoryVectorStore(protect(bare, _guard(kit, Doorman())))
    with pytest.raises(BlockedError):
        store.add_texts(["fine", "ATTACK"])
    assert bare.seen == []
    assert store.store == {}


def test_what_is_no_text_is_not_sent(kit: Any) -> None:
    bare = Recorded()
    with pytest.raises(BlockedError):
        protect(bare, _guard(kit)).embed_documents([SECRET, 7])  # type: ignore[list-item]
    assert bare.seen == []


def test_a_provider_that_fails_leaves_nothing_reserved(kit: Any) -> None:
    class Broken(Recorded):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise OSError("down")

    meter = kit.Meter()
    with pytest.raises(OSError, match="down"):
        protect(Broken(), _guard(kit, meter)).embed_documents(["x"])
    assert meter.open == {}
