"""The two files beside a trail: its key, and its head.

Rules:
* The key file is made once, in one step, readable by its owner only; it is never replaced.
* The head is written after the row that it names, in one write, by whoever holds the trail's lock: a
  head that names more than the trail has is proof of a cut tail.

On Windows there is no such lock: the head may then name an older record, which verifying accepts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from secrets import token_hex

from hauberk.audit._chain import SECRET_BYTES, Head, Keys, decode_head, encode_head
from hauberk.audit._failures import EVIDENCE, unusable
from hauberk.errors import StoreError, TamperedError

_O_BINARY: int = getattr(os, "O_BINARY", 0)


def key_path(path: Path) -> Path:
    """The key file of a trail."""
    return path.with_name(path.name + ".key")


def head_path(path: Path) -> Path:
    """The head file of a trail."""
    return path.with_name(path.name + ".head")


def read_keys(path: Path) -> Keys | None:
    """The keys of the trail at `path`; None when there is no key file.

    Raises:
        TamperedError: The key file is none.
        StoreError: It cannot be read.
    """
    file = key_path(path)
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(file, "read", error) from None
    try:
        secret = bytes.fromhex(raw.decode("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise TamperedError(
            "not a key file", store=file, remedy="Put the key file of this trail back."
        )
    return Keys.derive(secret)


def make_keys(path: Path) -> Keys:
    """The keys for a new trail at `path`; those of whoever was faster, when somebody was.

    Raises:
        StoreError: The key file cannot be written.
    """
    file = key_path(path)
    draft = file.with_name(f"{file.name}.{token_hex(8)}")
    try:
        _write_new(draft, token_hex(SECRET_BYTES).encode() + b"\n")
        try:
            # A link, not a rename: it fails when the file is there, so no key is ever replaced.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise unusable(file, "written", error) from None
    found = read_keys(path)
    if found is None:
        raise StoreError("the key file went away while it was made", store=file)
    return found


def read_head(path: Path, keys: Keys) -> Head | None:
    """The head of the trail at `path`; None when there is no head file.

    Raises:
        TamperedError: The head file was not written with these keys.
        StoreError: It cannot be read.
    """
    file = head_path(path)
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(file, "read", error) from None
    found = decode_head(keys, raw)
    if found is None:
        raise TamperedError("the head file was changed", store=file, remedy=EVIDENCE)
    return found


class HeadFile:
    """An open head file. Whoever writes it holds the lock of the trail."""

    def __init__(self, path: Path, keys: Keys) -> None:
        """Open the head file of the trail at `path`, making it when it is missing.

        Raises:
            StoreError: It cannot be opened for writing.
        """
        self._file = head_path(path)
        self._keys = keys
        try:
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | _O_BINARY, 0o600)
        except OSError as error:
            raise unusable(self._file, "written", error) from None

    def write(self, head: Head) -> None:
        """Name `head` as the newest row.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            if sys.platform == "win32":
                os.lseek(self._fd, 0, os.SEEK_SET)
                os.write(self._fd, encode_head(self._keys, head))
            else:
                os.pwrite(self._fd, encode_head(self._keys, head), 0)
        except OSError as error:
            raise unusable(self._file, "written", error) from None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _write_new(file: Path, data: bytes) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_BINARY, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
