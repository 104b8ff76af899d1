"""What injection screening finds in a labelled file: ours by layer, and peers, side by side.

    python benchmarks/injection_quality.py --data FILE.jsonl [FILE ...] [--peers] [--json] [--examples 10]

A line of a file: `text`, `label` (1: an attack), `source`, `context` (`user`; anything else came as
data), and where known `obfuscation` or `technique`. Nothing is downloaded.

`recall` and `alarms` (false alarms) are at each detector's own default: for ours a finding of severity
medium or more, for peers what they call a detection. `r@1%` and `r@0.1%` are recalls where one in a
hundred and one in a thousand benign texts of the same file are flagged; `-` where a detector gives
no score. Recalls are means over sources with at least 20 attacks. Times are of one core.

Peers run where they are installed; where not, the line that installs them is printed:
LlamaFirewall's RegexScanner, NeMo Guardrails' YARA rules, agent-aegis, the PromptInjectionDetector of
the Agent Governance Toolkit (agent-os-kernel) and prompt-armor (without models).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hauberk.decisions import Severity
from hauberk.injection._packs import load_pack
from hauberk.injection._screen import screen
from hauberk.injection.classifier import load_classifier
from hauberk.policy import InjectionPolicy

MIN_ATTACKS = 20
"""Attacks that a source needs to count in a mean."""

RULE_SCORES = {
    Severity.LOW: 0.6,
    Severity.MEDIUM: 0.95,
    Severity.HIGH: 0.99,
    Severity.CRITICAL: 1.0,
}
"""Where findings of rules stand among scores of the classifier."""


@dataclass(frozen=True)
class Row:
    """A labelled text."""

    text: str = field(repr=False)
    attack: bool
    source: str
    origin: str
    """Kind of origin: `user`, `tool` or `document`."""
    disguise: str


@dataclass(frozen=True)
class Answer:
    """What a detector says of a text."""

    found: bool
    score: float | None = None


Detect = Callable[[Row], Answer]


@dataclass(frozen=True)
class System:
    """A detector with its answers to all rows."""

    name: str
    answers: Sequence[Answer]
    ms_per_kb: float


def read(paths: Iterable[Path]) -> list[Row]:
    """The rows of JSONL files."""
    rows: list[Row] = []
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            rows += (_row(json.loads(line)) for line in lines if line.strip())
    return rows


def _row(data: Mapping[str, Any]) -> Row:
    context = str(data.get("context", "user"))
    return Row(
        text=str(data["text"]),
        attack=bool(data["label"]),
        source=str(data.get("source", "?")),
        origin=context if context in ("user", "tool") else "document",
        disguise=str(data.get("obfuscation") or data.get("technique") or "plain"),
    )


# --- ours -------------------------------------------------------------------------------------


def ours() -> dict[str, Detect]:
    """Each layer alone, and all of them as they are by default."""
    pack, classifier = load_pack(), load_classifier()
    policy = InjectionPolicy()
    levels = policy.classifier
    if levels is False:
        raise SystemExit("the default policy has no classifier")
    by_origin = {"user": levels.user, "tool": levels.tool, "document": levels.document}
    none: Any = _NoRules()

    def rules(row: Row) -> Answer:
        worst = screen(row.text, row.origin, pack, max_depth=policy.max_decode_depth).worst
        return Answer(worst >= Severity.MEDIUM, RULE_SCORES.get(worst, 0.0))

    def scores(row: Row) -> Answer:
        seen = screen(
            row.text, row.origin, none, max_depth=policy.max_decode_depth, classifier=classifier
        )
        score = seen.reading.score
        return Answer(by_origin[row.origin].severity(score) is not None, score)

    def both(row: Row) -> Answer:
        seen = screen(
            row.text, row.origin, pack, max_depth=policy.max_decode_depth, classifier=classifier
        )
        score = seen.reading.score
        found = seen.worst >= Severity.MEDIUM or by_origin[row.origin].severity(score) is not None
        return Answer(found, max(score, RULE_SCORES.get(seen.worst, 0.0)))

    def acts(row: Row) -> Answer:
        seen = screen(
            row.text, row.origin, pack, max_depth=policy.max_decode_depth, classifier=classifier
        )
        worst = max(seen.worst, by_origin[row.origin].severity(seen.reading.score) or Severity.INFO)
        screens = {"user": policy.user, "tool": policy.tool, "document": policy.document}
        return Answer(worst >= screens[row.origin].at)

    return {
        "rules": rules,
        "classifier": scores,
        "rules + classifier": both,
        "... blocked or withheld": acts,
    }


class _NoRules:
    """A pack that finds nothing: what unwrapping and the classifier cost without rules."""

    rules = ()

    def candidates(self, raw: bytes) -> tuple[int, ...]:
        del raw
        return ()


# --- peers ------------------------------------------------------------------------------------


def _llamafirewall() -> Detect:
    scanner = import_module("llamafirewall.scanners.regex_scanner").RegexScanner()
    message = import_module("llamafirewall").UserMessage
    loop = asyncio.new_event_loop()

    def detect(row: Row) -> Answer:
        result = loop.run_until_complete(scanner.scan(message(content=row.text)))
        return Answer(result.decision.value == "block")

    return detect


def _nemo() -> Detect:
    # Its package needs much that its rules do not.
    spec = find_spec("nemoguardrails")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nemoguardrails")
    folder = Path(spec.origin).parent / "library" / "injection_detection" / "yara_rules"
    rules = import_module("yara").compile(filepaths={f.stem: str(f) for f in folder.glob("*.yara")})
    return lambda row: Answer(bool(rules.match(data=row.text.encode("utf-8", "replace"))))


def _aegis() -> Detect:
    guardrail = import_module("aegis.guardrails.injection").InjectionGuardrail()
    return lambda row: Answer(not guardrail.check(row.text).passed)


def _agt() -> Detect:
    detector = import_module("agent_os.prompt_injection").PromptInjectionDetector()

    def detect(row: Row) -> Answer:
        result = detector.detect(row.text)
        return Answer(bool(result.is_injection), float(result.confidence))

    return detect


def _prompt_armor() -> Detect:
    analyze = import_module("prompt_armor").analyze

    def detect(row: Row) -> Answer:
        result = analyze(row.text)
        return Answer(result.decision.value in ("block", "warn"), float(result.risk_score))

    return detect


PEERS: dict[str, tuple[Callable[[], Detect], str]] = {
    "LlamaFirewall regex": (_llamafirewall, "pip install llamafirewall"),
    "NeMo YARA rules": (_nemo, "pip install nemoguardrails yara-python"),
    "agent-aegis": (_aegis, "pip install agent-aegis"),
    "AGT detector": (_agt, "pip install agent-os-kernel"),
    "prompt-armor": (_prompt_armor, "pip install prompt-armor"),
}


def peers() -> dict[str, Detect]:
    """Peers that are installed; for the others, what installs them is printed."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    found: dict[str, Detect] = {}
    for name, (load, command) in PEERS.items():
        try:
            found[name] = load()
        except ImportError as error:
            print(f"{name}: not installed ({error.name}): {command}", file=sys.stderr)
    return found


