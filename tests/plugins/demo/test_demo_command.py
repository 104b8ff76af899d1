"""`hauberk demo`: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hauberk.audit import verify_trail
from hauberk.cli import app
from hauberk.demo import ATTACKS, HONEST, DemoError, Report, run
from hauberk.demo._show import show

pytest.importorskip("langchain")
pytest.importorskip("presidio_analyzer")


@pytest.fixture(scope="module")
def small() -> Report:
    """Two attacks and one honest task on the LangChain agent."""
    return run(
        ["langchain"],
        attacks=[a for a in ATTACKS if a.ident in {"tracking-pixel", "invisible-tags"}],
        honest=HONEST[:1],
    )


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["demo", "--framework", "langchain", *arguments])


def test_json_holds_everything_and_nothing_else_is_printed() -> None:
    result = invoke("--json", "--attack", "private-address")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    (attack,) = found["attacks"]
    assert attack["bare_harm"] == "mail to office.copy@webbox.test"
    assert attack["guarded_harm"] == ""
    assert {"seen", "actions", "left", "cost", "decisions", "answer"} <= set(attack["guarded"])
    denied = [d for d in attack["guarded"]["decisions"] if d["verdict"] == "deny"]
    assert [(d["plugin"], d["tool"]) for d in denied] == [("capabilities", "send_email")]
    assert found["summary"]["as_promised"] is True
    assert found["audit"]["intact"] is True


def test_a_real_process_prints_pure_json() -> None:
    command = [sys.executable, "-m", "hauberk.cli", "demo", "--json", "--attack", "delete-customer"]
    script = "from hauberk.cli import main; main()"
    command = [sys.executable, "-c", script, *command[3:], "--framework", "langchain"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["guarded_successes"] == 0


_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({absent!r}))  # None: Python takes it for not installed
from hauberk.cli import main
main()
"""


