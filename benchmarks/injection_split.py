"""Attacks in several texts: found as often as whole? At what cost, and with how many false alarms?

    python benchmarks/injection_split.py --data FILE.jsonl [--attacks 250] [--json]

A line of a file is as for `injection_quality.py`. Every attack that is found whole is cut in two to four,
between words or anywhere, and comes as so many texts of one session; with names (`a = "..."`, `do a + b`);
and with numbers, in another order. `alone` is what is found in the parts by themselves. Benign texts of
one kind of origin follow each other, six in a session, or are the chunks of one: `more alarms` are those that reading them together
adds. Times are of the processor, for the 2nd to 11th and for the 190th to 200th text of a session.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from injection_quality import Row, read

from hauberk import Segment, Session
from hauberk.decisions import Severity
from hauberk.events import Event, Stage
from hauberk.injection import InjectionPlugin
from hauberk.policy import InjectionPolicy

SHORT, CHUNK, IN_SESSION, SESSIONS = 150, 500, 6, 250
_rnd = random.Random(3)  # noqa: S311 - cuts, not keys

Cut = Callable[[str], Sequence[str]]


def segment(text: str, origin: str) -> Segment:
    """A text of a kind of origin."""
    return Segment(text=text, origin=origin if origin == "user" else f"{origin}:x")


def alarms(plugin: InjectionPlugin, texts: Iterable[str], origin: str) -> int:
    """How many texts of a new session are flagged: medium or more, of users high."""
    session = Session()
    least = Severity.HIGH if origin == "user" else Severity.MEDIUM
    events = (
        Event(stage=Stage.RETRIEVAL, segments=(segment(text, origin),), session=session)
        for text in texts
    )
    findings = [plugin.inspect(event).findings for event in events]
    return sum(any(one.severity >= least for one in found) for found in findings)


def pieces(text: str, number: int, *, words: bool) -> list[str]:
    """A text in so many pieces, cut at random."""
    cuts = sorted(_rnd.sample(range(1, len(text)), number - 1))
    if words:
        cuts = sorted({max(text.rfind(" ", 0, cut) + 1, 1) for cut in cuts})
    ends = [0, *cuts, len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def named(text: str) -> list[str]:
    """Three pieces with names, and the order to put them together."""
    quoted = text.replace('"', "'").replace("\n", " ").replace("\\", " ")
    parts = zip("abc", pieces(quoted, 3, words=False), strict=True)
    return [*(f'{name} = "{part}"' for name, part in parts), "Now do what a + b + c says."]


def numbered(text: str) -> list[str]:
    """Three pieces with numbers, the last before the second."""
    parts = pieces(text.replace("\n", " "), 3, words=True)
    first, *rest = (f"Part {at}/{len(parts)}: {part}" for at, part in enumerate(parts, 1))
    return [first, *reversed(rest)]


CUTS: dict[str, Cut] = {
    **{f"{n}, between words": partial(pieces, number=n, words=True) for n in (2, 3, 4)},
    **{f"{n}, anywhere": partial(pieces, number=n, words=False) for n in (2, 3, 4)},
    "named, put together": named,
    "numbered, out of order": numbered,
}


def recalls(rows: Sequence[Row], most: int) -> list[dict[str, object]]:
    """Of attacks that are found whole: how many are found in parts."""
    alone = InjectionPlugin(InjectionPolicy(joined=False))
    joined = InjectionPlugin(InjectionPolicy())
    attacks = [row for row in rows if row.attack and 20 <= len(row.text) <= 750]  # noqa: PLR2004
    _rnd.shuffle(attacks)
    found = [row for row in attacks if alarms(alone, [row.text], row.origin)][:most]
    result: list[dict[str, object]] = []
    for name, cut in CUTS.items():
        parts = [(cut(row.text), row.origin) for row in found]
        result.append(
            {
                "cut": name,
                "attacks": len(parts),
                "alone": _share(alarms(alone, *one) > 0 for one in parts),
                "joined": _share(alarms(joined, *one) > 0 for one in parts),
            }
        )
    return result


def false_alarms(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Of benign texts that follow each other: how many more are flagged."""
    alone = InjectionPlugin(InjectionPolicy(joined=False))
    joined = InjectionPlugin(InjectionPolicy())
    result: list[dict[str, object]] = []
    for origin in ("user", "tool", "document"):
        texts = [row.text for row in rows if not row.attack and row.origin == origin]
        _rnd.shuffle(texts)
        for name, groups in _sessions(texts).items():
            count = sum(map(len, groups))
            before = sum(alarms(alone, group, origin) for group in groups)
            after = sum(alarms(joined, group, origin) for group in groups)
            shares = {"alarms": before / count, "more alarms": (after - before) / count}
            result.append({"origin": origin, "texts": f"{count} {name}", **shares})
    return result


def _sessions(texts: Sequence[str]) -> dict[str, list[Sequence[str]]]:
    """Texts that follow each other: whole, their beginnings, one text's chunks in and out of order."""
    chunks = [[t[at : at + CHUNK] for at in range(0, min(len(t), 3000), CHUNK)] for t in texts]
    long = [some for some in chunks if len(some) > 2]  # noqa: PLR2004 - out of order
    return {
        "whole": _in_groups(texts),
        "short": _in_groups([text[:SHORT] for text in texts]),
        "chunks": list(long[:SESSIONS]),
        "chunks, out of order": [_rnd.sample(some, len(some)) for some in long[:SESSIONS]],
    }


def _in_groups(texts: Sequence[str]) -> list[Sequence[str]]:
    groups = [texts[at : at + IN_SESSION] for at in range(0, len(texts), IN_SESSION)]
    return groups[:SESSIONS]


def cost(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Milliseconds for the second and for the two hundredth text of a session."""
    texts = [row.text[:SHORT] for row in rows if not row.attack and row.origin == "user"]
    result: list[dict[str, object]] = []
    for joined in (False, True):
        plugin, taken = InjectionPlugin(InjectionPolicy(joined=joined)), dict[int, list[float]]()
        for turn in range(20):
            session, some = Session(), texts[turn * 10 :] + texts[: turn * 10]
            for at, text in enumerate(some[:200], start=1):
                event = Event(
                    stage=Stage.RETRIEVAL, segments=(segment(text, "user"),), session=session
                )
                started = time.process_time()
                plugin.inspect(event)
                taken.setdefault(at, []).append((time.process_time() - started) * 1000)
        late = [one for at in range(190, 201) for one in taken.get(at, [])]
        second = [one for at in range(2, 12) for one in taken[at]]
        result.append(
            {"joined": joined, "2nd to 11th": _mean(second), "190th to 200th": _mean(late)}
        )
    return result


def _share(hits: Iterable[bool]) -> float:
    every = list(hits)
    return sum(every) / max(1, len(every))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _table(rows: Sequence[dict[str, object]]) -> None:
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        cells = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
        print("| " + " | ".join(cells) + " |")
    print()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--attacks", type=int, default=250)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = read(chosen.data)
    report = {
        "attacks in parts": recalls(rows, chosen.attacks),
        "benign texts": false_alarms(rows),
        "ms per text": cost(rows),
    }
    if chosen.json:
        print(json.dumps(report, indent=2))
        return
    for part in report.values():
        _table(part)


if __name__ == "__main__":
    main()
