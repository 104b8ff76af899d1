"""Vaults that outlive a process: sealed, shared, bounded in time, erasable, fail closed."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hauberk import Event, Guard, PolicyError, Segment, Session, Stage, StoreError, TamperedError
from hauberk.keys import KeyRing, new_key
from hauberk.policy import PiiPolicy, VaultPolicy
from hauberk_pii import PiiPlugin, Value, Vault, VaultFullError, open_vaults
from hauberk_pii.testing import VaultContract
from hauberk_pii.vault._seal import Keeping
from hauberk_pii.vault._sqlite import SqliteVaults

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
ADA, BOB = Value("PERSON", "Ada Byron"), Value("PERSON", "Bob Crane")
MAIL = Value("EMAIL_ADDRESS", "ada@example.com")
Make = Callable[..., Any]


class TestSqliteVault(VaultContract):
    @pytest.fixture(autouse=True)
    def _stores(self, make_sqlite: Make) -> None:
        self.makes = make_sqlite

    def make(self, max_values: int) -> Vault:
        vault: Vault = self.makes(max_values=max_values).vault(Session())
        return vault


class TestRedisVault(VaultContract):
    @pytest.fixture(autouse=True)
    def _stores(self, make_redis: Make) -> None:
        self.makes = make_redis

    def make(self, max_values: int) -> Vault:
        vault: Vault = self.makes(max_values=max_values).vault(Session())
        return vault


def session(**other: Any) -> Session:
    return Session(**{"ident": "thread-1", "user": "ada", **other})


def test_workers_share_the_pseudonyms_of_one_session(make: Make) -> None:
    one, two = make().vault(session()), make().vault(session())
    assert one.issue([ADA, MAIL]) == two.issue([ADA, MAIL]) == ["<PERSON_1>", "<EMAIL_ADDRESS_1>"]
    assert two.issue([BOB]) == ["<PERSON_2>"]
    assert one.lookup(["<PERSON_2>"]) == {"<PERSON_2>": "Bob Crane"}


@pytest.mark.parametrize("other", [{"ident": "thread-2"}, {"tenant": "acme"}])
def test_other_sessions_know_nothing_of_it(make: Make, other: dict[str, str]) -> None:
    store = make()
    store.vault(session()).issue([ADA])
    assert store.vault(session(**other)).lookup(["<PERSON_1>"]) == {}


def test_many_writers_at_once_give_each_value_one_pseudonym(make: Make) -> None:
    vaults = [make().vault(session()) for _ in range(4)]
    values = [Value("PERSON", f"Name {n}") for n in range(40)]

    def turned(by: int) -> dict[str, str]:
        mine = values[by:] + values[:by]
        return dict(zip([v.text for v in mine], vaults[by % 4].issue(mine), strict=True))

    with ThreadPoolExecutor(8) as pool:
        first, *rest = pool.map(turned, range(24))
    assert all(other == first for other in rest)
    assert len(set(first.values())) == len(values)


# --- time -----------------------------------------------------------------------------------------


def test_a_value_lapses_after_its_time_and_its_pseudonym_is_never_given_again(
    make: Make, clock: Any
) -> None:
    store = make(ttl_s={"PERSON": 60})
    vault = store.vault(session())
    vault.issue([ADA, MAIL])
    clock.now += 61
    assert vault.lookup(["<PERSON_1>", "<EMAIL_ADDRESS_1>"]) == {"<EMAIL_ADDRESS_1>": MAIL.text}
    assert [held.text for held in store.export("ada")] == [MAIL.text]
    assert vault.issue([BOB]) == ["<PERSON_2>"]
    assert vault.issue([ADA]) == ["<PERSON_3>"]


def test_what_is_seen_again_is_kept_from_then_on(make: Make, clock: Any) -> None:
    vault = make(ttl_s={"*": 60}).vault(session())
    vault.issue([ADA])
    for _ in range(5):
        clock.now += 40
        assert vault.issue([ADA]) == ["<PERSON_1>"]
    assert vault.lookup(["<PERSON_1>"])


def test_purge_deletes_what_lapsed(make: Make, clock: Any) -> None:
    store = make(ttl_s={"PERSON": 60})
    store.vault(session()).issue([ADA, BOB, MAIL])
    assert store.purge() == 0
    clock.now += 61
    assert store.purge() == 2
    assert store.purge() == 0


# --- people ---------------------------------------------------------------------------------------


def test_a_person_is_exported_and_erased_over_every_session(make: Make) -> None:
    store = make()
    store.vault(session()).issue([ADA, MAIL])  # a session of the user ada
    others = store.vault(session(ident="thread-2", user="bob"))
    others.issue([BOB, MAIL])  # where ada's address is mentioned
    assert sorted(held.text for held in store.export("ada")) == [ADA.text, MAIL.text]
    assert len(store.export(MAIL.text)) == 2
    assert store.erase("ada") == 2
    assert store.erase(MAIL.text) == 1
    assert store.export("ada") == store.export(MAIL.text) == []
    assert others.lookup(["<PERSON_1>", "<EMAIL_ADDRESS_1>"]) == {"<PERSON_1>": BOB.text}
    assert others.issue([MAIL]) == ["<EMAIL_ADDRESS_2>"]


def test_memory_too_is_exported_and_erased(make_memory: Make) -> None:
    store = make_memory()
    vault = store.vault(session())
    vault.issue([ADA])
    assert [held.text for held in store.export("ada")] == [ADA.text]
    assert (store.erase("ada"), vault.lookup(["<PERSON_1>"])) == (1, {})
    assert vault.issue([ADA]) == ["<PERSON_2>"]
    assert (store.purge(), store.rotate()) == (0, 0)


# --- keys -----------------------------------------------------------------------------------------


def test_keys_are_changed_without_losing_a_session(make: Make) -> None:
    make(keys=[KEY]).vault(session()).issue([ADA])
    both = make(keys=[OTHER, KEY])
    assert both.vault(session()).issue([ADA]) == ["<PERSON_1>"]
    assert (both.rotate(), both.rotate()) == (1, 0)
    assert both.vault(session()).issue([ADA, BOB]) == ["<PERSON_1>", "<PERSON_2>"]
    assert both.erase(ADA.text) == 1


def test_a_session_goes_on_without_the_old_key_once_it_was_rotated(make_sqlite: Make) -> None:
    make_sqlite(keys=[KEY]).vault(session()).issue([ADA])
    make_sqlite(keys=[OTHER, KEY]).rotate()
    new = make_sqlite(keys=[OTHER])
    assert new.vault(session()).issue([ADA]) == ["<PERSON_1>"]
    assert new.erase("ada") == 1


def test_a_persons_rights_outlive_a_key(make: Make) -> None:
    """Once everything was sealed anew, the old key is not needed to find what is a person's."""
    make(keys=[KEY]).vault(session()).issue([ADA, MAIL])
    make(keys=[OTHER, KEY]).rotate()
    new = make(keys=[OTHER])
    assert sorted(held.text for held in new.export("ada")) == [ADA.text, MAIL.text]
    assert (new.erase("ada"), new.export("ada")) == (2, [])


