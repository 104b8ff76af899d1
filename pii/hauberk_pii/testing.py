"""Contract suites: subclass one, say how your object is made, and pytest does the rest.

class TestMyVault(VaultContract):
    def make(self, max_values: int) -> Vault:
        return MyVault(max_values=max_values)
"""
# ruff: noqa: S101, D102 - contract suites are tests, and a test's name is its promise

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hauberk_pii.vault import Value, Vault, VaultFullError


class VaultContract:
    """What every vault promises. A fresh, empty one for each test."""

    def make(self, max_values: int) -> Vault:
        """An empty vault that holds so many values."""
        raise NotImplementedError

    def test_what_is_issued_can_be_looked_up(self) -> None:
        vault = self.make(10)
        [name] = vault.issue([Value("PERSON", "Ada Byron")])
        assert name == "<PERSON_1>"
        assert vault.lookup([name]) == {name: "Ada Byron"}

    def test_one_text_has_one_pseudonym(self) -> None:
        vault = self.make(10)
        first = vault.issue([Value("PERSON", "Ada"), Value("PERSON", "Ada")])
        again = vault.issue([Value("PERSON", "Ada")])
        assert {*first, *again} == {"<PERSON_1>"}

    def test_one_text_has_one_pseudonym_whatever_it_is_found_as(self) -> None:
        vault = self.make(10)
        [first] = vault.issue([Value("US_SSN", "536904399")])
        assert vault.issue([Value("US_PASSPORT", "536904399")]) == [first]

    def test_two_texts_never_share_one(self) -> None:
        vault = self.make(10)
        names = vault.issue([Value("EMAIL_ADDRESS", t) for t in ("a@x.com", "A@x.com", "b@x.com")])
        assert len(set(names)) == 3  # noqa: PLR2004
        assert sorted(vault.lookup(names).values()) == ["A@x.com", "a@x.com", "b@x.com"]

    def test_what_was_not_issued_here_is_not_known(self) -> None:
        vault = self.make(10)
        vault.issue([Value("PERSON", "Ada")])
        self.make(10).issue([Value("PERSON", "Bob"), Value("PERSON", "Cem")])
        assert vault.lookup(["<PERSON_2>", "<PHONE_NUMBER_1>", "PERSON_1", ""]) == {}

    def test_a_full_vault_refuses_and_forgets_nothing(self) -> None:
        vault = self.make(2)
        names = vault.issue([Value("PERSON", "Ada"), Value("PERSON", "Bob")])
        with pytest.raises(VaultFullError) as caught:
            vault.issue([Value("PERSON", "Cem")])
        assert "Cem" not in str(caught.value)
        assert vault.issue([Value("PERSON", "Ada"), Value("PERSON", "Bob")]) == names
        assert len(vault.lookup(names)) == 2  # noqa: PLR2004

    def test_all_or_nothing(self) -> None:
        vault = self.make(2)
        with pytest.raises(VaultFullError):
            vault.issue([Value("PERSON", name) for name in ("Ada", "Bob", "Cem")])
        assert vault.lookup(["<PERSON_1>", "<PERSON_2>", "<PERSON_3>"]) == {}
        assert len(vault.issue([Value("PERSON", "Cem"), Value("PERSON", "Dan")])) == 2  # noqa: PLR2004

    def test_any_text_is_a_value(self) -> None:
        vault = self.make(10)
        odd = ["", "\x00", "\ud800", "<PERSON_1>", "a" * 10_000]
        names = vault.issue([Value("LITERAL", text) for text in odd])
        assert [vault.lookup([name])[name] for name in names] == odd

    def test_writers_at_once_agree(self) -> None:
        vault = self.make(1000)
        values = [Value("PERSON", f"Name {n}") for n in range(100)]

        def turned(by: int) -> tuple[str, ...]:
            names = vault.issue(values[by:] + values[:by])
            return tuple(names[len(names) - by :] + names[: len(names) - by])

        with ThreadPoolExecutor(8) as pool:
            [names] = set(pool.map(turned, range(40)))
        assert len(set(names)) == len(values)

    def test_it_knows_its_values_and_a_secret_of_its_own(self) -> None:
        vault, other = self.make(10), self.make(10)
        vault.issue([Value("PERSON", "Ada")])
        assert (vault.knows("Ada"), vault.knows("Bob"), other.knows("Ada")) == (True, False, False)
        secret = vault.secret("hash")
        assert len(secret) >= 16  # noqa: PLR2004
        assert secret == vault.secret("hash")
        assert len({secret, vault.secret("surrogate"), other.secret("hash")}) == 3  # noqa: PLR2004

    def test_its_repr_shows_no_value(self) -> None:
        vault = self.make(10)
        vault.issue([Value("PERSON", "Ada Byron")])
        assert "Ada" not in repr(vault)
        assert "Ada" not in repr(Value("PERSON", "Ada Byron"))
