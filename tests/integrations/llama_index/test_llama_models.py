"""Models behind `protect`: what reaches them and what comes back, in all twelve methods."""

import asyncio
import gc
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CitableBlock,
    CitationBlock,
    CompletionResponse,
    CompletionResponseGen,
    DocumentBlock,
    ImageBlock,
    LLMMetadata,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from hauberk import BlockedError, BudgetExceededError, Decision, Stage, Usage
from hauberk.testing import Reply, ToolCall
from hauberk_llama_index import protect
from hauberk_llama_index.testing import ScriptedLLM

ADDRESS = "ada.l@corp.example"
CHATS = ("chat", "achat", "stream_chat", "astream_chat")


async def _chatted(llm: Any, chat: str, messages: list[ChatMessage]) -> Any:
    """The answer of a chat method, or the last piece of its stream."""
    answer = getattr(llm, chat)(messages)
    answer = await answer if chat.startswith("a") else answer
    if "stream" in chat:
        answer = ([x async for x in answer] if chat.startswith("a") else list(answer))[-1]
    return answer


async def test_the_model_sees_a_pseudonym_and_the_reader_the_address(kit: Any, method: str) -> None:
    llm = protect(ScriptedLLM(replies=["Wrote to <EMAIL_1>, done."]), kit.guard(kit.Masks()))
    whole, streamed = await kit.ask(llm, method, f"Write to {ADDRESS}")
    assert "<EMAIL_1>" in llm.seen_text
    assert ADDRESS not in llm.seen_text
    assert whole == streamed == f"Wrote to {ADDRESS}, done."


async def test_the_tail_of_a_stream_is_flushed(kit: Any, method: str) -> None:
    llm = protect(ScriptedLLM(replies=["It is a < b and <EMAIL_"]), kit.guard(kit.Masks()))
    assert await kit.ask(llm, method, "x") == ("It is a < b and <EMAIL_",) * 2


async def test_a_plugin_that_cannot_stream_makes_the_stream_wait(kit: Any, method: str) -> None:
    llm = protect(ScriptedLLM(replies=["To <EMAIL_1>."]), kit.guard(kit.WholeMasks()))
    assert await kit.ask(llm, method, ADDRESS) == (f"To {ADDRESS}.",) * 2


async def test_with_nothing_to_do_an_answer_is_what_it_was(kit: Any, method: str) -> None:
    bare = ScriptedLLM(replies=["One two three."])
    guarded = protect(ScriptedLLM(replies=["One two three."]), kit.guard())
    assert await kit.ask(guarded, method, "x") == await kit.ask(bare, method, "x")


def test_delta_and_cumulative_text_agree_in_every_piece(kit: Any) -> None:
    llm = protect(ScriptedLLM(replies=["a <EMAIL_1> b <EMAIL_1> c"]), kit.guard(kit.Masks()))
    shown = ""
    for piece in llm.stream_chat([ChatMessage(ADDRESS)]):
        shown += piece.delta or ""
        assert (piece.message.content or "") == shown
    assert shown == f"a {ADDRESS} b {ADDRESS} c"


@pytest.mark.parametrize("chat", CHATS)
async def test_messages_of_the_caller_stay_as_they_are(kit: Any, chat: str) -> None:
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(kit.Masks()))
    messages = [ChatMessage(role="user", content=ADDRESS), _everything()]
    before = [message.model_dump() for message in messages]
    await _chatted(llm, chat, messages)
    assert [message.model_dump() for message in messages] == before
    assert ADDRESS not in llm.seen_text