def test_a_key_that_went_too_early_is_an_error_and_no_empty_answer(make: Make) -> None:
    """Whose those sessions are nobody can tell; what can be told is erased all the same."""
    make(keys=[KEY]).vault(session()).issue([ADA])
    new = make(keys=[OTHER])
    later = new.vault(session(ident="thread-2"))
    later.issue([ADA])
    with pytest.raises(StoreError, match=r"1 sessions are known under keys .*nothing was exported"):
        new.export("ada")
    with pytest.raises(StoreError, match="1 values were erased"):
        new.erase("ada")
    assert later.lookup(["<PERSON_1>"]) == {}
    both = make(keys=[OTHER, KEY])
    both.rotate()
    assert [held.text for held in both.export("ada")] == [ADA.text]
    assert both.erase("ada") == 1


def test_a_wrong_key_opens_nothing(make: Make) -> None:
    make(keys=[KEY]).vault(session()).issue([ADA])
    assert make(keys=[OTHER]).vault(session()).lookup(["<PERSON_1>"]) == {}
    with pytest.raises(StoreError, match="key that is not at hand"):
        make(keys=[OTHER]).rotate()


def test_a_file_of_an_older_version_is_opened(make_sqlite: Make, tmp_path: Path) -> None:
    """It lacks the column that says whose a session is: it is written when the session is opened."""
    make_sqlite(keys=[KEY]).vault(session()).issue([ADA])
    for file in tmp_path.rglob("*.db"):
        with sqlite3.connect(file) as db:
            db.execute("ALTER TABLE vault DROP COLUMN owner")
    store = make_sqlite(keys=[KEY])
    assert [held.text for held in store.export("ada")] == [ADA.text]
    assert store.vault(session()).issue([ADA]) == ["<PERSON_1>"]
    make_sqlite(keys=[OTHER, KEY]).rotate()
    assert make_sqlite(keys=[OTHER]).erase("ada") == 1


