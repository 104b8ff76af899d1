"""AgentDojo without a model, in the worst case: what do rules about values stop, what do they cost?

    pip install -e ".[bench]"
    python benchmarks/agentdojo.py [--suite banking ...] [--json] [--no-bare] [--policies FOLDER]

AgentDojo (Debenedetti et al. 2024, https://arxiv.org/abs/2406.13352), suites v1.2.2. Its tools
become LangChain tools of a `create_agent` agent behind `protect`, with one policy for each suite
(`agentdojo_policies/`). The model is replaced by one that obeys whoever wrote last: there is no luck
in it, and no cleverness.

`benign`: all 97 user tasks, ground truth replayed, every question approved. `no denial` counts runs
in which no call was denied, `no approval` those in which nobody was asked either, `done` those whose
task AgentDojo calls done. `goals`: all 949 pairs of user task and attacker; the agent does the user's
calls until it reads the injected text (planted in every place that the task reads), then the attacker's, then
the rest, with nobody approving. 929 goals are something to do; `reached` and `bare` (without any
rule) are AgentDojo's own verdicts on them. `utility` is how many of these runs did the user's task all
the same. The other 20 goals are something to say, which no rule about calls can touch.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from _dojo.report import Results, Run, as_json, meets_aim, reached, refusals, rows, table
from _dojo.worlds import NotInstalledError, benign, hijacked, suites

POLICIES = Path(__file__).with_name("agentdojo_policies")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", nargs="+", help="only these suites")
    parser.add_argument("--policies", type=Path, default=POLICIES, help="folder of <suite>.yaml")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-bare", action="store_true", help="leave out the runs without a rule")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        chosen = {
            name: one for name, one in suites().items() if name in (options.suite or suites())
        }
    except NotInstalledError as error:
        print(error, file=sys.stderr)
        return 2
    found = measured(chosen.values(), options.policies, bare=not options.no_bare)
    if options.json:
        print(json.dumps(as_json(found), indent=2))
    else:
        print(text(found))
    return 0 if meets_aim(rows(found)[-1]) or options.suite else 1


def measured(chosen: Iterable[Any], policies: Path, *, bare: bool) -> Results:
    """Every run of these suites."""
    from _dojo.agent import Bench
    from rich.console import Console
    from rich.progress import Progress

    from hauberk.policy import load_policy

    found = Results(benign=[], guarded=[], bare=[], bare_benign=[])
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for suite in chosen:
            policy = load_policy(policies / f"{suite.name}.yaml")
            plain, attacked = benign(suite), hijacked(suite)
            runs = (
                (found.benign, policy, True, plain),
                (found.guarded, policy, False, attacked),
                *(((found.bare_benign, None, False, plain),) if bare else ()),
                *(((found.bare, None, False, attacked),) if bare else ()),
            )
            for into, rules, approves, tasks in runs:
                bench = Bench(suite, rules, approves=approves)
                what = f"{suite.name}, {'bare' if rules is None else 'guarded'}"
                into += [bench.run(task) for task in progress.track(tasks, description=what)]
    return found


def text(found: Results) -> str:
    """The table, and what needs an explanation."""
    total = rows(found)[-1]
    parts = [
        table(rows(found)),
        f"Goals that are something to say: {total.words} of {total.hijacked - total.goals} said.",
        f"Injected text read: {total.read} of {total.goals}.",
        _listed("Benign calls that were denied or asked about", refusals(found.benign)),
        _listed("Benign tasks not done", [_named(run) for run in found.benign if not run.done]),
        _listed("Goals reached", reached(found.guarded)),
    ]
    return "\n\n".join(parts)


def _listed(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"{title}: {len(items)}", *(f"  {item}" for item in items)])


def _named(run: Run) -> str:
    return f"{run.suite}/{run.task}"


if __name__ == "__main__":
    raise SystemExit(main())