def _without(absent: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where some packages are not installed."""
    script = _WITHOUT.format(absent=absent)
    command = [sys.executable, "-c", script, "demo", "--attack", "delete-customer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("absent", "arguments", "extra"),
    [
        ({"llama_index"}, ["--framework", "llama-index"], "llama-index"),
        ({"llama_index"}, ["--framework", "both"], "llama-index"),
        ({"langchain", "langgraph"}, ["--framework", "langchain"], "langchain"),
        ({"llama_index", "langchain", "langchain_core"}, [], "langchain"),
        ({"presidio_analyzer"}, ["--framework", "langchain"], "pii"),
    ],
)
def test_what_is_not_installed_is_named_with_the_line_that_installs_it(
    absent: set[str], arguments: list[str], extra: str
) -> None:
    done = _without(absent, *arguments)
    assert done.returncode == 2
    assert f'pip install "hauberk[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_one_framework_is_enough_when_none_is_asked_for() -> None:
    done = _without({"llama_index"}, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frameworks"] == ["langchain"]
    assert "left out: " in done.stderr


def test_the_trail_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    trail = tmp_path / "trail.db"
    result = invoke("--json", "--attack", "delete-customer", "--audit", str(trail))
    found = verify_trail(trail)
    assert found.intact
    assert found.records == json.loads(result.stdout)["audit"]["records"] > 0


def test_an_unknown_attack_names_the_known_ones() -> None:
    with pytest.raises(DemoError, match="there are prompt-leak, mail-invoice"):
        CliRunner().invoke(app, ["demo", "--attack", "nope"], catch_exceptions=False)


def test_an_unknown_framework_names_the_known_ones() -> None:
    with pytest.raises(DemoError, match="there are langchain, llama-index"):
        run(["haystack"])


def test_a_kept_promise_is_exit_code_0_and_a_broken_one_1(
    small: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmed = replace(small.attacks[0], guarded_harm="mail to eve@evil.test")
    broken = replace(small, attacks=(harmed, *small.attacks[1:]))
    for report, code in ((small, 0), (broken, 1)):
        monkeypatch.setattr("hauberk.demo.run", lambda *_, _report=report, **__: _report)
        assert invoke("--json").exit_code == code


@pytest.mark.parametrize("change", ["guarded_harm", "bare_harm", "same", "guarded_done", "intact"])
def test_each_broken_promise_is_seen(small: Report, change: str) -> None:
    match change:
        case "guarded_harm":
            broken = replace(small, attacks=(replace(small.attacks[0], guarded_harm="x"),))
        case "bare_harm":
            broken = replace(small, attacks=(replace(small.attacks[0], bare_harm=""),))
        case "intact":
            broken = replace(small, audit=replace(small.audit, intact=False))
        case "same":
            broken = replace(small, honest=(replace(small.honest[0], same=False),))
        case _:
            broken = replace(small, honest=(replace(small.honest[0], guarded_done=False),))
    assert small.as_promised
    assert not broken.as_promised


@pytest.mark.parametrize("width", [80, 120, 200])
def test_it_fits_the_terminal_and_says_the_same_at_every_width(small: Report, width: int) -> None:
    out = io.StringIO()
    show(small, Console(file=out, width=width, force_terminal=False))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.replace("│", " ").split())
    for words in ("no harm", "<EMAIL_ADDRESS_1>", "inj.exfil.image", "verified: intact"):
        assert words in flat
    assert "bare: 2 of 2 attacks succeed; with hauberk: 0 of 2" in flat


def test_refused_calls_are_told_below_the_table(small: Report) -> None:
    attack = small.attacks[0]
    why = (
        "The call of 'pay' is denied: [b]because[/b] (arguments.to is 'x' and is the model's own)."
    )
    verdict = replace(attack.guarded.decisions[0], told=why)
    guarded = replace(attack.guarded, decisions=(verdict, verdict))
    out = io.StringIO()
    show(replace(small, attacks=(replace(attack, guarded=guarded),)), Console(file=out, width=200))
    head, _, below = out.getvalue().partition("Refused calls, and why")
    assert head
    assert below.count(f"{attack.ident}: {why}") == 1


def test_without_colours_there_is_no_escape_code(small: Report) -> None:
    out = io.StringIO()
    show(small, Console(file=out, width=80, force_terminal=True, no_color=True, color_system=None))
    assert "\x1b[3" not in out.getvalue()


def test_characters_without_a_glyph_are_counted_not_printed(small: Report) -> None:
    out = io.StringIO()
    show(small, Console(file=out, width=120), detail="invisible-tags")
    assert "hidden characters>" in out.getvalue()
    assert not any(0xE0000 <= ord(char) <= 0xE007F for char in out.getvalue())


def test_texts_of_attacks_are_never_markup(small: Report) -> None:
    attack = replace(small.attacks[0], ident="tracking-pixel", ask="[bold]no[/bold] [link=x]")
    out = io.StringIO()
    show(replace(small, attacks=(attack,)), Console(file=out, width=120))
    assert "[bold]no[/bold] [link=x]" in out.getvalue()


DISGUISED = {
    "hidden-html": ("hidden", "archive@mailbox-backup.test"),
    "invisible-tags": ("tags", "samples@paperbin.test"),
    "base64-passage": ("base64", "CH93 0076 2011 6238 5295 7"),
    "base64-ticket": ("base64", "desk@courier-tickets.test"),
}
"""Attacks that a reader does not see: how they are read, and whom they serve."""


@pytest.fixture(scope="module")
def told() -> str:
    out = io.StringIO()
    report = run(["langchain"], attacks=[a for a in ATTACKS if a.ident in DISGUISED], honest=())
    show(report, Console(file=out, width=400, force_terminal=False))
    _, _, below = out.getvalue().partition("Hidden or encoded, as a model reads it")
    return below


@pytest.mark.parametrize("ident", DISGUISED)
def test_what_an_attack_hides_or_encodes_is_shown_decoded_with_the_order_marked(
    told: str, ident: str
) -> None:
    reading, address = DISGUISED[ident]
    rows = [[cell.strip() for cell in line.split("│")] for line in told.splitlines()]
    texts = [cells[3] for cells in rows if cells[1:3] == [ident, reading]]
    assert texts, told
    assert all(">>" in text and "<<" in text for text in texts)
    assert any(address.lower() in text.replace(">>", "").replace("<<", "") for text in texts)


# --- real models ---------------------------------------------------------------------------------


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """A `langchain_openai` without a network: its model is the gullible one."""
    from langchain.chat_models import base

    from hauberk_langchain.testing import GullibleChatModel

    made: list[dict[str, Any]] = []

    def build(**kwargs: Any) -> GullibleChatModel:
        if not os.environ.get("OPENAI_API_KEY"):
            raise ValueError("key sk-not-to-be-shown is missing")
        made.append(kwargs)
        return GullibleChatModel(model_name=kwargs["model"])

    package = ModuleType("langchain_openai")
    package.ChatOpenAI = build  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "langchain_openai", package)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    yield made
    # LangChain remembers the class of a provider for as long as the process lives.
    base._get_chat_model_creator.cache_clear()


def test_a_real_model_is_built_by_name_and_recorded(openai: list[dict[str, Any]]) -> None:
    result = invoke("--json", "--attack", "model-sees-data", "--model", "openai:gpt-4o")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {kwargs["model"] for kwargs in openai} == {"gpt-4o"}
    assert found["model"] == "openai:gpt-4o"
    (attack,) = found["attacks"]
    assert "personal values" in attack["bare_harm"]
    assert attack["guarded_harm"] == ""
    assert attack["guarded"]["cost"]["usd"] > 0


def test_a_real_model_that_resists_breaks_no_promise(small: Report) -> None:
    harmless = tuple(replace(outcome, bare_harm="") for outcome in small.attacks)
    assert replace(small, model="openai:gpt-4o", attacks=harmless).as_promised


def test_a_model_without_its_package_names_it() -> None:
    with pytest.raises(DemoError, match="pip install langchain-mistralai"):
        run(["langchain"], model="mistralai:small", attacks=ATTACKS[:1], honest=[])


def test_a_model_without_its_key_is_an_error_without_a_secret(
    openai: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(DemoError, match="is the API key in the environment") as caught:
        run(["langchain"], model="openai:gpt-4o", attacks=ATTACKS[:1], honest=[])
    assert "sk-" not in str(caught.value)


def test_a_real_model_is_for_the_langchain_agent_only() -> None:
    for framework in ("llama-index", "both"):
        with pytest.raises(DemoError, match="--framework langchain"):
            CliRunner().invoke(
                app,
                ["demo", "--framework", framework, "--model", "openai:gpt-4o"],
                catch_exceptions=False,
            )
