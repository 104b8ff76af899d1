"""Typed constraints: what each kind of value may be, and every way to disguise it."""

from __future__ import annotations

import os
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.capabilities import open_beneath
from hauberk.capabilities.kinds import compiled
from hauberk.policy import Constraint


def misfit(constraint: dict[str, Any], value: object, **others: object) -> str | None:
    """What is wanted of a value that does not fit; None when it fits."""
    for kind in compiled(Constraint.model_validate(constraint)):
        parts = list(kind.parts(value))
        for found in (*(kind.check(part, others) for part in parts), kind.together(parts)):
            if found is not None:
                return found.wants
    return None


URL = {"url": ["api.example.com", "*.cdn.example.com"]}


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com/a/b?c=d#e",
        "https://API.Example.COM:443/",
        "https://eu.cdn.example.com/x",
    ],
)
def test_an_allowed_host_is_let_through(url: str) -> None:
    assert misfit(URL, url) is None


@pytest.mark.parametrize(
    ("url", "wants"),
    [
        ("https://evil.example/", "a host in `hosts`"),
        ("https://evil.example/https://api.example.com", "a host in `hosts`"),
        ("https://evil.example?x=api.example.com", "a host in `hosts`"),
        ("https://evil.example#.api.example.com", "a host in `hosts`"),
        ("https://api.example.com.evil.example/", "a host in `hosts`"),
        ("https://notapi.example.com/", "a host in `hosts`"),
        ("https://cdn.example.com/", "a host in `hosts`"),
        ("https://evilcdn.example.com/", "a host in `hosts`"),
        ("https://xn--pi-7ja.example.com/", "a host in `hosts`"),
        ("http://api.example.com/", "a scheme in `schemes`"),
        ("javascript://api.example.com/%0aalert(1)", "a scheme in `schemes`"),
        ("https://api.example.com:8443/", "a port in `ports`"),
        ("https://api.example.com:0443/", "a plain port"),
        ("https://api.example.com:/", "a plain port"),
        ("https://api.example.com@evil.example/", "no"),
        ("https://evil.example@api.example.com/", "user info"),
        ("https://user:pass@api.example.com/", "user info"),
        ("https://evil.example\\@api.example.com/", "a whole URL"),
        ("https://api.example.com\\.evil.example/", "a whole URL"),
        ("https://api.example.com./", "without a dot at the end"),
        ("https://api.example.com%2e/", "plain letters"),
        ("https://api.example.com%00.evil.example/", "plain letters"),
        ("https://\u0430pi.example.com/", "a whole URL"),
        ("https://api\u3002example\u3002com/", "a whole URL"),
        ("https://api.example.com/\r\nHost: evil.example", "a whole URL"),
        (" https://api.example.com/", "a whole URL"),
        ("https://api.example.com/ x", "a whole URL"),
        ("https:/api.example.com/", "a whole URL"),
        ("https:///api.example.com/", "name a host"),
        ("https:api.example.com", "a whole URL"),
        ("//api.example.com/", "a whole URL"),
        ("api.example.com", "a whole URL"),
        ("", "a whole URL"),
        ("https://", "name a host"),
        ("https://127.0.0.1/", "outside `networks`"),
        ("https://2130706433/", "octal, hexadecimal or a short form"),
        ("https://0x7f000001/", "octal, hexadecimal or a short form"),
        ("https://0177.0.0.1/", "octal, hexadecimal or a short form"),
        ("https://127.1/", "octal, hexadecimal or a short form"),
        ("https://[::1]/", "outside `networks`"),
        ("https://[::ffff:127.0.0.1]/", "outside `networks`"),
        ("https://[64:ff9b::7f00:1]/", "outside `networks`"),
        ("https://[fe80::1%25eth0]/", "name"),
        ("https://169.254.169.254/latest/meta-data/", "outside `networks`"),
    ],
)
def test_a_disguised_url_is_refused_with_its_reason(url: str, wants: str) -> None:
    found = misfit(URL, url)
    assert found is not None
    assert wants in found or wants == "no"


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "db.localhost", "printer.local", "metadata.google.internal", "intranet"),
        *("router.lan", "127.0.0.1", "10.1.2.3", "[fd00::1]", "8.8.8.8", "0", "0x8.8.8.8"),
    ],
)
def test_any_public_host_is_no_address_and_no_name_of_an_inner_network(host: str) -> None:
    assert misfit({"url": "*"}, f"https://{host}/") is not None
    assert misfit({"url": "*"}, "https://example.com/") is None


