"""What an application can be made of: one builder per surface.

Each builds a runnable of fresh parts, says how a conversation is given to it, and what can be asked
of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    ConfigurableField,
    Runnable,
    RunnableLambda,
    RunnablePassthrough,
)
from langchain_core.tools import BaseTool, tool
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import BaseModel

from hauberk.testing.matrix import ADA, ORDER, PEOPLE, CommonParts
from hauberk_langchain.matrix._modes import flat
from hauberk_langchain.matrix._world import OFFERED, Model, TextModel, Vectors, tools_of

PROMPT = frozenset(PEOPLE)
"""Attacks: personal data in a conversation."""
USER = frozenset({"PII in user text"})
MESSAGES = PROMPT | {"injection in history", "direct injection"}
RESTORED = frozenset({"restore in answer", "restore in stream"})
ARGUMENTS = frozenset({"restore in tool arguments", "restore in nested arguments"})
BUDGETED = frozenset({"call budget", "token budget", "money budget", "time budget"})
TOOLS = frozenset(
    {
        "injection in tool result",
        "denied tool",
        "denied argument",
        "unknown tool",
        "hidden tool called anyway",
        "flow from untrusted result to outside effect",
        "swallowed refusal",
    }
)
MODEL = MESSAGES | RESTORED | BUDGETED
AGENT = MODEL | ARGUMENTS | TOOLS


@dataclass
class Parts(CommonParts):
    """What a surface is built of."""

    middleware: list[Any] = field(default_factory=list[Any])
    models: list[Model] = field(default_factory=list[Model])

    def model(self) -> Model:
        """One more chat model of this application."""
        self.models.append(Model(brain=self.brain, trace=self.trace))
        return self.models[-1]

    def tools(self) -> list[BaseTool]:
        """The tools of its agent."""
        return [*tools_of(self.trace), *([_swallow(self.model())] if self.swallows else [])]


@dataclass(frozen=True, slots=True)
class Surface:
    """One kind of application."""

    name: str
    build: Callable[[Parts], Any]
    attacks: frozenset[str]
    give: Callable[[Sequence[BaseMessage]], Any] = list
    graph: bool = False
    chat: bool = False
    """A chat model or a graph: it has v3 events."""
    doors: frozenset[str] = frozenset({"handler", "protect", "install"})
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    needs: str = ""
    """A package that may not be installed."""
    modes: frozenset[str] | None = None
    """The modes that it has; None: all of its family."""
    waits: bool = True
    """Has a model that a cancelled call can be at."""


def _last(messages: Sequence[BaseMessage]) -> str:
    return flat(messages[-1])


def _state(messages: Sequence[BaseMessage]) -> Any:
    return {"messages": list(messages)}


def _texts(messages: Sequence[BaseMessage]) -> Any:
    return [flat(message) for message in messages]


def _swallow(model: Model) -> BaseTool:
    @tool
    def swallow() -> str:
        """Ask a model something bad, and say nothing of what came of it."""
        try:
            return flat(model.invoke(ORDER))
        except Exception:  # noqa: BLE001 - as bad applications do
            return "never mind"

    return swallow


class Place(BaseModel):
    """What structured output is to be filled with."""

    mail: str


class Broken(BaseChatModel):
    """A model whose provider is down."""

    @property
    def _llm_type(self) -> str:
        return "hauberk-broken"

    def _generate(self, *_: Any, **__: Any) -> Any:
        raise OSError("the provider is down")


class Flaky(Model):
    """A model that fails at every second call."""

    failed: bool = False

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        self.failed = not self.failed
        if self.failed:
            raise OSError("the provider is down")
        return super()._generate(*args, **kwargs)


def _flaky(parts: Parts) -> Any:
    model = Flaky(brain=parts.brain, trace=parts.trace)
    parts.models.append(model)
    return model.with_retry(stop_after_attempt=6, wait_exponential_jitter=False)


def _chain(parts: Parts) -> Any:
    return ChatPromptTemplate([("placeholder", "{messages}")]) | parts.model() | StrOutputParser()


def _agent(parts: Parts, **options: Any) -> Any:
    from langchain.agents import create_agent  # noqa: PLC0415 - needs `langchain`

    tools = options.pop("tools", None) or parts.tools()
    middleware = [*parts.middleware, _hiding()]
    return create_agent(parts.model(), tools, middleware=middleware, **options)


def _hiding() -> Any:
    from langchain.agents.middleware import wrap_model_call  # noqa: PLC0415 - needs `langchain`

    @wrap_model_call
    def hide(request: Any, handler: Any) -> Any:
        return handler(request.override(tools=_offered(request.tools)))

    @wrap_model_call
    async def ahide(request: Any, handler: Any) -> Any:
        return await handler(request.override(tools=_offered(request.tools)))

    both = type("hide", (type(hide),), {"awrap_model_call": type(ahide).awrap_model_call})
    return both()


def _offered(tools: Iterable[Any]) -> list[Any]:
    hidden = {"export"}
    return [one for one in tools if getattr(one, "name", None) not in hidden]


def _graph(parts: Parts) -> Any:
    from langgraph.graph import START, MessagesState, StateGraph  # noqa: PLC0415 - needs it
    from langgraph.prebuilt import ToolNode, tools_condition  # noqa: PLC0415 - needs it

    tools = parts.tools()
    model = parts.model().bind_tools([t for t in tools if t.name in {*OFFERED, "swallow"}])

    def ask(state: Any) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    async def aask(state: Any) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", cast("Any", RunnableLambda(ask, aask)))
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile()


def _executor(parts: Parts) -> Any:
    from langchain_classic.agents import (  # noqa: PLC0415 - may be absent
        AgentExecutor,
        create_tool_calling_agent,
    )

    prompt = ChatPromptTemplate(
        [("placeholder", "{history}"), ("human", "{input}"), ("placeholder", "{agent_scratchpad}")]
    )
    tools = parts.tools()
    return AgentExecutor(agent=create_tool_calling_agent(parts.model(), tools, prompt), tools=tools)


def _executor_input(messages: Sequence[BaseMessage]) -> Any:
    return {"history": list(messages[:-1]), "input": _last(messages)}


def _store(parts: Parts) -> InMemoryVectorStore:
    """Documents that were embedded long ago."""
    store = InMemoryVectorStore(Vectors(parts.trace))
    store.add_documents(
        [
            Document(page_content=f"Ask {PEOPLE['PII in history']}.", id="good"),
            Document(page_content=ORDER, id="bad", metadata={"title": ORDER}),
        ]
    )
    parts.trace.clear()
    return store


def _rag(parts: Parts) -> Any:
    retriever = _store(parts).as_retriever()
    prompt = ChatPromptTemplate([("human", "Known: {context}"), ("human", "{question}")])
    given = cast("Any", {"context": retriever | flat, "question": RunnablePassthrough()})
    return given | prompt | parts.model()


def _helper(parts: Parts) -> Any:
    inner = _plain_agent(parts)

    @tool
    def helper(question: str) -> str:
        """Ask another agent."""
        done = inner.invoke({"messages": [("user", question)]})
        return str(done["messages"][-1].text)

    return _agent(parts, tools=[helper])


def _plain_agent(parts: Parts) -> Any:
    from langchain.agents import create_agent  # noqa: PLC0415 - needs `langchain`

    return create_agent(parts.model(), parts.tools())


def _deep(parts: Parts) -> Any:
    from deepagents import create_deep_agent  # noqa: PLC0415 - may be absent

    helper: Any = {
        "name": "helper",
        "description": "Does the work.",
        "system_prompt": "Do it.",
        "tools": parts.tools(),
        "model": parts.model(),
    }
    return create_deep_agent(parts.model(), [], subagents=[helper], middleware=parts.middleware)


def _chosen_later(parts: Parts) -> Any:
    from langchain.chat_models import base  # noqa: PLC0415 - needs `langchain`

    # There is no public way to name a provider of one's own.
    known: Any = base._BUILTIN_PROVIDERS  # noqa: SLF001 - see above
    known.setdefault("hauberk", (__name__, "Model", _handed_out))
    return base.init_chat_model(
        "matrix",
        model_provider="hauberk",
        configurable_fields=("temperature",),
        handed=parts.model(),
    )


def _handed_out(*, handed: Model, **_: Any) -> Model:
    return handed


class Indexing(Runnable[Any, Any]):
    """A vector store as an application has it: texts go in, a question finds them."""

    def __init__(self, parts: Parts) -> None:
        self.store = InMemoryVectorStore(Vectors(parts.trace))

    def invoke(self, input: Any, config: Any = None, **_: Any) -> Any:  # noqa: A002, ARG002 - the interface
        """Index, then search."""
        self.store.add_texts(input)
        return [found.page_content for found in self.store.similarity_search(input[-1])]


def _direct(parts: Parts) -> Any:
    return parts.tools()[0]


def _call(messages: Sequence[BaseMessage]) -> Any:
    if ORDER in flat(messages[-1]):
        return {"to": "evil@attacker.example", "details": {}}
    return {"to": ADA, "details": {"cc": [ADA]}}


_ALL_DOORS = frozenset({"handler", "middleware", "protect", "install"})

SURFACES = (
    Surface("chat model", Parts.model, MODEL, chat=True),
    Surface(
        "string model",
        lambda p: TextModel(trace=p.trace),
        USER | RESTORED | BUDGETED | {"direct injection"},
        give=_last,
    ),
    Surface("chain (LCEL)", _chain, MODEL - {"restore in nested arguments"}, give=_state),
    Surface("create_agent", _agent, AGENT, give=_state, graph=True, chat=True, doors=_ALL_DOORS),
    Surface("StateGraph with ToolNode", _graph, AGENT, give=_state, graph=True, chat=True),
    Surface(
        "AgentExecutor",
        _executor,
        AGENT - {"unknown tool"},
        give=_executor_input,
        needs="langchain_classic",
    ),
    Surface(
        "RAG chain",
        _rag,
        USER
        | RESTORED
        | BUDGETED
        | {"direct injection", "injection in document", "PII in document"},
        give=_last,
    ),
    Surface(
        "retriever",
        lambda p: _store(p).as_retriever(),
        frozenset({"PII in user text", "injection in document"}),
        give=_last,
    ),
    Surface("tool called directly", _direct, ARGUMENTS | {"denied argument"}, give=_call),
    Surface(
        "sub-agent called from a tool",
        _helper,
        AGENT - {"swallowed refusal"},
        give=_state,
        graph=True,
        chat=True,
        doors=_ALL_DOORS,
    ),
    Surface(
        "sub-agent of deepagents",
        _deep,
        AGENT - {"swallowed refusal"},
        give=_state,
        graph=True,
        chat=True,
        doors=_ALL_DOORS,
        needs="deepagents",
    ),
    Surface("with_structured_output", lambda p: p.model().with_structured_output(Place), MODEL),
    Surface("with_fallbacks", lambda p: Broken().with_fallbacks([p.model()]), MODEL),
    Surface("with_retry", _flaky, MODEL),
    Surface("bind_tools", lambda p: p.model().bind_tools(tools_of(p.trace)), MODEL, chat=True),
    Surface(
        "configurable_fields",
        lambda p: p.model().configurable_fields(model_name=ConfigurableField(id="which")),
        MODEL,
        config={"configurable": {"which": "gullible"}},
    ),
    Surface("init_chat_model (configurable)", _chosen_later, MODEL),
    Surface(
        "embeddings at ingest",
        Indexing,
        frozenset({"PII in document"}) | BUDGETED,
        give=_texts,
        doors=frozenset({"protect", "install"}),
        modes=frozenset({"invoke", "ainvoke"}),
    ),
)
