"""Policies: one YAML file (or the same in Python) that says everything a guard enforces."""

from hauberk.policy._load import load_policy
from hauberk.policy._model import (
    Access,
    AuditPolicy,
    BudgetPolicy,
    CapabilitiesPolicy,
    InjectionPolicy,
    LimitsPolicy,
    ModelPrice,
    OnError,
    PiiPolicy,
    PluginPolicy,
    Policy,
    Screen,
    ScreenAction,
    Section,
    SeverityName,
    ToolRule,
)

__all__ = [
    "Access",
    "AuditPolicy",
    "BudgetPolicy",
    "CapabilitiesPolicy",
    "InjectionPolicy",
    "LimitsPolicy",
    "ModelPrice",
    "OnError",
    "PiiPolicy",
    "PluginPolicy",
    "Policy",
    "Screen",
    "ScreenAction",
    "Section",
    "SeverityName",
    "ToolRule",
    "load_policy",
]
