"""References: untrusted text that the model can pass on but not read.

Each session has one `References`, shared by every plugin that hides texts.

Rules:
* The same text has the same reference in a session; nobody can guess one.
* A tool gets the real text, whole or inside a longer value; rules judge the real text.
* A reference that nobody gave out stays what it is.
* Bounded: when a session hides more than it may remember, the text is not shown either; its
  reference then leads nowhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from threading import Lock
from typing import cast

from hauberk.session import Session
from hauberk.structure import replace_leaves

MAX_HIDDEN = 10_000
"""Texts that one session hides."""
MAX_HIDDEN_CHARS = 16_000_000
"""Characters of them."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,63}")
"""What may be said of a text: an attacker may have chosen its name."""
_REFERENCE = re.compile(r"<ref:[\w.:/-]{1,140}>")


class References:
    """The hidden texts of one session. Thread-safe.

    Example:
        >>> references = References.of(Session())
        >>> reference = references.hide("Dear all ...", "read_mail.body")
        >>> references.shown({"body": f"FW: {reference}"})
        {'body': 'FW: Dear all ...'}
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._texts: dict[str, str] = {}
        self._references: dict[str, str] = {}
        self._chars = 0

    @classmethod
    def of(cls, session: Session) -> References:
        """Those of a session."""
        return session.state(cls, cls)

    def hide(self, text: str, what: str) -> str:
        """The reference of a text.

        Args:
            text: What is hidden.
            what: Said in the reference, so that the model knows what it passes on: `read_mail.body`.
        """
        if not text.strip() or self.is_bare(text):
            return text
        with self._lock:
            known = self._references.get(text)
            if known is not None:
                return known
            name = what if _NAME.fullmatch(what) else "text"
            reference = f"<ref:{name}:{secrets.token_hex(6)}>"
            if len(self._texts) < MAX_HIDDEN and self._chars + len(text) <= MAX_HIDDEN_CHARS:
                self._texts[reference] = text
                self._references[text] = reference
                self._chars += len(text)
            return reference

    def is_bare(self, text: str) -> bool:
        """Whether a text is nothing but references that were given out."""
        found = _REFERENCE.findall(text)
        with self._lock:
            return (
                bool(found)
                and all(one in self._texts for one in found)
                and not (_REFERENCE.sub("", text).strip(" \n\t,;\"'[]{}"))
            )

    def is_mentioned(self, text: str) -> bool:
        """Whether a text holds a reference that was given out."""
        found = _REFERENCE.findall(text)
        with self._lock:
            return any(one in self._texts for one in found)

    def texts_in(self, text: str) -> list[str]:
        """The texts that stand behind the references in a text."""
        if not self._texts or "<ref:" not in text:
            return []
        found = _REFERENCE.findall(text)
        with self._lock:
            return [self._texts[one] for one in found if one in self._texts]

    def shown(self, arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Arguments with the real texts; the same object when there is no reference in them."""
        if not self._texts:
            return arguments
        return cast("Mapping[str, object]", replace_leaves(arguments, self._shown))

    def _shown(self, text: str) -> str:
        if "<ref:" not in text:
            return text
        with self._lock:
            return _REFERENCE.sub(lambda found: self._texts.get(found.group(), found.group()), text)
