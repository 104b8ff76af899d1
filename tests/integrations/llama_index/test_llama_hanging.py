"""A tool that hangs keeps neither its run nor its process waiting."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, threading
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.types import BaseTool, ToolMetadata, ToolOutput

from hauberk import Guard
from hauberk.testing import Reply, ToolCall
from hauberk_llama_index import protect
from hauberk_llama_index.testing import ScriptedLLM


def look(input: str = "") -> str:
    threading.Event().wait()
    return "never"


class Bare(BaseTool):
    @property
    def metadata(self) -> ToolMetadata:
        return ToolMetadata(name="look", description="Look.")

    def __call__(self, input: object) -> ToolOutput:
        look()
        raise AssertionError


guard = Guard.from_policy(
    {"version": 1, "pii": False, "capabilities": {"tools": {"look": {"timeout_s": 0.2}}}}
)
llm = ScriptedLLM(replies=[Reply(calls=(ToolCall(name="look", arguments={"input": "x"}),)), "Went on."])
tool = {"function": lambda: FunctionTool.from_defaults(look), "bare": Bare}[KIND]()
agent = protect(FunctionAgent(tools=[tool], llm=llm), guard)


async def main() -> None:
    print(await agent.run("Look"))


asyncio.run(main())
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["function", "bare"])
def test_a_sync_tool_that_hangs_keeps_no_process_alive(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"KIND = {kind!r}\n{PROGRAM}"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Went on."), done.stderr
