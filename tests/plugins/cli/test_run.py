"""`hauberk run`: a program that knows nothing of hauberk is guarded, in either framework."""

import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from hauberk.cli import main; main()"
POLICY = "version: 1\ninjection: off\ncapabilities: {tools: {look: {}}}\n"

LANGCHAIN = """
import sys
from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import tool

@tool
def drop(table: str) -> str:
    "Drop a table."
    return "dropped"

seen = []
class Model(FakeListChatModel):
    def _call(self, messages, *args, **kwargs):
        seen.append(messages[-1].content)
        return super()._call(messages, *args, **kwargs)

print(Model(responses=["ok"]).invoke("mail ada@example.com").content, seen, sys.argv)
try:
    print(drop.invoke({"table": "users"}))
except Exception as error:
    print(type(error).__name__)
sys.exit(3)
"""

LLAMA = """
from llama_index.core.tools import FunctionTool
print(FunctionTool.from_defaults(lambda: "dropped", name="drop", description="d").call().is_error)
"""

NEITHER = """
import sys
assert not [m for m in sys.modules if m.startswith(("langchain", "llama_index"))]
print(__name__, __file__.endswith("app.py"), sys.path[0])
"""


def run(folder: Path, *arguments: str, policy: str = POLICY) -> subprocess.CompletedProcess[str]:
    (folder / "policy.yaml").write_text(policy)
    command = [sys.executable, "-c", MAIN, "run", "--policy", "policy.yaml", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_langchain_program_is_guarded_and_keeps_its_arguments_and_exit_code(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(LANGCHAIN)
    done = run(tmp_path, "app.py", "--policy", "mine")
    assert done.stdout.splitlines() == [
        "ok ['mail <EMAIL_ADDRESS_1>'] ['app.py', '--policy', 'mine']",
        "RunBlockedError",
    ]
    assert done.returncode == 3


def test_a_llama_index_program_is_guarded(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(LLAMA)
    done = run(tmp_path, "app.py")
    assert done.stdout == "True\n", done.stderr


def test_no_framework_is_loaded_for_a_program_that_uses_none(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(NEITHER)
    done = run(tmp_path, "app.py")
    assert done.stdout == f"__main__ True {tmp_path.resolve()}\n", done.stderr


def test_a_module_runs_as_python_m_runs_it(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__main__.py").write_text("import sys; print(__name__, sys.argv[1:])")
    done = run(tmp_path, "-m", "pack", "a", "-b")
    assert done.stdout == "__main__ ['a', '-b']\n", done.stderr


@pytest.mark.parametrize(
    ("policy", "program", "why"),
    [("version: 2", "app.py", "policy.yaml"), (POLICY, "none.py", "no file")],
)
def test_what_cannot_be_guarded_does_not_run(
    tmp_path: Path, policy: str, program: str, why: str
) -> None:
    (tmp_path / "app.py").write_text("print('ran')")
    done = run(tmp_path, program, policy=policy)
    assert done.returncode == 2
    assert "ran" not in done.stdout
    assert why in done.stderr
