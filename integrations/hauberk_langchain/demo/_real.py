"""A real model for the demo, with what its provider gets written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool

from hauberk.demo import DemoError, Provider
from hauberk.events import Usage
from hauberk.testing import Reply
from hauberk_langchain.testing import _turn


class RecordedChatModel(BaseChatModel):
    """A chat model in front of another: passes everything on, and notes it at the provider."""

    inner: BaseChatModel
    provider: Any
    model_name: str
    """Name of the model within its provider; prices hang on it."""

    @property
    def _llm_type(self) -> str:
        return "hauberk-recorded"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools, in the form that the inner model wants."""
        bound = self.inner.bind_tools(tools, tool_choice=tool_choice, **kwargs)
        if not isinstance(bound, RunnableBinding):
            raise DemoError(f"{self.model_name} does not take tools in the usual way")
        return self.bind(**bound.kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = self.inner._generate(messages, stop, run_manager, **kwargs)  # noqa: SLF001 - delegation
        answer = result.generations[0].message
        turn = _turn(answer)
        self.provider.note(
            [_turn(message) for message in messages],
            Reply(text=turn.text, calls=turn.calls),
            _usage(answer),
        )
        return result


def _usage(answer: BaseMessage) -> Usage | None:
    found = answer.usage_metadata if isinstance(answer, AIMessage) else None
    if found is None:
        return None
    return Usage(input_tokens=found["input_tokens"], output_tokens=found["output_tokens"])


def real_model(provider: Provider) -> RecordedChatModel:
    """The model that `provider.model` names, recorded.

    Raises:
        DemoError: Its package or its key is missing.
    """
    name = provider.model or ""
    try:
        inner = init_chat_model(name)
    except ImportError as error:
        raise DemoError(
            f"the model {name} needs a package that is not installed: "
            f"pip install {(error.name or 'langchain-' + name.partition(':')[0]).replace('_', '-')}"
        ) from error
    except Exception as error:  # what a missing key raises differs from provider to provider
        raise DemoError(
            f"the model {name} cannot be used ({type(error).__name__}): "
            "is its name right, and is the API key in the environment?"
        ) from error
    return RecordedChatModel(
        inner=inner, provider=provider, model_name=name.partition(":")[2] or name
    )