def test_a_named_address_and_a_named_network_are_let_through() -> None:
    rule = {"url": {"hosts": ["localhost", "::1"], "networks": ["10.0.0.0/8"], "ports": [8080]}}
    for url in ("https://localhost/", "https://[::1]:8080/", "https://10.9.8.7/"):
        assert misfit(rule, url) is None
    assert misfit(rule, "https://[::ffff:10.9.8.7]/") is not None


@pytest.mark.parametrize(
    "path",
    ["/private", "/publicity", "/public/../private", "/public/%2e%2e/private", "/public/..;/private",
     "/public//private", "/public%2fprivate", "/public/.", "/"],
)  # fmt: skip
def test_a_path_of_a_url_stays_below(path: str) -> None:
    rule = {"url": {"hosts": "a.example", "below": "/public", "query": False}}
    assert misfit(rule, f"https://a.example{path}") is not None
    assert misfit(rule, "https://a.example/public/x") is None
    assert misfit(rule, "https://a.example/public?x=1") is not None


@given(host=st.text(max_size=20), tail=st.text(max_size=10))
def test_whatever_url_passes_starts_with_an_allowed_host(host: str, tail: str) -> None:
    url = f"https://{host}{tail}"
    if misfit(URL, url) is None:
        rest = url.lower().removeprefix("https://").partition("/")[0].partition("?")[0]
        name = rest.partition("#")[0].removesuffix(":443")
        assert name == "api.example.com" or name.endswith(".cdn.example.com")


def test_a_bare_host_is_read_like_that_of_a_url() -> None:
    assert misfit({"host": "db.example"}, "DB.example") is None
    for host in ("db.example.", "evil.example", "db.example:5432", "127.1", 5, "db.example/x"):
        assert misfit({"host": "db.example"}, host) is not None


GOOD_NETWORKS: tuple[object, ...] = (
    "10.1.2.3", "10.1.0.0/16", IPv4Address("10.0.0.1"), "2001:db8::1",
)  # fmt: skip
BAD_NETWORKS: tuple[object, ...] = (
    "11.0.0.1", "0.0.0.0/0", "10.0.0.0/7", "010.0.0.1", "10.1", "::ffff:10.0.0.1", 167772161,
    "10.0.0.1/33", "10.0.0.1 ", True, None, "\uff11\uff10.0.0.1",
)  # fmt: skip


def test_networks_hold_addresses_and_smaller_networks() -> None:
    rule = {"cidr": ["10.0.0.0/8", "2001:db8::/32"]}
    for value in GOOD_NETWORKS:
        assert misfit(rule, value) is None, value
    for value in BAD_NETWORKS:
        assert misfit(rule, value) is not None, value


# --- mail ---------------------------------------------------------------------------------------

MAIL = {"mail": {"domains": ["bank.example", "*.bank.example"], "addresses": ["ada@home.example"]}}


@pytest.mark.parametrize(
    "to",
    [
        "bob@bank.example",
        "bob@BANK.example",
        "bob@eu.bank.example",
        "ada@home.example",
        "Bob Baker <bob@bank.example>",
        '"Baker" <bob@bank.example>; ada@home.example',
        ["bob@bank.example", "Ada <ada@home.example>"],
        "bob+tag@bank.example",
    ],
)
def test_recipients_of_the_domains_are_let_through(to: object) -> None:
    assert misfit(MAIL, to) is None


