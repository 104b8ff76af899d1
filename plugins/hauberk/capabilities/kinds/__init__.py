"""Kinds of typed constraints: one file for each way of reading a value.

`compiled` makes the check for one kind of a policy's constraint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never, cast

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit
from hauberk.capabilities.kinds._hosts import cidr_kind, host_kind, url_kind
from hauberk.capabilities.kinds._mail import mail_kind
from hauberk.capabilities.kinds._money import money_kind
from hauberk.capabilities.kinds._path import open_beneath, path_kind
from hauberk.capabilities.kinds._shell import shell_kind
from hauberk.policy._constraints import (
    CidrRule,
    Constraint,
    HostRule,
    MailRule,
    MoneyRule,
    PathRule,
    ShellRule,
    SqlRule,
    UrlRule,
)

AnyRule = UrlRule | HostRule | MailRule | PathRule | SqlRule | ShellRule | CidrRule | MoneyRule

__all__ = ["Arguments", "Kind", "Misfit", "compiled", "open_beneath"]


def compiled(constraint: Constraint, *, deny: bool = False) -> Iterator[Kind]:
    """The checks of a constraint.

    Args:
        constraint: Of the policy.
        deny: It says what is denied: what it does not say is then not looked at.

    Raises:
        MissingExtraError: A kind needs an extra that is not installed.
        ValueError: It cannot be used; says why.
    """
    for rule in constraint.kinds().values():
        yield _compiled(cast("AnyRule", rule), deny=deny)


def _compiled(rule: AnyRule, *, deny: bool) -> Kind:  # noqa: PLR0911 - one line for each kind
    match rule:
        case UrlRule():
            return url_kind(rule, deny=deny)
        case HostRule():
            return host_kind(rule)
        case MailRule():
            return mail_kind(rule)
        case PathRule():
            return path_kind(rule, deny=deny)
        case CidrRule():
            return cidr_kind(rule)
        case MoneyRule():
            return money_kind(rule)
        case SqlRule() | ShellRule() if deny:
            raise ValueError("SQL and commands cannot be denied for certain: say what is allowed")
        case SqlRule():
            from hauberk.capabilities.kinds._sql import sql_kind  # noqa: PLC0415 - an extra

            return sql_kind(rule)
        case ShellRule():
            return shell_kind(rule)
    assert_never(rule)