# --- measuring --------------------------------------------------------------------------------


def measured(name: str, detect: Detect, rows: Sequence[Row]) -> System:
    """Ask a detector about all rows, and take the time."""
    detect(rows[0])
    started = time.process_time()
    answers = [detect(row) for row in rows]
    spent = time.process_time() - started
    return System(name, answers, 1000 * spent / (sum(len(row.text) for row in rows) / 1024))


def report(system: System, rows: Sequence[Row]) -> dict[str, Any]:
    """All numbers of one detector."""
    pairs = list(zip(rows, system.answers, strict=True))
    benign = [answer for row, answer in pairs if not row.attack]
    scores = [a.score for a in benign if a.score is not None]
    scored = len(scores) == len(benign) > 0
    found: dict[str, Any] = {
        "recall": macro(pairs, lambda answer: answer.found),
        "false_alarms": share(answer.found for answer in benign),
        "auc": auc(pairs) if scored else None,
        "ms_per_kb": round(system.ms_per_kb, 3),
    }
    for name, allowed in (("recall_at_1%", 0.01), ("recall_at_0.1%", 0.001)):
        limit = threshold(scores, allowed) if scored else None
        found[name] = None if limit is None else macro(pairs, _above(limit))
    for name, key in (("source", _source), ("origin", _origin), ("disguise", _disguise)):
        found[f"by_{name}"] = _grouped(pairs, key)
    return found


def _above(limit: float) -> Callable[[Answer], bool]:
    return lambda answer: (answer.score or 0.0) > limit


def threshold(scores: Sequence[float], allowed: float) -> float:
    """The lowest score that at most a share `allowed` of the given ones exceed."""
    ordered = sorted(scores, reverse=True)
    return ordered[min(int(allowed * len(ordered)), len(ordered) - 1)]


def share(hits: Iterable[bool]) -> float | None:
    """The share of hits; None of nothing."""
    values = list(hits)
    return round(sum(values) / len(values), 4) if values else None


