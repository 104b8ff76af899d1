"""Stores of vaults to test: memory, a file, a Redis that the tests start themselves."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hauberk.keys import KeyRing
from hauberk_pii import MemoryVaults, VaultStore
from hauberk_pii.vault._redis import RedisVaults
from hauberk_pii.vault._seal import Keeping
from hauberk_pii.vault._sqlite import SqliteVaults

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
Make = Callable[..., VaultStore]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["RedisServer"]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


class RedisServer:
    """A real Redis on a free port, that keeps what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        redis = shutil.which("redis-server") or ""
        args = (
            f"--port {self.port} --bind 127.0.0.1 --dir {self.folder} --save  --appendonly yes "
            "--appendfsync always"
        )
        self.process = subprocess.Popen(
            [redis, *args.split(" ")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=0.1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("redis-server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_sqlite(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    made: list[SqliteVaults] = []

    def make(keys: Any = (KEY,), **keeping: Any) -> VaultStore:
        path = tmp_path / "vault.db"
        made.append(SqliteVaults(path, KeyRing(keys), Keeping(**keeping), clock=clock))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def make_redis(
    redis_server: RedisServer, clock: Clock, request: pytest.FixtureRequest
) -> Iterator[Make]:
    made: list[RedisVaults] = []

    def make(keys: Any = (KEY,), **keeping: Any) -> VaultStore:
        prefix = f"test:{request.node.name}"
        store = RedisVaults(
            redis_server.url, KeyRing(keys), Keeping(**keeping), prefix=prefix, clock=clock
        )
        made.append(store)
        return store

    yield make
    for store in made:
        store.redis.flushall()
        store.close()


@pytest.fixture(params=["sqlite", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes stores over one place, as several workers would."""
    made: Make = request.getfixturevalue(f"make_{request.param}")
    return made


@pytest.fixture
def make_memory() -> Make:
    return MemoryVaults