def _everything() -> ChatMessage:
    """A message with a text in every place where one can be."""
    function = {"name": "mail", "arguments": f'{{"to": "{ADDRESS}"}}'}
    return ChatMessage(
        role="assistant",
        blocks=[
            TextBlock(text=ADDRESS),
            ImageBlock(image=b"\x89PNG"),
            DocumentBlock(data=b"%PDF", title=ADDRESS),
            CitableBlock(title=ADDRESS, source=ADDRESS, content=[TextBlock(text=ADDRESS)]),
            CitationBlock(
                cited_content=TextBlock(text=ADDRESS),
                source=ADDRESS,
                title=ADDRESS,
                additional_location_info={},
            ),
            ThinkingBlock(
                content=ADDRESS, additional_information={"note": ADDRESS, "signature": "c2ln"}
            ),
            ToolCallBlock(tool_call_id="1", tool_name="mail", tool_kwargs={"to": [ADDRESS]}),
            ToolCallBlock(tool_call_id="2", tool_name="mail", tool_kwargs=f'{{"to": "{ADDRESS}"}}'),
            ToolCallBlock(tool_call_id="3", tool_name="mail", tool_kwargs=f'{{"to": "{ADDRESS}'),
        ],
        additional_kwargs={
            "name": ADDRESS,
            "note": {"deep": [ADDRESS]},
            "tool_calls": [{"id": "4", "type": "function", "function": function}],
        },
    )


def test_every_kind_of_block_is_masked_and_nothing_else_is_lost(kit: Any) -> None:
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(kit.Masks()))
    llm.chat([_everything()])
    sent = llm.sent[0][0]
    expected = _everything().model_dump_json().replace(ADDRESS, "<EMAIL_1>")
    assert sent.model_dump_json() == expected


async def test_origins_say_who_wrote_what(kit: Any) -> None:
    book = kit.Book()
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(book=book))
    call = ToolCallBlock(tool_call_id="7", tool_name="search", tool_kwargs={"q": "x"})
    citable = CitableBlock(title="t", source="s", content=[TextBlock(text="c")])
    llm.chat(
        [
            ChatMessage(role="system", content="rules"),
            ChatMessage(role="developer", content="more rules"),
            ChatMessage(role="user", blocks=[TextBlock(text="question"), citable]),
            ChatMessage(role="assistant", blocks=[TextBlock(text="let me see"), call]),
            ChatMessage(role="tool", content="found", additional_kwargs={"tool_call_id": "7"}),
            ChatMessage(role="tool", content="more", additional_kwargs={"name": "web"}),
            ChatMessage(role="tool", content="whose?"),
        ]
    )
    found = [(s.text, s.origin) for s in book.entries[0].event.segments]
    document = "document:messages[2].blocks[1]"
    assert found == [
        ("rules", "developer"),
        ("more rules", "developer"),
        ("question", "user"),
        ("t", document),
        ("s", document),
        ("c", document),
        ("let me see", "model"),
        ("x", "model"),
        ("found", "tool:search"),
        ("more", "tool:web"),
        ("whose?", "tool:unknown"),
    ]


# --- tool calls in answers ----------------------------------------------------------------------


@pytest.mark.parametrize("style", ["json", "dict", "kwargs"])
@pytest.mark.parametrize("chat", CHATS)
async def test_arguments_of_tool_calls_come_back_in_clear(kit: Any, chat: str, style: str) -> None:
    wanted = {"to": "<EMAIL_1>", "body": 'say "hi" to <EMAIL_1>', "n": 2}
    reply = Reply(text="I mail <EMAIL_1>.", calls=(ToolCall(name="mail", arguments=wanted),))
    llm = protect(ScriptedLLM(replies=[reply], style=style), kit.guard(kit.Masks()))
    answer = await _chatted(llm, chat, [ChatMessage(ADDRESS)])
    (call,) = llm.get_tool_calls_from_response(answer)
    assert call.tool_kwargs == {"to": ADDRESS, "body": f'say "hi" to {ADDRESS}', "n": 2}
    assert answer.message.content == f"I mail {ADDRESS}."


