"""The shape of a structured answer is no tool of the application; and calls without an input."""

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from hauberk import Guard
from hauberk.testing import Reply, ToolCall
from hauberk_llama_index import install, protect, uninstall
from hauberk_llama_index.testing import ScriptedLLM


class Place(BaseModel):
    """What is to be filled with."""

    mail: str


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    uninstall()


def guard() -> Guard:
    return Guard.from_policy({"version": 1, "capabilities": {"tools": {}}})


def _llm() -> ScriptedLLM:
    call = ToolCall(name="Place", arguments={"mail": "<EMAIL_ADDRESS_1>"})
    return ScriptedLLM(replies=[Reply(calls=(call,)), "Done."])


@pytest.mark.parametrize("sync", [True, False])
async def test_a_structured_answer_needs_no_rule_when_hauberk_is_installed(*, sync: bool) -> None:
    llm, prompt = _llm(), PromptTemplate("Who? {who}")
    install(guard())
    if sync:
        answer = llm.structured_predict(Place, prompt, who="ada@example.com")
    else:
        answer = await llm.astructured_predict(Place, prompt, who="ada@example.com")
    assert answer.mail == "ada@example.com"
    assert "ada@" not in llm.seen_text


@pytest.mark.parametrize("door", ["protect", "install"])
async def test_an_agents_tool_of_that_kind_needs_its_rule(kit: Any, door: str) -> None:
    tools: list[Any] = [get_function_tool(Place)]
    agent = FunctionAgent(tools=tools, llm=_llm())
    if door == "install":
        install(guard())
    else:
        protect(agent, guard())
    result, events = await kit.run(agent, "Fill it in")
    assert str(result) == "Done."
    (told,) = [event.tool_output for event in events if isinstance(event, ToolCallResult)]
    assert told.is_error
    assert "Place" in told.content


@pytest.mark.parametrize("method", ["complete", "stream_complete"])
def test_a_call_without_a_prompt_fails_as_it_did(method: str) -> None:
    call: Any = getattr(protect(_llm(), guard()), method)
    with pytest.raises(ValueError, match="missing"):
        call()
