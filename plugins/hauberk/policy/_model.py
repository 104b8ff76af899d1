"""The shape of a policy: frozen pydantic models, one per room, each in a file of its own.

Rules:
* A room that is not mentioned has its safe defaults. Switching one off is spelt out: `pii: off`.
* Unknown keys are refused.
* A limit that could never fire, or would always fire, is refused with the remedy.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator

from hauberk.policy._approval import ApprovalPolicy
from hauberk.policy._audit import AuditPolicy
from hauberk.policy._base import Model, Section
from hauberk.policy._budget import BudgetPolicy
from hauberk.policy._capabilities import CapabilitiesPolicy
from hauberk.policy._injection import InjectionPolicy
from hauberk.policy._limits import LimitsPolicy
from hauberk.policy._pii import PiiPolicy


class PluginPolicy(Section):
    """One more plugin, found by its entry point in the group `hauberk.plugins`."""

    use: str = Field(min_length=1)
    """Name of the entry point."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Handed to the plugin as it is."""


def _switched_on(value: object) -> object:
    """`on` in YAML means: with its defaults."""
    return {} if value is True else value


def _room(model: type[BaseModel]) -> BeforeValidator:
    # The schema says what may be written: `on` too.
    return BeforeValidator(_switched_on, json_schema_input_type=model | bool)


class Policy(Model):
    """Everything that a guard enforces.

    Rooms that are not named have their safe defaults; `False` (`off` in YAML) switches one off.

    Example:
        >>> Policy(version=1, capabilities={"tools": {"search": {"access": "read"}}}).version
        1
    """

    version: Literal[1]
    """Version of this format. Must be written, so that no empty file is a policy."""
    name: str = "policy"
    """Name of the policy, for reports."""
    injection: Annotated[InjectionPolicy | Literal[False], _room(InjectionPolicy)] = (
        InjectionPolicy()
    )
    pii: Annotated[PiiPolicy | Literal[False], _room(PiiPolicy)] = PiiPolicy()
    capabilities: Annotated[CapabilitiesPolicy | Literal[False], _room(CapabilitiesPolicy)] = (
        CapabilitiesPolicy()
    )
    budget: Annotated[BudgetPolicy | Literal[False], _room(BudgetPolicy)] = BudgetPolicy()
    audit: Annotated[AuditPolicy | Literal[False], _room(AuditPolicy)] = AuditPolicy()
    approval: ApprovalPolicy = ApprovalPolicy()
    limits: LimitsPolicy = LimitsPolicy()
    plugins: tuple[PluginPolicy, ...] = ()

    @field_validator("plugins")
    @classmethod
    def _plugins_once(cls, plugins: tuple[PluginPolicy, ...]) -> tuple[PluginPolicy, ...]:
        names = [plugin.use for plugin in plugins]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")
        return plugins

    @classmethod
    def unsafe_allow_all(cls) -> Policy:
        """A policy that guards nothing: for measuring, and for finding out what a guard changes."""
        return cls(
            version=1,
            name="unsafe-allow-all",
            injection=False,
            pii=False,
            capabilities=False,
            budget=False,
            audit=False,
        )