@pytest.mark.parametrize(
    "to",
    [
        "eve@evil.example",
        "bob@home.example",
        "bob@bank.example.evil.example",
        "bob@notbank.example",
        "bob@bank.example, eve@evil.example",
        "bob@bank.example; eve@evil.example",
        ["bob@bank.example", "eve@evil.example"],
        '"bob@bank.example" <eve@evil.example>',
        "bob@bank.example <eve@evil.example>",
        "eve@evil.example (bob@bank.example)",
        "(x)eve@evil.example",
        '"eve@evil.example,"@bank.example',
        '"a b"@bank.example',
        "eve%evil.example@bank.example",
        "evil.example!eve@bank.example",
        "@evil.example:bob@bank.example",
        "friends: eve@evil.example;",
        "bob@bank.example\r\nBcc: eve@evil.example",
        "bob@bank.example\x00@evil.example",
        "bob@[10.0.0.1]",
        "bob@b\u0430nk.example",
        "bob@bank\u3002example",
        "b\u200bob@bank.example",
        "bob@bank.example.",
        "bob@@bank.example",
        "bob",
        "",
        b"bob@bank.example",
        5,
        ["bob@bank.example", None],
        {"to": "bob@bank.example"},
    ],
)
def test_a_disguised_recipient_is_refused(to: object) -> None:
    assert misfit(MAIL, to) is not None


def test_recipients_are_counted_however_they_are_written() -> None:
    rule = {"mail": {"domains": "*", "max": 2}}
    assert misfit(rule, ["a@b.example", "c@d.example"]) is None
    assert (
        misfit(rule, ["a@b.example", "c@d.example, e@f.example"]) == "must have at most 2 addresses"
    )


# --- money --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount", [0, 500, 12.5, Decimal("499.99"), "500.00", "0.1", Decimal("1E2")]
)
def test_amounts_within_the_bounds_pass(amount: object) -> None:
    assert misfit({"money": 500}, amount) is None


@pytest.mark.parametrize(
    "amount",
    [501, 500.01, -1, "-5", True, None, "1,000.00", "5,00", "1e2", "0x10", "\u0663", "1_0", " 5", "",
     float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), 0.1 + 0.2, Decimal("0.001"), 10**40,
     "9" * 400, b"5", [501], {"amount": 5}],
)  # fmt: skip
def test_amounts_that_are_too_much_or_read_in_two_ways_are_refused(amount: object) -> None:
    assert misfit({"money": 500}, amount) is not None


def test_the_currency_is_named_by_the_amount_or_by_another_argument() -> None:
    inside = {"money": {"max": 9, "currency": "EUR"}}
    assert misfit(inside, "EUR 5.00") is None
    assert [misfit(inside, amount) is None for amount in ("USD 5", 5, "EUR 5 USD", "eur 5")] == [
        False, False, False, False,
    ]  # fmt: skip
    beside = {"money": {"max": 9, "currency": ["EUR", "CHF"], "currency_in": "unit"}}
    assert misfit(beside, 5, unit="CHF") is None
    for unit in ("USD", "chf", None, 5):
        assert misfit(beside, 5, unit=unit) is not None
    assert misfit(beside, "USD 5", unit="CHF") is not None
    assert misfit({"money": 9}, "USD 5") is not None


# --- commands -----------------------------------------------------------------------------------

SHELL = {
    "shell": {
        "commands": {
            "git": {"first": ["status", "log"], "options": ["--oneline", "-n"]},
            "ls": {"options": ["-l", "-a"], "max_words": 1},
        }
    }
}


@pytest.mark.parametrize(
    "line",
    [
        "git status",
        "git log --oneline -n 5",
        "ls -la",
        "ls 'a b'",
        ["ls", "-l", "my file"],
        "ls -- -x",
    ],
)
def test_allowed_commands_pass(line: object) -> None:
    assert misfit(SHELL, line) is None


@pytest.mark.parametrize(
    "line",
    [
        *(
            "rm -rf /",
            "git push",
            "git",
            "git -c core.pager=sh status",
            "ls -lR",
            "ls --help",
            "ls a b",
        ),
        *(
            "ls; rm x",
            "ls | sh",
            "ls & rm x",
            "ls && rm x",
            "ls > x",
            "ls < x",
            "ls $(rm x)",
            "ls `x`",
        ),
        *("ls $HOME", "ls *", "ls ?", "ls [a]", "ls {a,b}", "ls ~", "ls !1", "ls #x", "ls \\x"),
        *(
            "ls\nrm x",
            "ls\rrm x",
            "ls\x00rm",
            "ls\trm",
            "X=1 ls",
            "./ls",
            "/bin/ls",
            "LS",
            "ls '",
            'ls "$x"',
        ),
        *("ls ';'", "", " ", "l\u0455", "ls %PATH%", "ls ^x", "git log --oneline --exec=x"),
        *([], ["ls", "; rm x"], ["ls", 5], [["ls"]], 5, None, b"ls"),
    ],
)
def test_everything_else_is_refused(line: object) -> None:
    assert misfit(SHELL, line) is not None


