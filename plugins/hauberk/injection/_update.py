"""Trying a rule pack on texts, and putting it in the place of another.

Rules:
* A new pack is signed, has the name of the one that it replaces and a higher version; the examples of
  all its rules hold. Otherwise nothing is changed.
* What would change is told before anything is: rules that come and go, and texts that would be
  judged otherwise.
* A file is replaced in one step; the one before is kept beside it (`PACK.previous`) and can be put back.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hauberk.decisions import Severity
from hauberk.errors import PolicyError, StoreError
from hauberk.injection._normalize import views
from hauberk.injection._packs import PackFile, parse_pack, with_packs
from hauberk.injection._rules import RulePack
from hauberk.injection._screen import screen
from hauberk.injection._signing import read_signed, signature_file
from hauberk.policy._load import parse_yaml

MAX_DEPTH = 3
"""Encodings inside each other that are opened when texts are tried: the default of policies."""

ACTS_AT = Severity.MEDIUM
"""A text is judged otherwise when it passes this, or no longer does."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An example of a rule that does not hold. `kind`: `match` or `no_match`; `index` from 0."""

    rule: str
    kind: str
    index: int

    def __str__(self) -> str:
        what = "does not find" if self.kind == "match" else "finds"
        return f"{self.rule} {what} {self.kind}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Traffic:
    """One recorded text."""

    where: str
    """File and line."""
    kind: str
    """Kind of its origin."""
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A recorded text that would be judged otherwise. Never holds the text."""

    where: str
    before: tuple[str, ...]
    """Rules that find something in it today."""
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """What a new pack would change."""

    name: str
    old: int
    """Version of the pack that it replaces; 0: there is none."""
    new: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    altered: tuple[str, ...]
    problems: tuple[Problem, ...]
    """Examples that do not hold. With any, the pack is not installed."""
    texts: int
    """Recorded texts that were tried."""
    changes: tuple[Change, ...]


def check_examples(pack: RulePack) -> Iterator[Problem]:
    """Examples of a pack's rules that do not hold."""
    for number, rule in enumerate(pack.rules):
        for kind, texts in (("match", rule.match), ("no_match", rule.no_match)):
            for index, text in enumerate(texts):
                if _finds(pack, number, text) is not (kind == "match"):
                    yield Problem(rule.id, kind, index)


def prepare(new: Path, key: Path, installed: Path, traffic: Iterable[Traffic]) -> Update:
    """What installing a pack would change. Nothing is changed yet.

    Args:
        new: The new pack; its signature stands beside it.
        key: File of the public key (PEM) that it must be signed with.
        installed: Where the policy reads the pack from; it need not be there yet.
        traffic: Recorded texts to try it on.

    Raises:
        PolicyError: The pack is not signed with the key, cannot be used, has another name than the
            installed one, or not a higher version.
    """
    fresh = _signed(new, key)[1]
    known = _signed(installed, key)[1] if installed.exists() else None
    if known is not None:
        _check_succession(fresh, known, new)
    after = with_packs([fresh])
    before = with_packs([known] if known else [])
    rules_before = {rule.id: rule for rule in known.pack.rules} if known else {}
    rules_after = {rule.id: rule for rule in fresh.pack.rules}
    count, changes = _compare(before, after, traffic)
    return Update(
        name=fresh.pack.name,
        old=known.pack.version if known else 0,
        new=fresh.pack.version,
        added=tuple(sorted(rules_after.keys() - rules_before.keys())),
        removed=tuple(sorted(rules_before.keys() - rules_after.keys())),
        altered=tuple(
            sorted(n for n in rules_after.keys() & rules_before.keys()
                   if rules_after[n] != rules_before[n])
        ),
        problems=tuple(check_examples(after)),
        texts=count,
        changes=changes,
    )  # fmt: skip


