"""The log of a trail: its newest rows, in a file of their own until the database takes them.

Rules:
* A row is appended in one write. What was written survives the process: the kernel has it.
* Who appends holds the log's lock, across processes, and has seen what others wrote before.
* The file is removed when the database has its rows: whoever still has it open finds it gone.
* A row of which only a part was written was never acknowledged: the next writer cuts it off.
* Reading needs no lock: a part of a row at the end is no row.

Why: an SQLite transaction takes ten times as long as one write, and every decision waits for it.
Where processes cannot lock each other out of a file (Windows), there is no log.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from struct import Struct

from hauberk.audit._chain import Sealed
from hauberk.audit._failures import unusable

if sys.platform != "win32":
    import fcntl

CAN_LOCK = sys.platform != "win32"
"""Whether processes can lock each other out of a file."""

_FRAME = Struct("<IQ32s32s")
"""Before each body: its length in bytes, the row's number, the hash before it and its own."""

_PAUSE_S = 0.0005
"""Pause between two tries for the lock, which is held for microseconds."""


class Found(Enum):
    """How a log is found when its lock is got."""

    SAME = auto()
    """As this process left it."""
    LONGER = auto()
    """Others wrote."""
    SHORTER = auto()
    """Somebody cut it."""
    GONE = auto()
    """The database has its rows, or somebody removed it."""


def log_path(path: Path) -> Path:
    """The log of a trail."""
    return path.with_name(path.name + ".log")


def read_log(path: Path) -> list[Sealed]:
    """The rows in the log of the trail at `path`, in order of their number.

    Raises:
        StoreError: It cannot be read.
    """
    file = log_path(path)
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unusable(file, "read", error) from None
    return sorted(frames(raw)[0], key=lambda row: row.seq)


def frames(raw: bytes) -> tuple[list[Sealed], int]:
    """The whole rows in a piece of a log, and how many bytes they take."""
    rows: list[Sealed] = []
    at = 0
    while at + _FRAME.size <= len(raw):
        length, seq, prev, digest = _FRAME.unpack_from(raw, at)
        begin, end = at + _FRAME.size, at + _FRAME.size + length
        if end > len(raw):
            break
        rows.append(Sealed(seq, raw[begin:end], prev, digest))
        at = end
    return rows, at


class Log:
    """An open log. Not thread-safe: its store holds a lock; processes lock each other out."""

    def __init__(self, path: Path) -> None:
        """Open the log of the trail at `path`, making it when it is missing.

        Raises:
            StoreError: It cannot be opened for writing.
        """
        self.file = log_path(path)
        self.size = 0
        """Bytes of it that are whole rows and known to this process."""
        try:
            self._fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise unusable(self.file, "written", error) from None

    def lock(self, deadline: float) -> Found | None:
        """Shut other processes out, and say what became of it since.

        None when one of them held the lock until `deadline` (monotonic).
        """
        while sys.platform != "win32":
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self.found()
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return None
                time.sleep(_PAUSE_S)
            except BaseException:
                self.unlock()
                raise
        return None

    def unlock(self) -> None:
        """Let others write."""
        if sys.platform != "win32":
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def found(self) -> Found:
        """What became of it while it was not locked."""
        state = os.fstat(self._fd)
        size, known = state.st_size, self.size
        if not state.st_nlink:
            return Found.GONE
        if size == known:
            return Found.SAME
        return Found.LONGER if size > known else Found.SHORTER

    @property
    def is_elsewhere(self) -> bool:
        """Whether its file is there, and not where it was."""
        mine = os.fstat(self._fd)
        try:
            return bool(mine.st_nlink) and not os.path.samestat(self.file.stat(), mine)
        except OSError:
            return True

    def more(self) -> list[Sealed]:
        """The rows behind those that are known; they are known then."""
        rows, length = frames(self._read(self.size))
        self.size += length
        return rows

    def rows(self) -> list[Sealed]:
        """All rows that are known."""
        return frames(self._read(0)[: self.size])[0]

    def append(self, row: Sealed) -> None:
        """Add a row behind those that are known.

        Raises:
            StoreError: It cannot be written; then the log is as it was.
        """
        seq, body, prev, digest = row
        data = _FRAME.pack(len(body), seq, prev, digest) + body
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            raise unusable(self.file, "written", error) from None
        if written != len(data):
            self.cut()
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise unusable(self.file, "written", full)
        self.size += written

    def cut(self) -> None:
        """Take off what is behind the known rows: a part of a row that was never acknowledged.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as error:
            raise unusable(self.file, "written", error) from None

    def remove(self) -> None:
        """Remove the file: the database has its rows.

        Raises:
            StoreError: It cannot be removed.
        """
        try:
            self.file.unlink()
        except OSError as error:
            raise unusable(self.file, "removed", error) from None

    def discard(self) -> None:
        """Let go of a locked log that could not be used; one without rows is not left behind."""
        if not os.fstat(self._fd).st_size:
            with suppress(OSError):
                self.file.unlink()
        self.close()

    def close(self) -> None:
        """Let go of the file, and of its lock."""
        os.close(self._fd)

    def _read(self, start: int) -> bytes:
        pieces: list[bytes] = []
        try:
            while piece := os.pread(self._fd, 1 << 20, start):
                pieces.append(piece)
                start += len(piece)
        except OSError as error:
            raise unusable(self.file, "read", error) from None
        return b"".join(pieces)