# --- paths --------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "a.csv").write_text("inside")
    (tmp_path / "secret.txt").write_text("secret")
    (inside / "out").symlink_to(tmp_path)
    (inside / "loop").symlink_to(inside / "loop")
    (inside / "alias").symlink_to(inside / "sub")
    return inside


def test_paths_below_the_root_pass_and_links_inside_are_followed(root: Path) -> None:
    rule = {"path": str(root)}
    for path in (
        "sub/a.csv",
        "sub/../sub/a.csv",
        "alias/a.csv",
        "new.txt",
        str(root / "sub"),
        Path("sub"),
    ):
        assert misfit(rule, path) is None, path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../secret.txt",
            "sub/../../secret.txt",
            "out/secret.txt",
            "/etc/passwd",
            "loop/x",
            "//etc/passwd",
        ),
        *(
            "~/x",
            "~root/x",
            "$HOME/x",
            "sub/%2e%2e/%2e%2e/x",
            "a\x00b",
            "..\\secret.txt",
            "C:\\x",
            "a\nb",
        ),
        *("", "x" * 5000, 5, None, b"sub/a.csv", ["../secret.txt"]),
    ],
)
def test_paths_that_lead_out_are_refused(root: Path, path: object) -> None:
    assert misfit({"path": str(root)}, path) is not None


def test_a_root_is_no_prefix_of_letters(root: Path) -> None:
    root.with_name("root-2").mkdir()
    assert misfit({"path": str(root)}, str(root.with_name("root-2") / "x")) is not None


def test_the_tool_gets_the_resolved_path_so_that_a_link_changed_later_leads_nowhere(
    root: Path,
) -> None:
    (kind,) = compiled(Constraint.model_validate({"path": str(root)}))
    assert kind.give is not None
    given_path = kind.give("alias/a.csv")
    (root / "alias").unlink()
    (root / "alias").symlink_to(root.parent)
    assert given_path == str(root / "sub" / "a.csv")
    assert Path(str(given_path)).read_text() == "inside"


def test_open_beneath_follows_no_link_even_one_put_there_after_the_check(root: Path) -> None:
    with os.fdopen(open_beneath(root, "sub/a.csv")) as file:
        assert file.read() == "inside"
    with os.fdopen(open_beneath(root, root / "sub" / "a.csv")) as file:
        assert file.read() == "inside"
    for path in ("out/secret.txt", "alias/a.csv", "../secret.txt", "loop", "/etc/passwd", "", "."):
        with pytest.raises(OSError, match=r"."):
            open_beneath(root, path)
    (root / "sub" / "a.csv").unlink()
    (root / "sub" / "a.csv").symlink_to(root.parent / "secret.txt")
    with pytest.raises(OSError, match=r"."):
        open_beneath(root, "sub/a.csv")


def test_suffixes_are_those_of_the_resolved_file(root: Path) -> None:
    (root / "x.csv").symlink_to(root / "y.txt")
    rule = {"path": {"below": str(root), "suffixes": [".csv"]}}
    assert misfit(rule, "sub/a.csv") is None
    assert misfit(rule, "x.csv") is not None


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"optional": True},
        {"url": []},
        {"url": "*.*"},
        {"url": "b\u00fccher.example"},
        {"cidr": "10.0.0.1/8"},
        {"mail": {}},
        {"money": {"max": 1, "min": 2}},
        {"money": {"max": 1, "currency_in": "x"}},
        {"path": "relative"},
        {"path": {"below": "/x", "base": "/y", "give": "given"}},
        {"shell": []},
        {"shell": {"commands": {"ls": {"option": ["-l"]}}}},
    ],
    ids=str,
)
def test_a_constraint_that_checks_nothing_or_lets_nothing_through_is_refused(
    bad: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"."):
        Constraint.model_validate(bad)
