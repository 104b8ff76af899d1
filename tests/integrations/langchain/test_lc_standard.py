"""LangChain's standard suites (langchain-tests): a protected model and tool pass what the bare ones pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, tool
from langchain_tests.integration_tests import (
    ChatModelIntegrationTests,
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
)
from langchain_tests.unit_tests import ChatModelUnitTests, ToolsUnitTests

from hauberk import Guard, Policy
from hauberk.testing._brain import Reply, ToolCall, ToolSpec, Turn
from hauberk_langchain import HauberkCallbackHandler, protect
from hauberk_langchain._seam import guards_of
from hauberk_langchain.testing import BrainChatModel

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.benchmark(max_time=0.01, min_rounds=1),  # this is no benchmark
]

GUARD = Guard(Policy(version=1, audit=False, capabilities=False))
"""Screening, masking, budgets: what works on everything that goes through."""


class Obedient:
    """Calls the first tool that it is offered, with arguments that fit its schema."""

    def reply(self, turns: Sequence[Turn], tools: Sequence[ToolSpec]) -> Reply:
        if not tools or turns[-1].role == "tool":
            return Reply(text="Hello there, this is what I found.")
        number = re.search(r"\d+", turns[-1].text)
        schema: Any = tools[0].parameters
        made = {
            name: int(number[0]) if number and field.get("type") == "integer" else turns[-1].text
            for name, field in schema.get("properties", {}).items()
        }
        return Reply(text="", calls=(ToolCall(name=tools[0].name, arguments=made),))


PROTECTED: Any = type(protect(BrainChatModel(brain=Obedient()), GUARD))
"""The class of protected models: what is built of it is protected."""


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Shelf(BaseRetriever):
    """As many documents as are asked for."""

    k: int = 3

    def _get_relevant_documents(
        self, query: str, *, run_manager: Any, k: int | None = None
    ) -> list[Document]:
        return [Document(f"about {query}")] * (k or self.k)


class Model:
    """A chat model that answers, streams and calls tools."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return BrainChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"brain": Obedient()}


class TestBareModel(Model, ChatModelUnitTests):
    """The model as it is."""


class TestProtectedModel(TestBareModel):
    """The same model, protected."""

    @property
    def chat_model_class(self) -> Any:
        return PROTECTED

    def test_it_is_protected(self, model: BaseChatModel) -> None:
        assert guards_of(model) == (GUARD,)


class TestBareModelAtWork(Model, ChatModelIntegrationTests):
    """The model as it is, run."""


class TestProtectedModelAtWork(TestBareModelAtWork):
    """The same model, protected."""

    @property
    def chat_model_class(self) -> Any:
        return PROTECTED


class TestModelWithHandlerAtWork(TestBareModelAtWork):
    """The same model, with the callback handler."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "callbacks": [HauberkCallbackHandler(GUARD)]}


class Tool:
    """A plain tool."""

    @property
    def tool_constructor(self) -> BaseTool:
        return add

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"a": 1, "b": 2}


class TestBareTool(Tool, ToolsUnitTests):
    """The tool as it is."""


class TestProtectedTool(TestBareTool):
    """The same tool, protected."""

    @property
    def tool_constructor(self) -> BaseTool:
        return protect(add.model_copy(), GUARD)


class TestBareToolAtWork(Tool, ToolsIntegrationTests):
    """The tool as it is, run."""


class TestProtectedToolAtWork(TestBareToolAtWork):
    """The same tool, protected."""

    @property
    def tool_constructor(self) -> BaseTool:
        return protect(add.model_copy(), GUARD)


class TestBareRetriever(RetrieversIntegrationTests):
    """The retriever as it is."""

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return Shelf

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {}

    @property
    def retriever_query_example(self) -> str:
        return "chain mail"


class TestProtectedRetriever(TestBareRetriever):
    """The same retriever, protected."""

    @pytest.fixture
    def retriever(self) -> BaseRetriever:
        return protect(Shelf(), GUARD)

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return type(protect(Shelf(), GUARD))
