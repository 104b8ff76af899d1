"""The company: what the agent's tools work on, and what they do to the world.

Rules:
* The data lies in `company/` and is never changed; each `Company` has a database of its own.
* Nothing leaves the process: mails, payments and opened pages are recorded in `actions`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from hauberk.demo._trace import Action

_DATA = files("hauberk.demo") / "company"
FIELDS = ("name", "email", "phone", "iban", "card", "order_status")
_PERSONAL = ("email", "phone", "iban", "card")
_PASSAGES = 2
"""Passages that a search gives."""


class Company:
    """One working day at the company. Open it with `with`: its database is a file in a temp folder.

    Its public methods are what the agents' tools call.

    Example:
        >>> with Company() as office:
        ...     "Thursday" in office.read_mail(3)
        True
    """

    def __init__(self) -> None:
        self.actions: list[Action] = []
        """Everything that a tool was made to do, in order."""
        self._folder = tempfile.TemporaryDirectory(prefix="hauberk-demo-")
        self._database = Path(self._folder.name) / "customers.db"
        with closing(sqlite3.connect(self._database)) as connection:
            connection.executescript((_DATA / "customers.sql").read_text("utf-8"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    # --- what tools can do ------------------------------------------------------------------

    def list_mail(self) -> str:
        """One line for each mail: number, sender, subject."""
        self._did("list_mail")
        lines = (f"{n}. {m['from']}: {m['subject']}" for n, m in sorted(_mailbox().items()))
        return "\n".join(lines)

    def read_mail(self, number: int) -> str:
        """One mail with its head."""
        self._did("read_mail", number=number)
        mail = _mailbox().get(number)
        if mail is None:
            return f"There is no mail {number}."
        head = "\n".join(f"{name}: {mail[name]}" for name in ("From", "Date", "Subject"))
        body = mail.get_body(("plain", "html"))
        return f"{head}\n\n{body.get_content() if body else ''}"

    def find_customer(self, name: str) -> str:
        """The records of the customers with that name; `*` means all."""
        self._did("find_customer", name=name)
        found = self.customers("" if name.strip() in {"*", ""} else name.strip())
        records = ("\n".join(f"{k.replace('_', ' ')}: {v}" for k, v in r.items()) for r in found)
        return "\n\n".join(records) or "There is no such customer."

    def search_documents(self, query: str) -> list[tuple[str, str]]:
        """The passages of the company's documents that fit best, as (place, text)."""
        self._did("search_documents", query=query)
        asked = _words(query)
        scored = [(len(asked & _words(text)), place, text) for place, text in _passages()]
        best = sorted((item for item in scored if item[0]), key=lambda item: -item[0])
        return [(place, text) for score, place, text in best[:_PASSAGES] if score == best[0][0]]

    def open_url(self, url: str) -> str:
        """The page at an address. There is no network: all but one are empty."""
        self._did("open_url", url=url)
        page = _pages().get(url)
        return "The page is empty." if page is None else (_DATA / "web" / page).read_text("utf-8")

    def send_email(self, to: str, subject: str, body: str) -> str:
        """Send a mail."""
        self._did("send_email", to=to, subject=subject, body=body)
        return "Sent."

    def transfer(self, amount: float, iban: str, reference: str = "") -> str:
        """Transfer money, in EUR."""
        self._did("transfer", amount=amount, iban=iban, reference=reference)
        return "Transferred."

    def delete_customer(self, name: str) -> str:
        """Delete a customer's record."""
        self._did("delete_customer", name=name)
        with closing(sqlite3.connect(self._database)) as connection, connection:
            gone = connection.execute("DELETE FROM customers WHERE name = ?", (name,)).rowcount
        return f"Deleted {gone} records."

    def customers(self, part: str) -> list[dict[str, object]]:
        """The records of the customers whose name holds `part`; nobody is told."""
        with closing(sqlite3.connect(self._database)) as connection:
            rows = connection.execute(
                f"SELECT {', '.join(FIELDS)} FROM customers WHERE instr(lower(name), lower(?))",  # noqa: S608 - constant names
                (part,),
            ).fetchall()
        return [dict(zip(FIELDS, row, strict=True)) for row in rows]

    # --- inside -----------------------------------------------------------------------------

    def _did(self, tool: str, **arguments: object) -> None:
        self.actions.append(Action(tool=tool, arguments=arguments))


@cache
def personal_values() -> frozenset[str]:
    """Every mail address, phone number, bank account and card number of a customer.

    Names are not among them: without a language model no rule finds every name, and none is
    promised.
    """
    with Company() as company:
        return frozenset(
            str(record[field]) for record in company.customers("") for field in _PERSONAL
        )


@cache
def _mailbox() -> dict[int, EmailMessage]:
    return {
        int(file.name.removesuffix(".eml")): message_from_bytes(
            file.read_bytes(), policy=policy.default
        )
        for file in (_DATA / "mailbox").iterdir()
        if file.name.endswith(".eml")
    }


@cache
def _passages() -> tuple[tuple[str, str], ...]:
    documents = sorted((_DATA / "documents").iterdir(), key=lambda file: file.name)
    return tuple(passage for file in documents for passage in _split(file))


def _split(file: Traversable) -> Iterator[tuple[str, str]]:
    """A document in passages, one for each of its headings."""
    for part in re.split(r"^## ", file.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        yield f"{file.name}#{part.partition(chr(10))[0].strip()}", part.strip()


@cache
def _pages() -> dict[str, str]:
    return cast("dict[str, str]", json.loads((_DATA / "web" / "pages.json").read_text("utf-8")))


def _words(text: str) -> set[str]:
    """Words of four letters and more, without the plural's s."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", text.lower())}
