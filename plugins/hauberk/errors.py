"""Errors: one small tree, each message built from attributes, none holding a secret.

    HauberkError
    ├── BlockedError            a guard refused; carries the decision
    │   ├── BudgetExceededError     ... because a budget is used up
    │   └── ApprovalRequiredError   ... until a human approves, and nobody is there
    ├── PolicyError             a policy cannot be used: file, line, field, remedy
    ├── MissingExtraError       an optional part is not installed (also an ImportError)
    └── StoreError              a store cannot be read or written: which, why, remedy
        └── TamperedError           ... because somebody changed it

Messages say what, why and what to do. Matched texts, arguments and foreign exception messages never
enter one: they may hold the very thing that is protected.
"""

from __future__ import annotations

from pathlib import Path

from hauberk.decisions import Decision, Verdict
from hauberk.events import Event


class HauberkError(Exception):
    """Everything that hauberk raises."""

    @property
    def decision(self) -> Decision | None:
        """What was decided, for errors that come from a decision."""
        return None


class BlockedError(HauberkError):
    """A guard refused. `decision` says why; it holds findings, never the matched text."""

    def __init__(self, decision: Decision, *, stage: str = "", tool: str | None = None) -> None:
        self._decision = decision
        self.stage = stage
        self.tool = tool
        super().__init__(self._message())

    @property
    def decision(self) -> Decision:
        """The refusal."""
        return self._decision

    def _message(self) -> str:
        place = f" at {self.stage}" if self.stage else ""
        tool = f" ({self.tool})" if self.tool else ""
        rules = ", ".join(dict.fromkeys(f.rule for f in self.decision.findings))
        return f"blocked{place}{tool}: {self.decision.reason}" + (f" [{rules}]" if rules else "")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes: errors cross process pools."""
        return _rebuild, (type(self), self.decision, self.stage, self.tool)


def _rebuild(
    kind: type[BlockedError], decision: Decision, stage: str, tool: str | None
) -> BlockedError:
    return kind(decision, stage=stage, tool=tool)


class BudgetExceededError(BlockedError):
    """A budget is used up, or the next call could pass it."""


class ApprovalRequiredError(BlockedError):
    """A human must approve, and nobody is there to ask."""


def blocked(event: Event, decision: Decision) -> BlockedError:
    """The error for a refused event: the class says what kind of refusal it is."""
    if decision.verdict is Verdict.ASK:
        kind: type[BlockedError] = ApprovalRequiredError
    elif decision.plugin == "budget":
        kind = BudgetExceededError
    else:
        kind = BlockedError
    return kind(decision, stage=event.stage.value, tool=event.tool)


class PolicyError(HauberkError):
    """A policy cannot be used.

    Attributes say where: `source` (file or "policy"), `line` (1-based, None when not known),
    `field` (dotted path) and `remedy`.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str | Path = "policy",
        line: int | None = None,
        field: str = "",
        remedy: str = "",
    ) -> None:
        self.problem = problem
        self.source = str(source)
        self.line = line
        self.field = field
        self.remedy = remedy
        place = self.source if line is None else f"{self.source}:{line}"
        named = f": {field}" if field else ""
        hint = f" {remedy}" if remedy else ""
        super().__init__(f"{place}{named}: {problem}.{hint}")


class MissingExtraError(HauberkError, ImportError):
    """An optional part of hauberk is not installed.

    Attributes: `extra`, and `command`, the line that installs it.
    """

    def __init__(self, extra: str, *, needed_for: str) -> None:
        self.extra = extra
        self.command = f'pip install "hauberk[{extra}]"'
        super().__init__(f"{needed_for} needs the extra {extra!r}: {self.command}")


class StoreError(HauberkError):
    """A store cannot be read or written. Attributes: `store`, `problem`, `remedy`."""

    def __init__(self, problem: str, *, store: str | Path, remedy: str = "") -> None:
        self.problem = problem
        self.store = str(store)
        self.remedy = remedy
        super().__init__(f"{self.store}: {problem}." + (f" {remedy}" if remedy else ""))


class TamperedError(StoreError):
    """A store was changed by somebody else than hauberk."""
