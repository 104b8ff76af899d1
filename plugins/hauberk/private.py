"""What a session knows to be private: asked where data may leave, told by whoever knows.

Rules:
* Each plugin that knows registers one test per session; a text is private when any of them says so.
* A test that fails counts as a yes.
* Nothing is kept here but the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hauberk.session import Session

Knows = Callable[[str], bool]
"""Whether a text holds something that is private in its session. Called from many threads at once."""


class Private:
    """What one session knows to be private. Thread-safe.

    It does not promise to know: without a plugin that tells it something, nothing is private.

    Example:
        >>> from hauberk.session import Session
        >>> private = Private.of(Session())
        >>> private.add("names", lambda text: "Ada" in text)
        >>> private.holds("to Ada"), private.holds("to whom it may concern")
        (True, False)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._tests: dict[object, Knows] = {}

    @classmethod
    def of(cls, session: Session) -> Private:
        """That of a session."""
        return session.state(cls, cls)

    def add(self, owner: object, knows: Knows) -> None:
        """Register the test of `owner`, in the place of the one that it had."""
        with self._lock:
            self._tests[owner] = knows

    @property
    def is_empty(self) -> bool:
        """Whether nobody knows anything."""
        return not self._tests

    def holds(self, text: str) -> bool:
        """Whether anybody says that a text holds something private."""
        with self._lock:
            tests = tuple(self._tests.values())
        return any(_says(knows, text) for knows in tests)


def _says(knows: Knows, text: str) -> bool:
    try:
        return knows(text)
    except Exception:  # noqa: BLE001 - what cannot be asked may be private
        return True
