"""What filters of streams have in common: they hold back what the next piece may still change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field


@dataclass(slots=True)
class Holding(ABC):
    """A text in pieces (a `StreamFilter`). Who builds on it writes `_run`."""

    _held: str = field(default="", init=False, repr=False)

    def feed(self, text: str) -> str:
        """Take the next piece; give what is safe to show."""
        return self._run(self._held + text, final=False)

    def finish(self) -> str:
        """The text is over: give what was held back."""
        return self._run(self._held, final=True)

    @abstractmethod
    def _run(self, text: str, *, final: bool) -> str:
        """What may be shown of `text`; keeps the rest in `_held`, and nothing where it is final."""
