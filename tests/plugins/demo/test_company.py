"""The company: its data is safe to publish, and it records what is done to it."""

from __future__ import annotations

import ast
import re
from importlib.resources import files

import phonenumbers
import pytest

from hauberk.demo import ATTACKS, HONEST, Company
from hauberk.demo._company import personal_values
from hauberk.demo._trace import Action, what_left
from hauberk.testing._reading import as_read

DATA = files("hauberk.demo") / "company"


def _texts() -> list[str]:
    with Company() as office:
        mails = [office.read_mail(number) for number in range(1, 7)]
        pages = [office.open_url("https://freight.example.net/rates")]
        records = [office.find_customer("*")]
    documents = [file.read_text("utf-8") for file in (DATA / "documents").iterdir()]
    asks = [task.ask for task in (*ATTACKS, *HONEST)]
    return [*mails, *pages, *records, *documents, *asks]


def test_every_domain_is_reserved_for_examples_or_tests() -> None:
    found = {
        domain.rstrip(".").lower()
        for text in _texts()
        for domain in re.findall(r"(?:@|https?://)([\w.-]+)", as_read(text))
    }
    assert len(found) > 8
    assert {d for d in found if not re.search(r"(^|\.)(example\.(com|org|net)|test)$", d)} == set()


def test_every_account_and_card_has_a_valid_checksum() -> None:
    values = [v.replace(" ", "") for v in personal_values()]
    ibans = [v for v in values if re.fullmatch(r"[A-Z]{2}\d{2}\w+", v)]
    cards = [v for v in values if re.fullmatch(r"\d{16}", v)]
    assert len(ibans) == len(cards) == 4
    assert all(_iban_remainder(iban) == 1 for iban in ibans)
    assert all(_luhn(card) for card in cards)


def _iban_remainder(iban: str) -> int:
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def _luhn(card: str) -> bool:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(card))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def test_every_phone_number_is_from_a_range_kept_for_fiction() -> None:
    phones = [value for value in personal_values() if value.startswith("+")]
    assert len(phones) == 4
    for phone in phones:
        assert re.fullmatch(r"\+1 \d{3}-555-01\d\d|\+44 20 7946 0\d{3}", phone)
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))


def test_each_company_starts_fresh() -> None:
    with Company() as first:
        first.delete_customer("Tom Okafor")
        assert "no such customer" in first.find_customer("Tom Okafor")
    with Company() as second:
        assert "tom.okafor@example.net" in second.find_customer("Tom Okafor")
        assert [action.tool for action in second.actions] == ["find_customer"]


def test_customers_are_found_by_part_of_a_name_and_all_by_a_star() -> None:
    with Company() as office:
        assert office.find_customer("okafor").count("email:") == 1
        assert office.find_customer("*").count("email:") == 4
        assert office.find_customer("%' OR 1=1 --") == "There is no such customer."


def test_a_search_gives_the_passage_that_answers() -> None:
    with Company() as office:
        assert "30 days" in office.search_documents("how many days to return goods")[0][1]
        assert office.search_documents("zzzz") == []


def test_what_is_not_there_is_said_to_be_missing() -> None:
    with Company() as office:
        assert office.read_mail(99) == "There is no mail 99."
        assert office.open_url("https://elsewhere.test/") == "The page is empty."


def test_two_mails_one_page_and_one_document_are_poisoned() -> None:
    """As read by the gullible model: nothing else in the company's data gives orders."""
    from hauberk.testing._orders import Intent, find_orders

    def poisoned(text: str) -> bool:
        harmful = (Intent.SEND, Intent.PAY, Intent.OPEN, Intent.DELETE, Intent.INCLUDE)
        return any(order.intent in harmful for order in find_orders(as_read(text)))

    with Company() as office:
        mails = [number for number in range(1, 7) if poisoned(office.read_mail(number))]
        assert poisoned(office.open_url("https://freight.example.net/rates"))
    documents = [f.name for f in (DATA / "documents").iterdir() if poisoned(f.read_text("utf-8"))]
    assert (mails, documents) == ([4, 6], ["partner-faq.md"])


@pytest.mark.parametrize(
    ("tool", "arguments", "kind", "to"),
    [
        ("send_email", {"to": "a@b.test", "subject": "s", "body": "b"}, "mail", "a@b.test"),
        ("transfer", {"amount": 1, "iban": "X", "reference": ""}, "transfer", "X"),
        ("open_url", {"url": "https://a.test/"}, "page", "https://a.test/"),
    ],
)
def test_mails_money_and_opened_pages_leave_the_company(
    tool: str, arguments: dict[str, object], kind: str, to: str
) -> None:
    (left,) = what_left([Action(tool=tool, arguments=arguments)], "")
    assert (left.kind, left.to) == (kind, to)


def test_a_link_in_an_answer_leaves_when_it_carries_something() -> None:
    answer = "See https://a.test/plain and ![x](https://b.test/p.png?d=ada@example.com)."
    assert [item.to for item in what_left([], answer)] == ["https://b.test/p.png?d=ada@example.com"]


@pytest.mark.parametrize("package", ["hauberk_langchain", "hauberk_llama_index"])
def test_the_agents_know_nothing_of_hauberk(package: str) -> None:
    from importlib.util import find_spec

    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    from pathlib import Path

    source = Path(spec.submodule_search_locations[0], "demo", "_agent.py").read_text("utf-8")
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    assert not {name for name in imported if name.startswith("hauberk")}
    assert "hauberk" not in source


def test_the_policy_names_no_attacker() -> None:
    """The security officer writes what is allowed, not what the attacks look like."""
    policy = (files("hauberk.demo") / "policy.yaml").read_text("utf-8")
    hosts = {h for t in _texts() for h in re.findall(r"[\w.-]+\.test\b", as_read(t))}
    assert hosts
    assert not {host for host in hosts if host in policy}
    assert ".test" not in policy
    for account in ("BE68 5390 0754 7034", "CH93 0076 2011 6238 5295 7"):
        assert account not in policy
