"""Answers from LangChain's own cache, which is above the seam: no provider is asked, so nothing is masked.

Rules:
* A hit is judged and recorded like any other answer: a session that was ended gets none, an order in the
  prompt is refused, what the answer may not say is taken out.
* It is a call that bought nothing (`Usage.cached`).
* The cache keeps what it kept.

String models do not say what they found in a cache: their hits are not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from langchain_core.globals import get_llm_cache
from langchain_core.outputs import ChatResult

from hauberk import Guard, Segment, Usage
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._messages import ChatCodec
from hauberk_langchain._models import CHAT, Call, answer
from hauberk_langchain._objects import named_like
from hauberk_langchain._run import pending


class _CachedCodec(ChatCodec):
    def read(self, answer: ChatResult) -> tuple[tuple[Segment, ...], Usage | None]:
        segments, usage = super().read(answer)
        return segments, replace(usage or Usage(), cached=True)


_CACHED = replace(CHAT, codec=_CachedCodec())
_asking: ContextVar[tuple[Call, Any] | None] = ContextVar("hauberk_cache", default=None)


def cache_methods(
    base: type[Any], guards_of: Callable[[object], tuple[Guard, ...]]
) -> dict[str, Any]:
    """The methods of a guarded chat model that look into the cache."""
    if not hasattr(base, "_convert_cached_generations"):
        return {}
    sync_, async_ = base._generate_with_cache, base._agenerate_with_cache  # noqa: SLF001 - the seam
    convert_ = base._convert_cached_generations  # noqa: SLF001 - the seam

    def ask(self: Any, prompt: Any, stop: Any, manager: Any, kwargs: dict[str, Any]) -> _Asking:
        return _Asking(
            Call(_CACHED, self, pending(self, guards_of(self)), stop, manager, kwargs), prompt
        )

    def _generate_with_cache(
        self: Any, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        if not _has_cache(self):
            return sync_(self, messages, stop=stop, run_manager=run_manager, **kwargs)
        with ask(self, messages, stop, run_manager, kwargs):
            return sync_(self, messages, stop=stop, run_manager=run_manager, **kwargs)

    async def _agenerate_with_cache(
        self: Any, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        if not _has_cache(self):
            return await async_(self, messages, stop=stop, run_manager=run_manager, **kwargs)
        with ask(self, messages, stop, run_manager, kwargs):
            return await async_(self, messages, stop=stop, run_manager=run_manager, **kwargs)

    def _convert_cached_generations(self: Any, cached: Any) -> Any:
        found = convert_(self, cached)
        asking = _asking.get()
        if asking is None:
            return found
        with hard_stops:
            call, prompt = asking
            done = answer(call, call.guards, prompt, lambda _: ChatResult(generations=found))
        return done.generations

    return {
        "_generate_with_cache": named_like(sync_, _generate_with_cache),
        "_agenerate_with_cache": named_like(async_, _agenerate_with_cache),
        "_convert_cached_generations": named_like(convert_, _convert_cached_generations),
    }


def _has_cache(model: Any) -> bool:
    """Whether LangChain looks into a cache for this model: its own, or that of the process."""
    own = model.cache
    return own is not False and (own is not None or get_llm_cache() is not None)


class _Asking:
    """The stretch in which a model may find its answer in a cache."""

    __slots__ = ("_before", "_inside")

    def __init__(self, call: Call, prompt: Any) -> None:
        self._inside = (call, prompt)
        self._before: tuple[Call, Any] | None = None

    def __enter__(self) -> None:
        self._before = _asking.get()
        _asking.set(self._inside)

    def __exit__(self, *_: object) -> None:
        _asking.set(self._before)
