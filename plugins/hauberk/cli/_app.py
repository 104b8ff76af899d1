"""The application: its commands, and what becomes of errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hauberk.cli._audit import audit
from hauberk.cli._group import Commands
from hauberk.cli._policy import policy
from hauberk.cli._rules import rules
from hauberk.cli._run import run
from hauberk.cli._screen import screen
from hauberk.cli.demo import demo
from hauberk.errors import HauberkError

EXIT_FAILED = 2
"""The command could not do its work."""

app = typer.Typer(
    name="hauberk",
    cls=Commands,
    help="Security around LangChain and LlamaIndex applications.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(audit, name="audit")
app.add_typer(policy, name="policy")
app.add_typer(rules, name="rules")


@app.command("version")
def show_version(
    *, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Print the version of hauberk."""
    from hauberk import __version__  # noqa: PLC0415 - reads the package's metadata
    from hauberk.cli._output import say, say_json  # noqa: PLC0415 - keeps --help fast

    if as_json:
        say_json({"version": __version__})
    else:
        say(f"hauberk {__version__}")


app.command("demo")(demo)
app.command("screen")(screen)
# What follows the program's name is the program's.
app.command("run", context_settings={"allow_interspersed_args": False})(run)


def main() -> None:
    """Run the command line: the entry point `hauberk`."""
    try:
        app()
    except HauberkError as error:
        from hauberk.cli._output import complain  # noqa: PLC0415 - keeps --help fast

        complain(str(error))
        sys.exit(EXIT_FAILED)