def test_what_was_changed_or_moved_does_not_open(make_sqlite: Make, tmp_path: Path) -> None:
    store = make_sqlite()
    store.vault(session()).issue([ADA, BOB])
    store.vault(session(ident="thread-2")).issue([MAIL])
    with sqlite3.connect(tmp_path / "vault.db") as db:
        [[ada], [bob]] = db.execute("SELECT sealed FROM value WHERE kind = 'PERSON' ORDER BY name")
        db.execute("UPDATE value SET sealed = ? WHERE name = '<PERSON_1>'", (bob,))
        db.execute("UPDATE value SET sealed = ? WHERE name = '<PERSON_2>'", (ada,))
    with pytest.raises(TamperedError, match="changed or moved"):
        make_sqlite().vault(session()).lookup(["<PERSON_1>"])
    with sqlite3.connect(tmp_path / "vault.db") as db:
        [[one], [two]] = db.execute("SELECT scope FROM vault ORDER BY id")
        db.execute("UPDATE vault SET scope = x'00' WHERE id = 1")
        db.execute("UPDATE vault SET scope = ? WHERE id = 2", (one,))
        db.execute("UPDATE vault SET scope = ? WHERE id = 1", (two,))
    with pytest.raises(TamperedError, match="another one"):
        make_sqlite().vault(session()).lookup(["<EMAIL_ADDRESS_1>"])


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("env:HAUBERK_NO_SUCH", "holds no key"),
        ("file:/no/such/file", "cannot be read"),
        ("c2VjcmV0LWtleS1tYXRlcmlhbA==", "is no source of keys"),
    ],
)
def test_a_key_that_cannot_be_had_is_an_error_that_shows_none(source: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why) as caught:
        KeyRing.load([source])
    assert "c2Vjcm" not in str(caught.value)


