"""`hauberk policy`: the schema of policies, whether one is right, why it decides as it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hauberk.cli._explain import explain
from hauberk.cli._learn import learn

if TYPE_CHECKING:
    from hauberk.policy import Policy

policy = typer.Typer(
    help="Policies: their schema, checking, explaining and learning one.", no_args_is_help=True
)
policy.command("explain")(explain)
policy.command("learn")(learn)

_ROOMS = ("injection", "pii", "capabilities", "budget", "audit")


@policy.command("schema")
def schema() -> None:
    """Print the JSON Schema of policies, for editors and other tools."""
    import json  # noqa: PLC0415 - keeps --help fast

    from hauberk.policy import Policy  # noqa: PLC0415 - pydantic is slow to load

    print(json.dumps(Policy.model_json_schema(), indent=2))  # noqa: T201 - data, not prose


@policy.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="The policy file (YAML).")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say whether a policy can be used, what it switches on, and what looks unwise."""
    from hauberk.cli._output import console, say, say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.policy import load_policy  # noqa: PLC0415 - pydantic is slow to load

    found = load_policy(file)
    rooms = {name: getattr(found, name) is not False for name in _ROOMS}
    unwise = warnings(found)
    if as_json:
        say_json({"file": str(file), "name": found.name, "rooms": rooms, "warnings": unwise})
        return
    states = ", ".join(f"{name} {'on' if on else 'OFF'}" for name, on in rooms.items())
    say(f"{file}: ok ({found.name}): {states}")
    for line in unwise:
        console().print(f"[yellow]warning:[/yellow] {line}", soft_wrap=True)


def warnings(found: Policy) -> list[str]:
    """What a careful reader would ask about, one sentence each."""
    lines = [f"{name} is off" for name in _ROOMS if getattr(found, name) is False]
    if found.audit is not False and found.audit.path is None:
        lines.append("audit.path is not set: the trail is in memory and ends with the process")
    rooms = {name: getattr(found, name) for name in _ROOMS}
    named = {f"plugin {plugin.use}": plugin for plugin in found.plugins}
    for name, room in (rooms | named).items():
        if room is not False and room.on_error == "allow":
            lines.append(f"{name} has on_error: allow: when it fails, events pass unguarded")
    if found.capabilities is not False and not found.capabilities.tools:
        lines.append("capabilities.tools is empty: every tool call is denied")
    return lines