@pytest.mark.parametrize("style", ["json", "dict", "kwargs"])
def test_a_streamed_tool_call_is_shown_only_when_it_was_checked(kit: Any, style: str) -> None:
    reply = Reply(text="Wait.", calls=(ToolCall(name="mail", arguments={"to": "<EMAIL_1>"}),))
    llm = protect(ScriptedLLM(replies=[reply], style=style), kit.guard(kit.Masks()))
    *pieces, last = llm.stream_chat([ChatMessage(ADDRESS)])
    asked = [llm.get_tool_calls_from_response(p, error_on_no_tool_call=False) for p in pieces]
    assert not any(asked)
    assert llm.get_tool_calls_from_response(last)


def test_escapes_survive_in_a_json_string(kit: Any) -> None:
    """A value with quotes and newlines put into JSON arguments leaves them JSON."""

    class Nasty:
        name = "nasty"
        stages = frozenset({Stage.COMPLETION})

        def inspect(self, event: Any) -> Decision:
            return Decision.rewrite(segments=[s.with_text('a"b\n\\c') for s in event.segments])

    reply = Reply(calls=(ToolCall(name="mail", arguments={"to": "x"}),))
    llm = protect(ScriptedLLM(replies=[reply], style="json"), kit.guard(Nasty()))
    (call,) = llm.get_tool_calls_from_response(llm.chat([ChatMessage("x")]))
    assert call.tool_kwargs == {"to": 'a"b\n\\c'}


# --- one call is one call -----------------------------------------------------------------------


class Nested(CustomLLM):
    """A custom model: its chat methods call its completion methods."""

    calls: int = 0

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="nested")

    @llm_completion_callback()  # pyright: ignore[reportUntypedFunctionDecorator]  # theirs
    def complete(self, prompt: str, *args: Any, **kwargs: Any) -> CompletionResponse:
        assert ADDRESS not in prompt
        self.calls += 1
        return CompletionResponse(text="to <EMAIL_1>", raw={"usage": {"input_tokens": 3}})

    @llm_completion_callback()  # pyright: ignore[reportUntypedFunctionDecorator]  # theirs
    def stream_complete(self, prompt: str, *args: Any, **kwargs: Any) -> CompletionResponseGen:
        assert ADDRESS not in prompt
        self.calls += 1

        def pieces() -> CompletionResponseGen:
            text = ""
            for char in "to <EMAIL_1>":
                text += char
                yield CompletionResponse(text=text, delta=char)

        return pieces()


async def test_a_model_whose_methods_call_each_other_is_guarded_once(kit: Any, method: str) -> None:
    budget, book = kit.Calls(1), kit.Book()
    llm = protect(Nested(), kit.guard(kit.Masks(), budget, book=book))
    assert await kit.ask(llm, method, ADDRESS) == (f"to {ADDRESS}",) * 2
    assert (budget.spent, llm.calls) == (1, 1)
    assert book.stages() == ["prompt", "completion"]


async def test_the_providers_counts_are_settled(kit: Any, method: str) -> None:
    budget = kit.Calls(5)
    llm = protect(ScriptedLLM(replies=["12345678"]), kit.guard(budget))
    await kit.ask(llm, method, "1234")
    assert budget.usage == [Usage(input_tokens=1, output_tokens=2)]


# --- structured answers -------------------------------------------------------------------------


class Letter(BaseModel):
    """A letter."""

    to: str
    copies: list[str] = []


class Direct(ScriptedLLM):
    """A provider that calls its service directly in the structured methods, as some do."""

    def structured_predict(
        self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any
    ) -> Any:
        messages = prompt.format_messages(**prompt_args)
        self._reply(messages, {})
        return output_cls(to="<EMAIL_1>", copies=["<EMAIL_1>"])

    async def astructured_predict(
        self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any
    ) -> Any:
        return self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)

    def stream_structured_predict(
        self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any
    ) -> Any:
        yield output_cls(to="<EM")
        yield self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)

    async def astream_structured_predict(
        self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any
    ) -> Any:
        async def pieces() -> Any:
            for one in self.stream_structured_predict(output_cls, prompt, None, **prompt_args):
                yield one

        return pieces()


