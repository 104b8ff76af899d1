"""The report in a terminal: bare beside guarded, at 80 columns and at any width above.

Rules:
* Words carry the meaning, colours only help: it reads the same without them.
* Texts of attacks are shown as they are, never as markup; characters without a glyph are shown by
  their codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.box import SQUARE
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from hauberk.demo._report import AttackOutcome, HonestOutcome, Report
from hauberk.demo._trace import Trace, Verdict
from hauberk.injection import explain

_SHOWN = 400
"""Characters of a text that are shown in the detail."""

_MESSAGES = 6
"""Messages of a prompt that are shown in the detail."""

_SHOWS_MOST = "tracking-pixel"
"""The attack that is shown in detail when none is named: masking, screening and cost in one."""


def show(report: Report, console: Console, *, detail: str | None = None) -> None:
    """Print the report.

    Args:
        report: What happened.
        console: Where to.
        detail: Id of the attack that is shown in detail; one that shows most by default.
    """
    console.print(_attacks(report), "")
    if refused := _refused(report):
        console.print(Group(Text("Refused calls, and why", style="bold"), *refused), "")
    disguised = _disguised(report)
    if disguised.row_count:
        console.print(disguised, "")
    wanted = detail or _SHOWS_MOST
    shown = next((o for o in report.attacks if o.ident == wanted), None)
    if shown is not None:
        console.print(*_detail(shown), "")
    if report.honest:
        console.print(_honest(report), "")
    console.print(_last_lines(report))


def _attacks(report: Report) -> Table:
    table = _table("Attacks on the " + " and the ".join(report.frameworks) + " agent")
    _columns(table, attack=2, bare=3, with_hauberk=4)
    for ident in dict.fromkeys(outcome.ident for outcome in report.attacks):
        same = [outcome for outcome in report.attacks if outcome.ident == ident]
        table.add_row(
            Text.assemble((ident, "bold"), "\n", same[0].kind),
            _merged({o.framework: _harm(o.bare_harm) for o in same}),
            _merged({o.framework: _held(o) for o in same}),
        )
    return table


def _refused(report: Report) -> list[Text]:
    """Each refused call of a tool in one sentence; what several frameworks' agents met, once."""
    told = dict.fromkeys(
        (outcome.ident, verdict.told)
        for outcome in report.attacks
        for verdict in outcome.guarded.decisions
        if verdict.told
    )
    return [Text.assemble((f"{ident}: ", "italic"), _plain(why)) for ident, why in told]


def _disguised(report: Report) -> Table:
    """What attacks hid or encoded, as a model reads it, with what was found in it marked."""
    table = _table("Hidden or encoded, as a model reads it")
    _columns(table, attack=2, reading=1, text=6)
    rows = (
        (outcome.ident, one.reading, str(one))
        for outcome in report.attacks
        for message in (outcome.bare.seen[-1].messages if outcome.bare.seen else ())
        if message.role != "system"
        for one in explain(message.text)
        if one.is_disguised
    )
    for ident, reading, text in dict.fromkeys(rows):
        table.add_row(ident, reading, Text(_cut(" ".join(text.split()))))
    return table


def _merged(texts: dict[str, Text]) -> Text:
    """One text when all frameworks say the same, else each under its framework's name."""
    if len({text.plain for text in texts.values()}) == 1:
        return next(iter(texts.values()))
    parts = (Text.assemble((f"{name}: ", "italic"), text) for name, text in texts.items())
    return Text("\n").join(parts)


def _harm(harm: str) -> Text:
    if harm:
        return Text.assemble(("HARM ", "bold red"), _plain(harm))
    return Text("no harm", style="bold green")


def _held(outcome: AttackOutcome) -> Text:
    why = "; ".join(reasons(outcome.guarded))
    return Text.assemble(_harm(outcome.guarded_harm), (f"\n{_plain(why)}" if why else "", "dim"))


def reasons(trace: Trace) -> Iterator[str]:
    """What the guard did in a run, each thing once, in a few words."""
    found = (_reason(verdict) for verdict in trace.decisions)
    yield from dict.fromkeys(reason for reason in found if reason)


def _reason(verdict: Verdict) -> str:
    rules = list(dict.fromkeys(finding.rule for finding in verdict.findings))
    place = verdict.tool or verdict.stage
    if verdict.verdict in ("deny", "ask"):
        return f"{verdict.plugin} refused {place} ({', '.join(rules[:2])})"
    screened = [rule for rule in rules if not rule.startswith("pii.")]
    if screened and verdict.verdict == "rewrite" and verdict.stage != "prompt":
        return f"taken out of {place} ({', '.join(screened[:2])})"
    if screened:
        return f"{place} flagged ({', '.join(screened[:2])})"
    return "personal data masked" if rules else ""


