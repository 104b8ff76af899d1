"""Hosts, URLs and networks, read so that no two readers see another host (pure).

Rules:
* Only one spelling of a host is read: ASCII, no trailing dot, no percent sign; an address in its
  canonical form. Octal, hexadecimal, short and decimal IPv4 are refused, not translated.
* User info, backslashes, spaces and control characters make a URL unreadable: readers disagree on
  them (Orange Tsai, "A New Era of SSRF", 2017; https://url.spec.whatwg.org/#host-parsing).
* An address passes only when it is named, or lies in a network that the rule names.
* `*` is every public name: with a dot in it, and in no zone that only a local network answers for.

Names are not looked up. A public name may lead to a private address, now or at the next look-up, and
a server may redirect; only the client that opens the connection can refuse that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit, unreadable
from hauberk.policy._constraints import CidrRule, HostRule, UrlRule

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
"""A last label like this makes the whole host an IPv4 address (WHATWG URL, "ends in a number")."""

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30})://(?P<authority>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?P<rest>[?#].*)?"
)
_PLAIN = re.compile(r"[!#-;=?-\[\]_a-z~]+")
"""Printable ASCII without space, quotes, angle brackets, backslash, caret, backtick, braces, bar."""
_HIDDEN_STEP = re.compile(r"%(?:2e|2f|5c|00|25)", re.IGNORECASE)
_DOT_STEP = re.compile(r"/\.\.?(?=[/;]|\Z)")

LOCAL_ZONES = (
    *("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private"),
    *("home.arpa", "localdomain", "test", "invalid", "onion"),
)
"""Zones that no public server answers for: RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`, and
names that networks use inside. Clouds answer for their metadata there."""

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}


def read_host(text: str) -> str | Address | Misfit:
    """The name in lower case, or the address, or why it cannot be told."""
    host = text.lower()
    if host.startswith("["):
        return _v6(host[1:-1]) if host.endswith("]") else unreadable("must name a host")
    if ":" in host:
        return _v6(host)
    if not _NAME.fullmatch(host):
        return unreadable(_misspelt(host))
    if _NUMBER.match(host.rpartition(".")[2]):
        return _v4(host)
    return host


def _misspelt(host: str) -> str:
    if not host.isascii():
        return "must spell its host in ASCII (`xn--` for other scripts)"
    if host.endswith("."):
        return "must spell its host without a dot at the end"
    return "must name a host, in plain letters, digits, dots and hyphens"


def _v4(text: str) -> IPv4Address | Misfit:
    try:
        return IPv4Address(text)
    except ValueError:
        return unreadable("must not hide an address in octal, hexadecimal or a short form")


def _v6(text: str) -> IPv6Address | Misfit:
    try:
        address = IPv6Address(text)
    except ValueError:
        return unreadable("must name a host")
    return address if address.scope_id is None else unreadable("must not name a network zone")


def _allowed(rule: HostRule) -> Callable[[str | Address], Misfit | None]:
    names = {_canonical(host) for host in rule.hosts if "*" not in host}
    below = tuple(host[1:] for host in rule.hosts if host.startswith("*."))
    everyone = "*" in rule.hosts
    networks = tuple(ip_network(network) for network in rule.networks)

    def judge(host: str | Address) -> Misfit | None:
        if host in names or (isinstance(host, str) and host.endswith(below)):
            return None
        if not isinstance(host, str):
            if any(host in network for network in networks):
                return None
            return Misfit(
                "must not be an address outside `networks`", field="hosts", needed=str(host)
            )
        if everyone and _is_public(host):
            return None
        if everyone:
            wants = "must be a public host: this one is answered for inside a network"
            return Misfit(wants, field="hosts", needed=host)
        return Misfit("must be a host in `hosts`", field="hosts", needed=host)

    return judge


def _canonical(host: str) -> str | Address:
    found = read_host(host)
    return host if isinstance(found, Misfit) else found


def _is_public(host: str) -> bool:
    return "." in host and not any(host == z or host.endswith(f".{z}") for z in LOCAL_ZONES)


def host_kind(rule: HostRule) -> Kind:
    """A constraint on a bare host."""
    judge = _allowed(rule)

    def check(value: object, _: Arguments) -> Misfit | None:
        if not isinstance(value, str):
            return unreadable("must be the name of a host")
        host = read_host(value)
        return host if isinstance(host, Misfit) else judge(host)

    return Kind(name="host", check=check)


def url_kind(rule: UrlRule, *, deny: bool = False) -> Kind:
    """A constraint on a URL. To deny, what the rule does not say is not looked at."""
    judge = _allowed(rule)
    said = rule.model_fields_set if deny else type(rule).model_fields
    schemes = frozenset(rule.schemes) if "schemes" in said else None

    def check(value: object, _: Arguments) -> Misfit | None:
        found = (
            _URL.fullmatch(value) if isinstance(value, str) and _PLAIN.fullmatch(value) else None
        )
        if found is None:
            return unreadable("must be a whole URL in plain characters: `scheme://host/path`")
        host, port = _authority(found["authority"])
        if isinstance(host, Misfit):
            return host
        scheme = found["scheme"].lower()
        if schemes is not None and scheme not in schemes:
            return Misfit("must have a scheme in `schemes`", field="schemes", needed=scheme)
        if "ports" in said and port is not None and port not in (*rule.ports, _PORTS.get(scheme)):
            return Misfit("must have a port in `ports`", field="ports", needed=port)
        return judge(host) or _bad_rest(rule, found["path"] or "/", found["rest"])

    return Kind(name="url", check=check)


def _authority(text: str) -> tuple[str | Address | Misfit, int | None]:
    if "@" in text:
        return unreadable("must not have user info before its host"), None
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    elif not re.fullmatch(r"[1-9][0-9]{0,4}", port):
        return unreadable("must have a plain port"), None
    if ":" in host and not host.startswith("["):
        return unreadable("must name a host"), None
    return read_host(host), int(port) if colon else None


def _bad_rest(rule: UrlRule, path: str, rest: str | None) -> Misfit | None:
    if rest is not None and not rule.query:
        return Misfit("must have no query and no fragment", field="query", needed=True)
    if rule.below == ("/",):
        return None
    if _DOT_STEP.search(path) or _HIDDEN_STEP.search(path) or "//" in path:
        return unreadable("must have a plain path, without `..`, `//` or escaped slashes")
    if any(path == one or path.startswith(one.rstrip("/") + "/") for one in rule.below):
        return None
    return Misfit("must be at or below a path in `below`", field="below", needed=path)


def cidr_kind(rule: CidrRule) -> Kind:
    """A constraint on an address or a network."""
    networks = tuple(ip_network(network) for network in rule.networks)

    def check(value: object, _: Arguments) -> Misfit | None:
        found = _network(value)
        if found is None:
            return unreadable("must be an IP address or a network, in its plain form")
        if any(_inside(found, network) for network in networks):
            return None
        return Misfit("must be inside a network in `networks`", field="networks", needed=str(found))

    return Kind(name="cidr", check=check)


def _network(value: object) -> Network | None:
    if isinstance(value, (IPv4Address, IPv6Address, IPv4Network, IPv6Network)):
        return ip_network(value)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f:./]{2,49}", value):
        return None
    try:
        # An address for itself first: it says more than a network of one.
        return ip_network(value if "/" in value else ip_address(value))
    except ValueError:
        return None


def _inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return (
        isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)
    )