def test_keys_come_from_environment_file_keyring_and_function(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Ring:
        @staticmethod
        def get_password(service: str, name: str) -> str | None:
            return key if (service, name) == ("hauberk", "vault") else None

    key = new_key()
    (tmp_path / "key").write_text(key + "\n")
    monkeypatch.setenv("HAUBERK_TEST_KEY", key)
    monkeypatch.setitem(sys.modules, "keyring", Ring)
    sources = ["env:HAUBERK_TEST_KEY", f"file:{tmp_path / 'key'}", "keyring:hauberk/vault"]
    sealed = KeyRing.load([lambda: KeyRing.load(["env:HAUBERK_TEST_KEY"])._keys[0]]).seal(
        b"x", about=b"y"
    )
    for source in sources:
        assert KeyRing.load([source]).open(sealed, about=b"y") == b"x"
    assert key not in repr(KeyRing.load(sources))


# --- faults ---------------------------------------------------------------------------------------


def test_nothing_lies_in_clear_on_the_disk(make_sqlite: Make, tmp_path: Path) -> None:
    store = make_sqlite()
    vault = store.vault(session(ident="thread-of-ada", user="user-ada", tenant="tenant-acme"))
    vault.issue([ADA, MAIL, Value("PASSWORD", "\udcffhunter2")])
    vault.lookup(["<PERSON_1>"])
    files = sorted(tmp_path.glob("vault.db*"))
    assert {f.suffix for f in files} == {".db", ".db-wal", ".db-shm"}
    raw = b"".join(f.read_bytes() for f in files)
    words = (b"Ada", b"Byron", b"ada@", b"hunter2", b"thread-of", b"user-ada", b"tenant-")
    assert [word for word in words if word in raw] == []
    assert files[0].stat().st_mode & 0o077 == 0


def test_nothing_lies_in_clear_in_redis(make_redis: Make, redis_server: Any) -> None:
    make_redis().vault(session(ident="thread-of-ada", user="user-ada")).issue([ADA, MAIL])
    raw = b"".join(f.read_bytes() for f in redis_server.folder.rglob("*") if f.is_file())
    assert b"PERSON_1" in raw
    words = (b"Ada", b"Byron", b"ada@", b"thread-of", b"user-ada")
    assert [word for word in words if word in raw] == []


WRITER = """
import sys
from hauberk import Session
from hauberk.keys import KeyRing
from hauberk_pii import Value
from hauberk_pii.vault._sqlite import SqliteVaults
vault = SqliteVaults(sys.argv[1], KeyRing([bytes(range(32))])).vault(Session(ident="thread-1"))
for n in range(10_000):
    print(*vault.issue([Value("PERSON", f"Name {n}")]), flush=True)
"""


def test_an_acknowledged_value_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as it:
        assert it.stdout is not None
        told = [it.stdout.readline().decode().strip() for _ in range(25)]
        os.kill(it.pid, signal.SIGKILL)
        told += it.stdout.read().decode().split()
    store = SqliteVaults(path, KeyRing([KEY]))
    found = store.vault(session(user=None)).lookup(told)
    assert found == {name: f"Name {n}" for n, name in enumerate(told)}
    store.close()


def test_a_redis_that_is_killed_and_comes_back_has_what_it_acknowledged(
    make_redis: Make, redis_server: Any
) -> None:
    vault = make_redis().vault(session())
    names = vault.issue([ADA, BOB])
    redis_server.stop()
    with pytest.raises(StoreError, match="Redis failed"):
        vault.issue([MAIL])
    redis_server.start()
    assert list(vault.lookup(names).values()) == [ADA.text, BOB.text]


def test_a_redis_that_lost_its_data_is_noticed(make_redis: Make) -> None:
    store: Any = make_redis()
    vault = store.vault(session())
    vault.issue([ADA])
    store.redis.flushall()
    with pytest.raises(StoreError, match="lost"):
        vault.issue([BOB])
    with pytest.raises(StoreError, match="lost"):
        vault.lookup(["<PERSON_1>"])


def test_a_broken_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "vault.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"vault.db: the vault cannot be used"):
        SqliteVaults(tmp_path / "vault.db", KeyRing([KEY]))


def test_a_forked_process_opens_its_own_connection(make_sqlite: Make) -> None:
    vault = make_sqlite().vault(session())
    vault.issue([ADA])
    context = multiprocessing.get_context("fork")
    child = context.Process(target=vault.issue, args=([BOB],))
    child.start()
    child.join()
    assert vault.lookup(["<PERSON_2>"]) == {"<PERSON_2>": BOB.text}


def test_a_full_vault_refuses(make: Make) -> None:
    vault = make(max_values=1).vault(session())
    vault.issue([ADA])
    with pytest.raises(VaultFullError):
        vault.issue([ADA, BOB])
    assert vault.issue([ADA]) == ["<PERSON_1>"]


# --- with the plugin ------------------------------------------------------------------------------


def prompt(text: str, who: Session) -> Event:
    return Event(stage=Stage.PROMPT, session=who, segments=(Segment.from_user(text),))


def answer(text: str, who: Session) -> Event:
    return Event(stage=Stage.COMPLETION, session=who, segments=(Segment.from_model(text),))


def test_another_worker_restores_what_the_first_one_hid(make: Make) -> None:
    one, two = (PiiPlugin(PiiPolicy(), vaults=make()) for _ in range(2))
    asked = one.inspect(prompt("mail ada@example.com", session())).segments
    assert asked is not None
    assert asked[0].text == "mail <EMAIL_ADDRESS_1>"
    told = two.inspect(answer("sent to <EMAIL_ADDRESS_1>", session())).segments
    assert told is not None
    assert told[0].text == "sent to ada@example.com"


def test_a_vault_that_cannot_be_reached_blocks_the_prompt(
    make_redis: Make, redis_server: Any
) -> None:
    plugin = PiiPlugin(PiiPolicy(), vaults=make_redis())
    from hauberk import Policy

    guard = Guard(Policy.unsafe_allow_all(), plugins=[plugin])
    redis_server.stop()
    try:
        decision = guard.check(prompt("mail ada@example.com", session()))
    finally:
        redis_server.start()
    assert not decision.passes
    assert "ada@" not in repr(decision)


def test_a_text_that_is_shown_again_keeps_its_values_alive(tmp_path: Path) -> None:
    """What is remembered of a text must not outlive what the vault remembers of its values."""
    store = SqliteVaults(tmp_path / "v.db", KeyRing([KEY]), Keeping(ttl_s={"*": 0.2}))
    plugin, who = PiiPlugin(PiiPolicy(), vaults=store), session()
    for _ in range(6):
        shown = plugin.inspect(prompt("mail ada@example.com", who)).segments
        assert shown is not None
        name = shown[0].text.removeprefix("mail ")
        told = plugin.inspect(answer(name, who)).segments
        assert told is not None
        assert told[0].text == "ada@example.com"
        import time

        time.sleep(0.07)
    store.close()


def test_a_policy_opens_a_sealed_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAUBERK_TEST_KEY", new_key())
    policy = VaultPolicy(url=f"sqlite:{tmp_path / 'v.db'}", keys=("env:HAUBERK_TEST_KEY",))
    store = open_vaults(policy)
    assert store.vault(session()).issue([ADA]) == ["<PERSON_1>"]
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "sqlite:v.db"},
        {"url": "memory:", "keys": ["env:X"]},
        {"url": "mysql://x", "keys": ["env:X"]},
        {"ttl_s": {"PERSON": 0}, "url": "sqlite:v.db", "keys": ["env:X"]},
    ],
)
def test_a_vault_that_makes_no_sense_is_refused_at_load(wrong: dict[str, Any]) -> None:
    from hauberk import load_policy

    with pytest.raises(PolicyError, match=r"pii\.vault"):
        load_policy({"version": 1, "pii": {"vault": wrong}})
