"""`hauberk rules`: the rules that texts are screened with, and packs of your own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hauberk.injection._rules import RulePack
    from hauberk.injection._update import Traffic, Update

EXIT_FAILED = 1
"""An example does not hold, or something looks unwise."""

_SHOWN = 20
"""Changes that are listed; all of them with `--json`."""

rules = typer.Typer(
    help="Rules against prompt injection: list, test, lint, sign and update packs.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
OwnPack = Annotated[
    Path | None, typer.Option("--pack", help="A pack of your own (YAML), beside the shipped one.")
]
PublicKey = Annotated[Path, typer.Option("--key", help="Public key (PEM) that it is signed with.")]
Target = Annotated[
    Path, typer.Option("--to", help="The file that `injection.packs` of the policy names.")
]


@rules.command("list")
def list_rules(*, pack: OwnPack = None, as_json: AsJson = False) -> None:
    """List the rules: what each finds, in which texts, how grave it is."""
    from hauberk.cli._output import console, say, say_json  # noqa: PLC0415 - keeps --help fast

    loaded = _loaded(pack)
    if as_json:
        say_json([_plain(loaded, number) for number in range(len(loaded.rules))])
        return
    from rich.table import Table  # noqa: PLC0415 - keeps --help fast
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("rule", "severity", "origins", "language", "owasp / atlas", "explanation"):
        table.add_column(name, overflow="fold")
    for number in range(len(loaded.rules)):
        row = _plain(loaded, number)
        catalogues = f"{row['owasp']} {row['atlas']}"
        origins = ", ".join(row["origins"])
        cells = (row["id"], row["severity"], origins, row["language"], catalogues)
        table.add_row(*map(Text, (*cells, row["explanation"])))
    console().print(table)
    say(f"{len(loaded.rules)} rules, version {loaded.version}")


@rules.command("test")
def try_rules(*, pack: OwnPack = None, as_json: AsJson = False) -> None:
    """Try every rule on the texts that it must and must not find.

    Exit code 0: all hold. 1: one does not. 2: the pack cannot be used.
    """
    from hauberk.cli._output import say, say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.injection._update import check_examples  # noqa: PLC0415 - a room

    loaded = _loaded(pack)
    problems = [str(problem) for problem in check_examples(loaded)]
    count = sum(len(rule.match) + len(rule.no_match) for rule in loaded.rules)
    if as_json:
        say_json({"rules": len(loaded.rules), "examples": count, "problems": problems})
    else:
        for problem in problems:
            say(problem)
        say(f"{len(loaded.rules)} rules, {count} examples, {len(problems)} do not hold")
    if problems:
        raise typer.Exit(EXIT_FAILED)


@rules.command("lint")
def lint(
    pack: Annotated[Path, typer.Argument(help="The pack (YAML).")], *, as_json: AsJson = False
) -> None:
    """Say whether a pack can be used, and what looks unwise.

    Exit code 0: nothing to say. 1: something looks unwise. 2: it cannot be used; says why and where.
    """
    from hauberk.cli._output import say, say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.injection._lint import lint_pack  # noqa: PLC0415 - a room

    remarks = lint_pack(pack)
    if as_json:
        say_json({"file": str(pack), "remarks": remarks})
    else:
        for remark in remarks:
            say(remark)
        say(f"{pack}: {len(remarks)} remarks" if remarks else f"{pack}: ok")
    if remarks:
        raise typer.Exit(EXIT_FAILED)


@rules.command("sign")
def sign_pack(
    pack: Annotated[Path, typer.Argument(help="The pack (YAML).")],
    *,
    key: Annotated[Path, typer.Option("--key", help="Private Ed25519 key (PEM).")],
) -> None:
    """Sign a pack: writes PACK.sig beside it. `openssl genpkey -algorithm ed25519` makes a key."""
    from hauberk.cli._output import say  # noqa: PLC0415 - keeps --help fast
    from hauberk.errors import StoreError  # noqa: PLC0415 - keeps --help fast
    from hauberk.injection._packs import read_pack, with_packs  # noqa: PLC0415 - a room
    from hauberk.injection._signing import private_key, sign, signature_file  # noqa: PLC0415

    with_packs([read_pack(pack)])
    target = signature_file(pack)
    try:
        target.write_bytes(sign(pack.read_bytes(), private_key(key)))
    except OSError as error:
        raise StoreError(f"cannot be written ({error.strerror})", store=target) from None
    say(f"signed: {target}")


@rules.command("update")
def update(  # noqa: PLR0913 - the options of a command
    pack: Annotated[Path, typer.Argument(help="The new pack (YAML), with PACK.sig beside it.")],
    *,
    key: PublicKey,
    to: Target,
    traffic: Annotated[
        Path | None,
        typer.Option(help="Recorded texts (JSONL: `text`, and `context`: user, tool, document)."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Install without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a signed pack, show what it would change, and put it in its place.

    Without --yes it only shows. Exit code 0: installed, or shown. 1: an example does not hold.
    2: it is not signed with the key, or cannot be used.
    """
    from hauberk.cli._output import say, say_json  # noqa: PLC0415 - keeps --help fast
    from hauberk.injection._update import install, prepare  # noqa: PLC0415 - a room

    found = prepare(pack, key, to, _traffic(traffic) if traffic else ())
    if not found.problems and yes:
        install(pack, key, to)
    installed = yes and not found.problems
    if as_json:
        say_json({**_changes(found), "installed": installed})
    else:
        _say_update(found)
        say(f"installed: {to}" if installed else "nothing was installed: --yes installs it")
    if found.problems:
        raise typer.Exit(EXIT_FAILED)