def macro(pairs: Sequence[tuple[Row, Answer]], hit: Callable[[Answer], bool]) -> float | None:
    """Mean recall over sources with enough attacks; over all attacks where no source has."""
    sources: dict[str, list[bool]] = defaultdict(list)
    for row, answer in pairs:
        if row.attack:
            sources[row.source].append(hit(answer))
    large = [sum(h) / len(h) for h in sources.values() if len(h) >= MIN_ATTACKS]
    if large:
        return round(sum(large) / len(large), 4)
    return share(one for hits in sources.values() for one in hits)


def auc(pairs: Sequence[tuple[Row, Answer]]) -> float | None:
    """Area under the ROC curve; ties count half."""
    benign = sorted(answer.score or 0.0 for row, answer in pairs if not row.attack)
    attacks = [answer.score or 0.0 for row, answer in pairs if row.attack]
    if not benign or not attacks:
        return None
    from bisect import bisect_left, bisect_right

    wins = sum(bisect_left(benign, s) + bisect_right(benign, s) for s in attacks) / 2
    return round(wins / (len(benign) * len(attacks)), 4)


def _source(row: Row) -> str:
    return row.source


def _origin(row: Row) -> str:
    return row.origin


def _disguise(row: Row) -> str:
    return row.disguise


def _grouped(
    pairs: Sequence[tuple[Row, Answer]], key: Callable[[Row], str]
) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[tuple[Row, Answer]]] = defaultdict(list)
    for row, answer in pairs:
        groups[key(row)].append((row, answer))
    return {
        name: {
            "attacks": sum(row.attack for row, _ in group),
            "benign": sum(not row.attack for row, _ in group),
            "recall": share(answer.found for row, answer in group if row.attack),
            "false_alarms": share(answer.found for row, answer in group if not row.attack),
        }
        for name, group in sorted(groups.items())
    }


# --- showing ----------------------------------------------------------------------------------


def table(reports: Mapping[str, Mapping[str, Any]], layer: str) -> None:
    """One line per detector, then one per group for one of our layers."""
    columns = ("recall", "false_alarms", "recall_at_1%", "recall_at_0.1%", "auc", "ms_per_kb")
    print(f"{'detector':26}" + "".join(f"{_HEADS.get(c, c):>9}" for c in columns))
    for name, found in reports.items():
        print(f"{name:26}" + "".join(f"{_cell(found[column]):>9}" for column in columns))
    own = reports[layer]
    for group in ("by_source", "by_origin", "by_disguise"):
        print(f"\n{group[3:]:26}{'attacks':>9}{'benign':>9}{'recall':>9}{'alarms':>9}")
        for name, part in own[group].items():
            cells = (part["attacks"], part["benign"], part["recall"], part["false_alarms"])
            print(f"{name:26}" + "".join(f"{_cell(cell):>9}" for cell in cells))


_HEADS = {
    "false_alarms": "alarms",
    "recall_at_1%": "r@1%",
    "recall_at_0.1%": "r@0.1%",
    "ms_per_kb": "ms/KB",
}


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def examples(system: System, rows: Sequence[Row], count: int) -> None:
    """Attacks that were missed and benign texts that were flagged, evenly over the file."""
    for title, attack in (("missed", True), ("false alarms", False)):
        wrong = [
            row for row, answer in zip(rows, system.answers, strict=True)
            if row.attack is attack and answer.found is not attack
        ]  # fmt: skip
        print(f"\n{title}: {len(wrong)}")
        for row in wrong[:: max(1, len(wrong) // count)][:count]:
            print(f"  {row.source} ({row.origin}): {' '.join(row.text.split())[:140]}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="JSONL files")
    parser.add_argument("--peers", action="store_true", help="measure the peers that are installed")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--examples", type=int, default=0, help="errors of each kind to print")
    parser.add_argument(
        "--layer",
        default="rules + classifier",
        choices=["rules", "classifier", "rules + classifier"],
        help="whose sources and errors are shown",
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="every n-th text, so that at most so many"
    )
    options = parser.parse_args()
    rows = read(options.data)
    if options.limit and len(rows) > options.limit:
        rows = rows[:: -(-len(rows) // options.limit)]
    detectors = {**ours(), **(peers() if options.peers else {})}
    systems = [measured(name, detect, rows) for name, detect in detectors.items()]
    reports = {system.name: report(system, rows) for system in systems}
    if options.json:
        print(json.dumps(reports, indent=1, ensure_ascii=False))
        return
    print(f"{len(rows)} texts, {sum(row.attack for row in rows)} attacks\n")
    table(reports, options.layer)
    if options.examples:
        own = next(system for system in systems if system.name == options.layer)
        examples(own, rows, options.examples)


if __name__ == "__main__":
    main()