def install(new: Path, key: Path, installed: Path) -> None:
    """Put a signed pack in its place; the one that was there is kept.

    Checks all that `prepare` checks, on the very bytes that are installed.

    Raises:
        PolicyError: As `prepare`; or an example does not hold.
        StoreError: A file cannot be written.
    """
    raw, fresh = _signed(new, key)
    if installed.exists():
        _check_succession(fresh, _signed(installed, key)[1], new)
    problem = next(check_examples(with_packs([fresh])), None)
    if problem is not None:
        raise PolicyError(f"{problem}: an example does not hold", source=new, field="rules")
    try:
        signature = signature_file(new).read_bytes()
        if installed.exists():
            for path in (installed, signature_file(installed)):
                _write(_previous(path), path.read_bytes())
        # A pack without its signature, or with another's, is refused when it is loaded.
        _write(signature_file(installed), signature)
        _write(installed, raw)
    except OSError as error:
        raise _unwritable(installed, error) from None


def roll_back(installed: Path, key: Path) -> int:
    """Put the pack before back; gives its version. Rolling back twice puts the newer one back.

    Raises:
        PolicyError: There is none, or it is not signed with the key.
        StoreError: A file cannot be written.
    """
    before = _previous(installed)
    if not before.exists():
        raise PolicyError("there is no pack before it", source=installed)
    paths = (signature_file(installed), installed)
    try:
        old = [_previous(path).read_bytes() for path in paths]
        now = [path.read_bytes() for path in paths]
        version = _checked_previous(installed, key)
        for path, was, is_now in zip(paths, old, now, strict=True):
            _write(path, was)
            _write(_previous(path), is_now)
    except OSError as error:
        raise _unwritable(installed, error) from None
    return version


def _checked_previous(installed: Path, key: Path) -> int:
    """Version of the pack before, once its signature is found right."""
    with tempfile.TemporaryDirectory(dir=installed.parent) as folder:
        copy = Path(folder) / installed.name
        copy.write_bytes(_previous(installed).read_bytes())
        signature_file(copy).write_bytes(_previous(signature_file(installed)).read_bytes())
        return _signed(copy, key)[1].pack.version


def _signed(path: Path, key: Path) -> tuple[bytes, PackFile]:
    raw = read_signed(path, key)
    return raw, parse_pack(*_with_source(raw, path))


def _with_source(raw: bytes, path: Path) -> tuple[object, str, dict[tuple[str | int, ...], int]]:
    data, lines = parse_yaml(raw, path)
    return data, str(path), lines


def _check_succession(fresh: PackFile, known: PackFile, new: Path) -> None:
    if fresh.pack.name != known.pack.name:
        raise PolicyError(
            f"is the pack {fresh.pack.name!r}, and {known.pack.name!r} is installed", source=new
        )
    if fresh.pack.version <= known.pack.version:
        raise PolicyError(
            f"has version {fresh.pack.version}, and {known.pack.version} is installed",
            source=new,
            field="version",
            remedy="`hauberk rules rollback` puts the version before back.",
        )


def _compare(
    before: RulePack, after: RulePack, traffic: Iterable[Traffic]
) -> tuple[int, tuple[Change, ...]]:
    count = 0
    changes: list[Change] = []
    for one in traffic:
        count += 1
        then, now = _acting(before, one), _acting(after, one)
        if bool(then) != bool(now):
            changes.append(Change(one.where, then, now))
    return count, tuple(changes)


def _acting(pack: RulePack, one: Traffic) -> tuple[str, ...]:
    found = screen(one.text, one.kind, pack, max_depth=MAX_DEPTH).findings
    return tuple(finding.rule for finding in found if finding.severity >= ACTS_AT)


def _finds(pack: RulePack, number: int, text: str) -> bool:
    raws = (view.text.encode("utf-8", "replace") for view in views(text, max_depth=MAX_DEPTH))
    return any(pack.span(number, raw) is not None for raw in raws)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def _write(path: Path, raw: bytes) -> None:
    """Replace a file in one step: readers see the old one or the new one, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot be written ({error.strerror})", store=path)