@rules.command("rollback")
def rollback(*, key: PublicKey, to: Target) -> None:
    """Put the pack that was there before the last update back."""
    from hauberk.cli._output import say  # noqa: PLC0415 - keeps --help fast
    from hauberk.injection._update import roll_back  # noqa: PLC0415 - a room

    say(f"{to}: back at version {roll_back(to, key)}")


def _loaded(pack: Path | None) -> RulePack:
    from hauberk.injection._packs import load_pack, read_pack, with_packs  # noqa: PLC0415 - a room

    return load_pack() if pack is None else with_packs([read_pack(pack)])


def _plain(pack: RulePack, number: int) -> dict[str, Any]:
    rule = pack.rules[number]
    category = pack.categories[rule.category]
    return {
        "id": rule.id,
        "category": rule.category,
        "owasp": category.owasp,
        "atlas": category.atlas,
        "severity": rule.severity.name.lower(),
        "origins": sorted(rule.origins),
        "language": rule.language,
        "concealed": rule.concealed,
        "explanation": rule.explanation,
    }


def _traffic(path: Path) -> Iterator[Traffic]:
    from hauberk.errors import StoreError  # noqa: PLC0415 - keeps --help fast
    from hauberk.injection._update import Traffic  # noqa: PLC0415 - a room

    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    data: Any = json.loads(line)
                    kind = str(data.get("context", "user"))
                    kind = kind if kind in ("user", "tool") else "document"
                    yield Traffic(f"{path}:{number}", kind, str(data["text"]))
    except OSError as error:
        raise StoreError(f"cannot be read ({error.strerror})", store=path) from None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise StoreError("a line is no object with a `text`", store=path) from None


def _changes(found: Update) -> dict[str, Any]:
    return {
        "name": found.name,
        "old": found.old,
        "new": found.new,
        "added": found.added,
        "removed": found.removed,
        "altered": found.altered,
        "problems": [str(problem) for problem in found.problems],
        "texts": found.texts,
        "changes": [
            {"where": one.where, "before": one.before, "after": one.after} for one in found.changes
        ],
    }


def _say_update(found: Update) -> None:
    from hauberk.cli._output import say  # noqa: PLC0415 - keeps --help fast

    say(f"{found.name}: version {found.old or 'none'} -> {found.new}")
    for what in ("added", "removed", "altered"):
        names: tuple[str, ...] = getattr(found, what)
        if names:
            say(f"  {what}: {', '.join(names)}")
    for problem in found.problems:
        say(f"  example does not hold: {problem}")
    say(f"  {found.texts} recorded texts tried, {len(found.changes)} would be judged otherwise")
    for one in found.changes[:_SHOWN]:
        then, now = (", ".join(rules) or "nothing" for rules in (one.before, one.after))
        say(f"    {one.where}: {then} -> {now}")
