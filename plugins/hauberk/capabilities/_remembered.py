"""Approvals that are remembered: entries of the policy, each with an owner and an end (pure).

Rules:
* An answer counts for calls of its tool that have every argument it names, while its conditions hold
  and until its end. The clock never goes back, so that an ended answer stays ended.
* It answers questions only: what is denied stays denied.
* Its use is a finding that names the owner and the end, for the trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hauberk.capabilities._compiled import constraints
from hauberk.capabilities._outcome import finding
from hauberk.capabilities._when import Condition, Facts
from hauberk.capabilities._where import Constraints
from hauberk.decisions import Finding, Severity
from hauberk.policy import Remembered


@dataclass(frozen=True, slots=True)
class _Answer:
    index: int
    entry: Remembered
    condition: Condition | None
    constraints: Constraints


class Memory:
    """A policy's remembered approvals, compiled. Frozen: safe for every thread."""

    def __init__(self, entries: Iterable[Remembered], clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._by_tool: dict[str, list[_Answer]] = {}
        for index, entry in enumerate(entries):
            condition = None if entry.when is None else Condition(entry.when, clock)
            field = f"capabilities.remembered[{index}]"
            # The rule says which other arguments may be there; an answer is about those it names.
            where = [(("where", name), name, one) for name, one in entry.where.items()]
            where.append((("where", "*"), "*", "any"))
            answer = _Answer(index, entry, condition, constraints(where, field=field))
            self._by_tool.setdefault(entry.tool, []).append(answer)

    def answer(
        self, question: str, tool: str, arguments: Mapping[str, object], facts: Facts
    ) -> Finding | None:
        """The finding that says who answered a question about this call before; or None."""
        for answer in self._by_tool.get(tool, ()):
            if question not in answer.entry.questions or self._clock() >= answer.entry.until:
                continue
            if answer.condition is not None and answer.condition.unmet(facts) is not None:
                continue
            if answer.constraints.violation(arguments) is None:
                return finding(
                    "capability.remembered",
                    f"approved by {answer.entry.owner} until {answer.entry.until:%Y-%m-%d %H:%M %Z}, "
                    f"as `capabilities.remembered[{answer.index}]` says",
                    Severity.INFO,
                )
        return None
