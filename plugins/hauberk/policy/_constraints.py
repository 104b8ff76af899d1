"""The shape of typed constraints: what JSON Schema is bad at saying of an argument.

Each stands for one reading of a value, and what cannot be read for certain is refused. The short
form of each is what people write most: `mail: [bank.example]`, `path: /srv/data`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hauberk.policy._base import Model

MAX_SHELL_WORDS = 64
"""Words of one command line. Those of agents stay below twenty."""

Names = Annotated[tuple[str, ...], Field(min_length=1)]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


OneOrMany = Annotated[
    Names, BeforeValidator(_one_or_many, json_schema_input_type=str | tuple[str, ...])
]
"""One name, or a list of them."""


def _short_for(field: str) -> Callable[[object], object]:
    """A validator that reads the short form of a constraint: the value of its chief field."""

    def read(value: object) -> object:
        return cast("object", value) if isinstance(value, (Mapping, Model)) else {field: value}

    return read


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ip_network(value)  # its message says what is wrong
    return values


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        name = value.removeprefix("*.")
        if value != "*" and (not name or "*" in name or not value.isascii() or value.endswith(".")):
            raise ValueError(
                f"{value!r} is no host: write `host`, `*.host` (its subdomains) or `*`"
            )
    return tuple(value.lower() for value in values)


Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]
Hosts = Annotated[OneOrMany, AfterValidator(_hosts)]


class HostRule(Model):
    """A host name or an address, alone."""

    hosts: Hosts
    """Exact names; `*.example.com` for subdomains (not the name itself); `*` for public names."""
    networks: Networks = ()
    """Addresses that may be written out, in CIDR. Without them no address is let through."""


class UrlRule(HostRule):
    """A URL, read so strictly that no two readers could see another host in it."""

    schemes: OneOrMany = ("https",)
    ports: tuple[Annotated[int, Field(ge=1, le=65_535)], ...] = ()
    """Ports that may be written out; without them only the scheme's own."""
    below: OneOrMany = ("/",)
    """Paths that the URL's path must be at or below."""
    query: bool = True
    """Whether it may have a query or a fragment, which carry data out."""


class MailRule(Model):
    """One e-mail address or a list of them; display names are looked through."""

    domains: Annotated[Hosts | tuple[()], BeforeValidator(_one_or_many)] = ()
    """Exact domains; `*.example.com` for subdomains."""
    addresses: tuple[str, ...] = ()
    """Whole addresses, beside the domains."""
    max: int | None = Field(default=None, ge=1)
    """Most addresses in one argument."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.domains and not self.addresses:
            raise ValueError("names neither domains nor addresses: nothing could pass")
        return self


class PathRule(Model):
    """A path that lies below a root once `..` and symbolic links are resolved."""

    below: OneOrMany
    """Roots, absolute."""
    base: str | None = None
    """Where a relative path starts: the first root when not given; with `give: given`, the
    process's working directory, as the tool would see it."""
    give: Literal["given", "resolved"] = "resolved"
    """What the tool gets: the path as it was given, or the resolved one that was judged."""
    suffixes: tuple[str, ...] = ()
    """Endings that the resolved name may have, such as `.csv`; without them any."""

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        from pathlib import Path  # noqa: PLC0415

        for root in (*self.below, *(() if self.base is None else (self.base,))):
            if not Path(root).is_absolute():
                raise ValueError(f"{root!r} is not absolute: it would move with the process")
        if self.give == "given" and self.base is not None:
            raise ValueError("`base` needs `give: resolved`: the tool would start elsewhere")
        return self


class SqlRule(Model):
    """One SQL statement of certain kinds. Needs the extra `sql`."""

    dialect: str
    """Of the database, as sqlglot calls it: `postgres`, `mysql`, `sqlite` ... Dialects disagree on
    where a string ends, so this must be the real one."""
    kinds: OneOrMany = ("select",)
    """`select`, `insert`, `update`, `delete`, `merge`, `create`, `alter`, `drop`, `truncate` ..."""
    tables: tuple[str, ...] | None = None
    """Tables that it may touch, as they are written (`table`, `schema.table`); None: any."""
    functions: tuple[str, ...] = ()
    """Functions that it may call beside those that are known to only compute."""
    max_chars: int = Field(default=10_000, ge=1, le=100_000)
    """Longest statement."""


class CommandRule(Model):
    """How one command may be called."""

    options: tuple[str, ...] = ()
    """Options, as they are written: `-l`, `--name`. `-la` needs `-l` and `-a`."""
    first: tuple[str, ...] = ()
    """What the first word that is no option may be (a sub-command); without them anything."""
    max_words: int = Field(default=MAX_SHELL_WORDS, ge=0, le=MAX_SHELL_WORDS)
    """Most words that are no options."""


def _by_name(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        return value
    return {name: CommandRule() for name in cast("list[str]", value)}


class ShellRule(Model):
    """One command line without any sign that a shell would act on, or a list of its words."""

    commands: Annotated[
        dict[str, CommandRule],
        Field(min_length=1),
        BeforeValidator(_by_name, json_schema_input_type=dict[str, CommandRule] | tuple[str, ...]),
    ]
    """Commands by exact name, and how each may be called."""


class CidrRule(Model):
    """An IP address or a network, inside certain networks."""

    networks: Annotated[Networks, Field(min_length=1), BeforeValidator(_one_or_many)]
    """In CIDR: `10.0.0.0/8`, `2001:db8::/32`."""


class MoneyRule(Model):
    """An amount of money, counted in decimals."""

    max: Decimal = Field(allow_inf_nan=False)
    """The most in one call."""
    min: Decimal = Field(default=Decimal(0), allow_inf_nan=False)
    """The least in one call."""
    currency: OneOrMany | None = None
    """Currencies, ISO 4217 (`EUR`)."""
    currency_in: str | None = None
    """The argument that names the currency; without it the amount itself must (`EUR 12.50`)."""
    decimals: int = Field(default=2, ge=0, le=8)
    """Most digits after the point."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min > self.max:
            raise ValueError("`min` is more than `max`: no amount could pass")
        if self.currency_in is not None and self.currency is None:
            raise ValueError("`currency_in` checks nothing without `currency`")
        return self


def _chief(field: str, model: type[Model], short: Any) -> BeforeValidator:
    return BeforeValidator(_short_for(field), json_schema_input_type=model | short)


class Constraint(Model):
    """What one argument must be. Of several kinds all must hold; of a list, each item."""

    host: Annotated[HostRule, _chief("hosts", HostRule, OneOrMany)] | None = None
    url: Annotated[UrlRule, _chief("hosts", UrlRule, OneOrMany)] | None = None
    mail: Annotated[MailRule, _chief("domains", MailRule, OneOrMany)] | None = None
    path: Annotated[PathRule, _chief("below", PathRule, OneOrMany)] | None = None
    sql: SqlRule | None = None
    shell: Annotated[ShellRule, _chief("commands", ShellRule, tuple[str, ...])] | None = None
    cidr: Annotated[CidrRule, _chief("networks", CidrRule, OneOrMany)] | None = None
    money: Annotated[MoneyRule, _chief("max", MoneyRule, Decimal)] | None = None
    optional: bool = False
    """Whether the argument may be missing or null."""

    @model_validator(mode="after")
    def _checks_something(self) -> Self:
        if not self.kinds():
            raise ValueError(
                "checks nothing: name a kind (`mail`, `url`, `path` ...), or write `any`"
            )
        return self

    def kinds(self) -> dict[str, Model]:
        """The kinds that are asked for, by name."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: rule for name, rule in named.items() if isinstance(rule, Model)}