def _detail(outcome: AttackOutcome) -> Iterator[RenderableType]:
    runs = (outcome.bare, outcome.guarded)
    asked = Text.assemble((f"{outcome.ident} on the {outcome.framework} agent, in detail", "bold"))
    yield Group(asked, Text(f"The user: {_cut(outcome.ask)}"))
    table = _table(None)
    _columns(table, what=1, bare=4, with_hauberk=4)
    table.add_row("model saw", *map(_saw, runs))
    table.add_row("tools ran", *map(_ran, runs))
    table.add_row("left", *map(_left, runs))
    table.add_row("answer", *map(_answer, runs))
    table.add_row("cost", *map(_cost, runs))
    yield table
    yield _decisions(outcome.guarded)


def _saw(trace: Trace) -> Text:
    """What the model got last, without the developer's instructions."""
    if not trace.seen:
        return Text("(nothing)")
    messages = [m for m in trace.seen[-1].messages if m.role != "system"]
    shown = messages if len(messages) <= _MESSAGES else [*messages[:_MESSAGES], None]
    texts = ("..." if m is None else f"[{m.role}] {m.text.strip()}" for m in shown)
    return Text("\n".join(map(_cut, texts)))


def _ran(trace: Trace) -> Text:
    lines = [
        f"{a.tool}({', '.join(f'{name}={value!r}' for name, value in a.arguments.items())})"
        for a in trace.actions
    ]
    return Text(_cut("\n".join(lines)) or "(none)")


def _left(trace: Trace) -> Text:
    lines = [f"{item.kind} to {item.to}" for item in trace.left]
    return Text(_cut("\n".join(lines)) or "(nothing)")


def _answer(trace: Trace) -> Text:
    return Text(_cut(trace.answer or f"(stopped) {trace.stopped}"))


def _cost(trace: Trace) -> Text:
    cost = trace.cost
    price = "no price" if cost.usd is None else f"${cost.usd:.4f}"
    tokens = cost.input_tokens + cost.output_tokens
    return Text(f"model calls: {cost.model_calls}, tokens: {tokens}, {price}")


def _decisions(trace: Trace) -> RenderableType:
    table = _table("Decisions of hauberk")
    _columns(table, stage=2, verdict=2, why=7)
    told = [verdict for verdict in trace.decisions if verdict.findings or verdict.reason]
    for verdict in told:
        counts = Counter(f"{f.rule}: {f.explanation}" for f in verdict.findings)
        found = (f"{text} ({n} times)" if n > 1 else text for text, n in counts.items())
        reason = verdict.told or verdict.reason
        why = "\n".join([*([reason] if reason else []), *found])
        table.add_row(
            verdict.stage + (f"\n{verdict.tool}" if verdict.tool else ""),
            verdict.verdict + (f"\n{verdict.plugin}" if verdict.plugin else ""),
            Text(_plain(why)),
        )
    others = len(trace.decisions) - len(told)
    return Group(table, Text(f"Decisions without a finding: {others}"))


def _honest(report: Report) -> Table:
    table = _table("Honest work, with hauberk beside bare", lines=False)
    table.add_column("task", ratio=2, overflow="fold")
    for framework in report.frameworks:
        table.add_column(framework, ratio=1, overflow="fold")
    for ident in dict.fromkeys(outcome.ident for outcome in report.honest):
        same = [outcome for outcome in report.honest if outcome.ident == ident]
        table.add_row(same[0].title, *map(_kept, same))
    return table


def _kept(outcome: HonestOutcome) -> Text:
    if outcome.kept:
        return Text("done, the same", style="green")
    if not outcome.bare_done:
        return Text("NOT DONE, even bare", style="red")
    return Text("done, but NOT THE SAME" if outcome.guarded_done else "NOT DONE", style="red")


def _last_lines(report: Report) -> Group:
    audit = report.audit
    state = "intact" if audit.intact else f"NOT INTACT: {'; '.join(audit.problems)}"
    where = f" ({audit.path})" if audit.path else ""
    colour = "bold green" if report.as_promised else "bold red"
    return Group(
        Text(report.summary, style=colour),
        Text(f"audit trail{where}: {audit.records} records, verified: {state}"),
    )


def _table(title: str | None, *, lines: bool = True) -> Table:
    return Table(title=title, title_justify="left", expand=True, show_lines=lines, box=SQUARE)


def _columns(table: Table, **ratios: int) -> None:
    for name, ratio in ratios.items():
        table.add_column(name.replace("_", " "), ratio=ratio, overflow="fold")


def _cut(text: str) -> str:
    plain = _plain(text)
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]} ... ({len(plain)} characters)"


def _plain(text: str) -> str:
    return "".join(_visible(text))


def _visible(text: Iterable[str]) -> Iterator[str]:
    hidden = 0
    for char in [*text, ""]:
        if char and not (char.isprintable() or char == "\n"):
            hidden += 1
            continue
        if hidden:
            yield f"<{hidden} hidden character{'s' if hidden > 1 else ''}>"
            hidden = 0
        yield char