async def _predicted(llm: Any, name: str, prompt: str) -> Any:
    found = getattr(llm, name)(Letter, PromptTemplate("Write to {who} {{x}}"), who=prompt)
    found = await found if name.startswith("a") else found
    if "stream" in name:
        found = ([x async for x in found] if name.startswith("a") else list(found))[-1]
    return found


STRUCTURED = (
    "structured_predict",
    "astructured_predict",
    "stream_structured_predict",
    "astream_structured_predict",
)


@pytest.mark.parametrize("name", STRUCTURED)
@pytest.mark.parametrize("kind", [Direct, ScriptedLLM])
async def test_structured_answers_are_masked_and_restored(kit: Any, kind: Any, name: str) -> None:
    wanted = {"to": "<EMAIL_1>", "copies": ["<EMAIL_1>"]}
    reply = Reply(calls=(ToolCall(name="Letter", arguments=wanted),))
    budget = kit.Calls(1)
    # LlamaIndex's own streaming of objects reads the older place of tool calls only.
    style = "kwargs" if "stream" in name else "json"
    llm = protect(kind(replies=[reply], style=style), kit.guard(kit.Masks(), budget))
    letter = await _predicted(llm, name, ADDRESS)
    assert (letter.to, letter.copies) == (ADDRESS, [ADDRESS])
    assert llm.seen
    assert ADDRESS not in llm.seen_text
    assert budget.spent == 1


@pytest.mark.parametrize("kind", [Direct, ScriptedLLM])
async def test_a_model_wrapped_for_structured_answers_is_guarded(kit: Any, kind: Any) -> None:
    reply = Reply(calls=(ToolCall(name="Letter", arguments={"to": "<EMAIL_1>"}),))
    inner = kind(replies=[reply])
    llm = protect(inner.as_structured_llm(Letter), kit.guard(kit.Masks()))
    answer = await llm.achat([ChatMessage(f"Write to {ADDRESS} {{x}}")])
    assert answer.raw.to == ADDRESS
    assert ADDRESS not in inner.seen_text


# --- budgets ------------------------------------------------------------------------------------


