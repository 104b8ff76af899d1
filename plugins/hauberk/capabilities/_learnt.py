"""What one argument is, told by the values that it had (pure)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from hauberk.capabilities._values import kind
from hauberk.capabilities.kinds import Kind, compiled
from hauberk.capabilities.kinds._mail import addresses
from hauberk.policy import Constraint

MAX_WORDS = 8
"""Most different texts that are learnt as a list of words."""
MIN_REPEATS = 3
"""Times that they must repeat, on average: a list of three values seen once each is no list."""
MAX_HOSTS = 20
"""Most different hosts, domains or networks that are learnt one by one."""

_MONEY = re.compile(r"(?:^|_)(?:amount|price|total|fee|cost|payment)(?:$|_)", re.IGNORECASE)
_PATH = re.compile(r"(?:^|_)(?:path|file|filename|dir|directory|folder)(?:$|_)", re.IGNORECASE)
_SQL = re.compile(r"(?:^|_)(?:sql|query|statement)(?:$|_)", re.IGNORECASE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]+)")


@dataclass(frozen=True, slots=True)
class Seen:
    """The values of one argument; None where it was missing or null."""

    name: str
    values: list[object]
    dialect: str | None

    @property
    def given(self) -> list[object]:
        """The values that there were."""
        return [value for value in self.values if value is not None]

    @property
    def items(self) -> list[object]:
        """The values, and what stood in lists."""
        return [item for value in self.given for item in _items(value)]

    @property
    def is_optional(self) -> bool:
        """Whether it was missing or null in some call."""
        return len(self.given) < len(self.values)


def _items(value: object) -> Iterator[object]:
    if isinstance(value, list):
        yield from cast("list[object]", value)
    else:
        yield value


def typed(seen: Seen) -> dict[str, Any] | None:
    """The typed constraint that all values satisfy; None when they are of no such kind."""
    if not seen.items:
        return None
    for read in (_mail, _url, _cidr, _money, _path, _sql):
        found = read(seen)
        if found is not None and _all_fit(found, seen):
            return {**found, "optional": True} if seen.is_optional else found
    return None


def _all_fit(found: dict[str, Any], seen: Seen) -> bool:
    kinds = tuple(compiled(Constraint.model_validate(found)))
    return all(_fits(one, value) for one in kinds for value in seen.given)


def _fits(one: Kind, value: object) -> bool:
    parts = list(one.parts(value))
    return not any(one.check(part, {}) for part in parts) and one.together(parts) is None


def _texts(seen: Seen) -> list[str] | None:
    texts = [item for item in seen.items if isinstance(item, str)]
    return texts if len(texts) == len(seen.items) else None


def _mail(seen: Seen) -> dict[str, Any] | None:
    found = [list(addresses(value)) for value in seen.given]
    parts = [part for one in found for part in one]
    if not all(isinstance(part, str) for part in parts) or not parts:
        return None
    domains = sorted({str(part).rpartition("@")[2].lower() for part in parts})
    most = max(len(one) for one in found)
    return {"mail": {"domains": domains, "max": most}} if len(domains) <= MAX_HOSTS else None


def _url(seen: Seen) -> dict[str, Any] | None:
    found = [_URL.match(text) for text in _texts(seen) or ()]
    if not found or not all(found):
        return None
    wholes = [(one[0].partition(":")[0].lower(), one[1].lower()) for one in found if one]
    hosts = sorted({re.sub(r":[0-9]+\Z", "", host).strip("[]") for _, host in wholes})
    ports = sorted({int(h.rpartition(":")[2]) for _, h in wholes if re.search(r":[0-9]+\Z", h)})
    rule: dict[str, Any] = {"hosts": hosts, "schemes": sorted({scheme for scheme, _ in wholes})}
    if ports:
        rule["ports"] = ports
    return {"url": rule} if len(hosts) <= MAX_HOSTS else None


def _cidr(seen: Seen) -> dict[str, Any] | None:
    networks = sorted(set(_texts(seen) or ()))
    if not networks or len(networks) > MAX_HOSTS:
        return None
    if not all(re.fullmatch(r"[0-9A-Fa-f:.]*[:.][0-9A-Fa-f:./]*", one) for one in networks):
        return None
    try:
        Constraint.model_validate({"cidr": networks})
    except ValueError:
        return None
    return {"cidr": networks}


def _money(seen: Seen) -> dict[str, Any] | None:
    numbers = [n for n in seen.items if isinstance(n, (int, float)) and not isinstance(n, bool)]
    if not _MONEY.search(seen.name) or len(numbers) < len(seen.items):
        return None
    amounts = [Decimal(repr(number)) for number in numbers]
    rule: dict[str, Any] = {"max": _number(max(amounts))}
    if min(amounts) < 0:
        rule["min"] = _number(min(amounts))
    return {"money": rule}


def _number(amount: Decimal) -> float:
    return int(amount) if amount == int(amount) else float(amount)


def _path(seen: Seen) -> dict[str, Any] | None:
    texts = _texts(seen)
    absolute = texts is not None and all(os.path.isabs(text) for text in texts)  # noqa: PTH117 - texts
    if not texts or not absolute or not (_PATH.search(seen.name) or len(texts) > 1):
        return None
    root = os.path.commonpath([os.path.dirname(os.path.realpath(text)) for text in texts])  # noqa: PTH120 - texts
    return None if root == os.sep else {"path": root}


def _sql(seen: Seen) -> dict[str, Any] | None:
    texts = _texts(seen)
    if seen.dialect is None or not texts or not _SQL.search(seen.name):
        return None
    rule: dict[str, Any] = {"dialect": seen.dialect, "kinds": ["select"], "tables": []}
    for text in texts:
        if not _widened(rule, text):
            return None
    return {"sql": rule}


def _widened(rule: dict[str, Any], text: str) -> bool:
    """Whether a statement fits a rule for SQL, which gets what the statement needs."""
    for _ in range(MAX_HOSTS):
        (one,) = compiled(Constraint.model_validate({"sql": rule}))
        misfit = one.check(text, {})
        if misfit is None:
            return True
        if not misfit.sure or misfit.needed is None:
            return False
        rule[misfit.field] = [*rule.get(misfit.field, ()), misfit.needed]
    return False


# --- everything else: JSON Schema ---------------------------------------------------------------


def schema_of(seen: Seen) -> dict[str, Any]:
    """The JSON Schema that all values satisfy: type, bounds, words."""
    kinds = sorted({kind(value) for value in seen.given})
    if seen.is_optional and any(value is None for value in seen.values):
        kinds.append("null")
    if kinds == ["integer", "number"]:
        kinds = ["number"]
    found: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    match [one for one in kinds if one != "null"]:
        case ["integer"] | ["number"]:
            numbers = cast("list[float]", seen.given)
            found |= {"minimum": min(numbers), "maximum": max(numbers)}
        case ["string"]:
            found |= _words(cast("list[str]", seen.given), optional="null" in kinds)
        case ["array"]:
            lists = cast("list[list[object]]", seen.given)
            found["maxItems"] = max(map(len, lists))
            if seen.items:
                found["items"] = schema_of(Seen(seen.name, seen.items, seen.dialect))
        case []:
            return {"type": "null"}
        case _:
            pass
    return found


def _words(texts: list[str], *, optional: bool) -> dict[str, Any]:
    words = sorted(set(texts))
    if len(words) <= MAX_WORDS and len(texts) >= MIN_REPEATS * len(words):
        return {"enum": [*words, None] if optional else words}
    # Room for other texts of the same sort: the next power of two.
    return {"maxLength": 1 << max(map(len, texts)).bit_length()}
