"""The shape of `capabilities:`: which tools may be called, and how."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from hauberk.policy._base import Model, Section


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


class ToolRule(Model):
    """What one tool may be used for."""

    access: Access = Access.READ
    """What the tool can do. It must be within the agent's ceiling."""
    args: Annotated[dict[str, Any] | None, AfterValidator(_usable)] = None
    """JSON Schema that the final arguments must satisfy."""
    timeout_s: float | None = Field(default=None, gt=0, le=86_400)
    """Longest run of one call, in seconds."""
    approval: bool = False
    """A human must approve each call."""


class CapabilitiesPolicy(Section):
    """Which tools an agent may call, and how. What is not named is denied."""

    access: Access = Access.WRITE
    """The agent's ceiling: tools that can do more are denied."""
    tools: dict[str, ToolRule] = Field(default_factory=dict)
    """Rules by exact tool name, or by a glob that says so with `*`, `?` or `[...]`. An exact name
    goes before globs; of several globs that match, all must be satisfied."""
    deny: tuple[str, ...] = ()
    """Names and globs that are denied whatever `tools` says."""
