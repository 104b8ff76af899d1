"""Mail addresses and lists of them, read so strictly that display names hide nothing (pure).

Rules:
* `ada@bank.example`, `Ada Lovelace <ada@bank.example>`, and lists of them with `,` or `;`.
* A display name that looks like an address, quoted local parts, comments, groups, routes, domain
  literals and line breaks make the whole text unreadable: mailers disagree on them, or obey them.
* `%` and `!` in a local part are routes to elsewhere (RFC 5321, appendix F): refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit, one_part, unreadable
from hauberk.policy._constraints import MailRule

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]{1,64}"
_ADDRESS = rf"{_ATOM}(?:\.{_ATOM}){{0,30}}@{_LABEL}(?:\.{_LABEL}){{0,126}}"
_NAME = r"""(?:"[^"\\<>@,;:()\r\n]{0,200}"|[^"\\<>@,;:()\[\]\r\n]{0,200})"""
_ENTRY = re.compile(rf"\s*(?:(?P<bare>{_ADDRESS})|{_NAME}\s*<(?P<named>{_ADDRESS})>)\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_SEPARATOR = re.compile(r"[,;]")

MAX_CHARS = 20_000
"""Longest text that is read as a list of addresses: some 500 of them."""


def mail_kind(rule: MailRule) -> Kind:
    """A constraint on recipients."""
    domains = frozenset(d for d in rule.domains if not d.startswith("*"))
    below = tuple(domain[1:] for domain in rule.domains if domain.startswith("*."))
    everyone = "*" in rule.domains
    # The domain of an address is the same in any case; its local part may not be.
    whole = frozenset(_folded(address) for address in rule.addresses)

    def check(part: object, _: Arguments) -> Misfit | None:
        if not isinstance(part, str):
            return unreadable("must be plain mail addresses: `name@domain` or `Name <name@domain>`")
        domain = part.rpartition("@")[2].lower()
        if everyone or domain in domains or domain.endswith(below) or _folded(part) in whole:
            return None
        if not rule.domains:
            return Misfit("must be an address in `addresses`", field="addresses", needed=part)
        return Misfit("must be an address in a domain in `domains`", field="domains", needed=domain)

    def together(parts: list[object]) -> Misfit | None:
        if rule.max is not None and len(parts) > rule.max:
            wants = f"must have at most {rule.max} addresses"
            return Misfit(wants, field="max", needed=len(parts))
        return None

    return Kind(name="mail", check=check, parts=addresses, together=together)


def addresses(value: object) -> Iterable[object]:
    """The addresses in a text, or in a list of texts; None for each that cannot be read.

    Example:
        >>> list(addresses("Ada <ada@bank.example>; bob@bank.example, eve@x (bank.example)"))
        ['ada@bank.example', 'bob@bank.example', None]
    """
    for item in one_part(value):
        if isinstance(item, str) and len(item) <= MAX_CHARS and not _CONTROL.search(item):
            yield from _addresses(item)
        else:
            yield None


def _addresses(text: str) -> Iterator[str | None]:
    for entry in _SEPARATOR.split(text):
        found = _ENTRY.fullmatch(entry)
        yield None if found is None else found["bare"] or found["named"]


def _folded(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
