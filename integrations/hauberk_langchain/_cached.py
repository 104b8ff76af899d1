"""Answers from LangChain's own cache, which is above the seam: no provider is asked, so nothing is masked.

Rules:
* A hit is judged and recorded like any other answer: a session that was ended gets none, an order in the
  prompt is refused, what the answer may not say is taken out.
* It is a call that bought nothing (`Usage.cached`).
* The cache keeps what it kept.
* A string model does not say what it found in a cache: whatever it gives and was not asked, it found.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any

from langchain_core.globals import get_llm_cache
from langchain_core.outputs import ChatResult, LLMResult

from hauberk import Guard, Segment, Usage
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._messages import ChatCodec
from hauberk_langchain._models import CHAT, TEXT, Call, TextCodec, aanswer, answer
from hauberk_langchain._objects import named_like
from hauberk_langchain._run import pending


class _CachedCodec(ChatCodec):
    def read(self, answer: ChatResult) -> tuple[tuple[Segment, ...], Usage | None]:
        segments, usage = super().read(answer)
        return segments, replace(usage or Usage(), cached=True)


class _CachedTextCodec(TextCodec):
    def read(self, answer: LLMResult) -> tuple[tuple[Segment, ...], Usage | None]:
        segments, _ = super().read(answer)
        return segments, Usage(cached=True)


_CACHED = replace(CHAT, codec=_CachedCodec())
_CACHED_TEXT = replace(TEXT, codec=_CachedTextCodec())
_asking: ContextVar[tuple[Call, Any] | None] = ContextVar("hauberk_cache", default=None)
_asked: ContextVar[tuple[object, list[str]] | None] = ContextVar(
    "hauberk_cache_missed", default=None
)
"""Whose prompts are noted, and those that were asked so far."""


def cache_methods(
    base: type[Any], guards_of: Callable[[object], tuple[Guard, ...]]
) -> dict[str, Any]:
    """The methods of a guarded chat model that look into the cache."""
    if not hasattr(base, "_convert_cached_generations"):
        return {}
    sync_, async_ = base._generate_with_cache, base._agenerate_with_cache  # noqa: SLF001 - the seam
    convert_ = base._convert_cached_generations  # noqa: SLF001 - the seam

    def ask(self: Any, prompt: Any, stop: Any, manager: Any, kwargs: dict[str, Any]) -> _Setting:
        call = Call(_CACHED, self, pending(self, guards_of(self)), stop, manager, kwargs)
        return _Setting(_asking, (call, prompt))

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


def asked_methods(base: type[Any]) -> dict[str, Any]:
    """The methods of a guarded string model that ask for what no cache has: they say so."""
    sync_, async_ = base._generate_helper, base._agenerate_helper  # noqa: SLF001 - the seam

    def _generate_helper(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        _note(self, prompts)
        return sync_(self, prompts, *args, **kwargs)

    async def _agenerate_helper(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        _note(self, prompts)
        return await async_(self, prompts, *args, **kwargs)

    return {
        "_generate_helper": named_like(sync_, _generate_helper),
        "_agenerate_helper": named_like(async_, _agenerate_helper),
    }


def judging_hits(original: Any, guards_of: Callable[[object], tuple[Guard, ...]]) -> Any:
    """`generate` or `agenerate` of string models, with each hit judged before it is given."""

    def generate(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        call = _text_call(self, guards_of(self), args, kwargs)
        if call is None:
            return original(self, prompts, *args, **kwargs)
        asked: list[str] = []
        with _Setting(_asked, (vars(self), asked)):
            result: LLMResult = original(self, prompts, *args, **kwargs)
        given = list(result.generations)
        for place in _hits(prompts, asked):
            given[place] = _judged(call, prompts[place], given[place])
        return result.model_copy(update={"generations": given})

    async def agenerate(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        call = _text_call(self, guards_of(self), args, kwargs)
        if call is None:
            return await original(self, prompts, *args, **kwargs)
        asked: list[str] = []
        with _Setting(_asked, (vars(self), asked)):
            result: LLMResult = await original(self, prompts, *args, **kwargs)
        given = list(result.generations)
        for place in _hits(prompts, asked):
            given[place] = await _ajudged(call, prompts[place], given[place])
        return result.model_copy(update={"generations": given})

    return named_like(original, agenerate if iscoroutinefunction(original) else generate)


def _judged(call: Call, prompt: str, found: list[Any]) -> list[Any]:
    with hard_stops:
        done = answer(call, call.guards, prompt, lambda _: LLMResult(generations=[found]))
    texts: list[Any] = done.generations[0]
    return texts


async def _ajudged(call: Call, prompt: str, found: list[Any]) -> list[Any]:
    async def give(_: object) -> LLMResult:
        return LLMResult(generations=[found])

    with hard_stops:
        done = await aanswer(call, call.guards, prompt, give)
    texts: list[Any] = done.generations[0]
    return texts


def _text_call(
    model: Any, guards: tuple[Guard, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Call | None:
    """The call that a hit of a cache answers; None where there can be none."""
    if not guards or not _has_cache(model):
        return None
    stop = args[0] if args else kwargs.get("stop")
    return Call(_CACHED_TEXT, model, pending(model, guards), stop, None, {})


def _hits(prompts: list[str], asked: list[str]) -> list[int]:
    """The places of the prompts that no model was asked: those that it was asked came in order."""
    left = iter([*asked, None])
    next_asked = next(left)
    found: list[int] = []
    for place, prompt in enumerate(prompts):
        if prompt == next_asked:
            next_asked = next(left)
        else:
            found.append(place)
    return found


def _note(model: object, prompts: list[str]) -> None:
    """This model is asked. What another one is asked within its work is not its own prompts."""
    noting = _asked.get()
    # A view shares the dictionary of its object: both are the same model.
    if noting is not None and noting[0] is vars(model):
        noting[1].extend(prompts)


def _has_cache(model: Any) -> bool:
    """Whether LangChain looks into a cache for this model: its own, or that of the process."""
    own = model.cache
    return own is not False and (own is not None or get_llm_cache() is not None)


class _Setting:
    """The stretch of code in which a context variable has another value."""

    __slots__ = ("_before", "_inside", "_variable")

    def __init__(self, variable: ContextVar[Any], inside: object) -> None:
        self._variable, self._inside = variable, inside
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = self._variable.get()
        self._variable.set(self._inside)

    def __exit__(self, *_: object) -> None:
        self._variable.set(self._before)
