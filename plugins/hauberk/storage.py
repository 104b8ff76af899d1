"""What an application stores of a conversation: hidden on the way in, given back on the way out.

For adapters of checkpoints and memories that outlive a run. `Stage.INGEST` is for what is never to be
read back.

Rules:
* What cannot be hidden is not stored: it refuses.
* Only who has the vault that hid something gives it back; for everyone else it stays as it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hauberk.events import Event, Stage
from hauberk.guard import Guard
from hauberk.session import Session


@runtime_checkable
class StoringPlugin(Protocol):
    """A plugin that hides values in what is stored, and gives them back. Thread-safe."""

    @property
    def name(self) -> str:
        """Short name, as in decisions."""
        ...

    def conceal(self, session: Session, texts: Sequence[str]) -> tuple[list[str], str]:
        """The texts as they may be stored, and a mark of what can give them back.

        Must give every text back exactly, as long as the mark is the same.
        """
        ...

    def reveal(self, session: Session, texts: Sequence[str], mark: str) -> list[str] | None:
        """The texts as they were; None when they were hidden by something with another mark."""
        ...


@dataclass(frozen=True, slots=True)
class Concealed:
    """Texts as they may be stored."""

    texts: tuple[str, ...] = field(repr=False)
    marks: Mapping[str, str]
    """By name of the plugin: what hid them. Stored beside the texts."""


def conceals(guard: Guard) -> bool:
    """Whether any plugin of `guard` hides anything in what is stored."""
    return bool(_storing(guard))


def conceal(guard: Guard, session: Session, texts: Sequence[str]) -> Concealed:
    """Texts as they may be stored.

    Raises:
        BlockedError: They cannot be hidden.
    """
    done, marks = list(texts), dict[str, str]()
    for plugin in _storing(guard):
        try:
            done, marks[plugin.name] = plugin.conceal(session, done)
        except Exception as error:  # noqa: BLE001 - what cannot be hidden must not be stored
            raise guard.refuse(_stored(session), plugin.name, error) from None
    return Concealed(tuple(done), marks)


def reveal(guard: Guard, session: Session, stored: Concealed) -> tuple[str, ...]:
    """The texts as they were, as far as this guard and this session can tell.

    Raises:
        BlockedError: The vault cannot be reached.
    """
    done = list(stored.texts)
    for plugin in reversed(_storing(guard)):
        mark = stored.marks.get(plugin.name)
        if mark is None:
            continue
        try:
            back = plugin.reveal(session, done, mark)
        except Exception as error:  # noqa: BLE001 - nobody knows what this would have been
            raise guard.refuse(_stored(session), plugin.name, error) from None
        if back is None:
            break  # what the plugins before it hid is below: it cannot be read either
        done = back
    return tuple(done)


def _storing(guard: Guard) -> list[StoringPlugin]:
    return [plugin for plugin in guard.plugins if isinstance(plugin, StoringPlugin)]


def _stored(session: Session) -> Event:
    return Event(stage=Stage.INGEST, session=session)
