"""`hauberk demo`: a small company under attack, bare and with hauberk."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hauberk.demo import Report


class Framework(StrEnum):
    """Whose agent is attacked."""

    LANGCHAIN = "langchain"
    LLAMA_INDEX = "llama-index"
    BOTH = "both"


def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    framework: Annotated[
        Framework | None,
        typer.Option(help="Whose agent is attacked. Default: both, as far as they are installed."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:NAME",
            help="A real model (LangChain's init_chat_model, with its key in the environment).",
        ),
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(help="Keep the audit trail in this file.", dir_okay=False)
    ] = None,
    attack: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this attack, in detail.")
    ] = None,
) -> None:
    """Attack a small company's agent: first bare, then with hauberk around it.

    Nothing leaves this machine, and no key is needed. Exit code 0: hauberk did what it promises.
    """
    from hauberk.cli._output import console, say_json  # noqa: PLC0415 - keeps --help fast

    report = _run(framework, model, audit, attack, quiet=as_json)
    if as_json:
        say_json(report.as_json())
    else:
        from hauberk.demo._show import show  # noqa: PLC0415 - keeps --help fast

        show(report, console(), detail=attack)
    raise typer.Exit(0 if report.as_promised else 1)


def _run(
    framework: Framework | None,
    model: str | None,
    audit: Path | None,
    attack: str | None,
    *,
    quiet: bool,
) -> Report:
    from rich.status import Status  # noqa: PLC0415 - keeps --help fast

    from hauberk.cli._output import console  # noqa: PLC0415
    from hauberk.demo import ATTACKS, DemoError, run  # noqa: PLC0415

    chosen = [one for one in ATTACKS if attack in (None, one.ident)]
    if not chosen:
        raise DemoError(
            f"no attack is called {attack!r}; there are {', '.join(a.ident for a in ATTACKS)}"
        )
    names = _frameworks(framework, model)
    with Status("", console=console(stderr=True)) as status:
        return run(
            names,
            model=model,
            audit=audit,
            attacks=chosen,
            on_task=None if quiet else lambda who, task: status.update(f"{who}: {task}"),
        )


def _frameworks(framework: Framework | None, model: str | None) -> list[str]:
    """The frameworks to run; what is not installed and not asked for is left out with a notice."""
    from hauberk.cli._output import complain  # noqa: PLC0415 - keeps --help fast
    from hauberk.demo import DemoError  # noqa: PLC0415
    from hauberk.demo._runner import scenarios  # noqa: PLC0415
    from hauberk.errors import MissingExtraError  # noqa: PLC0415

    if model is not None and framework in (Framework.LLAMA_INDEX, Framework.BOTH):
        raise DemoError("--model works with the LangChain agent only: --framework langchain")
    if framework not in (None, Framework.BOTH):
        return [framework.value]
    if model is not None:
        return [Framework.LANGCHAIN.value]
    found: list[str] = []
    missing: list[MissingExtraError] = []
    for name, load in scenarios().items():
        try:
            load()
        except MissingExtraError as error:
            missing.append(error)
        else:
            found.append(name)
    if missing and (framework is Framework.BOTH or not found):
        raise missing[0]
    for absent in missing:
        complain(f"left out: {absent}")
    return found
