"""Policies: one YAML file (or the same in Python) that says everything a guard enforces."""

from hauberk.policy._approval import ApprovalPolicy
from hauberk.policy._audit import AuditPolicy
from hauberk.policy._base import OnError, Section
from hauberk.policy._budget import BudgetPolicy, ModelPrice
from hauberk.policy._capabilities import (
    Access,
    Breaker,
    CapabilitiesPolicy,
    Case,
    DenyRule,
    Remembered,
    Role,
    ToolRule,
)
from hauberk.policy._conditions import TimeWindow, When
from hauberk.policy._constraints import Constraint
from hauberk.policy._injection import (
    ClassifierPolicy,
    DetectorPolicy,
    Exfiltration,
    InjectionPolicy,
    Levels,
    LinkAction,
    Neutral,
    PromptLeak,
    RulesFile,
    Screen,
    ScreenAction,
    SeverityName,
    TextScreen,
)
from hauberk.policy._limits import LimitsPolicy
from hauberk.policy._load import load_policy
from hauberk.policy._model import PluginPolicy, Policy
from hauberk.policy._names import NamesModel
from hauberk.policy._pii import Difference, Operator, PiiPolicy, VaultPolicy

__all__ = [
    "Access",
    "ApprovalPolicy",
    "AuditPolicy",
    "Breaker",
    "BudgetPolicy",
    "CapabilitiesPolicy",
    "Case",
    "ClassifierPolicy",
    "Constraint",
    "DenyRule",
    "DetectorPolicy",
    "Difference",
    "Exfiltration",
    "InjectionPolicy",
    "Levels",
    "LimitsPolicy",
    "LinkAction",
    "ModelPrice",
    "NamesModel",
    "Neutral",
    "OnError",
    "Operator",
    "PiiPolicy",
    "PluginPolicy",
    "Policy",
    "PromptLeak",
    "Remembered",
    "Role",
    "RulesFile",
    "Screen",
    "ScreenAction",
    "Section",
    "SeverityName",
    "TextScreen",
    "TimeWindow",
    "ToolRule",
    "VaultPolicy",
    "When",
    "load_policy",
]