class Slow(ScriptedLLM):
    """A model that takes its time, so that calls really overlap."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        time.sleep(0.02)
        return super().chat(messages, **kwargs)

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.02)
        return await super().achat(messages, **kwargs)

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.02)
        return await super().astream_chat(messages, **kwargs)


@pytest.mark.parametrize("chat", ["achat", "astream_chat"])
async def test_eight_tasks_do_not_pass_a_budget_for_one(kit: Any, chat: str) -> None:
    budget = kit.Calls(1)
    llm = protect(Slow(replies=["ok"]), kit.guard(budget))
    found = await asyncio.gather(
        *(kit.ask(llm, chat, "x") for _ in range(8)), return_exceptions=True
    )
    assert [type(x) for x in found].count(BudgetExceededError) == 7
    assert len(llm.seen) == 1
    assert not budget.open


def test_eight_threads_do_not_pass_a_budget_for_one(kit: Any) -> None:
    budget = kit.Calls(1)
    llm = protect(Slow(replies=["ok"]), kit.guard(budget))

    def call(_: int) -> str:
        try:
            return str(llm.chat([ChatMessage("x")]).message.content)
        except BudgetExceededError:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(call, range(8)))
    assert found == ["ok", *["refused"] * 7]
    assert len(llm.seen) == 1


def test_threads_never_get_each_others_values(kit: Any) -> None:
    """One shared model, many threads, the same pseudonym in each session."""
    llm = protect(ScriptedLLM(replies=["to <EMAIL_1>"]), kit.guard(kit.Masks()))

    def call(number: int) -> bool:
        address = f"user{number}@corp.example"
        whole = "".join(p.delta or "" for p in llm.stream_chat([ChatMessage(address)]))
        return whole == f"to {address}"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(64)))
    assert "@" not in llm.seen_text


async def test_a_model_that_fails_frees_its_reservation(kit: Any, method: str) -> None:
    class Broken:
        def reply(self, turns: Sequence[Any], tools: Sequence[Any]) -> Reply:
            raise RuntimeError("provider down")

    budget = kit.Calls(9)
    llm = ScriptedLLM(replies=["x"])
    llm._brain = Broken()
    protect(llm, kit.guard(budget))
    with pytest.raises(RuntimeError, match="provider down"):
        await kit.ask(llm, method, "x")
    assert not budget.open


def test_an_abandoned_stream_frees_its_reservation(kit: Any) -> None:
    budget = kit.Calls(9)
    llm = protect(ScriptedLLM(replies=["a long answer"]), kit.guard(budget))
    stream = llm.stream_chat([ChatMessage("x")])
    next(stream)
    assert budget.open
    stream.close()
    assert not budget.open


async def test_an_abandoned_async_stream_frees_its_reservation(kit: Any) -> None:
    budget = kit.Calls(9)
    llm = protect(ScriptedLLM(replies=["a long answer"]), kit.guard(budget))
    stream = await llm.astream_chat([ChatMessage("x")])
    await anext(stream)
    await stream.aclose()
    assert not budget.open


async def test_a_stream_that_nobody_reads_frees_its_reservation(kit: Any) -> None:
    budget = kit.Calls(9)
    llm = protect(ScriptedLLM(replies=["a"]), kit.guard(budget))
    streams = [llm.stream_chat([ChatMessage("x")]), await llm.astream_chat([ChatMessage("x")])]
    assert len(budget.open) == 2
    del streams
    gc.collect()
    assert not budget.open


# --- refusals -----------------------------------------------------------------------------------


async def test_a_refused_prompt_never_reaches_the_model(kit: Any, method: str) -> None:
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard(kit.Calls(0)))
    with pytest.raises(BudgetExceededError):
        await kit.ask(llm, method, "x")
    assert not llm.seen


async def test_after_a_stop_the_session_stays_closed(kit: Any, method: str) -> None:
    guard = kit.guard(kit.Calls(0))
    llm = protect(ScriptedLLM(replies=["ok"]), guard)
    other = protect(ScriptedLLM(replies=["ok"]), guard)
    with guard.session():
        for one in (llm, other):
            with pytest.raises(BlockedError):
                await kit.ask(one, method, "x")


@pytest.mark.parametrize("depth", [100, 5_000])
def test_a_message_nested_too_deeply_is_refused(kit: Any, depth: int) -> None:
    deep: Any = "x"
    for _ in range(depth):
        deep = [deep]
    llm = protect(ScriptedLLM(replies=["ok"]), kit.guard())
    message = ChatMessage("x")
    message.additional_kwargs = {"deep": deep}
    with pytest.raises(BlockedError):
        llm.chat([message])
    assert not llm.seen


@pytest.mark.parametrize("style", ["json", "dict"])
@pytest.mark.parametrize("chat", CHATS)
async def test_an_answer_nested_too_deeply_is_refused(kit: Any, chat: str, style: Any) -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"a": deep}
    budget, book = kit.Calls(9), kit.Book()
    reply = Reply(text="x", calls=(ToolCall(name="t", arguments={"a": deep}),))
    llm = protect(ScriptedLLM(replies=[reply], style=style), kit.guard(budget, book=book))
    with pytest.raises(BlockedError):
        await _chatted(llm, chat, [ChatMessage("x")])
    assert not budget.open
    assert not book.entries[-1].decision.passes


def test_a_stream_without_deltas_is_shown_whole_at_its_end(kit: Any) -> None:
    class Cumulative(ScriptedLLM):
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)

        def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
            for text in ('{"to": ""}', '{"to": "<EMAIL_1>"}'):
                yield ChatResponse(message=ChatMessage(role="assistant", content=text))

    guard = kit.guard(kit.Masks())
    llm = protect(Cumulative(replies=["x"]), guard)
    with guard.session():
        llm.chat([ChatMessage(ADDRESS)])
        (piece,) = llm.stream_chat([ChatMessage(ADDRESS)])
    assert piece.message.content == f'{{"to": "{ADDRESS}"}}'
    assert piece.delta is None
