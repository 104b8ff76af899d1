"""The shape of `capabilities:`: which tools may be called, for whom, and how."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hauberk.policy._base import Model
from hauberk.policy._conditions import When
from hauberk.policy._constraints import Constraint, OneOrMany
from hauberk.policy._flow import FlowSection, ToolOrigins


class Access(StrEnum):
    """What a tool can do to the world: `read` < `write` < `admin`."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Place in the order, lowest first."""
        return list(Access).index(self)


def _usable(args: dict[str, Any] | None) -> dict[str, Any] | None:
    """Refuse a schema that the capabilities room cannot use, while its line is still known."""
    if args is not None:
        from hauberk.capabilities import ArgumentSchema, SchemaProblemError  # noqa: PLC0415

        try:
            ArgumentSchema(args)
        except SchemaProblemError as error:
            details = {"problem": str(error), "remedy": error.remedy}
            raise PydanticCustomError("args_schema", "{problem}", details) from None
    return args


Where = dict[str, Constraint | Literal["any"]]
"""Typed constraints by argument: `to`, `message.to`, `*` for every argument that is not named."""


class Case(Model):
    """One of several ways in which a tool may be used. The first that fits decides."""

    when: When | None = None
    where: Where = Field(default_factory=dict)
    approval: bool = False
    """A human must approve each call."""


class Breaker(Model):
    """A circuit breaker: a tool that keeps failing is left alone for a while."""

    failures: int = Field(default=5, ge=1)
    """Failures (raised, or out of time) that open it."""
    within_s: float = Field(default=60.0, gt=0)
    """The time in which they must fall, in seconds."""
    open_s: float = Field(default=30.0, gt=0)
    """How long it stays open. Then one call is let through, and its outcome decides."""


class ToolRule(ToolOrigins):
    """What one tool may be used for."""

    access: Access = Access.READ
    """What the tool can do. It must be within the agent's ceiling."""
    args: Annotated[dict[str, Any] | None, AfterValidator(_usable)] = None
    """JSON Schema that the final arguments must satisfy."""
    where: Where = Field(default_factory=dict)
    """Typed constraints by argument. An argument that neither `where` nor `args` names is refused,
    unless `'*': any` lets it."""
    when: When | None = None
    """For whom, what for, where and at what time."""
    cases: tuple[Case, ...] = ()
    """Ways to use the tool, in order; the first that fits decides, and none is a denial."""
    resource: str | None = Field(default=None, min_length=1)
    """What it works on, for `roles`; the tool's name when not given."""
    action: str | None = Field(default=None, min_length=1)
    """What it does to the resource, for `roles`; its access when not given."""
    timeout_s: float | None = Field(default=None, gt=0, le=86_400)
    """Longest run of one call, in seconds."""
    approval: bool = False
    """A human must approve each call."""
    breaker: Breaker | None = None
    """When to leave the tool alone after failures."""


class DenyRule(Model):
    """A denial under conditions. It holds unless a condition surely does not."""

    tool: str = Field(min_length=1)
    """Name or glob."""
    when: When | None = None
    where: Where = Field(default_factory=dict)
    """Denied when every argument that is named here is like this, or cannot be read."""


Actions = Annotated[OneOrMany, Field(description="Actions, or `*` for all")]


class Role(Model):
    """What a user may do, as (action, resource)."""

    includes: tuple[str, ...] = ()
    """Roles whose permissions it has too."""
    can: dict[str, Actions] = Field(default_factory=dict)
    """Actions by resource (name or glob). `write` brings `read` along, `admin` both; any other
    action is matched exactly."""
    cannot: dict[str, Actions] = Field(default_factory=dict)
    """Taken away, whichever role gives it."""


_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def _end_of_day(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        value = date.fromisoformat(value)  # its message says what is wrong with it
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(0), UTC) + timedelta(days=1)
    return value


class Remembered(Model):
    """An answer that a person gave once and for a while: calls like this are not asked about."""

    tool: str = Field(min_length=1)
    """Exact name."""
    where: Where = Field(default_factory=dict)
    """Which calls: every argument named here must be like this."""
    when: When | None = None
    questions: tuple[Literal["approval", "flow"], ...] = Field(default=("approval",), min_length=1)
    """Which questions it answers: those of `approval`, those of flow rules."""
    owner: str = Field(min_length=1)
    """Who answered, and answers for it."""
    until: Annotated[
        AwareDatetime, BeforeValidator(_end_of_day, json_schema_input_type=datetime | date)
    ]
    """When it ends. A date ends with its day, UTC."""


class CapabilitiesPolicy(FlowSection):
    """Which tools an agent may call, and how. What is not named is denied."""

    access: Access = Access.WRITE
    """The agent's ceiling: tools that can do more are denied."""
    tools: dict[str, ToolRule] = Field(default_factory=dict)
    """Rules by exact tool name, or by a glob that says so with `*`, `?` or `[...]`. An exact name
    goes before globs; of several globs that match, all must be satisfied."""
    deny: tuple[str | DenyRule, ...] = ()
    """Names and globs that are denied whatever `tools` says, some of them under conditions."""
    roles: dict[str, Role] | None = None
    """What users may do. With roles, every call also needs a permission of the user's."""
    users: dict[str, OneOrMany] | None = None
    """Roles by user. Without it the application says them: `guard.session(roles=...)`."""
    environment: str | None = None
    """Where this policy is in force, for sessions that do not say it."""
    remembered: tuple[Remembered, ...] = ()
    """Approvals that are remembered."""

    @model_validator(mode="after")
    def _reachable(self) -> CapabilitiesPolicy:
        if not self.model_fields_set:
            return self  # the default, made while this package is still being imported
        from hauberk.policy._reachable import first_problem  # noqa: PLC0415 - knows these models

        found = first_problem(self)
        if found is not None:
            details = {"problem": found.problem, "remedy": found.remedy, "at": found.at}
            raise PydanticCustomError("unreachable", "{problem}", details)
        return self
