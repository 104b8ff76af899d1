"""Intent: which tools a task may use, fixed from the user's own words (pure).

Rules:
* Only the user's own words count, so no untrusted text can add a tool.
* A tool is wanted when one of its words was said, in any form (`sends`, `sending`). Its words are
  those that the policy names, or the verb of its name with what people commonly say for it.
* Words are a coarse net: "do not delete" names deleting. Rules over values are the fine one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from typing import cast

from hauberk.capabilities._names import is_glob, matcher
from hauberk.errors import PolicyError
from hauberk.policy._flow import IntentPolicy

GROUP = "hauberk.intents"
"""Entry point group of matchers: name -> callable(message, names of tools) -> names of tools."""

Matcher = Callable[[str, Sequence[str]], Iterable[str]]

_WORD = re.compile(r"[^\W_]+")
_SAID = {
    ("send", "mail", "email", "message", "notify", "forward", "reply"): (
        "send mail email message write tell forward reply respond answer notify inform share dm text"
    ),
    ("post", "publish", "upload"): "post publish upload put share write",
    ("create", "make", "new", "schedule", "plan"): (
        "create make add schedule book plan arrange organize organise remind reminder put new"
    ),
    ("add", "append", "insert", "attach"): "add append insert include attach put join",
    ("invite",): "invite add",
    ("write", "save", "store"): "write save store create note",
    ("delete", "remove", "erase", "drop", "clear"): "delete remove erase drop clear kick",
    ("cancel",): "cancel delete remove drop",
    ("update", "change", "edit", "modify", "set", "adjust", "correct"): (
        "update change edit modify set adjust correct rename fix replace"
    ),
    ("reschedule", "move", "postpone"): "reschedule move postpone shift change",
    ("pay", "transfer", "wire", "refund"): "pay transfer send wire refund settle",
    ("reserve", "book"): "reserve book reservation",
    ("buy", "order", "purchase"): "buy order purchase",
    ("share",): "share send give",
    ("run", "execute"): "run execute start launch",
    ("open", "visit", "browse", "fetch"): "open visit browse fetch read look",
}
"""Verbs of tools' names, and what people say who want them."""
_COMMON = {verb: tuple(said.split()) for verbs, said in _SAID.items() for verb in verbs}

_MONEY = dict.fromkeys(("money", "payment", "payments", "funds"), "pay")
"""What is sent decides what people say: money is not mailed."""


class Intent:
    """The matcher of a policy.

    Example:
        >>> intent = Intent(IntentPolicy())
        >>> heard = intent.heard("Please pay the bill")
        >>> intent.wants("transfer_money", heard), intent.wants("delete_account", heard)
        (True, False)
    """

    def __init__(self, policy: IntentPolicy, tools: Sequence[str] = ()) -> None:
        """Prepare it.

        Args:
            policy: What the policy says.
            tools: The policy's tools, for a matcher of the application.

        Raises:
            PolicyError: The application's matcher is not installed.
        """
        self.always = policy.always
        self.otherwise = policy.otherwise
        self._tools = tuple(tools)
        self._named = tuple(
            (matcher(name), is_glob(name), said) for name, said in policy.words.items()
        )
        self._own: Matcher | None = None if policy.use is None else _matcher(policy.use)

    def heard(self, message: str) -> tuple[str, ...]:
        """What a message of the user's asks for: its words, or what the application's matcher says."""
        if self._own is not None:
            return tuple(str(name) for name in self._own(message, self._tools))
        return (_stems(message),)

    def wants(self, tool: str, heard: Sequence[str]) -> bool:
        """Whether a tool was asked for."""
        if self._own is not None:
            return tool in heard
        return any(phrase in one for phrase in self._phrases(tool) for one in heard)

    def _phrases(self, tool: str) -> tuple[str, ...]:
        exact = [said for matches, glob, said in self._named if not glob and matches(tool)]
        named = exact or [said for matches, glob, said in self._named if glob and matches(tool)]
        return tuple(_stems(word) for said in named for word in said) if named else _usual(tool)


@lru_cache(maxsize=1024)
def _usual(tool: str) -> tuple[str, ...]:
    """What people say who want a tool of this name."""
    words = _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tool).replace("_", " ").casefold())
    verb = next((_MONEY[word] for word in words if word in _MONEY), None)
    verb = verb or next((word for word in words if word in _COMMON), None)
    said = (verb, *_COMMON[verb]) if verb is not None else tuple(words)
    return tuple(dict.fromkeys(_stems(word) for word in said))


def _stems(text: str) -> str:
    return f" {' '.join(_stem(word) for word in _WORD.findall(text.casefold()))} "


def _stem(word: str) -> str:
    """A word without its ending, enough for verbs: `scheduled` and `scheduling` are `schedul`."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= LEAST_STEM:
            return word[: -len(ending)]
    return word


LEAST_STEM = 3


def _matcher(name: str) -> Matcher:
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            return cast("Matcher", entry.load())
    raise PolicyError(
        f"no matcher is called {name!r}",
        field="capabilities.intent.use",
        remedy=f"Install what brings it, as an entry point of the group `{GROUP}`.",
    )
