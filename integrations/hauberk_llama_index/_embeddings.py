"""Embedding models: their provider sees what the guard lets through, like a model's.

Rules:
* How texts cross is `hauberk.embedding`'s: documents at ingest and prompt, queries at prompt.
* What a guarded index or pipeline is putting in was judged there: on its way to the provider it is a
  prompt only.
* An embedding model that asks another one (a cache) is one crossing.
* Pictures are no texts, and go as they are.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from hauberk.embedding import arun_embedding, embedding_event, run_embedding
from hauberk.events import Event
from hauberk.guard import Guard
from hauberk_llama_index._layers import Argument, Layer, Layers, Run
from hauberk_llama_index._nesting import INGESTING, inside, running

_METHODS = {"query_embedding": "query", "text_embedding": "text", "text_embedding_batch": "texts"}
"""The public methods that all others go through, and the parameter of each."""


class _Embedding:
    """Whatever embedding models call within themselves belongs to one crossing of this."""


_EMBEDDING = _Embedding()


def embedding_layers(_: type) -> Layers:
    """What lies around the methods of an embedding model."""
    found: dict[str, Layer] = {}
    for name, parameter in _METHODS.items():
        found[f"get_{name}"] = _called(parameter)
        found[f"aget_{name}"] = _acalled(parameter)
    return found


def _called(parameter: str) -> Layer:
    def layer(
        guard: Guard, model: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = Argument(parameter, args, kwargs)
        if running(_EMBEDDING, guard) is not None or _is_nothing(given.value):
            return run(*args, **kwargs)

        def call(texts: list[str]) -> Any:
            with inside(_EMBEDDING, guard):
                return given.call(run, _like(given.value, texts))

        return run_embedding(guard, _event(guard, model, given), call)

    return layer


def _acalled(parameter: str) -> Layer:
    async def layer(
        guard: Guard, model: Any, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = Argument(parameter, args, kwargs)
        if running(_EMBEDDING, guard) is not None or _is_nothing(given.value):
            return await run(*args, **kwargs)

        async def call(texts: list[str]) -> Any:
            with inside(_EMBEDDING, guard):
                return await given.call(run, _like(given.value, texts))

        return await arun_embedding(guard, _event(guard, model, given), call)

    return layer


def _event(guard: Guard, model: BaseEmbedding, given: Argument) -> Event:
    value: Any = given.value
    return embedding_event(
        guard,
        value if given.name == "texts" else [value],
        query=given.name == "query",
        ingested=running(INGESTING, guard) is not None,
        model=model.model_name,
    )


def _is_nothing(value: object) -> bool:
    return isinstance(value, (list, tuple)) and not value


def _like(value: object, texts: list[str]) -> object:
    """One text for one, a list for several."""
    return texts[0] if isinstance(value, str) else texts
