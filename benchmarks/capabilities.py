"""What a decision of the capabilities room costs, and what a session remembers for it.

The policy has 100 rules for tools and 100 flow rules, four of which are about the tool that is called.
The session has read a number of tool results (a mail each, as JSON of about 500 characters).

    python benchmarks/capabilities.py [--rounds 2000] [--results 0,200,1000,10000] [--json]

`allowed`: the recipient is in the user's words and the body is the model's. `denied`: the recipient
stands in one result only. `made up`: nobody wrote it. `common`: every word of it stands in every
result, but never together: the worst case of a look-up. Times are of `CapabilitiesPlugin.inspect`
alone, in microseconds: median and 99th percentile. `read` is taking in one result, `turn` is a prompt
that sends a history of all results again (50 at most). `memory` is what `tracemalloc` counts for the
whole session, texts included; `bound` is where the oldest is forgotten.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

from hauberk import Event, Segment, Session, Stage
from hauberk.capabilities import CapabilitiesPlugin
from hauberk.capabilities.provenance._ledger import MAX_INDEX_BYTES
from hauberk.policy import CapabilitiesPolicy

AIM_US = 60.0
"""Median of a decision with 100 rules and 200 results."""
RULES = 100
HISTORY = 50
"""Messages that are sent again in the measured turn."""


def policy() -> CapabilitiesPolicy:
    """100 tools and 100 flow rules."""
    args = {"properties": {"to": {"maxLength": 200}, "amount": {"maximum": 10_000}}}
    tools: dict[str, Any] = {
        f"tool_{n}": {"access": "write" if n % 2 else "read", "args": args}
        for n in range(RULES - 2)
    }
    tools["read_mail"] = {
        "access": "read",
        "returns": {"sender": "contacts", "id": "contacts"},
        "reads": "private",
    }
    tools["send_mail"] = {"access": "write", "args": args}
    flow: list[Mapping[str, Any]] = [
        {"tool": f"tool_{n}", "args": ["to"], "from": ["user", "contacts"]}
        for n in range(RULES - 4)
    ]
    flow += [
        {"tool": "send_mail", "args": ["to"], "from": ["user", "contacts"]},
        {"tool": "send_mail", "args": ["body"], "holding": ["url", "email"], "from": ["user"]},
        {"after": "contacts", "deny": ["tool_1"]},
        {"label": "private", "never_to": ["tool_3"]},
    ]
    return CapabilitiesPolicy.model_validate(
        {"tools": tools, "flow": flow, "trusted": ["contacts"], "rule_of_two": None}
    )


def mail(number: int) -> str:
    """One result."""
    body = (
        f"Dear colleague, this is message {number} about order {number * 7}. Please write back to "
        f"person{number}@example{number % 97}.com or see https://example.com/orders/{number}. "
        "We met in spring and spoke about the new warehouse; the invoice still shows the old address, "
        "and nobody has answered since. Thank you very much for your help, and best regards to all."
    )
    sender = f"sender{number}@corp{number % 31}.org"
    return json.dumps({"id": number, "sender": sender, "subject": f"Order {number}", "body": body})


class Bench:
    """A session that has read some results."""

    def __init__(self, results: int) -> None:
        self.plugin = CapabilitiesPlugin(policy())
        self.session = Session()
        self.results = 0
        user = Segment.from_user("Write to ann.smith@corp.com about order 77, please.")
        self.plugin.inspect(Event(stage=Stage.PROMPT, segments=(user,), session=self.session))
        for _ in range(results):
            self.read()

    def read(self) -> float:
        """Take in one more result; seconds that it took."""
        number = self.results
        self.results += 1
        call = self.event("read_mail", {"id": number})
        self.plugin.inspect(call)
        done = call.returned((Segment.from_tool("read_mail", mail(number), where="content"),))
        started = time.perf_counter()
        self.plugin.inspect(done)
        return time.perf_counter() - started

    def event(self, tool: str, arguments: Mapping[str, object]) -> Event:
        """A call in this session."""
        return Event(stage=Stage.TOOL_CALL, tool=tool, arguments=arguments, session=self.session)

    def turn(self) -> float:
        """A prompt with the newest results in its history; seconds that taking it in took."""
        newest = range(max(0, self.results - HISTORY), self.results)
        told = [
            Segment.from_tool("read_mail", mail(n), where="messages[0].content") for n in newest
        ]
        event = Event(stage=Stage.PROMPT, segments=tuple(told), session=self.session)
        started = time.perf_counter()
        self.plugin.inspect(event)
        return time.perf_counter() - started

    def decisions(self, rounds: int, make: Callable[[int], Mapping[str, object]]) -> list[float]:
        """Seconds of each decision on a call of `send_mail`."""
        found: list[float] = []
        for number in range(rounds):
            event = self.event("send_mail", make(number))
            started = time.perf_counter()
            self.plugin.inspect(event)
            found.append(time.perf_counter() - started)
        return found


BODY = "Dear Ann, the order is on its way and will arrive on Friday. Best regards"


def calls(results: int) -> dict[str, Callable[[int], Mapping[str, object]]]:
    """The measured calls."""
    last = max(results, 1)
    return {
        "allowed": lambda n: {"to": "ann.smith@corp.com", "subject": f"Order {n}", "body": BODY},
        "denied": lambda n: {"to": f"person{n % last}@example{n % last % 97}.com", "body": BODY},
        "made up": lambda n: {"to": f"nobody{n}@nowhere.org", "body": BODY},
        "common": lambda _: {"to": "warehouse spring dear best invoice", "body": BODY},
    }


def measured(results: int, rounds: int) -> dict[str, float]:
    """One row of the table."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    bench = Bench(results)
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    row: dict[str, float] = {"results": results, "memory_mib": memory / 2**20}
    for name, make in calls(results).items():
        bench.decisions(100, make)
        times = bench.decisions(rounds, make)
        row[f"{name}_us"] = statistics.median(times) * 1e6
        row[f"{name}_p99_us"] = statistics.quantiles(times, n=100)[98] * 1e6
    bench.turn()
    row["turn_us"] = statistics.median(bench.turn() for _ in range(50)) * 1e6
    row["read_us"] = statistics.median(bench.read() for _ in range(50)) * 1e6
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--results", default="0,200,1000,10000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measured(int(n), options.rounds) for n in options.results.split(",")]
    if options.json:
        print(
            json.dumps({"aim_us": AIM_US, "bound_bytes": MAX_INDEX_BYTES, "rows": rows}, indent=2)
        )
        return
    names = ["allowed", "denied", "made up", "common"]
    head = f"{'results':>8}" + "".join(f"{name:>18}" for name in names)
    print(f"{head}{'read':>9}{'turn':>9}{'memory':>12}")
    for row in rows:
        cells = (f"{row[f'{n}_us']:9.1f} /{row[f'{n}_p99_us']:7.0f}" for n in names)
        print(
            f"{row['results']:>8.0f}{''.join(cells)}{row['read_us']:9.0f}{row['turn_us']:9.0f}"
            f"{row['memory_mib']:9.1f} MiB"
        )
    print(
        f"aim: {AIM_US:g} us at 200 results; bound: {MAX_INDEX_BYTES / 2**20:g} MiB for each party and labels"
    )


if __name__ == "__main__":
    main()
