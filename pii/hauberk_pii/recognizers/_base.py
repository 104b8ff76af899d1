"""The base of our recognizers that find one type of values."""

from __future__ import annotations

from typing import ClassVar

from presidio_analyzer import EntityRecognizer


class OneTypeRecognizer(EntityRecognizer):
    """A Presidio recognizer of one type, with nothing to load. A subclass names the type."""

    ENTITY: ClassVar[str] = ""
    """Type that is reported."""

    def __init__(self, supported_language: str = "en") -> None:
        super().__init__(
            supported_entities=[self.ENTITY],
            supported_language=supported_language,
            name=type(self).__name__,
        )

    def load(self) -> None:
        """Nothing to load."""
